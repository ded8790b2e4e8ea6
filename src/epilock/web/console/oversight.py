"""Oversight: a supervising department reads what any organisation decided, ordered, holds and owes. It changes nothing.

All of it stands in the public log as well; here it is put together.
"""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.registry import organisation as organisations
from epilock.store import bucket as buckets
from epilock.use import gate
from epilock.web.console.desk import DeskOf

router = APIRouter(include_in_schema=False, prefix="/console/oversight")
PART = "oversight"
MOST = 100


@router.get("")
def get_oversight(desk: DeskOf, org: str = "") -> Response:
    """Show one organisation: overdue, due next, orders, holds, latest decisions."""
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
        decisions = gate.latest(tx, chosen.org, limit=MOST)
    return desk.show(
        "oversight.html", here=PART, everyone=everyone, chosen=chosen, names=names, held=held,
        overdue=[d for d in calendar if d.is_overdue(now)], soon=calendar[:20], waiting=waiting,
        decisions=decisions,
    )  # fmt: skip
