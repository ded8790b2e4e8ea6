"""The first page of the console: for each role, what waits for a decision today."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from epilock.collect import point as points
from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.destroy import request as requests
from epilock.use import grant as grants
from epilock.use import staff
from epilock.web.console.approval import waiting_for
from epilock.web.console.desk import Desk, DeskOf

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One number that may ask for a decision; ``tone`` is "", ``warn`` or ``bad``."""

    name: str
    number: int
    path: str
    tone: str = ""


@router.get("/console")
def get_home(desk: DeskOf) -> Response:
    """Show what waits."""
    with desk.site.parts.database.read() as tx:
        cards = _cards(desk, tx)
    return desk.show("home.html", here="home", cards=cards)


def _cards(desk: Desk, tx: Transaction) -> list[Card]:
    cards: list[Card] = []
    now, standard = desk.site.now(), desk.site.parts.standard
    if desk.may("approvals"):
        waiting = len(waiting_for(desk, tx))
        tone = "warn" if waiting else ""
        cards.append(Card(name="approvals", number=waiting, path="/console/approvals", tone=tone))
    if desk.may("destruction"):
        found = dues.calendar(tx, standard, now=now, org=desk.org)
        due = sum(d.is_due(now) for d in found)
        path = "/console/destruction"
        cards.append(Card(name="due", number=due, path=path, tone="bad" if due else ""))
        cards.append(Card(name="orders", number=len(orders.listing(tx, desk.org)), path=path))
        cards.append(
            Card(name="holds", number=len(holds.listing(tx, desk.org, now=now)), path=path)
        )
    if desk.may("requests"):
        asked = len(requests.listing(tx, desk.org, stage=requests.ASKED))
        cards.append(Card(name="requests", number=asked, path="/console/requests"))
    if desk.may("grants"):
        live = grants.listing(tx, desk.org, stages=(grants.ACTIVE,))
        cards.append(
            Card(name="grants", number=sum(g.until > now for g in live), path="/console/grants")
        )
    if desk.may("points"):
        open_ = points.listing(tx, desk.org, only_open=True)
        cards.append(Card(name="points", number=len(open_), path="/console/points"))
    if desk.may("accounts"):
        everyone = staff.listing(tx, desk.org)
        bare = sum(not s.has_totp for s in everyone)
        tone = "warn" if bare else ""
        cards.append(Card(name="accounts", number=len(everyone), path="/console/accounts"))
        cards.append(Card(name="bare", number=bare, path="/console/accounts", tone=tone))
    return cards
