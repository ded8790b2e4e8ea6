"""Oversight: a supervising department reads what any organisation decided, ordered, holds and owes. It changes nothing.

All of it stands in the public log as well; here it is put together.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

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
    parts, now = desk.site.parts, desk.site.now()
    with parts.database.read() as tx:
        everyone = organisations.everyone(tx)
        chosen = organisations.load(tx, org or desk.org)
        calendar = dues.calendar(tx, parts.standard, now=now, org=chosen.org)
        waiting = orders.listing(tx, chosen.org)
        held = holds.listing(tx, chosen.org, now=now)
        glass = reviews.listing(tx, chosen.org, limit=MOST)
        counted = aggregate.latest(tx, chosen.org, limit=MOST)
        released = releases.latest(tx, chosen.org, limit=MOST)
        days = [d for d in calendar if d.due.last_day and not d.hold]
        decisions = decisions_.latest(tx, chosen.org, limit=SHOWN)
        ending = [each for each in studies.listing(tx, chosen.org) if each.waits]
        weeks = turnover.weeks(tx, now=now, org=chosen.org)
        lines = [] if org else _lines(desk, tx, everyone)
    page = arrange(_PLAN, lines, desk.query)
    if page.export and not org:
        return page.file("oversight")
    return desk.show(
        "oversight.html", here=PART, everyone=everyone, chosen=chosen, held=len(held), kept=len(calendar),
        overdue=[d for d in calendar if d.is_overdue(now)], waiting=len(waiting), shown=SHOWN,
        soon=next((d for d in days if not d.is_due(now)), None), decisions=decisions, page=page,
        glass=glass, counted=counted, released=released, chart=charts.of_weeks(weeks), ending=ending,
    )  # fmt: skip


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
