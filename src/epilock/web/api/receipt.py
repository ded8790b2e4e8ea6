"""My data, by receipt, for programs: as the pages of ``web.receipt``; the code comes in the body."""

from uuid import uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect.form import Submission
from epilock.db import Transaction
from epilock.destroy.subject_request import SubjectRequest
from epilock.errors import FieldsError, NotFoundError
from epilock.ledger.folder import TEXT
from epilock.ledger.shards import proof_at
from epilock.web import holding as holdings
from epilock.web.api.model import (
    Answers,
    Asked,
    Asking,
    Corrected,
    Erased,
    GoneProof,
    Held,
    Opening,
    PartDay,
    ProofWanted,
    ReceiptCode,
    Words,
)
from epilock.web.correction import check_whole, given, put
from epilock.web.holding import Holding
from epilock.web.receipt import count_miss, erase, open_for_subject
from epilock.web.request import Site, SiteOf
from epilock.web.subject_request import take

router = APIRouter(prefix="/api/receipts", tags=["receipts"])


@router.post("")
def post_receipt(wanted: ReceiptCode, site: SiteOf, request: Request) -> Held:
    """Return what is held for a receipt, without opening it."""
    with site.parts.database.read() as tx:
        return held_now(tx, site, _find(tx, site, request, wanted.code))


@router.post("/data")
def post_data(wanted: ReceiptCode, site: SiteOf, request: Request) -> Answers:
    """Open the record for its person; decided and witnessed first."""
    with site.parts.database.read() as tx:
        held = _find(tx, site, request, wanted.code)
    return Answers(answers=open_for_subject(site, held))


@router.post("/proof", response_class=Response)
def post_proof(wanted: ProofWanted, site: SiteOf, request: Request) -> Response:
    """Return a ``.tlog-proof``: that the record stands in the log, or that a part of it is gone."""
    with site.parts.database.read() as tx:
        held = _find(tx, site, request, wanted.code)
        if wanted.entry in {None, held.record.entry_index}:
            text = proof_at(tx, site.parts.log, held.record.entry_index)
        else:
            found = [p for p in holdings.proofs(tx, site, held) if p.index == wanted.entry]
            if not found:
                raise NotFoundError("this receipt has no such proof")
            text = found[0].text
    return Response(text, media_type=TEXT)


@router.post("/receipt", response_class=Response)
def post_whole(wanted: ReceiptCode, site: SiteOf, request: Request) -> Response:
    """Return the whole receipt (ISO/IEC TS 27560)."""
    with site.parts.database.read() as tx:
        made = holdings.receipt_of(tx, site, _find(tx, site, request, wanted.code))
    return Response(made.encode(), media_type="application/json")


@router.post("/correct")
def post_correct(wanted: Corrected, site: SiteOf, request: Request) -> Held:
    """Put other answers in the place of what was given; the code and the day it goes stay the same."""
    with site.parts.database.read() as tx:
        held = _find(tx, site, request, wanted.code)
        check_whole(held)
    accepted = held.form.accept(
        Submission(
            client=str(uuid4()), notice=held.form.notice, given=list(dict.fromkeys([*given(held), *wanted.given])),
            fields=wanted.fields, language=held.record.language or "zh",
        ),
        today=site.today(),
    )  # fmt: skip
    put(site, held, accepted)
    with site.parts.database.read() as tx:
        return held_now(tx, site, _find(tx, site, request, wanted.code))


@router.post("/withdraw")
def post_withdraw(wanted: ReceiptCode, site: SiteOf, request: Request) -> Erased:
    """Erase at once what rests on consent; the proof is ready when this is answered."""
    with site.parts.database.read() as tx:
        held = _find(tx, site, request, wanted.code)
        going, _ = holdings.withdrawable(tx, site, held)
    if going:
        erase(site, held, going)
    return Erased(parts=list(going))


@router.post("/ask")
def post_ask(wanted: Asking, site: SiteOf, request: Request) -> Asked:
    """Object or complain; asked again while one of the kind is open, that one is returned."""
    with site.parts.database.read() as tx:
        held = _find(tx, site, request, wanted.code)
    return _asked(take(site, held, wanted.kind, wanted.ground))


def _asked(found: SubjectRequest) -> Asked:
    return Asked(
        request=found.request, kind=found.kind, ground=found.ground, asked=found.asked,
        due=found.due, answer=found.answer, answered=found.answered,
    )  # fmt: skip


def _find(tx: Transaction, site: Site, request: Request, code: str) -> Holding:
    try:
        return holdings.find(tx, site, code)
    except FieldsError:
        count_miss(site, request)
        raise


def held_now(tx: Transaction, site: Site, held: Holding) -> Held:
    """Return what is held now, as the API says it."""
    going, _ = holdings.withdrawable(tx, site, held)
    return Held(
        code=held.code, org=held.org, organisation=Words.of(held.organisation.name),
        point=held.record.point, notice=held.record.notice, entry=held.record.entry_index,
        state=held.record.state if held.left else "gone", withdrawable=list(going),
        kept=[
            PartDay(
                part=d.part, categories=list(d.categories), last_day=d.last_day,
                days_left=d.days_left, rule=d.due.rule,
            )
            for d in holdings.days(tx, site, held, today=site.today())
        ],
        openings=[
            Opening(
                at=d.at, by=d.by if d.by == "subject" else d.by_org, purpose=d.purpose, form=d.form,
                verdict=d.verdict, rule=d.rule, entry=d.entry_index,
            )
            for d in holdings.openings(tx, held)
        ],
        proofs=[
            GoneProof(kind=p.kind, parts=list(p.parts), entry=p.index)
            for p in holdings.proofs(tx, site, held)
        ],
        requests=[_asked(r) for r in holdings.requests(tx, held)],
    )  # fmt: skip
