"""What was decided already: the same answer by the same person again is done, any other is a conflict.

Of an order that was cancelled, and of a study's end, is not noted who did it: the same answer by anybody is done.

A button is pressed twice, a form is sent again by going back: who asks again for what they decided comes to
what they decided, and nothing is done twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import order as orders
from epilock.destroy import request as requests
from epilock.errors import DecidedError, NotFoundError, StateError
from epilock.use import allotment as allotments
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.release import register as releases
from epilock.web.console.desk import Desk

APPROVE, REFUSE = "approve", "refuse"


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision that stands.

    Attributes:
        answer: ``approve``, ``refuse``, or the reason of a review.
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
    shown = desk.may(found.part) and (org == desk.org or found.part == "releases")
    done = "decided" if found.by else "decided_so"
    return desk.go(found.path if shown else "/console/approvals", done=done)


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


def _of(stage: str) -> str:
    return REFUSE if stage == grants.REFUSED else APPROVE


def _said(answer: str, by: str | None, part: str, path: str = "") -> Decided | None:
    if by is None:
        return None
    return Decided(answer, by, part, path or f"/console/{part}")


_JUDGED = (releases.APPROVING, *releases.LEFT, releases.REFUSED)
_FIND: Mapping[str, Callable[[Transaction, str, str], Decided | None]] = {
    "grant": _grant, "order": _order, "erasure": _erasure, "budget": _budget, "study": _study,
    "opening": _opening, "release": _release,
}  # fmt: skip
