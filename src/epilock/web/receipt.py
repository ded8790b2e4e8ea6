"""My data, by receipt: what is held, who opened it and why, when it goes; see, correct, withdraw, download.

The code is the key: it comes in the body of each form and stands in no address, cookie or log. There is no
account and no session; every page carries the code on in its forms.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import qr
from epilock.collect.identifier import CHOICES
from epilock.db import Transaction
from epilock.destroy import erasure
from epilock.destroy import run as runs
from epilock.destroy.subject_request import OBJECTION
from epilock.errors import ErasedError, FieldsError, NotFoundError, StateError
from epilock.ledger import cosigned
from epilock.ledger.folder import TEXT
from epilock.ledger.shards import all_of, proof_at
from epilock.registry import organisation as organisations
from epilock.standard.text import Text
from epilock.web import holding as holdings
from epilock.web import pace
from epilock.web.holding import Holding
from epilock.web.language import Speaker
from epilock.web.log import download, own_policy
from epilock.web.page import trusted
from epilock.web.request import FormOf, Site, SiteOf, address_of, word

router = APIRouter(include_in_schema=False)
MISSES, WINDOW = 30, timedelta(minutes=15)  # wrong codes of one network address

Shown = Callable[[Transaction, Holding], Response]


@router.get("/r")
def get_form(site: SiteOf, request: Request) -> Response:
    """Ask for the code; a scanned one is filled in by the page's own short script."""
    return site.pages.show(request, "receipt/ask.html", script=True, problem="", typed="")


