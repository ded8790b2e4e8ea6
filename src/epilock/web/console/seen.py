"""Who saw what between two days: what the gate decided about an organisation's records, and the proof of it.

Beside the openings stand the searches, the counts and the releases. For its custodian and for the supervisor. It shows no
record's number and nothing that someone gave.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.use import audit_event
from epilock.use import decision as decisions
from epilock.use.aggregate import aggregates
from epilock.use.decision import Decision, Place
from epilock.use.release.register import releases
from epilock.use.search import searches
from epilock.web.console import asked, listing
from epilock.web.console.desk import Desk, DeskOf
from epilock.web.console.listing import Filter, Page, Plan
from epilock.web.log import download

router = APIRouter(include_in_schema=False, prefix="/console/seen")
PART = "seen"
HERE = "/console/seen"
GLASS = "emergency"  # opened without a grant, and reviewed afterwards
DAYS = timedelta(days=30)  # that are shown if no others are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one address asks for.

    Attributes:
        of: Whose records.
        page: The decisions.
        known: All organisations, by code.
        buckets: Name of each bucket that the decisions are about, by id.
        size: Entries of the public log.
    """

    of: Organisation
    page: Page[Decision]
    known: dict[str, Organisation]
    buckets: dict[int, str]
    size: int

    def places(self, one: Decision) -> list[str]:
        """Return the names of the buckets that a decision is about."""
        return list(dict.fromkeys(self.buckets[bucket] for bucket, _ in one.places))


@router.get("")
def get_seen(desk: DeskOf) -> Response:
    """Show the decisions between two days, the latest first."""
    seen = _seen(desk)
    if seen.page.export:
        return seen.page.file("seen")
    return _show(desk, "seen.html", seen)


@router.get("/extract")
def get_extract(desk: DeskOf) -> Response:
    """Show all of them on one page to print, with sums by organisation and purpose; a record counts once in each."""
    seen = _seen(desk, whole=True)
    sums: Counter[tuple[str, str, str]] = Counter()
    records: defaultdict[tuple[str, str, str], set[Place]] = defaultdict(set)
    for one in seen.page.rows:
        key = (one.by_org if one.by != decisions.SUBJECT else "", one.purpose, one.verdict)
        sums[key] += 1
        records[key].update(one.places)
    return _show(
        desk,
        "extract.html",
        seen,
        sums=sorted(sums.items()),
        records={key: len(places) for key, places in records.items()},
    )


@router.get("/auditevents.json")
def get_events(desk: DeskOf) -> Response:
    """Return all of them as a Bundle of AuditEvents (FHIR R4)."""
    seen, site = _seen(desk, whole=True), desk.site
    made = audit_event.bundle(
        seen.page.rows, buckets=seen.buckets, organisations=seen.known, now=site.now(),
        standard=site.parts.standard, url=site.parts.settings.url,
    )  # fmt: skip
    body = msgspec.json.encode(made)
    return download(body, "auditevents.json", audit_event.CONTENT_TYPE)


@router.get("/searches")
def get_searches(desk: DeskOf) -> Response:
    """Show who looked for somebody by name or number, and how many were listed; never for whom."""
    c = searches.c
    return _others(
        desk, "searches", searches, c.search, {"category": _categories(desk, c.category)}
    )


@router.get("/counts")
def get_counts(desk: DeskOf) -> Response:
    """Show who asked for counts, of what, and what the answer was."""
    c = aggregates.c
    verdicts = listing.equal(c.verdict, (decisions.OPENED, decisions.REFUSED))
    return _others(desk, "counts", aggregates, c.decision, {"verdict": verdicts})


@router.get("/releases")
def get_releases(desk: DeskOf) -> Response:
    """Show who asked for a table without identity, of what, and what became of it."""
    c = releases.c
    return _others(
        desk, "releases", releases, c.release, {"stage": listing.equal(c.stage, asked.STAGES)}
    )


def _categories(desk: Desk, column: sa.ColumnElement[str]) -> Filter:
    return listing.equal(column, tuple(desk.site.parts.standard.categories))


