"""Pages of paper ledgers: keyed in row by row, registered, and noted as destroyed.

A page's form is a table of twenty rows, and of more where they are asked for. It carries an id of its own, from
which each row's client id follows: sent twice, it stores each row once. Nothing of a page is stored while one of its
rows, or its photograph, is wrong; what is wrong stands beside its field, and all that was typed is still there.

A photograph is seen where the records of its page are opened together, under a grant (``console.record``).
"""

import re
from collections.abc import Collection
from datetime import date
from uuid import uuid4, uuid5

from fastapi import APIRouter
from msgspec import structs
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from epilock.collect import issue, paper, photograph
from epilock.collect import point as points
from epilock.collect.form import Accepted, Form, Submission
from epilock.collect.issue import Issued
from epilock.collect.paper import Sheet
from epilock.collect.photograph import Photograph
from epilock.collect.point import Point
from epilock.destroy import freeze
from epilock.errors import (
    ClosedError,
    ConsentError,
    DecidedError,
    EpilockError,
    FieldsError,
    InputError,
)
from epilock.standard.clock import paper_periods
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import photograph as photographs
from epilock.web import widget
from epilock.web.console import listing, shelf
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.once import MadeError, once
from epilock.web.offline import LOOKED_AT
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, file_in, lone_day, word, words
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/sheets")
PART = "sheets"
ROWS = 20  # of a page, to begin with; as many come when more are asked for
MOST_ROWS = 99  # a page of A3 has some sixty lines; a row's number has two digits
SECONDS_TO_STORE = 30
_CELL = re.compile(r"r([1-9][0-9]?)\.([a-z][a-z0-9_]{0,39})")
Typed = dict[int, dict[str, str]]  # row (from 1), field id, what was typed


@router.get("")
def get_sheets(desk: DeskOf) -> Response:
    """Show the registered pages: those that are still to be destroyed, if the address asks for no others."""
    desk.enter(PART)
    with desk.site.parts.database.read(org=desk.org) as tx:
        at, found = paper.points_of(tx, desk.org), shelf.listed()
        plan = shelf.plan(found, at, today=desk.site.today())
        page = listing.find(tx, plan, desk.query, found.c.org == desk.org)
        everything = points.listing(tx, desk.org)
    if page.export:
        return page.file("sheets")
    return desk.show(
        "sheets.html", here=PART, page=page, at=at, states=shelf.STATES, kept=shelf.KEPT, periods=paper_periods(desk.site.parts.standard), today=desk.site.today(),
        open_points=[p for p in everything if p.closed is None and paper.is_on_paper(p)],
        points={p.point: p for p in everything},
    )  # fmt: skip


@router.get("/{point}")
def get_sheet(point: str, desk: DeskOf) -> Response:
    """Show the form of one page."""
    desk.enter(PART)
    return _page(desk, point, FormData({"sheet": str(uuid4())}))


