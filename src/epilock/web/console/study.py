"""Studies: keys for codes instead of names; opened and ended here, destroyed by a second person."""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study as studies
from epilock.errors import EpilockError, InputError
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/studies")
PART = "studies"


@router.get("")
def get_studies(desk: DeskOf) -> Response:
    """Show the organisation's studies and the form that opens one."""
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
    return desk.go("/console/studies", done="asked")


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    standard = desk.site.parts.standard
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = studies.listing(tx, desk.org)
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "studies.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, typed=form or FormData(),
        purposes=[(code, desk.name(p.name)) for code, p in standard.purposes.items()],
    )  # fmt: skip
