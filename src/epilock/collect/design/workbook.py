"""Workbooks: the first rows of each sheet of an XLSX file (ECMA-376), as text.

Read as a stream with the standard library: a header needs the first rows only, and a reader that
loads the table of shared strings first (200 MB of names) would be neither fast nor bounded.

Rules kept in this file:
  1. Only the texts of the first rows are kept; formulas are not evaluated, macros not looked at.
  2. Hidden sheets count: hiding a column does not stop it from being collected.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from epilock.collect.design.field import MAX_TEXT
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.archive import Archive, EnoughError
from epilock.sheets.workbook import BOOK, SHEETS, Book, Links, column_number, date_styles, day_text

ROWS = 200  # of a sheet with a header
SURVEY_ROWS = 6_000  # of a sheet that lists questions
COLUMNS = 1_000
CELLS = 300_000  # of a workbook, in the rows that are read
LISTS = frozenset({"survey", "settings"})  # sheets of an XLSForm that are read in full

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its name and first rows; a row's cells are text, "" where empty."""

    name: str
    rows: Rows


def read_workbook(archive: Archive) -> list[Sheet]:
    """Return the sheets of a workbook in its order.

    Raises:
        FileFormatError: It is no workbook, or broken.
        TooLargeError: It has more than ``SHEETS`` sheets or ``COLUMNS`` columns.
    """
    if BOOK not in archive.parts:
        if "word/document.xml" in archive.parts:
            raise FileFormatError(
                f"{archive.name}: a Word document; copy its questions and paste them, or give a sheet"
            )
        raise FileFormatError(f"{archive.name}: a ZIP file, but no XLSX workbook; save it as .xlsx")
    book, links = Book(), Links()
    archive.walk(BOOK, book)
    archive.walk("xl/_rels/workbook.xml.rels", links)
    if len(book.sheets) > SHEETS:
        raise TooLargeError(f"{archive.name}: {len(book.sheets)} sheets; at most {SHEETS} are read")
    dates = date_styles(archive, links)
    cells: list[tuple[str, _Cells]] = []
    for name, link in book.sheets:
        part = links.parts.get(link, "")
        if part in archive.parts and links.kinds.get(link) == "worksheet":
            rows = SURVEY_ROWS if name.strip().lower() in LISTS else ROWS
            found = _Cells(archive.name, name, rows, dates)
            archive.walk(part, found)
            cells.append((name, found))
            if sum(found.count for _, found in cells) > CELLS:
                raise TooLargeError(f"{archive.name}: more than {CELLS} cells in the first rows")
    wanted = {n for _, found in cells for n in found.shared}
    strings = _strings(archive, links, wanted)
    return [Sheet(name, found.grid(strings)) for name, found in cells]


@dataclass(slots=True)
class _Cells:
    """The cells of the first rows of a sheet.

    Attributes:
        file: Name of the file, for messages.
        sheet: Name of the sheet, for messages.
        limit: How many rows are wanted.
        dates: Which styles show dates.
        shared: Numbers of the shared strings that are needed.
        count: How many cells were kept.
    """

    file: str
    sheet: str
    limit: int
    dates: list[bool]
    shared: set[int] = field(default_factory=set)
    count: int = 0
    _rows: dict[int, dict[int, str | int]] = field(default_factory=dict)
    _row: int = 0
    _column: int = 0
    _kind: str = ""
    _style: int = 0
    _text: list[str] = field(default_factory=list)
    _keep: bool = False
    _phonetic: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "row":
            number = attributes.get("r", "")
            told = int(number[:9]) if number.isascii() and number.isdigit() else 0
            self._row = told or self._row + 1
            self._column = 0
            if self._row > self.limit == ROWS:
                raise EnoughError
        elif tag == "c":
            self._begin(attributes)
        elif tag in {"v", "t"}:
            self._keep = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True

    def _begin(self, attributes: Mapping[str, str]) -> None:
        where = _CELL.fullmatch(attributes.get("r", ""))
        self._column = column_number(where[1]) if where else self._column + 1
        style = attributes.get("s", "0")
        self._kind = attributes.get("t", "n")
        self._style = int(style[:9]) if style.isascii() and style.isdigit() else 0
        self._text = []

    def end(self, tag: str) -> None:
        if tag in {"v", "t"}:
            self._keep = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c":
            self._finish("".join(self._text)[: MAX_TEXT + 1])
        elif tag == "sheetData":
            raise EnoughError

    def data(self, text: str) -> None:
        if self._keep and sum(map(len, self._text)) <= MAX_TEXT:
            self._text.append(text)

    def _finish(self, text: str) -> None:
        value: str | int = text.strip()
        if self._kind == "s" and text.strip().isdecimal():
            value = int(text.strip()[:9])
            self.shared.add(value)
        elif self._kind == "n" and self._style < len(self.dates) and self.dates[self._style]:
            value = day_text(text)
        if value != "":
            self._check()
            self.count += 1
            self._rows.setdefault(self._row, {})[self._column] = value

    def _check(self) -> None:
        """Raise if a filled cell lies too far out; empty ones may be styled to the sheet's far edge."""
        for count, most, what in (
            (self._column, COLUMNS, "columns"), (self._row, self.limit, "rows"), (self.count, CELLS, "cells"),
        ):  # fmt: skip
            if count > most:
                raise TooLargeError(
                    f"{self.file}: sheet {self.sheet[:31]!r} has more than {most} {what}"
                )

    def grid(self, strings: Mapping[int, str]) -> Rows:
        """Return the rows as lists of texts; numbers of shared strings are looked up."""
        rows: Rows = []
        for number in range(1, max(self._rows, default=0) + 1):
            cells = self._rows.get(number, {})
            rows.append([""] * max(cells, default=0))
            for column, value in cells.items():
                rows[-1][column - 1] = strings.get(value, "") if isinstance(value, int) else value
        return rows


class _Strings:
    """The shared strings that are wanted; pronunciation marks (``rPh``) are left out."""

    def __init__(self, wanted: set[int]) -> None:
        self.texts: dict[int, str] = {}
        self._wanted, self._last = wanted, max(wanted, default=-1)
        self._at, self._text, self._keep, self._phonetic = -1, "", False, False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        del attributes
        if tag == "si":
            self._at += 1
            self._text = ""
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "t":
            self._keep = not self._phonetic and self._at in self._wanted

    def end(self, tag: str) -> None:
        if tag == "t":
            self._keep = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            if self._at in self._wanted:
                self.texts[self._at] = self._text.strip()
            if self._at >= self._last:
                raise EnoughError

    def data(self, text: str) -> None:
        if self._keep and len(self._text) <= MAX_TEXT:
            self._text = (self._text + text)[: MAX_TEXT + 1]


def _strings(archive: Archive, links: Links, wanted: set[int]) -> dict[int, str]:
    part = links.part("sharedStrings")
    if not wanted or part is None or part not in archive.parts:
        return {}
    strings = _Strings(wanted)
    archive.walk(part, strings)
    return strings.texts
