"""Response levels and their history.

I to IV are response levels (ERL 71); N (normalised prevention and control) and E (ended) are states of
our own. Event grades (ERL 3), warning colours (ERL 63) and incident grades are other scales: tables of
their own in the data, never mixed with these.

Rules kept in this file:
  1. The level in force at an instant is that of the last change at or before it.
  2. A change is never taken back: a history only grows, in the order of time, and ends with E.
  3. A calendar day is a day in China (UTC+8, no summer time), wherever the machine stands.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Final

from epilock.errors import InputError

CHINA: Final = timezone(timedelta(hours=8), "China")
LEVELS: Final = ("E", "N", "IV", "III", "II", "I")  # by severity, the gravest last
ENDED: Final = "E"
_SEVERITY: Final = {level: n for n, level in enumerate(LEVELS)}


def severity(level: str) -> int:
    """Return the place of ``level`` on the scale: 0 for E to 5 for I.

    Raises:
        InputError: It is no level.
    """
    try:
        return _SEVERITY[level]
    except KeyError:
        raise InputError(f"a level is one of {', '.join(LEVELS)}") from None


def midnight(day: date) -> datetime:
    """Return the instant at which ``day`` begins in China."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA)


@dataclass(frozen=True, slots=True)
class LevelChange:
    """From ``at`` on, ``level`` is in force.

    Attributes:
        at: Instant, with its zone.
        level: One of ``LEVELS``.

    Raises:
        InputError: The instant has no zone, or the level is unknown.
    """

    at: datetime
    level: str

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError("a level change needs an instant with its zone, such as UTC")
        severity(self.level)


@dataclass(frozen=True, slots=True)
class History:
    """The levels of one emergency, oldest first; empty before the first is set.

    Attributes:
        changes: In the order of time, no two at one instant, nothing after E.

    Raises:
        InputError: They are not.
    """

    changes: tuple[LevelChange, ...] = ()
    _instants: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        instants = tuple(change.at for change in self.changes)
        if any(later <= earlier for earlier, later in pairwise(instants)):
            raise InputError("level changes must be in the order of time, no two at one instant")
        if any(change.level == ENDED for change in self.changes[:-1]):
            raise InputError("nothing follows E: after the end a new emergency is declared")
        object.__setattr__(self, "_instants", instants)

    def at(self, instant: datetime) -> str | None:
        """Return the level in force at ``instant``, or None before the first change."""
        n = bisect_right(self._instants, instant)
        return self.changes[n - 1].level if n else None

    def ended_at(self) -> datetime | None:
        """Return when the emergency ended, or None if it has not."""
        if self.changes and self.changes[-1].level == ENDED:
            return self.changes[-1].at
        return None

    def during(self, begin: datetime, end: datetime) -> frozenset[str]:
        """Return every level in force at some instant of ``begin <= instant < end``."""
        found = {c.level for c in self.changes if begin < c.at < end}
        first = self.at(begin)
        return frozenset(found if first is None else found | {first})
