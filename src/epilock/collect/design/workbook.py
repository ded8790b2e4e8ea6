"""Workbooks: the first rows of each sheet of an XLSX file (ECMA-376), as text.

Read as a stream with the standard library: a header needs the first rows only, and a reader that
loads the table of shared strings first (200 MB of names) would be neither fast nor bounded.

Rules kept in this file:
  1. Only the texts of the first rows are kept; formulas are not evaluated, macros not looked at.
  2. Hidden sheets count: hiding a column does not stop it from being collected.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from epilock.collect.design.archive import Archive, EnoughError
from epilock.collect.design.field import MAX_TEXT
from epilock.errors import FileFormatError, TooLargeError

ROWS = 200  # of a sheet with a header
SURVEY_ROWS = 6_000  # of a sheet that lists questions
COLUMNS = 1_000
SHEETS = 50
CELLS = 300_000  # of a workbook, in the rows that are read
LISTS = frozenset({"survey", "settings"})  # sheets of an XLSForm that are read in full
BOOK = "xl/workbook.xml"

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_DATE = re.compile(r"(?<![a-z])[ymd年月日]", re.IGNORECASE)
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_EPOCH = date(1899, 12, 30)  # serial 1 is 1900-01-01; Lotus's 1900-02-29 makes up the other day
_LAST_SERIAL = 2_958_465  # 9999-12-31

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


class Book:
    """Names and links of the sheets."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take in a sheet."""
        if tag == "sheet":
            self.sheets.append((attributes.get("name", ""), attributes.get("id", "")))

    def end(self, tag: str) -> None:
        """Stop behind the last sheet."""
        if tag == "sheets":
            raise EnoughError

    def data(self, text: str) -> None:
        """Say nothing: a workbook's part has no text of its own."""


class Links:
    """Which part a link leads to, and of which kind it is."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.kinds: dict[str, str] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take in a link."""
        if tag == "Relationship":
            link, target = attributes.get("Id", ""), attributes.get("Target", "")
            self.parts[link] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
            self.kinds[link] = attributes.get("Type", "").rpartition("/")[2]

    def end(self, tag: str) -> None:
        """Say nothing: links are empty elements."""

    def data(self, text: str) -> None:
        """Say nothing: links have no text."""

    def part(self, kind: str) -> str | None:
        """Return the first part of ``kind``."""
        return next((self.parts[link] for link, k in self.kinds.items() if k == kind), None)


class _Styles:
    """Which cell styles show a number as a date."""

    def __init__(self) -> None:
        self.custom: dict[str, bool] = {}
        self.dates: list[bool] = []
        self._inside = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "numFmt":
            shown = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", attributes.get("formatCode", ""))
            self.custom[attributes.get("numFmtId", "")] = bool(_DATE.search(shown))
        elif tag == "cellXfs":
            self._inside = True
        elif tag == "xf" and self._inside:
            code = attributes.get("numFmtId", "0")
            built_in = code.isascii() and code.isdigit() and int(code[:9]) in _BUILT_IN_DATES
            self.dates.append(self.custom.get(code, built_in))

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            raise EnoughError

    def data(self, text: str) -> None:
        """Say nothing: styles have no text."""


def date_styles(archive: Archive, links: Links) -> list[bool]:
    """Return, for each cell style, whether it shows a number as a date."""
    part = links.part("styles")
    if part is None or part not in archive.parts:
        return []
    styles = _Styles()
    archive.walk(part, styles)
    return styles.dates


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


def column_number(letters: str) -> int:
    """Return the number of a column named by ``letters``, ``A`` being 1."""
    number = 0
    for c in letters:
        number = number * 26 + ord(c) - 64
    return number


def day_text(serial: str) -> str:
    """Return the day that a date cell shows, ISO 8601; the number itself where it is none."""
    try:
        days = float(serial)
    except ValueError:
        return serial
    return (_EPOCH + timedelta(days=int(days))).isoformat() if 1 <= days <= _LAST_SERIAL else serial


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
