"""Arrivals: how a sign-in is noted, what the person says of it, and what the administrator sees.

Rules kept in this file:
  1. Whoever signs in, by whatever means, begins a session by ``begin`` and takes its cookies by ``admit``.
  2. A device's cookie outlives sessions; it opens nothing, and no script reads it.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import session as sessions
from epilock.accounts import staff
from epilock.accounts.arrival import KEPT, Arrival, From
from epilock.accounts.staff import Staff
from epilock.db import Transaction
from epilock.errors import InputError
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, DeskOf, cookie_of
from epilock.web.console.listing import Plan
from epilock.web.request import Site, address_of, word

router = APIRouter(include_in_schema=False, prefix="/console")
DEVICE_COOKIE = "epilock-device"
_C = arrivals.arrivals.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A session that has begun, and the device that it is on.

    Attributes:
        token: The session's.
        device: What the device's cookie is to hold.
    """

    token: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An arrival and the login of its account."""

    arrival: Arrival
    login: str


def device_of(site: Site, request: Request) -> str:
    """Return what the device's cookie holds; "" if there is none."""
    return request.cookies.get(_cookie(site), "")[:64]


def begin(
    tx: Transaction, site: Site, request: Request, who: Staff, *, proved: bool = True
) -> Entered:
    """Begin a session of the console and note the arrival (rule 1); unless ``proved``, it is to be proved first."""
    now = site.now()
    token = sessions.begin(tx, who, now=now)
    came = From(
        device=device_of(site, request), agent=request.headers.get("user-agent", ""),
        address=address_of(request), places=request.app.state.places,
    )  # fmt: skip
    _, device = arrivals.arrive(tx, who, came, session=token, now=now, proved=proved)
    return Entered(token=token, device=device)


def admit(site: Site, answer: Response, entered: Entered) -> None:
    """Give the browser the cookies of a session that has begun (rules 1 and 2)."""
    secure = site.parts.settings.secure_cookies
    answer.set_cookie(
        cookie_of(site), entered.token, httponly=True, samesite="lax", path="/", secure=secure
    )
    answer.set_cookie(
        _cookie(site), entered.device, max_age=int(KEPT.total_seconds()), httponly=True, samesite="strict", path="/", secure=secure,
    )  # fmt: skip


@router.post("/arrivals/{code}")
def post_answer(code: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Take what the person says of a sign-in; who denies one leaves nothing open."""
    said = word(form, "said", most=10)
    if said not in arrivals.ANSWERS:
        raise InputError(f"said is {' or '.join(arrivals.ANSWERS)}")
    who, mine = desk.session.staff, arrivals.ANSWERS[said]
    with desk.site.parts.database.write() as tx:
        arrivals.answer(tx, who, code, mine=mine, handle=desk.handle)
        if not mine:
            sessions.end_all(tx, who)
            staff.shut_out(tx, who.org, who.staff)
    if mine:
        return desk.go("/console", done="mine")
    return desk.site.pages.show(desk.request, "console/denied.html")


@router.get("/accounts/arrivals")
def get_arrivals(desk: DeskOf) -> Response:
    """Show the sign-ins of the organisation's accounts."""
    desk.enter("accounts")
    with desk.site.parts.database.read(org=desk.org) as tx:
        page = listing.find(tx, _PLAN, desk.query, _C.org == desk.org)
    if page.export:
        return page.file("arrivals")
    return desk.show("arrivals.html", here="accounts", page=page, states=arrivals.STATES)


def _named(tx: Transaction, rows: list[dict[str, object]]) -> list[Named]:
    found = [arrivals.read(row) for row in rows]
    c = staff.staff.c
    known = {
        row["staff"]: row["login"]
        for org in {one.org for one in found}
        for row in tx.all(staff.staff, c.org == org, c.staff.in_({one.staff for one in found}))
    }
    return [Named(arrival=one, login=known[one.staff]) for one in found]


_PLAN: Plan[Named] = Plan(
    path="/console/accounts/arrivals", table=arrivals.arrivals, key=_C.arrival, read=_named,
    sorts={"at": _C.at}, order="-at",
    filters={
        "state": listing.equal(_C.state, arrivals.STATES), "since": listing.since(_C.at),
        "until": listing.until(_C.at),
    },
    columns={
        "account": lambda n: n.arrival.staff, "at": lambda n: n.arrival.at,
        "device": lambda n: n.arrival.label, "network": lambda n: n.arrival.network, "state": lambda n: n.arrival.state,
    },
)  # fmt: skip


def _cookie(site: Site) -> str:
    return f"__Host-{DEVICE_COOKIE}" if site.parts.settings.secure_cookies else DEVICE_COOKIE
