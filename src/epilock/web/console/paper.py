"""Papers: the orders, assessments and agreements that an organisation's points lean on; a list of each.

A report is not kept: its hash is, so that the one on file can be told from any other.
"""

from hashlib import sha256
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.destroy import hold as holds
from epilock.errors import EpilockError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as registry
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.web.console import listing
from epilock.web.console import papers as lists
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Page
from epilock.web.console.once import MadeError, once
from epilock.web.console.papers import Row
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, day_in, file_in, word, words
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/papers")
PART = "papers"


@router.get("")
def get_mandates(desk: DeskOf) -> Response:
    """Show the orders, those in force if the address asks for no others, and the form that records one."""
    desk.enter(PART)
    return _mandates(desk)


@router.get("/assessments")
def get_assessments(desk: DeskOf) -> Response:
    """Show the impact assessments, those in force first, and the form that records one."""
    desk.enter(PART)
    return _assessments(desk)


@router.get("/agreements")
def get_agreements(desk: DeskOf) -> Response:
    """Show the agreements with processors, those in force first, and the form that records one."""
    desk.enter(PART)
    return _agreements(desk)


@router.post("/mandates")
def post_mandate(desk: DeskOf, form: CheckedForm) -> Response:
    """Record an order under which the organisation collects."""
    desk.enter(PART)
    authority, _, emergency = word(form, "emergency").partition("/")
    parts = desk.site.parts
    try:
        code = registry.code_for(registry.MANDATE, begun(form, "once"))
        with once(desk, registry.is_recorded, code), parts.database.write() as tx:
            registry.record_mandate(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, authority=authority,
                emergency=emergency, issuer=word(form, "issuer", most=200),
                number=word(form, "number", most=100), date_=day_in(form, "date"),
                circumstances=tuple(words(form, "circumstance")),
                until=day_in(form, "until") if word(form, "until") else None, now=desk.site.now(),
                code=code,
            )  # fmt: skip
    except MadeError:
        return desk.go("/console/papers", done="made")
    except WRONG as error:
        return _mandates(desk, form, error)
    return desk.go("/console/papers", done="mandate")


@router.post("/assessments")
def post_assessment(desk: DeskOf, form: CheckedForm) -> Response:
    """Record an impact assessment by the hash of its report, which is read and forgotten."""
    desk.enter(PART)
    return _assess(desk, form)


@router.post("/agreements")
def post_agreement(desk: DeskOf, form: CheckedForm) -> Response:
    """Record a written agreement with a processor."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        code = registry.code_for(registry.AGREEMENT, begun(form, "once"))
        with once(desk, registry.is_recorded, code), parts.database.write() as tx:
            registry.record_agreement(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org,
                processor=word(form, "processor"), purpose=word(form, "purpose"),
                categories=tuple(words(form, "category")), until=day_in(form, "until"),
                now=desk.site.now(), code=code,
            )  # fmt: skip
    except MadeError:
        return desk.go("/console/papers/agreements", done="made")
    except WRONG as error:
        return _agreements(desk, form, error)
    return desk.go("/console/papers/agreements", done="agreement")


def _assess(desk: Desk, form: FormData) -> Response:
    parts = desk.site.parts
    try:
        code = registry.code_for(registry.ASSESSMENT, begun(form, "once"))
        with once(desk, registry.is_recorded, code), parts.database.write() as tx:
            registry.record_assessment(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org,
                about=_about(parts.standard, word(form, "about")),
                date_=day_in(form, "date"), until=day_in(form, "until"),
                sha256=sha256(_report(desk, form)).hexdigest(), now=desk.site.now(), code=code,
            )  # fmt: skip
    except MadeError:
        return desk.go("/console/papers/assessments", done="made")
    except WRONG as error:
        return _assessments(desk, form, error)
    return desk.go("/console/papers/assessments", done="assessment")


def _report(desk: Desk, form: FormData) -> bytes:
    _, body = file_in(desk.request, form, "report")
    if not body:
        raise InputError("choose the file of the report")
    return body


def _about(standard: Standard, about: str) -> str:
    """Return what an assessment is about: a circumstance, or holding (``hold``, ``hold/<circumstance>``)."""
    head, _, rest = about.rpartition("/")
    circumstance = rest if head in {"", holds.ABOUT} else ""
    if about != holds.ABOUT and circumstance not in standard.circumstances:
        raise InputError("an assessment is about a circumstance of the standard, or about a hold")
    return about


def _mandates(
    desk: Desk, form: FormData | None = None, error: EpilockError | None = None
) -> Response:
    with desk.site.parts.database.read() as tx:
        events = {f"{e.authority}/{e.emergency}": e for e in emergencies.everything(tx)}
        plan = lists.mandates(desk.site.parts.standard, tuple(events), desk.site.today())
        page = listing.find(tx, plan, desk.query, registry.mandates.c.org == desk.org)
    return _page(desk, "mandates", page, form, error, events=events)


def _assessments(
    desk: Desk, form: FormData | None = None, error: EpilockError | None = None
) -> Response:
    standard = desk.site.parts.standard
    holding = (holds.ABOUT, *(f"{holds.ABOUT}/{code}" for code in standard.circumstances))
    with desk.site.parts.database.read() as tx:
        plan = lists.assessments((*standard.circumstances, *holding), desk.site.today())
        page = listing.find(tx, plan, desk.query, registry.assessments.c.org == desk.org)
    return _page(desk, "assessments", page, form, error, script=True)


def _agreements(
    desk: Desk, form: FormData | None = None, error: EpilockError | None = None
) -> Response:
    with desk.site.parts.database.read() as tx:
        everyone = {o.org: o for o in organisations.everyone(tx)}
        plan = lists.agreements(desk.site.parts.standard, tuple(everyone), desk.site.today())
        page = listing.find(tx, plan, desk.query, registry.agreements.c.org == desk.org)
    return _page(desk, "agreements", page, form, error, everyone=everyone)


def _page(
    desk: Desk,
    name: str,
    page: Page[Row],
    form: FormData | None,
    error: EpilockError | None,
    **more: Any,
) -> Response:
    if page.export:
        return page.file(name)
    wrong = None if error is None else problem_of(error)
    return desk.show(
        f"{name}.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, first=lists.FIRST, once=uuid4(), typed=form or FormData(),
        chosen=(*words(form, "circumstance"), *words(form, "category")) if form else (),
        today=desk.site.today().isoformat(), **more,
    )  # fmt: skip
