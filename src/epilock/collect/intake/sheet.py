"""A sheet of an XLSX workbook (ECMA-376), streamed with the hardened reader of ``collect.design``.

The shared strings are kept as one block of bytes with offsets: a million names take some 20 MB.
Dates are read as days, numbers as they are typed; formulas are not evaluated, their last value counts.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation

from epilock.collect.design.archive import Archive, EnoughError
from epilock.collect.design.field import DesignField
from epilock.collect.design.header import read_columns
from epilock.collect.design.workbook import (
    BOOK,
    SHEETS,
    Book,
    Links,
    column_number,
    date_styles,
    day_text,
)
from epilock.collect.intake.table import MAX_CELL, MAX_COLUMNS, MAX_ROWS, Row, Source
from epilock.errors import FileFormatError, TooLargeError

MAX_UNPACKED = 2**30  # bytes of a workbook's parts; a full sheet of ten columns has about 500 MB
MAX_STRINGS = 256 * 2**20  # bytes of shared strings that are kept in memory
ELEMENTS = 100_000_000
HEAD = 200  # rows among which the header is sought
_LETTERS = re.compile(r"[A-Z]{1,3}")
_EXPONENT = re.compile(r"-?[0-9.]+[Ee][+-]?[0-9]+")


class Workbook:
    """One sheet of a workbook; see ``table.Table``."""

    kind = "xlsx"

    def __init__(self, source: Source) -> None:
        """Find the sheet and its header.

        Raises:
            FileFormatError: It is no workbook, broken, encrypted, has several sheets with lists and none
                was named, or the sheet has no header.
            TooLargeError: It unpacks to too much.
        """
        self._source = source
        with self._opened() as archive:
            if BOOK not in archive.parts:
                raise FileFormatError(f"{source.name}: a ZIP file, but no XLSX workbook")
            book, self._links = Book(), Links()
            archive.walk(BOOK, book)
            archive.walk("xl/_rels/workbook.xml.rels", self._links)
            if len(book.sheets) > SHEETS:
                raise TooLargeError(f"{source.name}: {len(book.sheets)} sheets; at most {SHEETS}")
            self._styles = date_styles(archive, self._links)
            self._strings = _read_strings(archive, self._links)
            self._part, self.columns, self._data = self._choose(archive, book)

    def rows(self, wanted: Sequence[int], after: int = 0) -> Iterator[Row]:
        """Yield rows; see ``table.Table``."""
        width = max(self.columns) + 1
        data = max(self._data, after + 1)
        with self._opened() as archive:
            for number, cells in self._stream(archive, self._part):
                if number < data:
                    continue
                if number > MAX_ROWS:
                    raise TooLargeError(f"{self._source.name}: more than {MAX_ROWS} rows")
                if any(place >= width for place in cells):
                    yield number, None
                    continue
                picked = [cells.get(place, "") for place in wanted]
                if any(picked):
                    yield number, picked

    @contextmanager
    def _opened(self) -> Iterator[Archive]:
        with self._source.open() as stream:
            yield Archive(stream, self._source.name, elements=ELEMENTS, unpacked=MAX_UNPACKED)

    def _choose(self, archive: Archive, book: Book) -> tuple[str, Mapping[int, DesignField], int]:
        """Return part, columns and first row of data of the sheet."""
        name, named = self._source.name, self._source.sheet
        found = []
        for title, link in book.sheets:
            part = self._links.parts.get(link, "")
            if part not in archive.parts or (named and title != named):
                continue
            head: list[list[str]] = []
            for number, cells in self._stream(archive, part):
                if number > HEAD:
                    break
                head += [[] for _ in range(number - len(head) - 1)]
                head.append([cells.get(i, "") for i in range(max(cells, default=-1) + 1)])
            columns = read_columns(head, name, title) if any(map(any, head)) else None
            if columns is not None and columns.fields:
                found.append((part, columns.fields, columns.data))
        if not found:
            raise FileFormatError(
                f"{name}: it has no sheet {'of that name ' if named else ''}with data"
            )
        if len(found) > 1:
            raise FileFormatError(
                f"{name}: {len(found)} sheets have data; say which one by its name"
            )
        return found[0]

    def _stream(self, archive: Archive, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        handler = _Rows(self._source.name, self._strings, self._styles)
        for _ in archive.steps(part, handler):
            yield from handler.done
            handler.done.clear()
        yield from handler.done


class _Strings:
    """All shared strings; pronunciation marks (``rPh``) are left out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bytes = bytearray()
        self._ends = array("Q")
        self._keep = self._phonetic = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        del attributes
        if tag == "rPh":
            self._phonetic = True
        elif tag == "t":
            self._keep = not self._phonetic

    def end(self, tag: str) -> None:
        if tag == "t":
            self._keep = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self._ends.append(len(self._bytes))
            if len(self._bytes) > MAX_STRINGS:
                raise TooLargeError(f"{self._name}: its texts exceed {MAX_STRINGS // 2**20} MB")

    def data(self, text: str) -> None:
        if self._keep:
            self._bytes += text.encode("utf-8", "surrogatepass")

    def text(self, number: str) -> str:
        """Return one string; "" for a number that is none of theirs."""
        if not number.isascii() or not number.isdigit() or int(number[:9]) >= len(self._ends):
            return ""
        n = int(number)
        start = self._ends[n - 1] if n else 0
        return self._bytes[start : self._ends[n]].decode("utf-8", "replace").strip()