def _others(
    desk: Desk,
    name: str,
    table: sa.Table,
    key: sa.ColumnElement[Any],
    more: Mapping[str, Filter],
) -> Response:
    """Show what else than openings was done with an organisation's records: searches, counts or releases."""
    of = desk.whose(PART)
    with desk.site.parts.database.read() as tx:
        known = {o.org: o for o in organisations.everyone(tx)}
        plan: Plan[dict[str, Any]] = Plan(
            path=f"{HERE}/{name}", table=table, key=key, order="-at", sorts={"at": table.c.at},
            first=_first(desk), fixed=desk.kept(of), read=lambda _, rows: rows,
            filters={
                "since": listing.since(table.c.at), "until": listing.until(table.c.at),
                "by": listing.equal(table.c.by_org, tuple(known)), **more,
            },
            columns={
                column: asked.value(column) for column in _EXPORTED[name]
            },
        )  # fmt: skip
        page = listing.find(tx, plan, desk.query, table.c.org == of)
        organisation = organisations.load(tx, of)
    if page.export:
        return page.file(name)
    return desk.show(
        "seen_others.html", here=PART, page=page, name=name, of=organisation, known=known
    )


_EXPORTED = {
    "searches": ("at", "search", "by", "by_org", "grant", "emergency", "category", "found", "entry_index"),
    "counts": (
        "at", "decision", "by", "by_org", "purpose", "emergency", "circumstance", "since", "until",
        "counted", "verdict", "rule", "entry_index",
    ),
    "releases": (
        "at", "release", "by", "by_org", "purpose", "emergency", "circumstance", "since", "until",
        "stage", "rule", "approved_by", "entry_index", "left_index",
    ),
}  # fmt: skip


def _show(desk: Desk, template: str, seen: Seen, **more: Any) -> Response:
    return desk.show(
        template, here=PART, seen=seen, page=seen.page, subject=decisions.SUBJECT, **more
    )


def _seen(desk: Desk, *, whole: bool = False) -> Seen:
    """Return what is asked for, of the own organisation or, for a supervisor, of any.

    Raises:
        ForbiddenError: Another organisation's is asked for by somebody else.
    """
    of = desk.whose(PART)
    with desk.site.parts.database.read() as tx:
        known = {o.org: o for o in organisations.everyone(tx)}
        organisation = organisations.load(tx, of)
        where = decisions.decisions.c.org == of
        page = listing.find(tx, _plan(desk, of, tuple(known)), desk.query, where, whole=whole)
        places = {bucket for d in page.rows for bucket, _ in d.places}
        return Seen(
            of=organisation, page=page, known=known, size=desk.site.parts.log.size(tx),
            buckets=buckets.names(tx, of, places),
        )  # fmt: skip


def _first(desk: Desk) -> dict[str, str]:
    return {"since": (desk.site.today() - DAYS).isoformat()}


def _plan(desk: Desk, of: str, known: tuple[str, ...]) -> Plan[Decision]:
    c = decisions.decisions.c
    return Plan(
        path=HERE, table=decisions.decisions, key=c.decision, order="-at", sorts={"at": c.at},
        first=_first(desk), fixed=desk.kept(of), read=lambda _, rows: [decisions.read(row) for row in rows],
        filters={
            "since": listing.since(c.at),
            "until": listing.until(c.at),
            "purpose": listing.equal(c.purpose, tuple(desk.site.parts.standard.purposes)),
            "by": listing.equal(c.by_org, known),
            "verdict": listing.equal(c.verdict, (decisions.OPENED, decisions.REFUSED)),
            "review": Filter(where=lambda _: c.review == sa.true(), options=(GLASS,)),
        },
        columns={
            "at": lambda d: d.at, "decision": lambda d: d.decision, "by": lambda d: d.by,
            "by_organisation": lambda d: d.by_org, "purpose": lambda d: d.purpose,
            "form": lambda d: d.form, "of": lambda d: d.org, "records": lambda d: len(d.places),
            "places": lambda d: " ".join(f"{bucket}/{n}" for bucket, n in d.places),
            "verdict": lambda d: d.verdict, "rule": lambda d: d.rule,
            "review": lambda d: "yes" if d.review else "no", "entry": lambda d: d.entry_index,
        },
    )  # fmt: skip
