"""Lists that were brought in: how far each import is, and who is still to be told (PIPL 18)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from epilock.collect.intake import register, told
from epilock.collect.intake.register import DONE, RUNNING, Import
from epilock.db import Transaction
from epilock.web.console import listing
from epilock.web.console.listing import Filter, Plan

UNTOLD = "untold"  # somebody of it is still to be told, whether it is done or not
STATES = (RUNNING, DONE, UNTOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """An import, and how many of its persons are still to be told."""

    each: Import
    left: int


def plan(points: Sequence[str]) -> Plan[Brought]:
    """Return what the list of imports at ``points`` can do."""
    c = register.imports.c
    return Plan(
        path="/console/imports", table=register.imports, key=c.import_id, read=_read, order="-started",
        sorts={"started": c.started, "stored": c.stored, "refused": c.refused},
        filters={
            "state": Filter(
                where=lambda s: told.is_left() if s == UNTOLD else c.state == s, options=STATES
            ),
            "point": listing.equal(c.point, points),
            "since": listing.since(c.started), "until": listing.until(c.started),
        },
        columns={
            "import": lambda b: b.each.id, "point": lambda b: b.each.point, "state": lambda b: b.each.state,
            "started": lambda b: b.each.started, "finished": lambda b: b.each.finished or "",
            "by": lambda b: b.each.by, "last_row": lambda b: b.each.last_row,
            "stored": lambda b: b.each.stored, "refused": lambda b: b.each.refused,
            "untold": lambda b: b.left,
        },
    )  # fmt: skip


def _read(tx: Transaction, rows: list[dict[str, Any]]) -> list[Brought]:
    found = [register.read(row) for row in rows]
    left = told.untold_of(tx, found[0].org, found) if found else {}
    return [Brought(each=each, left=left[each.id]) for each in found]
