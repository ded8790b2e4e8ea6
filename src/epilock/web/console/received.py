"""What residents asked for by receipt: objections to the own organisation, complaints about one below.

Each is answered with a word of a list, and the person reads it on the receipt's page.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from epilock.db import Transaction
from epilock.destroy import run as runs
from epilock.destroy import subject_request as requests
from epilock.destroy.subject_request import ANSWERED_BY, ANSWERS, SubjectRequest
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/received")
PART = "received"
MOST = 100  # of an organisation and a kind, the open ones first


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, the organisation it is about, the bucket of its record, and how it may be answered."""

    request: SubjectRequest
    organisation: Organisation
    bucket: Bucket
    answers: tuple[str, ...]


@router.get("")
def get_received(desk: DeskOf) -> Response:
    """Show what was asked, the open and oldest first."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = received(desk, tx)
    return desk.show("received.html", here=PART, found=found)


@router.post("/{org}/{request}")
def post_answer(org: str, request: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Answer a request; what is to be erased is erased at once."""
    desk.enter(PART)
    parts, now = desk.site.parts, desk.site.now()
    answer = word(form, "answer", most=20)
    with parts.database.write() as tx:
        requests.answer(
            tx, parts.log, parts.standard, org=org, request=request, by=desk.who, by_org=desk.org,
            roles=desk.session.staff.roles, answer=answer, now=now,
        )  # fmt: skip
    if answer == requests.ERASED:
        runs.complete(parts.tools, now=now, org=org)
    return desk.go("/console/received", done="answered")


def received(desk: Desk, tx: Transaction) -> list[Received]:
    """Return the requests that it is this account's to answer, the open and oldest first."""
    found = []
    for kind, role in ANSWERED_BY.items():
        if not desk.has(role):
            continue
        for one in organisations.everyone(tx):
            if desk.org in requests.answering(tx, kind, one.org):
                found += [
                    Received(
                        request=asked, organisation=one, answers=ANSWERS[kind],
                        bucket=buckets.load(tx, one.org, asked.bucket),
                    )
                    for asked in requests.listing(tx, one.org, kind, limit=MOST)
                ]  # fmt: skip
    return sorted(found, key=lambda r: (r.request.answered is not None, r.request.asked))
