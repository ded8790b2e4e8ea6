"""The public log as staff read it: entries of one organisation or kind, the latest first, each with its proof.

The log is a sequence of bytes with no index by kind, on purpose. So a page reads back a bounded stretch of
it and says how far it came; the next page goes on from there.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from epilock.db import Transaction
from epilock.errors import InputError
from epilock.ledger import entry, shards
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.web.console.desk import DeskOf
from epilock.web.log import MOST_INDEX

router = APIRouter(include_in_schema=False, prefix="/console/log")
PART = "log"
PER_PAGE = 50
MOST_READ = 2_000  # entries that one page looks at
KINDS = tuple(sorted(entry.TYPES))
_ABOUT = (
    "bucket", "point", "grant", "decision", "hold", "order", "request", "staff", "emergency", "release",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry: its index, type, organisation, time as it states it, and what it is about."""

    index: int
    kind: str
    org: str
    at: str
    about: str


@router.get("")
def get_log(
    desk: DeskOf,
    org: str = "",
    kind: str = "",
    before: Annotated[int, Query(ge=0, le=MOST_INDEX)] = MOST_INDEX,
) -> Response:
    """Show entries below the index ``before``."""
    desk.enter(PART)
    if kind and kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}")
    log = desk.site.parts.log
    with desk.site.parts.database.read() as tx:
        everyone = organisations.everyone(tx)
        size = log.base + log.size(tx)
        end = min(before, size)
        lines, reached = _back(tx, log, end, org, kind)
    return desk.show(
        "log.html", here=PART, lines=lines, reached=reached, end=end, size=size, org=org, kind=kind,
        everyone=everyone, kinds=KINDS,
    )  # fmt: skip


def _back(tx: Transaction, log: Log, end: int, org: str, kind: str) -> tuple[list[Line], int]:
    """Return a page of the entries before ``end`` that fit, the latest first, and the index that was reached."""
    first = max(0, end - MOST_READ)
    found: list[Line] = []
    for index, data in reversed(
        list(enumerate(shards.entries_at(tx, log, first, end - first), first))
    ):
        said = msgspec.json.decode(data)
        if org in {"", said.get("org")} and kind in {"", said["type"]}:
            about = next((str(said[name]) for name in _ABOUT if said.get(name)), "")
            found.append(
                Line(
                    index=index, kind=said["type"], org=said.get("org", ""), at=said.get("at", ""),
                    about=about,
                )
            )  # fmt: skip
        if len(found) == PER_PAGE:
            return found, index
    return found, first
