"""Approvals: what a second person decides or reviews, of the own organisation and of those below it.

A village office has one person; then the approver sits in the organisation above.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from epilock.accounts import passkey, staff
from epilock.accounts.passkey import Passkey
from epilock.beside import PATIENCE
from epilock.db import Transaction
from epilock.deidentify.noise.budget import Book, shown
from epilock.deidentify.pseudonyms import study as studies
from epilock.deidentify.pseudonyms.study import Study
from epilock.destroy import freeze
from epilock.destroy import order as orders
from epilock.destroy import request as requests
from epilock.destroy import run as runs
from epilock.destroy.order import PROPOSED, Order
from epilock.destroy.request import Request
from epilock.errors import EpilockError, ForbiddenError, HeldError, SignInError, StateError
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.store import bucket as buckets
from epilock.use import allotment as allotments
from epilock.use import decision as decisions
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.allotment import Allotment
from epilock.use.grant import REQUESTED, Grant
from epilock.use.release import register as releases
from epilock.use.release.register import Release
from epilock.use.review import EmergencyOpening
from epilock.web.console import decided, listing, proof
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Condition, Plan
from epilock.web.problem import of as problem_of
from epilock.web.request import word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/approvals")
PART = "approvals"
KINDS = ("grant", "order", "release", "budget", "study", "erasure", "opening")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One request that a second person decides.

    Attributes:
        organisation: Whose request it is.
        kind, code: Of ``KINDS``, and its code.
        since: When it was asked for.
        grant, order, release, erasure, opening, allotment, study: One of the seven: a grant, an order of
            destruction, a table that is to leave, a person's to be erased, an opening to be reviewed, a
            budget, a study's end.
        bucket: Name of the bucket of an order or erasure.
        circumstance: Of an order, that of its bucket.
        opened: Of an opening: which records, by their buckets' names and numbers.
        form: Of an opening: in which form they were seen.
        by, login: The account that asks, and as what it signs in.
        own: Whether who looks asked for it, and so cannot decide.
        challenge: Of a grant that a passkey must sign: what it signs.
        options: What the browser is asked to have signed (JSON); "" if who looks has no passkey.
    """

    organisation: Organisation
    kind: str
    code: str
    since: datetime
    grant: Grant | None = None
    order: Order | None = None
    release: Release | None = None
    erasure: Request | None = None
    opening: EmergencyOpening | None = None
    allotment: Allotment | None = None
    study: Study | None = None
    bucket: str = ""
    circumstance: str = ""
    opened: tuple[tuple[str, int], ...] = ()
    form: str = ""
    by: str = ""
    login: str = ""
    own: bool = False
    challenge: bytes = b""
    options: str = ""


@router.get("")
def get_approvals(desk: DeskOf) -> Response:
    """Show what waits for a second person, with its reason."""
    desk.enter(PART)
    return _page(desk)


