"""Rules for dates: day → week → month → quarter → year → decade.

A week does not lie in one month or year; it is counted to those of its Thursday, as ISO 8601 does for years.
So once a level is weeks, the levels above it are the Thursday's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal

from epilock.deidentify.rules.rule import UnfitError, check_levels
from epilock.errors import InputError

Unit = Literal["day", "week", "month", "quarter", "year", "decade"]
UNITS: tuple[Unit, ...] = ("day", "week", "month", "quarter", "year", "decade")
_TIME = r"(?:[T ]\s*[0-9]{1,2}[:时点].*)?"
_SHAPES = (
    re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})" + _TIME),
    re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})" + _TIME),
    re.compile(r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})" + _TIME),
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"),
    re.compile(r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月\s*([0-9]{1,2})\s*[日号]\s*" + _TIME),
    re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})()"),
    re.compile(r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月()"),
    re.compile(r"([0-9]{4})\s*年?()()"),
)


@dataclass(frozen=True, slots=True)
class Day:
    """Dates, coarser level by level.

    Written as ``2024-03-14``, ``2024/3/14``, ``2024.3.14``, ``20240314`` or ``2024年3月14日``, with or without
    a time behind it; ``2024-03`` and ``2024`` are dates that say less.

    Attributes:
        levels: Some of day, week, month, quarter, year and decade, in this order.
    """

    kind: ClassVar[str] = "date"
    listed: ClassVar[Sequence[str]] = ()
    levels: tuple[Unit, ...] = ("month", "quarter", "year")

    def __post_init__(self) -> None:
        check_levels("levels", self.levels)
        places = [UNITS.index(level) for level in self.levels]
        if places != sorted(set(places)):
            raise InputError(f"levels go from fine to coarse, each once: {', '.join(UNITS)}")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the spans of time that hold the date."""
        year, month, day = _parts(value)
        found = []
        for level in self.levels:
            if level == "week" and day:
                thursday = _thursday(date(year, month, day))
                year, month, day = thursday.year, thursday.month, thursday.day
            found.append(_form(level, year, month, day))
        return tuple(found)


def _parts(value: str) -> tuple[int, int, int]:
    """Return year, month and day; 0 for what is not said."""
    for shape in _SHAPES:
        if found := shape.fullmatch(value):
            year, month, day = (int(part or 0) for part in found.groups())
            try:
                date(year, month or 1, day or 1)
            except ValueError:
                break
            if (found[2] and not month) or (found[3] and not day):
                break
            return year, month, day
    raise UnfitError("a date such as 2024-03-14 or 2024年3月14日, that there is, is wanted")


def _thursday(day: date) -> date:
    try:
        return day + timedelta(days=3 - day.weekday())
    except OverflowError:  # the last days of the year 9999, or the first of year 1
        return day


def _form(level: Unit, year: int, month: int, day: int) -> str:
    """Return what is said of a date on a level; one that says less is as coarse as it is."""
    if level == "decade":
        return f"{year // 10 * 10:04}s"
    if level == "year" or not month:
        return f"{year:04}"
    if level == "quarter":
        return f"{year:04}-Q{(month + 2) // 3}"
    if level == "month" or not day:
        return f"{year:04}-{month:02}"
    if level == "week":
        return "{:04}-W{:02}".format(*date(year, month, day).isocalendar())
    return f"{year:04}-{month:02}-{day:02}"
