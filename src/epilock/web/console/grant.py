"""Grants: asking for leave to open a bounded number of records for one purpose, and giving it back."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.deidentify import study as studies
from epilock.errors import EpilockError, InputError
from epilock.registry import organisation as organisations
from epilock.standard.level import midnight
from epilock.use import gate
from epilock.use import grant as grants
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word, words

router = APIRouter(include_in_schema=False, prefix="/console/grants")
PART = "grants"
STAGES = (grants.REQUESTED, grants.ACTIVE, grants.REFUSED, grants.REVOKED)


@router.get("")
def get_grants(desk: DeskOf) -> Response:
    """Show the organisation's grants and, to who may hold one, the form that asks for one."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_grant(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for a grant; a second person decides."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            grants.request(
                tx, parts.standard, desk.session.staff, source=word(form, "source", most=40),
                purpose=word(form, "purpose", most=40), form=word(form, "form", most=20),
                circumstances=tuple(words(form, "circumstance")), subjects=_number(form, "subjects"),
                case=word(form, "case", most=40) or None, reason=word(form, "reason", most=300),
                until=midnight(day_in(form, "until") + timedelta(days=1)),
                study=word(form, "study", most=64) or None, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/grants", done="asked")


@router.post("/{grant}/revoke")
def post_revoke(grant: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a grant at once."""
    del form
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.write() as tx:
        grants.revoke(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, grant=grant, by=desk.who,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/grants", done="revoked")


def _number(form: FormData, name: str) -> int:
    text = word(form, name, most=6)
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{name} must be a whole number")
    return int(text)


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    standard, today = desk.site.parts.standard, desk.site.today()
    with desk.site.parts.database.read() as tx:
        found = grants.listing(tx, desk.org, stages=STAGES)
        everyone = organisations.everyone(tx)
        living = [s.study for s in studies.listing(tx, desk.org) if s.ended is None]
    wrong = None if error is None else problem_of(error)
    purposes = [
        (code, desk.name(p.name))
        for code, p in standard.purposes.items()
        if set(p.forms) & set(grants.FORMS) and code != gate.SUBJECT_ACCESS
    ]
    return desk.show(
        "grants.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, everyone=everyone, purposes=purposes, typed=form or FormData(),
        chosen=words(form, "circumstance") if form else (), forms=grants.FORMS,
        may_ask=bool(desk.session.staff.roles & grants.HOLDERS), most=grants.MOST_SUBJECTS,
        tables=grants.MOST_TABLES, releases=grants.MOST_RELEASES,
        studies=[(code, code) for code in living],
        first=(today + timedelta(days=7)).isoformat(), longest=grants.LONGEST.days,
    )  # fmt: skip
