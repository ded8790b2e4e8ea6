"""The rows of a sheet of a workbook (ECMA-376), streamed, as text.

The shared strings are kept as one block of bytes with offsets: a million names take some 20 MB.
Dates are read as days, numbers as they are typed; formulas are not evaluated, their last value counts.
Texts are as the file has them, blanks at their ends included.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.archive import Archive, EnoughError
from epilock.sheets.workbook import (
    BOOK,
    SHEETS,
    Book,
    Links,
    column_number,
    date_styles,
    day_text,
)

MAX_COLUMNS = 1_000
MAX_CELL = 32_767  # characters; Excel's own limit for a cell
MAX_UNPACKED = 2**30  # bytes of a workbook's parts; a full sheet of ten columns has about 500 MB
MAX_STRINGS = 256 * 2**20  # bytes of shared strings that are kept in memory
MAX_ELEMENTS = 100_000_000
_LETTERS = re.compile(r"[A-Z]{1,3}")
_EXPONENT = re.compile(r"-?[0-9.]+[Ee][+-]?[0-9]+")

Cells = dict[int, str]  # by place, from 0; those that are not empty


@dataclass(frozen=True, slots=True)
class Contents:
    """What is read of a workbook before its rows.

    Attributes:
        sheets: Title and part of each sheet of cells, in the workbook's order.
    """

    sheets: tuple[tuple[str, str], ...]
    _dates: Sequence[bool] = field(repr=False)
    _strings: "_Strings" = field(repr=False)

    def rows(self, archive: Archive, part: str) -> Iterator[tuple[int, Cells]]:
        """Yield number (from 1) and cells of each row of the sheet ``part``.

        Raises:
            FileFormatError: The sheet is broken.
            TooLargeError: It has too many columns or elements, or a cell is too long.
        """
        handler = _Rows(archive.name, self._strings, self._dates)
        for _ in archive.steps(part, handler):
            yield from handler.done
            handler.done.clear()
        yield from handler.done


def read_contents(archive: Archive) -> Contents:
    """Return the sheets of a workbook, with the texts and styles that their cells refer to.

    Raises:
        FileFormatError: It is no workbook, or a broken one.
        TooLargeError: It has too many sheets or texts.
    """
    if BOOK not in archive.parts:
        raise FileFormatError(f"{archive.name}: a ZIP file, but no XLSX workbook")
    book, links = Book(), Links()
    archive.walk(BOOK, book)
    archive.walk("xl/_rels/workbook.xml.rels", links)
    if len(book.sheets) > SHEETS:
        raise TooLargeError(f"{archive.name}: {len(book.sheets)} sheets; at most {SHEETS}")
    parts = [(title, links.parts.get(link, "")) for title, link in book.sheets]
    strings = _Strings(archive.name)
    part = links.part("sharedStrings")
    if part is not None and part in archive.parts:
        archive.walk(part, strings)
    sheets = tuple((title, part) for title, part in parts if part in archive.parts)
    return Contents(sheets, date_styles(archive, links), strings)


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
        return self._bytes[start : self._ends[n]].decode("utf-8", "replace")


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
            self._finish("".join(self._text))
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
            text = text.strip()
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
