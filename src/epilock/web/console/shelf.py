"""The register of pages of paper as a list: what still lies there, and until when it may."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from epilock.collect import paper
from epilock.collect.paper import MOST_PAGES, Page, paper_pages
from epilock.db import Transaction
from epilock.web.console import listing
from epilock.web.console.listing import Filter, Plan

KEPT, OVERDUE, DESTROYED = "kept", "overdue", "destroyed"
STATES = (KEPT, OVERDUE, DESTROYED)
_KEY = ("org", "point", "book", "page")


def listed() -> sa.Subquery:
    """Return the register with a ``code`` that names a page among those of an organisation."""
    c = paper_pages.c
    page = sa.func.substr(sa.cast(c.page + 10 * MOST_PAGES, sa.String), 2)  # in order as text too
    code = (c.point + "/" + c.book + "/" + page).label("code")
    others = (c[name] for name in (*_KEY, "rows", "written", "due", "destroyed"))
    return sa.select(code, *others).subquery("listed")


def plan(table: sa.Subquery, points: Sequence[str], *, today: date) -> Plan[Page]:
    """Return what the list of pages of ``points`` can do; it begins with those that are still there."""
    c = table.c
    kept = c.destroyed.is_(None)
    states = {
        KEPT: kept, OVERDUE: sa.and_(kept, c.due < today.isoformat()), DESTROYED: sa.not_(kept),
    }  # fmt: skip
    return Plan(
        path="/console/sheets", table=table, key=c.code, read=_read, order="due", first={"state": KEPT},
        sorts={"due": c.due, "written": c.written, "ledger": c.code, "rows": c.rows},
        filters={
            "state": Filter(where=lambda state: states[state], options=STATES),
            "point": listing.equal(c.point, points),
            "since": Filter(where=lambda day: c.written >= day),
            "until": Filter(where=lambda day: c.written <= day),
        },
        columns={
            "point": lambda p: p.point, "ledger": lambda p: p.book, "page": lambda p: p.page,
            "pages": lambda p: p.pages, "rows": lambda p: p.rows, "written": lambda p: p.written,
            "keyed": lambda p: p.keyed, "keyed_by": lambda p: p.keyed_by,
            "photograph": lambda p: "yes" if p.sha256 else "no", "due": lambda p: p.due,
            "destroyed": lambda p: p.destroyed or "", "destroyed_by": lambda p: p.destroyed_by or "",
        },
    )  # fmt: skip


def _read(tx: Transaction, rows: list[dict[str, Any]]) -> list[Page]:
    """Return the pages, each read from the sealed register."""
    keys = [tuple(row[name] for name in _KEY) for row in rows]
    asked = sa.tuple_(*(paper_pages.c[name] for name in _KEY)).in_(keys)
    found = tx.all(paper_pages, asked) if keys else []
    known = {tuple(row[name] for name in _KEY): paper.read(row) for row in found}
    return [known[key] for key in keys]
