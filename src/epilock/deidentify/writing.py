"""Writing a release: CSV, Parquet or XLSX by the suffix, whole or not at all.

Rows go to a temporary file beside the output, which gets its name at the end. A crash of the machine leaves
at most a file ``.NAME.….partial``; an error or an interruption leaves nothing.
"""

import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from epilock.deidentify.rows.counting import text_of
from epilock.deidentify.table import Delimited, Table
from epilock.durable import sync
from epilock.errors import ConflictError, InputError, TooLargeError
from epilock.sheets.stream import MAX_CELL

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

    def abandon(self) -> None:
        """Let go of what is open; after ``close`` it does nothing."""
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
def written(out: Path, schema: pa.Schema, source: Table, *, replace: bool) -> Iterator["Rows"]:
    """Give a writer to ``out``; the file is there when this ends without an error, and not before.

    CSV has the delimiter and the byte order mark of ``source``, where that is CSV.

    Raises:
        ConflictError: The file came into being meanwhile.
        TooLargeError: It has too many rows for a sheet.
        InputError: It holds a character that no sheet can hold, or can't be written.
    """
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    stream: IO[bytes] | None = None
    writer: Writer | None = None
    try:
        with _told(out):
            stream = part.open("xb")
            writer = _writer(out, schema, source, stream)
        yield Rows(out, writer)
        with _told(out):
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        check_output(out, part, replace=replace)  # it may have come into being meanwhile
        with _told(out):
            part.replace(out)
            sync(out.parent)
    finally:
        part.unlink(missing_ok=True)
        if stream is not None:
            _let_go(stream, writer)


def _let_go(stream: IO[bytes], writer: Writer | None) -> None:
    """Close what is open; on a full disk what is half written can't be, so it goes nowhere."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())
    if writer is not None:
        writer.abandon()
    stream.close()


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Say of what a disk does wrong that it befell the output, not the input."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(f"{out.name} can't be written: {why}; nothing is left of it") from None


@dataclass(frozen=True, slots=True)
class Rows:
    """Takes the batches of a release."""

    _out: Path
    _writer: Writer

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows; raises as ``written`` says."""
        with _told(self._out):
            self._writer.write(batch)


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
        self._stream.write(_octets(lines))

    def _quoted(self, column: pa.Array) -> pa.Array:
        special = pc.match_substring_regex(column, self._special)
        if not pc.any(special).as_py():
            return column
        doubled = pc.replace_substring(column, '"', '""')
        quoted = pc.binary_join_element_wise('"', doubled, '"', "")
        return pc.if_else(special, quoted, column)

    def close(self) -> None:
        """Do nothing: all is written."""

    abandon = close


class _Parquet:
    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()

    abandon = close


class _Sheet:
    """The least workbook that ECMA-376 allows: one sheet, each cell a text of its own.

    All cells are text: a value that begins with ``=`` must not become a formula.
    """

    def __init__(self, stream: IO[bytes], schema: pa.Schema, name: str) -> None:
        self._name, self._rows = name, 0
        self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED)
        for part, content in _PARTS.items():
            self._archive.writestr(part, _XML + content)
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        self._sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
        self.write(pa.record_batch([pa.array([each]) for each in schema.names], schema.names))

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [text_of(column) for column in batch.columns]
        self._check(batch.num_rows, columns)
        cells = [
            pc.binary_join_element_wise(_CELL, _escaped(column), _CELL_END, "")
            for column in columns
        ]
        self._sheet.write(_octets(pc.binary_join_element_wise("<row>", *cells, "</row>", "")))
        self._rows += batch.num_rows

    def close(self) -> None:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._archive.close()

    def abandon(self) -> None:
        self._sheet.close()
        self._archive.fp = None  # a directory of what is not there can't be written

    def _check(self, more: int, columns: list[pa.Array]) -> None:
        if self._rows + more > MOST_SHEET_ROWS:
            raise TooLargeError(
                f"{self._name}: a sheet has at most {MOST_SHEET_ROWS:,} rows; write CSV or Parquet"
            )
        for column in columns:
            long = pc.greater(pc.utf8_length(column), MAX_CELL)
            wrong = pc.or_(pc.match_substring_regex(column, _NO_XML), long)
            row = pc.index(wrong, pa.scalar(value=True)).as_py()
            if row >= 0:
                raise InputError(
                    f"{self._name}: row {self._rows + row} of the release has a cell with a control character or"
                    f" more than {MAX_CELL} characters, which a sheet can't hold; write CSV or Parquet"
                )


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OPEN = "http://schemas.openxmlformats.org"
_MAIN = f"{_OPEN}/spreadsheetml/2006/main"
_KIND = f"{_OPEN}/officeDocument/2006/relationships"
_PACKAGE = f"{_OPEN}/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_KIND}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_KIND}"><sheets><sheet name="release" sheetId="1" r:id="rId1"/>'
        "</sheets></workbook>"
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_KIND}/worksheet"'
        ' Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_CELL, _CELL_END = '<c t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
_NO_XML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"  # XML 1.0, section 2.2


def _escaped(column: pa.Array) -> pa.Array:
    """Return texts as XML writes them; a bare carriage return would be read as a line feed."""
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        column = pc.replace_substring(column, plain, escaped)
    return column


def _octets(lines: pa.Array) -> memoryview:
    """Return the texts of an array, one after the other."""
    if not len(lines):
        return memoryview(b"")
    ends = memoryview(lines.buffers()[1]).cast("i")
    first, last = ends[lines.offset], ends[lines.offset + len(lines)]
    return memoryview(lines.buffers()[2])[first:last]
