"""What was decided already: the same answer by the same person again is done, any other is a conflict.

Of an order that was cancelled, and of the end of a study, a grant or a hold, is not noted who did it: the same answer
by anybody is done.

A button is pressed twice, a form is sent again by going back: who asks again for what they decided comes to
what they decided, and nothing is done twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.destroy import request as requests
from epilock.destroy import subject_request as subject_requests
from epilock.errors import DecidedError, NotFoundError, StateError
from epilock.use import allotment as allotments
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.release import register as releases
from epilock.web.console.desk import Desk

APPROVE, REFUSE, END = "approve", "refuse", "end"


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision that stands.

    Attributes:
        answer: ``approve``, ``refuse``, ``end``, the reason of a review, or what a resident was answered.
        by: Who gave it; "" if that is not noted beside it, and any person may have.
        part: The part of the console that shows it.
        path: Its page there.
    """

    answer: str
    by: str
    part: str
    path: str


def again(  # noqa: PLR0917 - what was decided, and the answer to it
    desk: Desk, kind: str, org: str, code: str, answer: str, error: StateError
) -> Response:
    """Return the way to what was decided, for who gives ``answer`` to it as before.

    ``error`` is what deciding it now was answered with.

    Raises:
        DecidedError: Another answer stands, or another person's.
        StateError: ``error``: it is not decided at all.
    """
    if isinstance(error, NotFoundError):
        raise error
    with desk.site.parts.database.read() as tx:
        found = _FIND[kind](tx, org, code)
    if found is None:
        raise error
    if found.by not in {"", desk.who}:
        raise DecidedError(f"{code} was decided already, by another person")
    if found.answer != answer:
        raise DecidedError(f"{code} was decided already, with another answer than this")
    if kind == "end of a hold" and org != desk.org:
        return desk.go(found.path, org=org, done="decided_so")
    shown = desk.may(found.part) and (org == desk.org or found.part in _BEYOND)
    waiting = "/console/approvals" if desk.may("approvals") else "/console"
    done = "decided" if found.by else "decided_so"
    return desk.go(found.path if shown else waiting, done=done)


def _grant(tx: Transaction, org: str, code: str) -> Decided | None:
    g = grants.load(tx, org, code)
    return _said(_of(g.stage), g.approved_by, "grants")


def _order(tx: Transaction, org: str, code: str) -> Decided | None:
    o = orders.load(tx, org, code)
    path = f"/console/destruction/{o.bucket}"
    if o.stage == orders.CANCELLED:
        return Decided(REFUSE, "", "destruction", path)
    return _said(APPROVE, o.approved_by, "destruction", path)


def _erasure(tx: Transaction, org: str, code: str) -> Decided | None:
    r = requests.load(tx, org, code)
    return _said(_of(r.stage), r.decided_by, "requests")


def _budget(tx: Transaction, org: str, code: str) -> Decided | None:
    a = allotments.load(tx, org, code)
    return _said(_of(a.stage), a.decided_by, "budgets")


def _study(tx: Transaction, org: str, code: str) -> Decided | None:
    s = studies.load(tx, org, code)
    if (
        s.ended is None
    ):  # a refusal leaves nothing behind that would tell it from an end that nobody asked for
        return None
    return Decided(APPROVE, "", "studies", "/console/studies")


def _opening(tx: Transaction, org: str, code: str) -> Decided | None:
    e = reviews.load(tx, org, code)
    if e.reviewer is None:
        return None
    return Decided(e.reason or "", e.reviewer, "approvals", "/console/approvals")


def _release(tx: Transaction, org: str, code: str) -> Decided | None:
    r = releases.load(tx, org, code)
    stands = r.approved_by if r.stage in _JUDGED else None
    path = f"/console/releases/{org}/{code}"
    return _said(_of(r.stage), stands, "releases", path)


def _received(tx: Transaction, org: str, code: str) -> Decided | None:
    r = subject_requests.load(tx, org, code)
    return _said(r.answer or "", r.by, "received")


def _grant_end(tx: Transaction, org: str, code: str) -> Decided | None:
    ended = grants.load(tx, org, code).stage == grants.REVOKED
    return Decided(END, "", "grants", "/console/grants") if ended else None


def _hold_end(tx: Transaction, org: str, code: str) -> Decided | None:
    if holds.load(tx, org, code).released is None:
        return None
    return Decided(END, "", "destruction", "/console/destruction/holds")


def _of(stage: str) -> str:
    return REFUSE if stage == grants.REFUSED else APPROVE


def _said(answer: str, by: str | None, part: str, path: str = "") -> Decided | None:
    if by is None:
        return None
    return Decided(answer, by, part, path or f"/console/{part}")


_BEYOND = frozenset({"releases", "received"})  # parts that show what is of other organisations
_JUDGED = (releases.APPROVING, *releases.LEFT, releases.REFUSED)
_FIND: Mapping[str, Callable[[Transaction, str, str], Decided | None]] = {
    "grant": _grant, "order": _order, "erasure": _erasure, "budget": _budget, "study": _study,
    "opening": _opening, "release": _release, "received": _received, "end of a grant": _grant_end,
    "end of a hold": _hold_end,
}  # fmt: skip