@router.post("/r")
def post_status(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show what is held, without opening it."""

    def shown(tx: Transaction, held: Holding) -> Response:
        return _status(tx, site, request, form, held)

    return with_code(site, request, form, shown)


@router.post("/r/data")
def post_data(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Open the record for its person; this too is decided and stands in the log (PIPL 45)."""

    def shown(_tx: Transaction, held: Holding) -> Response:
        answers = open_for_subject(site, held)
        return page(
            site, request, form, "receipt/data.html", held=held, answers=answers, spoken=spoken,
            labels={f.id: f.label for f in held.form.fields},
        )  # fmt: skip

    return with_code(site, request, form, shown)


@router.post("/r/proof")
def post_proof(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Return the proof that the record stands in the log, or the one that a part of it is gone."""

    def shown(tx: Transaction, held: Holding) -> Response:
        wanted = word(form, "entry", most=20)
        own = {str(r.entry_index): r.entry_index for r in (held.first, held.record)}
        if wanted in {"", *own}:
            index = own.get(wanted, held.record.entry_index)
            text = proof_at(tx, site.parts.log, index)
        else:
            found = [p for p in holdings.proofs(tx, site, held) if str(p.index) == wanted]
            if not found:
                raise NotFoundError("this receipt has no such proof")
            index, text = found[0].index, found[0].text
        return download(text, f"receipt-{index}.tlog-proof", TEXT)

    return with_code(site, request, form, shown)


@router.post("/r/code")
def post_code(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show the proof as a QR code, to be printed and kept: it needs no file and no network."""

    def shown(tx: Transaction, held: Holding) -> Response:
        proof = cosigned.short(proof_at(tx, site.parts.log, held.record.entry_index))
        code = qr.proof_svg(proof, title=site.pages.speaker(request)("receipt.paper.title"))
        return page(
            site, request, form, "receipt/paper.html", held=held,
            code_image=None if code is None else trusted(code),
        )  # fmt: skip

    return with_code(site, request, form, shown)


@router.post("/r/receipt")
def post_receipt(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Return the receipt as JSON (ISO/IEC TS 27560)."""

    def shown(tx: Transaction, held: Holding) -> Response:
        made = holdings.receipt_of(tx, site, held)
        return download(
            made.pretty(), f"receipt-{held.record.entry_index}.json", "application/json"
        )

    return with_code(site, request, form, shown)


@router.post("/r/withdraw")
def post_withdraw(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Say what would go and what a law keeps; if the person is sure, erase it at once."""
    sure = bool(word(form, "sure"))

    def shown(tx: Transaction, held: Holding) -> Response:
        going, kept = holdings.withdrawable(tx, site, held)
        hold = holdings.hold_on(tx, site, held) if held.left else None
        days = holdings.days(tx, site, held, today=site.today())
        return page(
            site, request, form, "receipt/withdraw.html", held=held, going=going, kept=kept, days=days, hold=hold,
            may_object=OBJECTION in holdings.may_ask(tx, site, held),
        )  # fmt: skip

    if not sure:
        return with_code(site, request, form, shown)

    def erased(tx: Transaction, held: Holding) -> Response:
        going, _ = holdings.withdrawable(tx, site, held)
        if not going and held.left:
            return shown(tx, held)
        if going:  # else it was pressed twice, and is gone
            erase(site, held, going)
        return page(site, request, form, "receipt/withdrawn.html", held=held, going=going)

    return with_code(site, request, form, erased)


def with_code(site: Site, request: Request, form: FormData, shown: Shown) -> Response:
    """Return what ``shown`` makes of the record that the form's code stands for, or ask for the code again.

    Raises:
        RateError: Too many wrong codes came from this address.
    """
    typed = word(form, "code", most=80)
    try:
        with site.parts.database.read() as tx:
            return shown(tx, holdings.find(tx, site, typed))
    except FieldsError as error:
        count_miss(site, request)
        problem = error.problems[0]
        t = speaker(site, request, form)
        says = problem.zh if t.language == "zh" else problem.en
        return site.pages.show(
            request,
            "receipt/ask.html",
            status=422,
            speaker=t,
            script=True,
            problem=says,
            typed=typed,
        )


def page(
    site: Site, request: Request, form: FormData, template: str, *, status: int = 200, **more: Any
) -> Response:
    """Return a page about a receipt, in the language its form carries; the browser is to forget it."""
    t = speaker(site, request, form)
    return site.pages.show(
        request, template, status=status, speaker=t, script=True, standard=site.parts.standard, now=site.now(),
        **more,
    )  # fmt: skip


def speaker(site: Site, request: Request, form: FormData) -> Speaker:
    """Return the language of the page that sent ``form``, or the one it asks to switch to."""
    return site.pages.speaker(request, word(form, "lang_to") or word(form, "lang") or None)


def spoken(t: Speaker, category: str, value: str) -> str:
    """Return an answer as the page says it: what was chosen from a closed list by its name, anything else as it is."""
    named = (c for c in CHOICES.get(category, ()) if c.code == value)
    return next((t.say(Text(c.zh, c.en)) for c in named), value)


def open_for_subject(site: Site, held: Holding) -> dict[str, dict[str, str]]:
    """Return what the person gave: category to field to value. Decided and witnessed first.

    Raises:
        ErasedError: Nothing is left.
    """
    parts, place = site.parts, (held.record.bucket, held.record.n)
    with parts.database.write() as tx:
        decision = parts.gate.decide_subject(tx, source=held.org, place=place, now=site.now())
    with parts.database.read() as tx:
        return parts.gate.reveal(tx, decision)[0]


def _status(
    tx: Transaction, site: Site, request: Request, form: FormData, held: Holding
) -> Response:
    log = site.parts.log
    return page(
        site, request, form, "receipt/status.html", held=held,
        days=holdings.days(tx, site, held, today=site.today()),
        openings=holdings.openings(tx, held), proofs=holdings.proofs(tx, site, held),
        names_of={o.org: o.name for o in organisations.everyone(tx)},
        requests=holdings.requests(tx, held), may_ask=holdings.may_ask(tx, site, held),
        own_proof=proof_at(tx, log, held.first.entry_index), policy=own_policy(tx, site),
        vkeys=[each.signer.vkey for each in all_of(log)],
    )  # fmt: skip


def erase(site: Site, held: Holding, going: tuple[str, ...]) -> None:
    """Have the parts ``going`` erased at once, as their person wishes; raises what ``erasure.erase`` raises."""
    parts, now = site.parts, site.now()
    try:
        with parts.database.write() as tx:
            erasure.erase(
                tx, parts.log, parts.standard, org=held.org, bucket=held.record.bucket, n=held.record.n,
                reason="withdrawal", parts=None if set(going) == set(held.left) else going, now=now,
            )  # fmt: skip
    except (StateError, ErasedError):  # unless another press of the same button was first
        with parts.database.read() as tx:
            if not set(going).isdisjoint(holdings.find(tx, site, held.code).left):
                raise
    runs.complete(parts.tools, now=now, org=held.org)


def count_miss(site: Site, request: Request) -> None:
    """Count a wrong code against the address it came from.

    Raises:
        RateError: There were too many.
    """
    pace.check(site, "receipt", address_of(request), most=MISSES, window=WINDOW)
