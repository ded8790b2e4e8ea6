"""Tables that are read again and again, batch by batch: in memory, or in a CSV, XLSX or Parquet file.

Rules kept in this file:
  1. Values are text as the file has them: 39 stays ``39``, blanks at the ends of a cell stay. Columns of
     Parquet keep their type, so that one that passes unchanged does so.
  2. A row's number counts from 1, the header not counted.
  3. Of a file a few thousand rows are in memory; a file that declares itself too large is not touched.
  4. A message names file, row and column by their number or the configuration's name, never a value: the
     first row of a table without a header would be somebody's data.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from epilock.errors import FileFormatError, InputError, TooLargeError
from epilock.sheets.archive import Archive
from epilock.sheets.stream import (
    MAX_COLUMNS,
    MAX_ELEMENTS,
    MAX_UNPACKED,
    Cells,
    Contents,
    read_contents,
)

MOST_BYTES = 1 << 36  # 64 GiB
MOST_ROWS = 1_000_000_000
MOST_GROUP = 1 << 31  # octets of a row group of Parquet, unpacked
BATCH = 1 << 16  # rows
BLOCK = 1 << 22  # octets of CSV that become one batch; no row may be longer
SAMPLE = 1 << 16
LOOK = 50  # rows that decide on the delimiter
DELIMITERS = (",", ";", "\t")
ENCODINGS = ("utf-8", "gb18030")
_PARQUET, _ENCRYPTED_PARQUET, _ZIP, _OLE = b"PAR1", b"PARE", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class Table(Protocol):
    """A table that can be read more than once, with the same outcome.

    Attributes:
        schema: Its columns.
        about: How many rows it has, roughly; 0 if that is not known.
    """

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        ...

    @property
    def about(self) -> int:
        """How many rows it has, roughly; 0 if that is not known."""
        ...

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows' columns ``names``, in the table's order.

        Raises:
            FileFormatError: The file is broken, or ragged at a row, which is named.
            TooLargeError: It has too many rows.
        """
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """An Arrow table."""

    table: pa.Table = field(repr=False)

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self.table.schema

    @property
    def about(self) -> int:
        """How many rows it has."""
        return int(self.table.num_rows)

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield its rows; see ``Table``."""
        chosen = self.table.select(_in_order(self.schema, names))
        yield from chosen.to_batches(max_chunksize=BATCH)


def open_table(path: Path) -> Table:
    """Return the table in the file ``path``, its kind told from its first octets.

    Raises:
        InputError: The file can't be read.
        FileFormatError: It is no table, broken, encrypted or empty; or columns have the same name.
        TooLargeError: It is larger than 64 GiB, or has too many columns.
    """
    try:
        if not path.is_file() and path.exists():
            raise InputError(
                f"{path.name} is no file that can be read twice; save the table as one"
            )
        with path.open("rb") as stream:
            start = stream.read(8)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path.name} can't be read: {error.strerror}") from None
    if size > MOST_BYTES:
        raise TooLargeError(f"{path.name} is larger than {MOST_BYTES >> 30} GiB; divide it")
    if not start:
        raise FileFormatError(f"{path.name} is empty; a table has a header and rows")
    if start.startswith(_ENCRYPTED_PARQUET):
        raise FileFormatError(f"{path.name} is encrypted; save it without a key")
    if start.startswith(_OLE):
        raise FileFormatError(
            f"{path.name} is encrypted with a password, or an Office file of before 2007; save it as .xlsx"
            " without one, or as CSV UTF-8"
        )
    table: Table
    if start.startswith(_PARQUET) or path.suffix.lower() == ".parquet":
        table = Parquet(path)
    elif start.startswith(_ZIP) or path.suffix.lower() == ".xlsx":
        table = Workbook(path)
    else:
        table = Delimited(path)
    _check_names(path.name, table.schema.names)
    return table


def _check_names(name: str, names: Sequence[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise TooLargeError(f"{name} has {len(names)} columns; at most {MAX_COLUMNS} are read")
    seen: dict[str, int] = {}
    for number, each in enumerate(names, 1):
        if each and each in seen:
            raise FileFormatError(
                f"{name}: columns {seen[each]} and {number} have the same name; give each its own"
            )
        seen[each] = number


def _in_order(schema: pa.Schema, names: Sequence[str]) -> list[str]:
    return [name for name in schema.names if name in names]


def _check_rows(name: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise TooLargeError(f"{name} has more than {MOST_ROWS:,} rows; divide it")


class Delimited:
    """A CSV file: UTF-8 with or without byte order mark, or GB18030; with commas, semicolons or tabs.

    Attributes:
        delimiter: What separates cells.
        marked: Whether whoever reads it expects a byte order mark: it has one, or is GB18030.
    """

    def __init__(self, path: Path) -> None:
        """Find encoding, delimiter and header, and see that all of it is text.

        Raises:
            FileFormatError: It is in no known encoding, no text, or a quotation mark is never closed.
        """
        self._path = path
        self._encoding, self.about, quotes = _scanned(path)
        with path.open("rb") as stream:
            sample = stream.read(SAMPLE)
        self.marked = sample.startswith(codecs.BOM_UTF8) or self._encoding != "utf-8"
        decoder = codecs.getincrementaldecoder(
            "utf-8-sig" if self._encoding == "utf-8" else self._encoding
        )()
        self.delimiter, header = _header(decoder.decode(sample), path.name)
        if quotes % 2:
            self._check_closed()
        self.schema = pa.schema([(name, pa.string()) for name in header])

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield its rows; see ``Table``."""
        if not self.about:
            return  # the header alone, of which Arrow makes an error
        ragged: list[pa_csv.InvalidRow] = []

        def stop(row: pa_csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        rows = 0
        try:
            with (
                self._path.open("rb") as stream,
                pa_csv.open_csv(
                    stream,
                    read_options=pa_csv.ReadOptions(
                        use_threads=False, block_size=BLOCK, encoding=self._encoding
                    ),  # one thread: else a ragged row has no number
                    parse_options=pa_csv.ParseOptions(
                        delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=stop
                    ),
                    convert_options=pa_csv.ConvertOptions(
                        column_types=self.schema, include_columns=_in_order(self.schema, names),
                        strings_can_be_null=False,
                    ),
                ) as reader,
            ):  # fmt: skip
                for batch in reader:
                    rows += batch.num_rows
                    _check_rows(self._path.name, rows)
                    yield batch
        except pa.ArrowException:  # its words hold the row
            raise self._broken(ragged, rows) from None

    def _broken(self, ragged: Sequence[pa_csv.InvalidRow], rows: int) -> FileFormatError:
        name = self._path.name
        if not ragged:
            return FileFormatError(f"{name}: it can't be read as CSV after row {rows}")
        row = ragged[0]
        return FileFormatError(
            f"{name}, row {row.number - 1}: {row.actual_columns} cells where the header has"
            f" {row.expected_columns} columns; give the row a cell for each column, and quote cells that hold"
            " a delimiter"
        )

    def _check_closed(self) -> None:
        """Raise if a quoted cell never ends: it would swallow the rows after it."""
        with self._path.open(encoding=self._encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
            try:
                for _ in reader:
                    pass
            except csv.Error as error:
                if "unexpected end" in str(error) or "field larger" in str(error):
                    raise FileFormatError(
                        f"{self._path.name}, line {reader.line_num}: a quotation mark opens a cell that does not"
                        " end before it; close it"
                    ) from None


def _scanned(path: Path) -> tuple[str, int, int]:
    """Return the encoding of a text file, and how many line ends and quotation marks it has."""
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        feeds = returns = quotes = 0
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(BLOCK):
                    if b"\0" in chunk:
                        raise FileFormatError(
                            f"{path.name} is no CSV, XLSX or Parquet file, or is UTF-16; save it as CSV UTF-8"
                        )
                    decoder.decode(chunk)
                    feeds += chunk.count(b"\n")
                    returns += chunk.count(b"\r")
                    quotes += chunk.count(b'"')
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding, max(feeds, returns), quotes
    raise FileFormatError(
        f"{path.name} is neither UTF-8 nor GB18030 text; open it in a spreadsheet and save it as CSV UTF-8"
    )


def _header(sample: str, name: str) -> tuple[str, list[str]]:
    """Return the delimiter of a CSV text, and its first row.

    The delimiter is the one that cuts most rows into as many cells as the header, more than one.
    """
    best: tuple[tuple[int, int], str, list[str]] | None = None
    for delimiter in DELIMITERS:
        rows = []
        try:
            for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                rows += [row] if row else []
                if len(rows) == LOOK:
                    break
        except csv.Error:
            continue
        if not rows:
            continue
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) if width > 1 else 0
        if best is None or (alike, width) > best[0]:
            best = (alike, width), delimiter, rows[0]
    if best is None:
        raise FileFormatError(f"{name} has no header; its first row must name the columns")
    return best[1], best[2]


class Workbook:
    """The one sheet with cells of an XLSX workbook; its first row that is not empty is the header."""

    about: ClassVar[int] = 0

    def __init__(self, path: Path) -> None:
        """Find the sheet and its header.

        Raises:
            FileFormatError: It is no workbook, broken, encrypted, or has not exactly one sheet with cells.
            TooLargeError: It unpacks to too much.
        """
        self._path = path
        with self._opened() as archive:
            self._contents: Contents = read_contents(archive)
            found = [
                (part, first)
                for _, part in self._contents.sheets
                if (first := next((c for _, c in self._contents.rows(archive, part) if c), None))
            ]
        if len(found) != 1:
            raise FileFormatError(
                f"{path.name} has {len(found)} sheets with cells; save the one table as a workbook of its own"
            )
        self._part, header = found[0]
        self.schema = pa.schema(
            [(header.get(place, ""), pa.string()) for place in range(max(header) + 1)]
        )

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield its rows; see ``Table``."""
        chosen = _in_order(self.schema, names)
        places = [self.schema.names.index(name) for name in chosen]
        columns: list[list[str]] = [[] for _ in chosen]
        schema = pa.schema([(name, pa.string()) for name in chosen])
        with self._opened() as archive:
            for cells in self._data(archive):
                for column, place in zip(columns, places, strict=True):
                    column.append(cells.get(place, ""))
                if columns and len(columns[0]) == BATCH:
                    yield pa.record_batch(
                        [pa.array(c, pa.string()) for c in columns], schema=schema
                    )
                    columns = [[] for _ in chosen]
        if columns and columns[0]:
            yield pa.record_batch([pa.array(c, pa.string()) for c in columns], schema=schema)

    def _data(self, archive: Archive) -> Iterator[Cells]:
        width, rows = len(self.schema), -1
        for _, cells in self._contents.rows(archive, self._part):
            if not cells:
                continue
            rows += 1
            if rows == 0:
                continue  # the header
            if max(cells) >= width:
                raise FileFormatError(
                    f"{self._path.name}, row {rows}: a cell in column {max(cells) + 1}, and the header has"
                    f" {width} columns; name the column, or clear the cell"
                )
            yield cells

    @contextmanager
    def _opened(self) -> Iterator[Archive]:
        with self._path.open("rb") as stream:
            yield Archive(stream, self._path.name, elements=MAX_ELEMENTS, unpacked=MAX_UNPACKED)


class Parquet:
    """A Parquet file, streamed by row group; only the wanted columns are read at all."""

    def __init__(self, path: Path) -> None:
        """Read its footer.

        Raises:
            FileFormatError: It is broken or encrypted.
            TooLargeError: It has too many rows, or a row group is too large.
        """
        self._path = path
        with self._mended(), pq.ParquetFile(path) as file:
            about = file.metadata
            self.schema = file.schema_arrow.remove_metadata()
            groups = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
        self.about = int(about.num_rows)
        _check_rows(path.name, self.about)
        if max(groups, default=0) > MOST_GROUP:
            raise TooLargeError(
                f"{path.name} has a row group of over {MOST_GROUP >> 30} GiB; write smaller ones"
            )

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield its rows; see ``Table``."""
        chosen = _in_order(self.schema, names)
        for name in chosen:
            kind = self.schema.field(name).type
            if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_null(kind):
                raise FileFormatError(
                    f"{self._path.name}: column {name} holds {kind}; write it as text, numbers or dates"
                )
        with self._mended(), pq.ParquetFile(self._path) as file:
            yield from file.iter_batches(BATCH, columns=chosen)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn every way a file can be broken into one error."""
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
            if "crypt" in str(error).lower():
                why = "is encrypted; save it without a key"
            else:
                why = f"is corrupt Parquet ({type(error).__name__}); write it again"
            raise FileFormatError(f"{self._path.name} {why}") from None
