"""What residents asked for by receipt: objections to the own organisation, complaints about one below.

Each is answered with a word of a list, and the person reads it on the receipt's page.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from epilock.db import Transaction
from epilock.destroy import run as runs
from epilock.destroy import subject_request as requests
from epilock.destroy.subject_request import ANSWERED_BY, ANSWERS, GROUNDS, SubjectRequest
from epilock.errors import StateError
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket
from epilock.web.console import decided, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Condition, Filter, Plan
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/received")
PART = "received"
OPEN, ANSWERED = "open", "answered"
_C = requests.subject_requests.c
IS_OPEN = _C.answered.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, the organisation it is about, and the bucket of its record."""

    request: SubjectRequest
    organisation: Organisation
    bucket: Bucket


def _read(tx: Transaction, rows: list[dict[str, Any]]) -> list[Received]:
    found = [SubjectRequest(**row) for row in rows]
    return [
        Received(
            request=r, organisation=organisations.load(tx, r.org),
            bucket=buckets.load(tx, r.org, r.bucket),
        )
        for r in found
    ]  # fmt: skip


_PLAN: Plan[Received] = Plan(
    path="/console/received", table=requests.subject_requests, key=_C.request, read=_read,
    sorts={"asked": _C.asked}, order="asked",
    filters={
        "state": Filter(
            where=lambda state: IS_OPEN if state == OPEN else sa.not_(IS_OPEN),
            options=(OPEN, ANSWERED),
        ),
        "kind": listing.equal(_C.kind, tuple(GROUNDS)),
        "since": listing.since(_C.asked), "until": listing.until(_C.asked),
    },
    first={"state": OPEN},
    columns={
        "request": lambda r: r.request.request, "organisation": lambda r: r.request.org,
        "kind": lambda r: r.request.kind, "ground": lambda r: r.request.ground,
        "asked": lambda r: r.request.asked, "due": lambda r: r.request.due,
        "answer": lambda r: r.request.answer or "", "answered": lambda r: r.request.answered or "",
        "answered_by": lambda r: r.request.by or "",
    },
)  # fmt: skip


@router.get("")
def get_received(desk: DeskOf) -> Response:
    """Show what was asked: what is still to be answered, if the address asks for nothing else."""
    desk.enter(PART)
    return _page(desk)


@router.post("/{org}/{request}")
def post_answer(org: str, request: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Answer a request; what is to be erased is erased at once, if who answers says that they know.

    No answer stands there before one is chosen.
    """
    desk.enter(PART)
    parts, now = desk.site.parts, desk.site.now()
    answer = word(form, "answer", most=20)
    if not answer:
        return _page(desk, (org, request), "choose_first")
    if answer == requests.ERASED and not word(form, "sure", most=3):
        return _page(desk, (org, request), "sure_first", answer)
    try:
        with parts.database.write() as tx:
            requests.answer(
                tx, parts.log, parts.standard, org=org, request=request, by=desk.who, by_org=desk.org,
                roles=desk.session.staff.roles, answer=answer, now=now,
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "received", org, request, answer, error)
    if answer == requests.ERASED:
        runs.complete(parts.tools, now=now, org=org)
    done = "answered_erased" if answer == requests.ERASED else "answered"
    return desk.back("/console/received", done=done)


def mine(desk: Desk, tx: Transaction) -> Condition:
    """Return the condition of requests that it is this account's to answer."""
    reached = {
        kind: requests.answered_by(tx, kind, desk.org)
        for kind, role in ANSWERED_BY.items()
        if desk.has(role)
    }
    return sa.or_(
        sa.false(), *(sa.and_(_C.kind == kind, _C.org.in_(orgs)) for kind, orgs in reached.items())
    )


def _page(
    desk: Desk, unanswered: tuple[str, str] | None = None, slip: str = "", answer: str = ""
) -> Response:
    """Return the list; ``unanswered`` is the request whose ``answer`` was not taken, and ``slip`` why."""
    with desk.site.parts.database.read() as tx:
        page = listing.find(tx, _PLAN, desk.query, mine(desk, tx))
    if page.export:
        return page.file("received")
    return desk.show(
        "received.html", here=PART, status=200 if unanswered is None else 422, page=page, answers=ANSWERS,
        kinds=tuple(GROUNDS), open_=OPEN, unanswered=unanswered, slip=slip, given=answer, erased=requests.ERASED,
    )  # fmt: skip
