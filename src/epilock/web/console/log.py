"""The public log as staff read it: entries of one organisation, kind or stretch of days, each with its proof.

The log is a sequence of bytes with no index by kind, on purpose. So a page reads a bounded stretch of it and
says how far it came; the next page goes on from there. Days are found by the log's checkpoints, which are in
order of time but for the moments that one waited for another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from epilock.db import Transaction
from epilock.errors import InputError
from epilock.ledger import entry, shards
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard.level import midnight
from epilock.web.console import listing
from epilock.web.console.desk import DeskOf
from epilock.web.console.listing import EXPORT
from epilock.web.log import MOST_INDEX

router = APIRouter(include_in_schema=False, prefix="/console/log")
PART = "log"
PER_PAGE = 50
MOST_READ = 2_000  # entries that one page looks at
MOST_SEARCHED = 100_000  # entries that one export looks at
KINDS = tuple(sorted(entry.TYPES))
ORDERS = ("-index", "index")
_ABOUT = (
    "bucket", "point", "grant", "decision", "hold", "order", "request", "staff", "emergency", "release",
)  # fmt: skip
_Index = Annotated[int, Query(ge=0, le=MOST_INDEX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry: its index, type, organisation, time as it states it, and what it is about."""

    index: int
    kind: str
    org: str
    at: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for; each is "" where it does not.

    Attributes:
        org, kind: Whose entries, and of which type.
        since, until: From which day in China to which.
        order: One of ``ORDERS``.
    """

    org: str
    kind: str
    since: str
    until: str
    order: str

    def fits(self, line: Line) -> bool:
        """Tell whether an entry is asked for."""
        return self.org in {"", line.org} and self.kind in {"", line.kind}

    def query(self, **change: str | int) -> dict[str, str | int]:
        """Return the query of its first page with some of it changed."""
        order = "" if self.order == ORDERS[0] else self.order
        said = {"org": self.org, "kind": self.kind, "since": self.since, "until": self.until}
        return {**said, "order": order, **change}


@router.get("")
def get_log(  # noqa: PLR0917 - all that an address may ask
    desk: DeskOf,
    org: str = "",
    kind: str = "",
    since: str = "",
    until: str = "",
    order: str = ORDERS[0],
    export: str = "",
    before: _Index = MOST_INDEX,
    after: _Index = 0,
) -> Response:
    """Show entries below the index ``before``, the latest first; or from ``after`` on, the oldest first."""
    desk.enter(PART)
    asked = Asked(org=org, kind=kind, since=since, until=until, order=order or ORDERS[0])
    log = desk.site.parts.log
    with desk.site.parts.database.read() as tx:
        everyone = organisations.everyone(tx)
        _check(asked, [each.org for each in everyone])
        size = log.base + log.size(tx)
        first, last = _stretch(tx, log, asked, size)
        if export == EXPORT:
            return _file(tx, log, asked, first, last)
        down = asked.order == ORDERS[0]
        place = (first, min(before, last)) if down else (max(after, first), last)
        lines, (low, high) = _page(tx, log, asked, *place, down=down)
    more = low > first if down else high < last
    return desk.show(
        "log.html", here=PART, lines=lines, low=low, high=high, size=size, asked=asked,
        everyone=everyone, kinds=KINDS, more=more, down=down, begun=place != (first, last),
    )  # fmt: skip


def _check(asked: Asked, known: Sequence[str]) -> None:
    if asked.org:
        listing.check_value("org", known, asked.org)
    if asked.kind:
        listing.check_value("kind", KINDS, asked.kind)
    listing.check_order(asked.order.removeprefix("-"), ("index",))
    for name, day in (("since", asked.since), ("until", asked.until)):
        if day:
            listing.check_value(name, None, day)


def _stretch(tx: Transaction, log: Log, asked: Asked, size: int) -> tuple[int, int]:
    """Return the index at which the days that are asked for begin, and that at which they are over."""
    first = shards.position_of(tx, log, _begin(asked.since)) if asked.since else 0
    last = shards.position_of(tx, log, _begin(asked.until, days=1)) if asked.until else size
    return min(first, last), last


def _begin(day: str, *, days: int = 0) -> datetime:
    return midnight(date.fromisoformat(day) + timedelta(days=days))


def _page(
    tx: Transaction, log: Log, asked: Asked, first: int, last: int, *, down: bool
) -> tuple[list[Line], tuple[int, int]]:
    """Return a page of the entries from ``first`` to before ``last`` that fit, and the stretch that was looked at."""
    if down:
        first = max(first, last - MOST_READ)
    else:
        last = min(last, first + MOST_READ)
    lines = list(_lines(tx, log, first, last))
    found: list[Line] = []
    for line in reversed(lines) if down else lines:
        if asked.fits(line):
            found.append(line)
        if len(found) == PER_PAGE:
            return found, (line.index, last) if down else (first, line.index + 1)
    return found, (first, last)


def _lines(tx: Transaction, log: Log, first: int, last: int) -> Iterator[Line]:
    for start in range(first, last, MOST_READ):
        count = min(MOST_READ, last - start)
        for index, data in enumerate(shards.entries_at(tx, log, start, count), start):
            said = msgspec.json.decode(data)
            about = next((str(said[name]) for name in _ABOUT if said.get(name)), "")
            yield Line(
                index=index, kind=said["type"], org=said.get("org", ""), at=said.get("at", ""),
                about=about,
            )  # fmt: skip


def _file(tx: Transaction, log: Log, asked: Asked, first: int, last: int) -> Response:
    """Return all entries that fit, as a file.

    Raises:
        InputError: There are too many to look at, or to take away.
    """
    if last - first > MOST_SEARCHED:
        raise InputError(
            f"these days have {last - first} entries, and a file is made of {MOST_SEARCHED} at most:"
            " ask for fewer days, or read the log itself, which is public"
        )
    rows: list[Line] = []
    for line in _lines(tx, log, first, last):
        if asked.fits(line):
            rows.append(line)
            listing.check_export(len(rows))
    if asked.order == ORDERS[0]:
        rows.reverse()
    return listing.file("log", _COLUMNS, rows)


_COLUMNS: Mapping[str, Callable[[Line], object]] = {
    "index": lambda line: line.index, "kind": lambda line: line.kind, "hour": lambda line: line.at,
    "organisation": lambda line: line.org, "about": lambda line: line.about,
}  # fmt: skip
