"""What somebody asked to be told of records, as lists: releases without identity, and counts."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from epilock.standard import Standard
from epilock.use.aggregate import aggregates
from epilock.use.decision import OPENED, REFUSED
from epilock.use.release import register
from epilock.use.release.register import releases
from epilock.web.console import listing
from epilock.web.console.desk import Desk
from epilock.web.console.listing import Condition, Filter, Plan

Row = dict[str, Any]
STAGES = tuple(register.NEXT)
VERDICTS = (OPENED, REFUSED)
_QUESTION = ("purpose", "emergency", "circumstance", "since", "until")


def released(standard: Standard) -> Plan[Row]:
    """Return what the list of releases can do."""
    stage = {"stage": listing.equal(releases.c.stage, STAGES)}
    more = ("number", "stage", "rule", "k", "l", "approved_by", "changed")
    return _plan("/console/releases", releases, releases.c.release, standard, stage, more)


def counted(standard: Standard) -> Plan[Row]:
    """Return what the list of counts can do."""
    verdict = {"verdict": listing.equal(aggregates.c.verdict, VERDICTS)}
    more = ("counted", "verdict", "rule", "entry_index")
    return _plan("/console/counts", aggregates, aggregates.c.decision, standard, verdict, more)


def own(desk: Desk, table: sa.Table) -> Condition:
    """Return the condition that who is at the desk asked."""
    return sa.and_(table.c.by_org == desk.org, table.c.by == desk.who)


def _plan(  # noqa: PLR0917 - what both have, and what each has
    path: str,
    table: sa.Table,
    key: sa.ColumnElement[str],
    standard: Standard,
    state: dict[str, Filter],
    more: Sequence[str],
) -> Plan[Row]:
    c = table.c
    return Plan(
        path=path, table=table, key=key, read=lambda _, rows: rows, order="-at",
        sorts={"at": c.at, "circumstance": c.circumstance, "days": c.since},
        filters={
            **state, "purpose": listing.equal(c.purpose, tuple(standard.purposes)),
            "circumstance": listing.equal(c.circumstance, tuple(standard.circumstances)),
            "since": listing.since(c.at), "until": listing.until(c.at),
        },
        columns={
            "at": value("at"), key.name: value(key.name), "source": value("org"),
            **{name: value(name) for name in (*_QUESTION, *more)},
        },
    )  # fmt: skip


def value(name: str) -> Callable[[Row], object]:
    """Return what gives a column of a row; nothing where it is NULL."""
    return lambda row: "" if row[name] is None else row[name]
