"""Parts of a workbook (ECMA-376): its sheets, links, styles, and the places and days of its cells."""

import posixpath
import re
from collections.abc import Mapping
from datetime import date, timedelta

from epilock.sheets.archive import Archive, EnoughError

SHEETS = 50
BOOK = "xl/workbook.xml"
_DATE = re.compile(r"(?<![a-z])[ymd年月日]", re.IGNORECASE)
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_EPOCH = date(1899, 12, 30)  # serial 1 is 1900-01-01; Lotus's 1900-02-29 makes up the other day
_LAST_SERIAL = 2_958_465  # 9999-12-31


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
