"""Oversight: a supervising department reads what any organisation decided, ordered, holds and owes. It changes nothing.

All of it stands in the public log as well; here it is put together.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from epilock.collect import point as points
from epilock.db import Transaction
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.destroy import turnover
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.use import aggregate
from epilock.use import decision as decisions_
from epilock.use import review as reviews
from epilock.use.release import register as releases
from epilock.web import chart as charts
from epilock.web.console.desk import Desk, DeskOf

router = APIRouter(include_in_schema=False, prefix="/console/oversight")
PART = "oversight"
MOST = 100
SHOWN = 20  # decisions; ``seen`` has all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One organisation in a row of numbers.

    Attributes:
        organisation: Which.
        points: Open collection points.
        due, overdue: Parts that must go, and those that should be gone.
        orders, holds: That wait or last.
        review: Openings in an emergency by its staff that nobody has reviewed yet.
        late: Whether a review of these should have come.
    """

    organisation: Organisation
    points: int
    due: int
    overdue: int
    orders: int
    holds: int
    review: int
    late: bool


@router.get("")
def get_oversight(desk: DeskOf, org: str = "") -> Response:
    """Show all organisations in a row each, or one of them: overdue, due next, orders, holds, latest decisions."""
    desk.enter(PART)
    parts, now = desk.site.parts, desk.site.now()
    with parts.database.read() as tx:
        everyone = organisations.everyone(tx)
        chosen = organisations.load(tx, org or desk.org)
        calendar = dues.calendar(tx, parts.standard, now=now, org=chosen.org)
        waiting = orders.listing(tx, chosen.org, stages=tuple(orders.NEXT))
        held = holds.listing(tx, chosen.org, now=now)
        used = {o.bucket for o in waiting} | {h.bucket for h in held}
        names = {b: buckets.load(tx, chosen.org, b).name for b in used}
        glass = reviews.listing(tx, chosen.org, limit=MOST)
        counted = aggregate.latest(tx, chosen.org, limit=MOST)
        released = releases.latest(tx, chosen.org, limit=MOST)
        decisions = decisions_.latest(tx, chosen.org, limit=SHOWN)
        ending = [each for each in studies.listing(tx, chosen.org) if each.waits]
        weeks = turnover.weeks(tx, now=now, org=chosen.org)
        lines = [] if org else [_line(desk, tx, one) for one in everyone]
    return desk.show(
        "oversight.html", here=PART, everyone=everyone, chosen=chosen, names=names, held=held,
        overdue=[d for d in calendar if d.is_overdue(now)], soon=calendar[:20], waiting=waiting,
        decisions=decisions, lines=lines, glass=glass, counted=counted, released=released,
        chart=charts.of_weeks(weeks),
        ending=ending,
    )  # fmt: skip


def _line(desk: Desk, tx: Transaction, one: Organisation) -> Line:
    now = desk.site.now()
    calendar = dues.calendar(tx, desk.site.parts.standard, now=now, org=one.org, until=now)
    outstanding = reviews.outstanding(tx, one.org)
    return Line(
        organisation=one, points=len(points.listing(tx, one.org, only_open=True)),
        due=sum(d.is_due(now) for d in calendar), overdue=sum(d.is_overdue(now) for d in calendar),
        orders=len(orders.listing(tx, one.org)), holds=len(holds.listing(tx, one.org, now=now)),
        review=len(outstanding), late=any(o.is_overdue(now) for o in outstanding),
    )  # fmt: skip
