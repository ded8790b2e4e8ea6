"""Studies: keys for codes instead of names; opened and ended here, destroyed by a second person."""

from collections.abc import Sequence

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study as studies
from epilock.deidentify.pseudonyms.study import Study
from epilock.errors import EpilockError, InputError
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.problem import of as problem_of
from epilock.web.request import word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/studies")
PART = "studies"
OPEN, WAITS, DESTROYED = "open", "waits", "destroyed"
STATES = (OPEN, WAITS, DESTROYED)


@router.get("")
def get_studies(desk: DeskOf) -> Response:
    """Show the organisation's studies, the latest first, and the form that opens one."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_study(desk: DeskOf, form: CheckedForm) -> Response:
    """Open a study and make its key."""
    desk.enter(PART)
    parts = desk.site.parts
    book = Book(log=parts.log, standard_ref=parts.standard.ref)
    purpose = word(form, "purpose", most=40)
    try:
        if purpose not in parts.standard.purposes:
            raise InputError("choose a purpose from the list")
        with parts.database.write() as tx:
            studies.begin(
                tx, parts.keys, book, org=desk.org, study=word(form, "study", most=80), purpose=purpose,
                by=desk.who, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/studies", done="study")


@router.post("/{study}/end")
def post_end(study: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for the end of a study; a second person destroys its key."""
    del form
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        studies.ask_end(tx, org=desk.org, study=study, by=desk.who, now=desk.site.now())
    return desk.back("/console/studies", done="asked")


def plan(purposes: Sequence[str]) -> Plan[Study]:
    """Return what the list of studies can do."""
    c, end = studies.studies.c, studies.study_ends.c
    asked = sa.exists().where(end.org == c.org, end.study == c.study)
    lives = c.destroyed.is_(None)
    states = {
        OPEN: sa.and_(lives, sa.not_(asked)), WAITS: sa.and_(lives, asked), DESTROYED: sa.not_(lives),
    }  # fmt: skip
    return Plan(
        path="/console/studies", table=studies.studies, key=c.study, read=studies.read, order="-opened",
        sorts={"opened": c.opened, "study": c.study},
        filters={
            "state": Filter(where=lambda state: states[state], options=STATES),
            "purpose": listing.equal(c.purpose, purposes),
            "since": listing.since(c.opened), "until": listing.until(c.opened),
        },
        columns={
            "study": lambda s: s.study, "purpose": lambda s: s.purpose, "opened": lambda s: s.opened,
            "end_asked_by": lambda s: s.end_asked_by or "", "ended": lambda s: s.ended or "",
            "destroyed": lambda s: s.destroyed or "",
        },
    )  # fmt: skip


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    standard = desk.site.parts.standard
    with desk.site.parts.database.read(org=desk.org) as tx:
        own = studies.studies.c.org == desk.org
        page = listing.find(tx, plan(tuple(standard.purposes)), desk.query, own)
    if page.export:
        return page.file("studies")
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "studies.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, states=STATES, typed=form or FormData(),
        purposes=[(code, desk.name(p.name)) for code, p in standard.purposes.items()],
    )  # fmt: skip
