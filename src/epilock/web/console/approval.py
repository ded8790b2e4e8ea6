"""Approvals: what a second person decides or reviews, of the own organisation and of those below it.

A village office has one person; then the approver sits in the organisation above.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify import study as studies
from epilock.deidentify.budget import Book, shown
from epilock.deidentify.study import Study
from epilock.destroy import order as orders
from epilock.destroy import request as requests
from epilock.destroy import run as runs
from epilock.destroy.order import PROPOSED, Order
from epilock.destroy.request import Request
from epilock.errors import ForbiddenError
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.use import allotment as allotments
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.allotment import Allotment
from epilock.use.grant import REQUESTED, Grant
from epilock.use.release import register as releases
from epilock.use.release.register import Release
from epilock.use.review import EmergencyOpening
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/approvals")
PART = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One request that a second person decides.

    Attributes:
        organisation: Whose request it is.
        grant, order, release, erasure, opening, allotment, study: One of the seven: a grant, an order of
            destruction, a table that is to leave, a person's to be erased, an opening to be reviewed, a
            budget, a study's end.
        bucket: Name of the bucket of an order or erasure.
        own: Whether who looks asked for it, and so cannot decide.
    """

    organisation: Organisation
    grant: Grant | None = None
    order: Order | None = None
    release: Release | None = None
    erasure: Request | None = None
    opening: EmergencyOpening | None = None
    allotment: Allotment | None = None
    study: Study | None = None
    bucket: str = ""
    own: bool = False


@router.get("")
def get_approvals(desk: DeskOf) -> Response:
    """Show what waits for a second person, with its reason."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = waiting_for(desk, tx)
    return desk.show(
        "approvals.html",
        here=PART,
        found=found,
        reasons=tuple(reviews.REASONS.items()),
        shown=shown,
    )


@router.post("/grants/{org}/{grant}")
def post_grant(org: str, grant: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve or refuse a grant."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    with parts.database.write() as tx:
        grants.decide(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, grant=grant,
            by=desk.session.staff, approve=approve, now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/approvals", done="approved" if approve else "refused")


@router.post("/orders/{org}/{order}")
def post_order(org: str, order: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve an order of destruction, or cancel it."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    ref, now = parts.standard.ref, desk.site.now()
    with parts.database.write() as tx:
        if desk.org not in {org, *organisations.superiors(tx, org)}:
            raise ForbiddenError("an approver of this organisation or one above it decides")
        if approve:
            orders.approve(
                tx, parts.log, standard_ref=ref, org=org, order=order, by=desk.who,
                by_org=desk.org, now=now,
            )  # fmt: skip
        else:
            orders.cancel(
                tx, parts.log, standard_ref=ref, org=org, order=order, by=desk.who, now=now
            )
    return desk.go("/console/approvals", done="approved" if approve else "cancelled")


@router.post("/requests/{org}/{request}")
def post_request(org: str, request: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve a person's request, which destroys their record at once, or refuse it."""
    desk.enter(PART)
    parts, approve, now = desk.site.parts, word(form, "verdict") == "approve", desk.site.now()
    with parts.database.write() as tx:
        requests.decide(
            tx, parts.log, parts.standard, org=org, request=request, by=desk.who, by_org=desk.org,
            approve=approve, now=now,
        )  # fmt: skip
    if approve:
        runs.complete(parts.tools, now=now, org=org)
    return desk.go("/console/approvals", done="erased" if approve else "refused")


@router.post("/budgets/{org}/{allotment}")
def post_budget(org: str, allotment: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve or refuse an allotment of a budget."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    book = Book(log=parts.log, standard_ref=parts.standard.ref)
    with parts.database.write() as tx:
        allotments.decide(
            tx, book, org=org, allotment=allotment, by=desk.session.staff, approve=approve,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/approvals", done="approved" if approve else "refused")


@router.post("/studies/{org}/{study}")
def post_study(org: str, study: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Destroy the key of a study whose end was asked for, or let it live on."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    with parts.database.write() as tx:
        if desk.org not in {org, *organisations.superiors(tx, org)}:
            raise ForbiddenError("an approver of this organisation or one above it decides")
        if not approve:
            studies.refuse_end(tx, org=org, study=study)
    if approve:
        book = Book(log=parts.log, standard_ref=parts.standard.ref)
        studies.end(
            parts.database, parts.keys, book, org=org, study=study, by=desk.who, now=desk.site.now()
        )
    return desk.go("/console/approvals", done="key" if approve else "refused")


@router.post("/reviews/{org}/{decision}")
def post_review(org: str, decision: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Say whether an opening in an emergency was justified."""
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.write() as tx:
        reviews.review(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, decision=decision,
            by=desk.session.staff, reason=word(form, "reason", most=20), now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/approvals", done="reviewed")


def waiting_for(desk: Desk, tx: Transaction) -> list[Waiting]:
    """Return what waits for an approver of the desk's organisation, the oldest first."""
    found: list[Waiting] = []
    for one in organisations.everyone(tx):
        if desk.org not in {one.org, *organisations.superiors(tx, one.org)}:
            continue
        found += [
            Waiting(organisation=one, opening=o, own=o.by == desk.who)
            for o in reviews.outstanding(tx, one.org)
        ]
        found += [
            Waiting(organisation=one, grant=g, own=g.staff == desk.who)
            for g in reversed(grants.listing(tx, one.org, stages=(REQUESTED,)))
        ]
        found += [
            Waiting(organisation=one, release=r, own=r.by == desk.who)
            for r in releases.listing(tx, stages=(releases.REQUESTED,), by_org=one.org)
        ]
        found += [
            Waiting(organisation=one, allotment=a, own=a.by == desk.who)
            for a in reversed(allotments.listing(tx, one.org))
        ]
        found += [
            Waiting(organisation=one, study=s, own=s.end_asked_by == desk.who)
            for s in reversed(studies.listing(tx, one.org))
            if s.waits
        ]
        found += [
            Waiting(
                organisation=one, order=o, own=o.by == desk.who,
                bucket=buckets.load(tx, one.org, o.bucket).name,
            )
            for o in reversed(orders.listing(tx, one.org, stages=(PROPOSED,)))
        ]  # fmt: skip
        found += [
            Waiting(
                organisation=one, erasure=r, own=r.by == desk.who,
                bucket=buckets.load(tx, one.org, r.bucket).name,
            )
            for r in reversed(requests.listing(tx, one.org, stage=requests.ASKED))
        ]  # fmt: skip
    return found
