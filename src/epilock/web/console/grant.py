"""Grants: asking for leave to open a bounded number of records for one purpose, and giving it back."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.accounts import staff
from epilock.deidentify.pseudonyms import study as studies
from epilock.errors import EpilockError, InputError, StateError
from epilock.registry import organisation as organisations
from epilock.standard.level import midnight
from epilock.use import gate
from epilock.use import grant as grants
from epilock.use.grant import Grant
from epilock.web.console import decided, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.console.once import MadeError, once
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, lone_day, word, words
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/grants")
PART = "grants"
ENDED, SPENT = "ended", "spent"  # a grant that is active, but its day is over, or it is used up
STAGES = (*grants.NEXT, SPENT, ENDED)


@router.get("")
def get_grants(desk: DeskOf) -> Response:
    """Show the organisation's grants and, to who may hold one, the form that asks for one."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_grant(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for a grant; a second person decides."""
    desk.enter(PART)
    parts, slips = desk.site.parts, Slips()
    try:
        code = grants.code_for(begun(form, "once"))
        with once(desk, grants.is_there, code):
            asked = _asked(desk, form, slips)
            if slips:
                return _page(desk, form, slips=slips)
            with parts.database.write() as tx:
                grants.request(
                    tx, parts.standard, desk.session.staff, **asked, now=desk.site.now(), code=code
                )
    except MadeError:
        return desk.go("/console/grants", done="made")
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/grants", done="asked")


@router.post("/{grant}/revoke")
def post_revoke(grant: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a grant at once."""
    del form
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            grants.revoke(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, grant=grant,
                by=desk.who, now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "end of a grant", desk.org, grant, decided.END, error)
    return desk.back("/console/grants", done="revoked")


def _plan(desk: Desk) -> Plan[Grant]:
    c, now = grants.grants.c, desk.site.now()
    over = sa.and_(c.stage == grants.ACTIVE, c.until <= now)
    stages: dict[str, sa.ColumnElement[bool]] = {stage: c.stage == stage for stage in grants.NEXT}
    lasts, is_spent = sa.and_(c.stage == grants.ACTIVE, c.until > now), c.used >= c.subjects
    stages |= {
        grants.ACTIVE: sa.and_(lasts, sa.not_(is_spent)), SPENT: sa.and_(lasts, is_spent), ENDED: over,
    }  # fmt: skip
    return Plan(
        path="/console/grants", table=grants.grants, key=c.grant, read=lambda tx, rows: [grants.read(tx, row) for row in rows], order="-requested",
        sorts={"requested": c.requested, "until": c.until, "used": c.used, "purpose": c.purpose},
        filters={
            "stage": Filter(where=lambda stage: stages[stage], options=STAGES),
            "purpose": listing.equal(c.purpose, tuple(desk.site.parts.standard.purposes)),
            "holder": Filter(where=lambda _: c.staff == desk.who, options=("me",)),
        },
        columns={
            "grant": lambda g: g.grant, "holder": lambda g: g.staff, "source": lambda g: g.source,
            "purpose": lambda g: g.purpose, "form": lambda g: g.form,
            "circumstances": lambda g: " ".join(g.circumstances), "subjects": lambda g: g.subjects,
            "used": lambda g: g.used, "stage": lambda g: g.stage,
            "approved_by": lambda g: g.approved_by or "", "requested": lambda g: g.requested,
            "until": lambda g: g.until,
        },
    )  # fmt: skip


def _asked(desk: Desk, form: FormData, slips: Slips) -> dict[str, Any]:
    """Return what a form asks for; add what is wrong with it, in the order of its fields."""
    standard = desk.site.parts.standard
    asked: dict[str, Any] = {
        "source": word(form, "source", most=40), "purpose": word(form, "purpose", most=40),
        "form": word(form, "form", most=20), "circumstances": tuple(words(form, "circumstance")),
        "case": word(form, "case", most=40) or None, "reason": word(form, "reason", most=300),
        "study": word(form, "study", most=64) or None, "parts": None,
    }  # fmt: skip
    how = asked["form"]
    with at("purpose", slips):
        grants.check_purpose(standard, asked["purpose"])
    with at("study", slips), desk.site.parts.database.read() as tx:
        grants.check_study(tx, desk.org, asked["purpose"], how, asked["study"])
    with at("circumstance", slips):
        grants.check_circumstances(standard, asked["circumstances"])
    with at("subjects", slips):
        asked["subjects"] = _number(form, "subjects")
        grants.check_subjects(how, asked["subjects"])
    with at("parts", slips):
        asked["parts"] = _number(form, "parts") if word(form, "parts", most=6) else None
        grants.check_parts(how, asked["parts"])
    with at("case", slips):
        if "purpose" not in slips:
            grants.check_case(standard, asked["purpose"], asked["case"])
    with at("reason", slips):
        grants.check_reason(asked["reason"])
    with at("until", slips):
        asked["until"] = midnight(lone_day(form, "until") + timedelta(days=1))
        grants.check_until(asked["until"], now=desk.site.now())
    return asked


def _number(form: FormData, name: str) -> int:
    text = word(form, name, most=6)
    if not text.isascii() or not text.isdigit():
        raise InputError("give a whole number, such as 20")
    return int(text)


def _page(
    desk: Desk,
    form: FormData | None = None,
    error: EpilockError | None = None,
    slips: Slips | None = None,
) -> Response:
    standard, today = desk.site.parts.standard, desk.site.today()
    with desk.site.parts.database.read() as tx:
        page = listing.find(tx, _plan(desk), desk.query, grants.grants.c.org == desk.org)
        everyone = organisations.everyone(tx)
        names = staff.logins(tx, desk.org, [g.staff for g in page.rows])
        living = [s.study for s in studies.listing(tx, desk.org) if s.ended is None]
    if page.export:
        return page.file("grants")
    wrong = None if error is None else problem_of(error)
    purposes = [
        (code, desk.name(p.name))
        for code, p in standard.purposes.items()
        if set(p.forms) & set(grants.FORMS) and code != gate.SUBJECT_ACCESS
    ]
    return desk.show(
        "grants.html", here=PART, once=uuid4(), status=status(wrong, slips or {}), wrong=wrong,
        slips=slips or {}, page=page, names=names, everyone=everyone, purposes=purposes, stages=STAGES, typed=form or FormData(),
        chosen=words(form, "circumstance") if form else (), forms=grants.FORMS,
        may_ask=bool(desk.session.staff.roles & grants.HOLDERS), most=grants.MOST_SUBJECTS,
        tables=grants.MOST_TABLES, releases=grants.MOST_RELEASES,
        studies=[(code, code) for code in living],
        signed=desk.site.parts.keys.signed, most_parts=grants.MOST_PARTS,
        usual_days=grants.USUAL_DAYS, week=(today + timedelta(days=7)).isoformat(), longest=grants.LONGEST.days,
    )  # fmt: skip
