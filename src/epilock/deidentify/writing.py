"""Writing a release: CSV, Parquet or XLSX by the suffix, whole or not at all.

Rows go to a temporary file beside the output, which gets its name at the end. A crash of the machine leaves
at most a file ``.NAME.….partial``; an error or an interruption leaves nothing.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from epilock.deidentify.counting import text_of
from epilock.deidentify.table import Delimited, Table
from epilock.durable import sync
from epilock.errors import ConflictError, InputError, TooLargeError

MOST_SHEET_ROWS = 1_048_576  # Excel's own limit, the header counted
SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx")
BOM = "\ufeff"


class Writer(Protocol):
    """Takes batches of one schema."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


def check_output(out: Path, source: Path, *, replace: bool) -> None:
    """Raise unless a release can be written to ``out``: told before hours of work, not after.

    Raises:
        InputError: The suffix is no format, there is no such directory, or it can't be written to.
        ConflictError: The file is there already and ``replace`` is not said; or it is the input.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out.name}: the suffix says the format, one of {', '.join(SUFFIXES)}")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: there is no such directory; make it first")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise InputError(f"{out.parent}: nothing can be written into this directory")
    if out.exists():
        if source.exists() and out.samefile(source):
            raise ConflictError(f"{out.name} is the input; name another file")
        if out.is_dir():
            raise InputError(f"{out.name} is a directory; name a file")
        if not replace:
            raise ConflictError(f"{out.name} is there already; name a new file, or say --replace")


@contextmanager
def written(out: Path, schema: pa.Schema, source: Table, *, replace: bool) -> Iterator[Writer]:
    """Give a writer to ``out``; the file is there when this ends without an error, and not before.

    CSV has the delimiter and the byte order mark of ``source``, where that is CSV.

    Raises:
        ConflictError: The file came into being meanwhile.
        TooLargeError: It has too many rows for a sheet.
        InputError: It holds a character that no sheet can hold, or can't be written.
    """
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        with part.open("xb") as stream:
            writer = _writer(out, schema, source, stream)
            yield writer
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        if out.exists() and not replace:
            raise ConflictError(f"{out.name} came into being meanwhile; name a new file")
        part.replace(out)
        sync(out.parent)
    except OSError as error:
        raise InputError(f"{out.name} can't be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _writer(out: Path, schema: pa.Schema, source: Table, stream: IO[bytes]) -> Writer:
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        return _Parquet(stream, schema)
    if suffix == ".xlsx":
        return _Sheet(stream, schema, out.name)
    delimiter, marked = ",", False
    if isinstance(source, Delimited):
        delimiter, marked = source.delimiter, source.marked
    return _Csv(stream, schema, "\t" if suffix == ".tsv" else delimiter, marked=marked)


class _Csv:
    """RFC 4180 but for the line end; cells are quoted where they must be."""

    def __init__(
        self, stream: IO[bytes], schema: pa.Schema, delimiter: str, *, marked: bool
    ) -> None:
        self._stream, self._delimiter = stream, delimiter
        self._special = f'[{delimiter}"\r\n]'
        head = pa.record_batch([pa.array([name]) for name in schema.names], schema.names)
        stream.write((BOM if marked else "").encode())
        self.write(head)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [self._quoted(text_of(column)) for column in batch.columns]
        if len(columns) == 1:  # an empty line would be no row
            columns = [pc.if_else(pc.equal(columns[0], ""), '""', columns[0])]
        cells = pc.binary_join_element_wise(*columns, self._delimiter)
        lines = pc.binary_join_element_wise(cells, "\n", "")  # cell, line end, nothing between
        if len(lines):
            ends = memoryview(lines.buffers()[1]).cast("i")
            first, last = ends[lines.offset], ends[lines.offset + len(lines)]
            self._stream.write(memoryview(lines.buffers()[2])[first:last])

    def _quoted(self, column: pa.Array) -> pa.Array:
        special = pc.match_substring_regex(column, self._special)
        if not pc.any(special).as_py():
            return column
        doubled = pc.replace_substring(column, '"', '""')
        quoted = pc.binary_join_element_wise('"', doubled, '"', "")
        return pc.if_else(special, quoted, column)

    def close(self) -> None:
        """Do nothing: all is written."""


class _Parquet:
    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Sheet:
    """All cells are text: a value that begins with ``=`` must not become a formula."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema, name: str) -> None:
        import openpyxl  # noqa: PLC0415 - half a second that only this format needs
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - same

        self._stream, self._name, self._rows = stream, name, 0
        self._cell: Any = WriteOnlyCell
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet("release")
        self._append(schema.names)

    def write(self, batch: pa.RecordBatch) -> None:
        for row in zip(*(text_of(column).to_pylist() for column in batch.columns), strict=True):
            self._append(row)

    def close(self) -> None:
        self._book.save(self._stream)

    def _append(self, row: Any) -> None:
        from openpyxl.utils.exceptions import IllegalCharacterError  # noqa: PLC0415 - same

        self._rows += 1
        if self._rows > MOST_SHEET_ROWS:
            raise TooLargeError(
                f"{self._name}: a sheet has at most {MOST_SHEET_ROWS:,} rows; write CSV or Parquet"
            )
        try:
            cells = [self._cell(self._sheet, value=value) for value in row]
        except IllegalCharacterError:
            raise InputError(
                f"{self._name}: row {self._rows - 1} of the release has a control character, which a sheet"
                " can't hold; write CSV or Parquet"
            ) from None
        for cell in cells:
            cell.data_type = "s"
        self._sheet.append(cells)
