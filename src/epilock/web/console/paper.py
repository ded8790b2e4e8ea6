"""Papers: the orders, assessments and agreements that an organisation's points lean on.

A report is not kept: its hash is, so that the one on file can be told from any other.
"""

from datetime import date
from hashlib import sha256

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from epilock.destroy import hold as holds
from epilock.errors import EpilockError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word, words

router = APIRouter(include_in_schema=False, prefix="/console/papers")
PART = "papers"


@router.get("")
def get_papers(desk: DeskOf) -> Response:
    """Show what is in force and the forms that record more."""
    desk.enter(PART)
    return _page(desk)


@router.post("/mandates")
def post_mandate(desk: DeskOf, form: CheckedForm) -> Response:
    """Record an order under which the organisation collects."""
    desk.enter(PART)
    authority, _, emergency = word(form, "emergency").partition("/")
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            mandates.record_mandate(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, authority=authority,
                emergency=emergency, issuer=word(form, "issuer", most=200),
                number=word(form, "number", most=100), date_=day_in(form, "date"),
                circumstances=tuple(words(form, "circumstance")),
                until=day_in(form, "until") if word(form, "until") else None, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/papers", done="mandate")


@router.post("/assessments")
async def post_assessment(desk: DeskOf, form: CheckedForm) -> Response:
    """Record an impact assessment by the hash of its report, which is read and forgotten."""
    desk.enter(PART)
    report = form.get("report")
    body = await report.read() if isinstance(report, UploadFile) else b""
    return await run_in_threadpool(_assess, desk, form, body)


@router.post("/agreements")
def post_agreement(desk: DeskOf, form: CheckedForm) -> Response:
    """Record a written agreement with a processor."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            mandates.record_agreement(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org,
                processor=word(form, "processor"), purpose=word(form, "purpose"),
                categories=tuple(words(form, "category")), until=day_in(form, "until"),
                now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/papers", done="agreement")


def _assess(desk: Desk, form: FormData, body: bytes) -> Response:
    parts = desk.site.parts
    try:
        if not body:
            raise InputError("choose the file of the report")
        with parts.database.write() as tx:
            mandates.record_assessment(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org,
                about=_about(parts.standard, word(form, "about")),
                date_=day_in(form, "date"), until=day_in(form, "until"),
                sha256=sha256(body).hexdigest(), now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/papers", done="assessment")


def _about(standard: Standard, about: str) -> str:
    """Return what an assessment is about: a circumstance, or holding (``hold``, ``hold/<circumstance>``)."""
    head, _, rest = about.rpartition("/")
    circumstance = rest if head in {"", holds.ABOUT} else ""
    if about != holds.ABOUT and circumstance not in standard.circumstances:
        raise InputError("an assessment is about a circumstance of the standard, or about a hold")
    return about


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    typed = form or FormData()
    today: date = desk.site.today()
    with desk.site.parts.database.read() as tx:
        own = mandates.mandates.c.org == desk.org
        orders = tx.all(mandates.mandates, own, order_by=[mandates.mandates.c.recorded.desc()])
        done = tx.all(
            mandates.assessments, mandates.assessments.c.org == desk.org,
            order_by=[mandates.assessments.c.recorded.desc()],
        )  # fmt: skip
        agreed = mandates.agreements_in_force(tx, desk.org, today)
        events = emergencies.everything(tx)
        everyone = {o.org: o for o in organisations.everyone(tx)}
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "papers.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        orders=orders, done_=done, agreed=agreed, events=events, everyone=everyone,
        typed=typed, today=today.isoformat(),
    )  # fmt: skip