def _read_strings(archive: Archive, links: Links) -> _Strings:
    strings = _Strings(archive.name)
    part = links.part("sharedStrings")
    if part is not None and part in archive.parts:
        archive.walk(part, strings)
    return strings


class _Rows:
    """Rows as they end; ``done`` is emptied by who reads them.

    Attributes:
        done: Number of a row and its cells that are not empty, by place.
    """

    def __init__(self, name: str, strings: _Strings, dates: Sequence[bool]) -> None:
        self.done: list[tuple[int, dict[int, str]]] = []
        self._name, self._strings, self._dates = name, strings, dates
        self._cells: dict[int, str] = {}
        self._row = 0
        self._place = -1
        self._kind = "n"
        self._style = 0
        self._text: list[str] = []
        self._keep = self._phonetic = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "c":
            where = _LETTERS.match(attributes.get("r", ""))
            self._place = column_number(where[0]) - 1 if where else self._place + 1
            self._kind = attributes.get("t", "n")
            style = attributes.get("s", "0")
            self._style = int(style[:9]) if style.isascii() and style.isdigit() else 0
            self._text = []
        elif tag in {"v", "t"}:
            self._keep = not self._phonetic
        elif tag == "row":
            self._start_row(attributes.get("r", ""))
        elif tag == "rPh":
            self._phonetic = True

    def end(self, tag: str) -> None:
        if tag in {"v", "t"}:
            self._keep = False
        elif tag == "c":
            self._finish("".join(self._text).strip())
        elif tag == "row":
            self.done.append((self._row, self._cells))
            self._cells = {}
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "sheetData":
            raise EnoughError

    def data(self, text: str) -> None:
        if self._keep:
            self._text.append(text)

    def _start_row(self, number: str) -> None:
        """Begin a row; numbers rise, or the file is not what a spreadsheet writes."""
        told = int(number[:9]) if number.isascii() and number.isdigit() else self._row + 1
        if told <= self._row:
            raise FileFormatError(f"{self._name}: row {told} stands after row {self._row}")
        self._row, self._place = told, -1

    def _finish(self, text: str) -> None:
        if self._kind == "s":
            text = self._strings.text(text)
        elif self._kind == "n":
            dated = self._style < len(self._dates) and self._dates[self._style]
            text = day_text(text) if dated else _number(text)
        elif self._kind == "e":  # an error such as #N/A is no answer
            text = ""
        if not text:
            return
        if self._place >= MAX_COLUMNS:
            raise TooLargeError(f"{self._name}: more than {MAX_COLUMNS} columns")
        if len(text) > MAX_CELL:
            raise TooLargeError(f"{self._name}: a cell of row {self._row} is too long")
        self._cells[self._place] = text


def _number(text: str) -> str:
    """Return a number as it was typed: 1.39E10 is 13900000000, and 36.600000000000001 is 36.6."""
    if _EXPONENT.fullmatch(text) or len(text) > 15:  # noqa: PLR2004 - digits that a double holds
        try:
            return format(Decimal(f"{Decimal(text):.15g}"), "f")
        except InvalidOperation:
            return text
    return text
