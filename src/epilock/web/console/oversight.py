"""Oversight: a supervising department reads what any organisation decided, ordered, holds and owes. It changes nothing.

All of it stands in the public log as well; here it is put together.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

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
from epilock.use import aggregate
from epilock.use import decision as decisions_
from epilock.use import review as reviews
from epilock.use.release import register as releases
from epilock.web import chart as charts
from epilock.web.console.computed import Computed, Question, arrange
from epilock.web.console.desk import Desk, DeskOf

router = APIRouter(include_in_schema=False, prefix="/console/oversight")
PART = "oversight"
MOST = 100
SHOWN = 20  # decisions and overdue parts; ``seen`` and ``destruction`` have all of them


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


_STATES: Mapping[str, Callable[[Line], bool]] = {
    "overdue": lambda line: line.overdue > 0, "review": lambda line: line.review > 0,
    "orders": lambda line: line.orders > 0, "holds": lambda line: line.holds > 0,
}  # fmt: skip
_NUMBERS = ("points", "due", "overdue", "orders", "holds", "review")
_PLAN: Computed[Line] = Computed(
    path="/console/oversight",
    order="organisation",
    key=lambda line: line.organisation.org,
    sorts={"organisation": lambda line: line.organisation.org}
    | {name: attrgetter(name) for name in _NUMBERS},
    filters={"has": Question(fits=lambda line, what: _STATES[what](line), options=tuple(_STATES))},
    columns={"organisation": lambda line: line.organisation.org}
    | {name: attrgetter(name) for name in _NUMBERS},
)


@router.get("")
def get_oversight(desk: DeskOf, org: str = "") -> Response:
    """Show all organisations in a row each, or one of them: overdue, due next, orders, holds, latest decisions."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        everyone = organisations.everyone(tx)
        page = arrange(_PLAN, [] if org else _lines(desk, tx, everyone), desk.query)
        about = _about(desk, tx, org) if org else {"chosen": None}
    if page.export and not org:
        return page.file("oversight")
    return desk.show("oversight.html", here=PART, everyone=everyone, page=page, **about)


def _about(desk: Desk, tx: Transaction, org: str) -> dict[str, Any]:
    """Return what is shown of one organisation."""
    parts, now = desk.site.parts, desk.site.now()
    chosen = organisations.load(tx, org)
    calendar = dues.calendar(tx, parts.standard, now=now, org=org)
    days = [d for d in calendar if d.due.last_day and not d.hold]
    return {
        "chosen": chosen, "held": len(holds.listing(tx, org, now=now)), "kept": len(calendar), "shown": SHOWN,
        "overdue": [d for d in calendar if d.is_overdue(now)], "waiting": len(orders.listing(tx, org)),
        "soon": next((d for d in days if not d.is_due(now)), None),
        "decisions": decisions_.latest(tx, org, limit=SHOWN), "glass": reviews.listing(tx, org, limit=MOST),
        "counted": aggregate.latest(tx, org, limit=MOST), "released": releases.latest(tx, org, limit=MOST),
        "chart": charts.of_weeks(turnover.weeks(tx, now=now, org=org)),
        "ending": [each for each in studies.listing(tx, org) if each.waits],
    }  # fmt: skip


def _lines(desk: Desk, tx: Transaction, everyone: Sequence[Organisation]) -> list[Line]:
    """Return the line of each, in a few queries however many they are."""
    now = desk.site.now()
    calendar = dues.calendar(tx, desk.site.parts.standard, now=now, until=now)
    due = Counter(d.bucket.org for d in calendar if d.is_due(now))
    overdue = Counter(d.bucket.org for d in calendar if d.is_overdue(now))
    ordered = Counter(o.org for o in orders.listing(tx))
    held = Counter(h.org for h in holds.listing(tx, now=now))
    unseen = reviews.outstanding(tx)
    review, late = (
        Counter(o.by_org for o in unseen),
        {o.by_org for o in unseen if o.is_overdue(now)},
    )
    collecting = points.count_by_organisation(tx)
    return [
        Line(
            organisation=one, points=collecting.get(one.org, 0), due=due[one.org],
            overdue=overdue[one.org], orders=ordered[one.org], holds=held[one.org],
            review=review[one.org], late=one.org in late,
        )
        for one in everyone
    ]  # fmt: skip