@router.post("/grants/{org}/{grant}")
def post_grant(org: str, grant: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve or refuse a grant; where the key service asks for it, with a passkey's signature."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    signed = word(form, "assertion", most=passkey.MOST_OCTETS + 1) if approve else ""
    try:
        if signed:
            _check_own(desk, org, grant, signed)
        with parts.database.write() as tx:
            grants.decide(
                tx, parts.log, parts.keys, standard_ref=parts.standard.ref, org=org, grant=grant,
                by=desk.session.staff, approve=approve, assertion=signed, now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "grant", org, grant, word(form, "verdict"), error)
    except (*WRONG, ForbiddenError, SignInError) as error:
        return _page(desk, error)
    return desk.go("/console/approvals", done="approved" if approve else "refused")


@router.post("/orders/{org}/{order}")
def post_order(org: str, order: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve an order of destruction, or cancel it."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    ref, now = parts.standard.ref, desk.site.now()
    try:
        with parts.database.write() as tx:
            organisations.check_decides(tx, desk.org, org)
            if approve:
                orders.approve(
                    tx, parts.log, standard_ref=ref, org=org, order=order, by=desk.who,
                    by_org=desk.org, now=now,
                )  # fmt: skip
            else:
                orders.cancel(
                    tx, parts.log, standard_ref=ref, org=org, order=order, by=desk.who, now=now
                )
    except StateError as error:
        return decided.again(desk, "order", org, order, word(form, "verdict"), error)
    return desk.go("/console/approvals", done="approved" if approve else "cancelled")


@router.post("/requests/{org}/{request}")
def post_request(org: str, request: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve a person's request, which destroys their record at once, or refuse it."""
    desk.enter(PART)
    parts, approve, now = desk.site.parts, word(form, "verdict") == "approve", desk.site.now()
    try:
        with parts.database.write() as tx:
            requests.decide(
                tx, parts.log, parts.standard, org=org, request=request, by=desk.who, by_org=desk.org,
                approve=approve, now=now,
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "erasure", org, request, word(form, "verdict"), error)
    except HeldError as error:  # it can be approved when the hold has ended, or refused now
        return _page(desk, error)
    if not approve:
        return desk.go("/console/approvals", done="refused")
    work = parts.works.begin(
        ("erasure", org, request), lambda _: runs.complete(parts.tools, now=now, org=org),
        wait=PATIENCE,
    )  # fmt: skip
    work.check()
    return desk.go("/console/approvals", done="approved" if work.is_under_way else "erased")


@router.post("/budgets/{org}/{allotment}")
def post_budget(org: str, allotment: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve or refuse an allotment of a budget."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    book = Book(log=parts.log, standard_ref=parts.standard.ref)
    try:
        with parts.database.write() as tx:
            allotments.decide(
                tx, book, org=org, allotment=allotment, by=desk.session.staff, approve=approve,
                now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "budget", org, allotment, word(form, "verdict"), error)
    return desk.go("/console/approvals", done="approved" if approve else "refused")


@router.post("/studies/{org}/{study}")
def post_study(org: str, study: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Destroy the key of a study whose end was asked for, or let it live on."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    try:
        with parts.database.write() as tx:
            organisations.check_decides(tx, desk.org, org)
            if approve:
                freeze.check_thawed(tx)
            else:
                studies.refuse_end(tx, org=org, study=study)
        if approve:
            book = Book(log=parts.log, standard_ref=parts.standard.ref)
            studies.end(
                parts.database, parts.keys, book, org=org, study=study, by=desk.who,
                cooling=parts.settings.cooling, now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "study", org, study, word(form, "verdict"), error)
    return desk.go("/console/approvals", done="key" if approve else "refused")


@router.post("/reviews/{org}/{decision}")
def post_review(org: str, decision: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Say whether an opening in an emergency was justified. No finding stands there before one is chosen."""
    desk.enter(PART)
    parts, reason = desk.site.parts, word(form, "reason", most=20)
    if not reason:
        return _page(desk, unanswered=(org, decision))
    try:
        with parts.database.write() as tx:
            reviews.review(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, decision=decision,
                by=desk.session.staff, reason=reason, now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "opening", org, decision, reason, error)
    return desk.go("/console/approvals", done="reviewed")


def waiting(orgs: Collection[str]) -> sa.Subquery:
    """Return all that waits for an approver of ``orgs``, as rows: whose, what kind, its code, since when."""
    g, o = grants.grants.c, orders.orders.c
    r, e = requests.erasure_requests.c, reviews.emergency_openings.c
    t, a = releases.releases.c, allotments.allotments.c
    s = studies.study_ends.c
    kinds: tuple[tuple[str, Any, Any, Any, Any, Condition], ...] = (
        ("grant", g.org, g.org, g.grant, g.requested, g.stage == REQUESTED),
        ("order", o.org, o.org, o.order, o.proposed, o.stage == PROPOSED),
        ("erasure", r.org, r.org, r.request, r.asked, r.stage == requests.ASKED),
        ("opening", e.org, e.by_org, e.decision, e.opened, e.reviewed.is_(None)),
        ("release", t.org, t.by_org, t.release, t.changed, t.stage == releases.REQUESTED),
        ("budget", a.org, a.org, a.allotment, a.asked, a.stage == allotments.ASKED),
        ("study", s.org, s.org, s.study, s.asked, studies.waiting()),
    )
    return sa.union_all(
        *(
            sa.select(
                org.label("org"), asker.label("asker"), code.label("code"),
                sa.literal(kind).label("kind"), since.label("since"),
            ).where(asker.in_(list(orgs)), open_)
            for kind, org, asker, code, since, open_ in kinds
        )
    ).subquery("waiting")  # fmt: skip


def _page(
    desk: Desk, error: EpilockError | None = None, unanswered: tuple[str, str] | None = None
) -> Response:
    """Return the list; ``unanswered`` is the opening that a finding was to be given and none was chosen for."""
    with desk.site.parts.database.read() as tx:
        orgs = organisations.below(tx, desk.org)
        names = {o.org: o.name for o in organisations.everyone(tx)}
        page = listing.find(tx, _plan(desk, orgs), desk.query)
    if page.export:
        return page.file("approvals")
    signing = any(w.options for w in page.rows)
    wrong = None if error is None else problem_of(error)
    status = 422 if unanswered else 200 if wrong is None else wrong.status
    return desk.show(
        "approvals.html", here=PART, status=status, wrong=wrong, unanswered=unanswered,
        page=page, orgs=orgs, names=names, kinds=KINDS, shown=shown, reasons=tuple(reviews.REASONS.items()),
        signing=signing, script=signing,
    )  # fmt: skip


def _check_own(desk: Desk, org: str, grant: str, assertion: str) -> None:
    """Return if a passkey of who is signed in signed what the grant says, or if it is decided already.

    Raises:
        InputError, SignInError: It did not.
    """
    with desk.site.parts.database.write() as tx:
        asked = grants.load(tx, org, grant)
        if asked.stage != REQUESTED:
            return
        said = asked.statement()
        found = passkey.check(
            tx, passkey.read(assertion), place=proof.place_of(desk.site), org=desk.org,
            staff=desk.who, challenge=said.challenge(), now=desk.site.now(),
        )  # fmt: skip
    if not isinstance(found, Passkey):
        raise found


def _options(desk: Desk, tx: Transaction, challenge: bytes) -> str:
    place = proof.place_of(desk.site)
    known = [p for p in passkey.of(tx, desk.org, desk.who) if not p.shut]
    if not (challenge and place.is_name and known):
        return ""
    return passkey.request(place, challenge=challenge, known=known)


def _plan(desk: Desk, orgs: Sequence[Organisation]) -> Plan[Waiting]:
    known = {o.org: o for o in orgs}
    table = waiting(tuple(known))
    c = table.c
    return Plan(
        path="/console/approvals", table=table, key=c.code, order="since", sorts={"since": c.since},
        read=lambda tx, rows: [_read(desk, tx, known[row["asker"]], row) for row in rows],
        filters={
            "kind": listing.equal(c.kind, KINDS),
            "organisation": listing.equal(c.asker, tuple(known)),
        },
        columns={
            "kind": lambda w: w.kind, "code": lambda w: w.code,
            "organisation": lambda w: w.organisation.org, "since": lambda w: w.since,
        },
    )  # fmt: skip


def _read(desk: Desk, tx: Transaction, asker: Organisation, row: dict[str, Any]) -> Waiting:
    """Return what waits, from the row of its own register."""
    org, code = row["org"], row["code"]
    found = Waiting(organisation=asker, kind=row["kind"], code=code, since=row["since"])
    match found.kind:
        case "grant":
            g = grants.load(tx, org, code)
            challenge = g.statement().challenge() if desk.site.parts.keys.signed else b""
            found = replace(
                found, grant=g, by=g.staff, challenge=challenge,
                options=_options(desk, tx, challenge),
            )  # fmt: skip
        case "opening":
            e = reviews.load(tx, org, code)
            made = decisions.load(tx, org, code)
            found = replace(
                found, opening=e, by=e.by, form=made.form,
                opened=tuple((buckets.load(tx, org, b).name, n) for b, n in made.places),
            )  # fmt: skip
        case "order":
            o = orders.load(tx, org, code)
            lies = buckets.load(tx, org, o.bucket)
            found = replace(
                found,
                order=o,
                bucket=lies.name,
                circumstance=lies.circumstance,
                by=o.by,
            )
        case "release":
            t = releases.load(tx, org, code)
            found = replace(found, release=t, by=t.by)
        case "budget":
            a = allotments.load(tx, org, code)
            found = replace(found, allotment=a, by=a.by)
        case "study":
            s = studies.load(tx, org, code)
            found = replace(found, study=s, by=s.end_asked_by or "")
        case _:
            r = requests.load(tx, org, code)
            name = buckets.load(tx, org, r.bucket).name
            found = replace(found, erasure=r, bucket=name, by=r.by)
    names = staff.logins(tx, asker.org, [found.by])
    return replace(found, own=found.by == desk.who, login=names.get(found.by, ""))