@router.post("/{point}")
def post_sheet(point: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Store the rows of one page, seal its photograph and register it, or say what is wrong where."""
    desk.enter(PART)
    if word(form, "more"):
        return _page(desk, point, form, typed=_typed(form), more=True)
    return _key_in(desk, point, form)


@router.get("/{point}/{book}/{page}")
def get_page(point: str, book: str, page: int, desk: DeskOf) -> Response:
    """Show a registered page, and where its records lie if there is a photograph of it."""
    desk.enter(PART)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = paper.load(tx, desk.org, point, book, page)
        places = photographs.places_of(tx, desk.org, paper.code_of(tx, found))
        collected = points.load(tx, desk.org, point)
    return desk.show(
        "sheet_page.html", here=PART, page=found, point=collected, places=places,
        periods=paper_periods(desk.site.parts.standard), today=desk.site.today(),
    )  # fmt: skip


@router.get("/{point}/{book}/{page}/destroyed")
def get_destroyed(point: str, book: str, page: int, desk: DeskOf) -> Response:
    """Ask whether this is the page that was destroyed."""
    desk.enter(PART)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = paper.load(tx, desk.org, point, book, page)
        collected = points.load(tx, desk.org, point)
    if found.destroyed is not None:
        return desk.go(f"/console/sheets/{point}/{book}/{page}")
    return desk.show(
        "sheet_destroyed.html", here=PART, page=found, point=collected, today=desk.site.today()
    )


@router.post("/{point}/{book}/{page}/destroyed")
def post_destroyed(point: str, book: str, page: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Note that a page and its photographs were destroyed."""
    del form
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.write() as tx:
        found = paper.load(tx, desk.org, point, book, page)
        if found.destroyed_by == desk.who:
            return desk.back("/console/sheets", done="decided")
        if found.destroyed is not None:
            raise DecidedError(f"page {page} of ledger {book} was attested by another person")
        paper.attest(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, point=point, book=book, page=page,
            by=desk.who, now=desk.site.now(),
        )  # fmt: skip
    with parts.database.read() as tx:
        frozen = freeze.current(tx) is not None
    if not frozen:  # else the clock destroys the photograph when the freeze is over
        paper.sweep(parts.database, parts.keys, today=desk.site.today(), org=desk.org)
    return desk.back("/console/sheets", done="paper_destroyed")


def _key_in(desk: Desk, point: str, form: FormData) -> Response:
    typed, slips = _typed(form), Slips()
    try:
        code = paper.code_for(begun(form, "sheet"))
        with once(desk, paper.is_keyed_in, code):
            again = _keyed_in(desk, point, form, typed, slips, code)
    except MadeError:
        return desk.go("/console/sheets", done="sheet_again")
    except WRONG as error:
        return _page(desk, point, form, typed=typed, slips=slips, error=error)
    return again or desk.go("/console/sheets", done="sheet")


def _keyed_in(  # noqa: PLR0917 - where, and what was typed
    desk: Desk, point: str, form: FormData, typed: Typed, slips: Slips, code: str
) -> Response | None:
    """Store what was keyed in as the page ``code``; return the form again if there is something wrong with it."""
    parts = desk.site.parts
    found, _, asked = _form_of(desk, point)
    sheet, taken = _described(desk, point, form, slips)
    accepted, problems, unsigned = _accepted(desk, asked, found, form, typed)
    if sheet is None or slips or problems or unsigned:
        return _page(
            desk, point, form, typed=typed, problems=problems, unsigned=unsigned, slips=slips
        )
    stored = [
        each.result(timeout=SECONDS_TO_STORE)
        for each in [parts.writer.submit(one) for one in accepted]
    ]
    rows = [(each.bucket, each.n) for each in stored]
    sealed = (
        None if taken is None else photographs.seal(parts.keys, desk.org, code, taken.picture, rows)
    )
    with parts.database.write() as tx:
        paper.register(
            tx, parts.log, parts.standard, org=desk.org, point=point, sheet=sheet, rows=len(accepted),
            by=desk.who, now=desk.site.now(), code=code,
        )  # fmt: skip
        if sealed is not None:
            photographs.keep(
                tx, desk.org, code, sealed,
                places=[(buckets.load_by_name(tx, desk.org, name).id, n) for name, n in rows],
                categories={f.category for f in asked.fields},
            )  # fmt: skip
    return None


def _form_of(desk: Desk, point: str) -> tuple[Point, Issued, Form]:
    """Return an open point that collects on paper, its notice and form in force."""
    with desk.site.parts.database.read(org=desk.org) as tx:
        found, issued = issue.in_force(tx, desk.org, point)
    if found.closed is not None:
        raise ClosedError(f"{point} is closed: it takes nothing more")
    paper.check_point(found)
    return found, issued, issue.form_of(desk.site.parts.standard, found, issued)


def _typed(form: FormData) -> Typed:
    """Return what stands in each row that is not empty."""
    rows: Typed = {}
    for name, value in form.items():
        found = _CELL.fullmatch(name)
        if found and isinstance(value, str) and value.strip():
            rows.setdefault(int(found[1]), {})[found[2]] = value.strip()
    return rows


def _shown(form: FormData) -> int:
    """Return how many rows a form had when it was sent."""
    numbers = [int(found[1]) for name in form if (found := _CELL.fullmatch(name))]
    return max(ROWS, *numbers, 0)


def _described(
    desk: Desk, point: str, form: FormData, slips: Slips
) -> tuple[Sheet | None, Photograph | None]:
    """Return the page, if all that is said of it is right, and its photograph, if one came; add what is wrong."""
    now, taken = desk.site.now(), None
    book, place = word(form, "book", most=30), word(form, "place", most=200)
    with at("book", slips):
        paper.check_book(book)
    with at("page", slips):
        page, pages = _numbers(form)
        paper.check_number(page, pages)
    with at("written", slips):
        written = lone_day(form, "written")
        paper.check_written(written, now=now)
    with at("place", slips):
        paper.check_place(place)
    with at("photo", slips):
        _, body = file_in(desk.request, form, "photo")
        taken = photograph.take(body) if body else None
    if slips.keys() - {"photo"}:
        return None, taken
    sheet = Sheet(
        book=book, page=page, pages=pages, written=written, place=place,
        sha256=None if taken is None else taken.sha256,
    )  # fmt: skip
    with at("page", slips), desk.site.parts.database.read() as tx:
        paper.check_new(tx, desk.org, point, sheet)
    return sheet, taken


def _numbers(form: FormData) -> tuple[int, int]:
    page, pages = (word(form, name, most=6) for name in ("page", "pages"))
    if not all(each.isascii() and each.isdigit() for each in (page, pages)):
        raise InputError("give the number of the page, and how many pages the ledger has")
    return int(page), int(pages)


def _accepted(
    desk: Desk, asked: Form, point: Point, form: FormData, typed: Typed
) -> tuple[list[Accepted], dict[tuple[int, str], str], list[str]]:
    """Return what may be stored if every act was ticked, what is wrong by row and field, and the acts that were not.

    Raises:
        InputError: No row is filled in, or the page's id is none.
    """
    page = begun(form, "sheet")
    if not typed:
        raise InputError("fill in one row at least")
    accepted, problems, unsigned = [], {}, list[str]()
    given, today = words(form, "act"), desk.site.today()
    for row, fields in sorted(typed.items()):
        submission = Submission(
            client=str(uuid5(page, str(row))), notice=asked.notice, given=given, fields=fields,
            language=point.languages[0],
        )  # fmt: skip
        try:
            accepted.append(_as_if_signed(asked, submission, unsigned, today))
        except FieldsError as error:
            for p in error.problems:
                problems[row, p.field] = desk.t.say(Text(p.zh, p.en))
    return accepted, problems, unsigned


def _as_if_signed(asked: Form, row: Submission, unsigned: list[str], today: date) -> Accepted:
    """Return a row as if all had been signed, so that all that is wrong is said at once; add what was not."""
    while True:
        try:
            given = [*row.given, *unsigned]
            return asked.accept(structs.replace(row, given=given), today=today)
        except ConsentError as error:
            unsigned += error.missing


def _page(
    desk: Desk,
    point: str,
    form: FormData,
    *,
    typed: Typed | None = None,
    problems: dict[tuple[int, str], str] | None = None,
    unsigned: Collection[str] = (),
    slips: Slips | None = None,
    error: EpilockError | None = None,
    more: bool = False,
) -> Response:
    found, issued, asked = _form_of(desk, point)
    today: date = desk.site.today()
    typed, slips = typed or {}, slips or {}
    wrong = None if error is None else problem_of(error)
    rows_alone = (problems or unsigned) and wrong is None and not slips
    rows = min(MOST_ROWS, _shown(form) + (ROWS if more else 0))
    return desk.show(
        "sheet.html", here=PART, status=422 if rows_alone else status(wrong, slips), script=True, wrong=wrong, point=found,
        notice=issued.notice, form=form, given=words(form, "act"), today=today.isoformat(),
        columns=[(f, widget.of(f, found.method)) for f in asked.fields],
        typed=typed, problems=problems or {}, unsigned=unsigned, looked_at=LOOKED_AT,
        slips=slips, chosen=_chose(form),
        rows=range(1, rows + 1), most=MOST_ROWS, step=ROWS, next_row=max(typed, default=0) + 1 if more else None,
    )  # fmt: skip


def _chose(form: FormData) -> bool:
    """Tell whether a photograph came with the form; no page can keep it chosen."""
    file = form.get("photo")
    return isinstance(file, UploadFile) and bool(file.filename)
