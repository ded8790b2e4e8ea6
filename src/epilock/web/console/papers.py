"""What the lists of orders, assessments and agreements can do; issuer and number are typed, and in no file."""

from collections.abc import Sequence
from datetime import date
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from epilock.registry import mandate as registry
from epilock.standard import Standard
from epilock.web.console import listing
from epilock.web.console.listing import Filter, Plan

HERE = "/console/papers"
IN_FORCE, OVER, TO_COME = "in-force", "over", "to-come"
STATES = (IN_FORCE, OVER, TO_COME)
FIRST = {"state": IN_FORCE}
Row = dict[str, Any]


def mandates(standard: Standard, emergencies: Sequence[str], today: date) -> Plan[Row]:
    """Return what the list of orders can do."""
    c = registry.mandates.c
    scope = sa.type_coerce(c.circumstances, sa.Text)
    return Plan(
        path=HERE, table=registry.mandates, key=c.mandate, read=_as_they_are, order="-recorded",
        sorts={"recorded": c.recorded, "date": c.date}, first=FIRST,
        filters={
            "state": _state(c.until, today, c.date),
            "emergency": Filter(
                where=lambda e: sa.and_(c.authority == e.split("/")[0], c.emergency == e.split("/")[1]),
                options=emergencies,
            ),
            "circumstance": Filter(
                where=lambda code: scope.contains(f'"{code}"', autoescape=True),
                options=tuple(standard.circumstances),
            ),
        },
        columns={
            "mandate": itemgetter("mandate"), "emergency": lambda m: f"{m['authority']}/{m['emergency']}",
            "circumstances": lambda m: " ".join(m["circumstances"]), "date": itemgetter("date"),
            "until": lambda m: m["until"] or "", "recorded": itemgetter("recorded"),
        },
    )  # fmt: skip


def assessments(abouts: Sequence[str], today: date) -> Plan[Row]:
    """Return what the list of impact assessments can do, each of which is about one of ``abouts``."""
    c = registry.assessments.c
    return Plan(
        path=f"{HERE}/assessments", table=registry.assessments, key=c.assessment, read=_as_they_are,
        sorts={"recorded": c.recorded, "about": c.about, "until": c.until}, order="-recorded", first=FIRST,
        filters={"state": _state(c.until, today, c.date), "about": listing.equal(c.about, abouts)},
        columns={
            name: itemgetter(name)
            for name in ("assessment", "about", "date", "until", "sha256", "recorded")
        },
    )  # fmt: skip


def agreements(standard: Standard, processors: Sequence[str], today: date) -> Plan[Row]:
    """Return what the list of agreements with ``processors`` can do."""
    c = registry.agreements.c
    return Plan(
        path=f"{HERE}/agreements", table=registry.agreements, key=c.agreement, read=_as_they_are,
        sorts={"recorded": c.recorded, "processor": c.processor, "until": c.until}, order="-recorded",
        first=FIRST,
        filters={
            "state": _state(c.until, today),
            "organisation": listing.equal(c.processor, processors),
            "purpose": listing.equal(c.purpose, tuple(standard.purposes)),
        },
        columns={
            "agreement": itemgetter("agreement"), "processor": itemgetter("processor"),
            "purpose": itemgetter("purpose"), "categories": lambda a: " ".join(a["categories"]),
            "until": itemgetter("until"), "recorded": itemgetter("recorded"),
        },
    )  # fmt: skip


def _state(
    until: sa.ColumnElement[str | None], today: date, dated: sa.ColumnElement[str] | None = None
) -> Filter:
    """Return the filter by whether today is after a paper's last day, if it has one, or before its date."""
    day = today.isoformat()
    over = sa.and_(until.is_not(None), until < day)
    if dated is None:
        return Filter(
            where=lambda state: over if state == OVER else sa.not_(over), options=(IN_FORCE, OVER)
        )
    where = {
        IN_FORCE: sa.and_(sa.not_(over), dated <= day), OVER: over,
        TO_COME: sa.and_(sa.not_(over), dated > day),
    }  # fmt: skip
    return Filter(where=lambda state: where[state], options=STATES)


def _as_they_are(_: object, rows: list[Row]) -> list[Row]:
    return rows
