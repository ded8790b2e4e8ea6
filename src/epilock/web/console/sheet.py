"""Pages of paper ledgers: keyed in row by row, registered, and noted as destroyed.

A page's form is a table of twenty rows. It carries an id of its own, from which each row's client id follows:
sent twice, it stores each row once. Nothing of a page is stored while one of its rows, or its photograph, is wrong.

A photograph is seen where the records of its page are opened together, under a grant (``console.record``).
"""

import re
from datetime import date
from uuid import UUID, uuid4, uuid5

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from epilock.collect import issue, paper, photograph
from epilock.collect import point as points
from epilock.collect.form import Accepted, Form, Submission
from epilock.collect.issue import Issued
from epilock.collect.paper import Sheet
from epilock.collect.point import Point
from epilock.destroy import freeze
from epilock.errors import (
    ClosedError,
    ConflictError,
    EpilockError,
    FieldsError,
    InputError,
    TooLargeError,
)
from epilock.standard.clock import paper_periods
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import photograph as photographs
from epilock.web import widget
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.offline import LOOKED_AT
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word, words

router = APIRouter(include_in_schema=False, prefix="/console/sheets")
PART = "sheets"
ROWS = 20
SECONDS_TO_STORE = 30
_CELL = re.compile(r"r([1-9][0-9]?)\.([a-z][a-z0-9_]{0,39})")
Typed = dict[int, dict[str, str]]  # row (from 1), field id, what was typed


@router.get("")
def get_sheets(desk: DeskOf) -> Response:
    """Show the registered pages, those still to be destroyed first."""
    desk.enter(PART)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = paper.listing(tx, desk.org)
        everything = points.listing(tx, desk.org)
    return desk.show(
        "sheets.html", here=PART, found=found, periods=paper_periods(desk.site.parts.standard), today=desk.site.today(),
        open_points=[p for p in everything if p.closed is None and p.method == paper.METHOD],
        names={p.point: p.name for p in everything},
    )  # fmt: skip


@router.get("/{point}")
def get_sheet(point: str, desk: DeskOf) -> Response:
    """Show the form of one page."""
    desk.enter(PART)
    return _page(desk, point, FormData({"sheet": str(uuid4())}))


@router.post("/{point}")
async def post_sheet(point: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Store the rows of one page, seal its photograph and register it, or say what is wrong where."""
    desk.enter(PART)
    file = form.get("photo")
    body = await file.read(photograph.MOST_BYTES + 1) if isinstance(file, UploadFile) else b""
    return await run_in_threadpool(_key_in, desk, point, form, body)


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


@router.post("/{point}/{book}/{page}/destroyed")
def post_destroyed(point: str, book: str, page: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Note that a page and its photographs were destroyed."""
    del form
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.write() as tx:
        paper.attest(
            tx,
            parts.log,
            standard_ref=parts.standard.ref,
            org=desk.org,
            point=point,
            book=book,
            page=page,
            by=desk.who,
            now=desk.site.now(),
        )
    with parts.database.read() as tx:
        frozen = freeze.current(tx) is not None
    if not frozen:  # else the clock destroys the photograph when the freeze is over
        paper.sweep(parts.database, parts.keys, today=desk.site.today(), org=desk.org)
    return desk.go("/console/sheets", done="paper_destroyed")


def _key_in(desk: Desk, point: str, form: FormData, body: bytes) -> Response:
    parts, now = desk.site.parts, desk.site.now()
    typed = _typed(form)
    try:
        taken = photograph.take(body) if body else None
        sheet = _sheet(form, None if taken is None else taken.sha256)
        found, _, asked = _form_of(desk, point)
        with parts.database.read() as tx:
            paper.check_new(tx, desk.org, point, sheet, now=now)
        accepted, problems = _accepted(desk, asked, found, form, typed)
        if problems:
            return _page(desk, point, form, typed=typed, problems=problems)
        stored = [
            each.result(timeout=SECONDS_TO_STORE)
            for each in [parts.writer.submit(one) for one in accepted]
        ]
        code = paper.new_code()
        sealed = (
            None
            if taken is None
            else photographs.seal(
                parts.keys,
                desk.org,
                code,
                taken.picture,
                [(each.bucket, each.n) for each in stored],
            )
        )
        with parts.database.write() as tx:
            paper.register(
                tx, parts.log, parts.standard, org=desk.org, point=point, sheet=sheet, rows=len(accepted),
                by=desk.who, now=now, code=code,
            )  # fmt: skip
            if sealed is not None:
                places = [
                    (buckets.load_by_name(tx, desk.org, each.bucket).id, each.n) for each in stored
                ]
                photographs.keep(
                    tx, desk.org, code, sealed, places=places,
                    categories={f.category for f in asked.fields},
                )  # fmt: skip
    except (*WRONG, ConflictError, TooLargeError) as error:
        return _page(desk, point, form, typed=typed, error=error)
    return desk.go("/console/sheets", done="sheet")


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
        if found and int(found[1]) <= ROWS and isinstance(value, str) and value.strip():
            rows.setdefault(int(found[1]), {})[found[2]] = value.strip()
    return rows


def _sheet(form: FormData, sha256: str | None) -> Sheet:
    numbers = [word(form, name, most=6) for name in ("page", "pages")]
    if not all(each.isascii() and each.isdigit() for each in numbers):
        raise InputError("give the number of the page, and how many pages the ledger has")
    return Sheet(
        book=word(form, "book", most=30), page=int(numbers[0]), pages=int(numbers[1]),
        written=day_in(form, "written"), place=word(form, "place", most=200),
        sha256=sha256,
    )  # fmt: skip


def _accepted(
    desk: Desk, asked: Form, point: Point, form: FormData, typed: Typed
) -> tuple[list[Accepted], dict[tuple[int, str], str]]:
    """Return what may be stored, and what is wrong by row and field.

    Raises:
        ConsentError: An act is missing for the page as a whole.
        InputError: No row is filled in, or the page's id is none.
    """
    try:
        page = UUID(word(form, "sheet", most=40))
    except ValueError:
        raise InputError("this form was not begun here; please open the page again") from None
    if not typed:
        raise InputError("fill in one row at least")
    accepted, problems = [], {}
    for row, fields in sorted(typed.items()):
        submission = Submission(
            client=str(uuid5(page, str(row))), notice=asked.notice, given=words(form, "act"),
            fields=fields, language=point.languages[0],
        )  # fmt: skip
        try:
            accepted.append(asked.accept(submission, today=desk.site.today()))
        except FieldsError as error:
            for p in error.problems:
                problems[row, p.field] = desk.t.say(Text(p.zh, p.en))
    return accepted, problems


def _page(
    desk: Desk,
    point: str,
    form: FormData,
    *,
    typed: Typed | None = None,
    problems: dict[tuple[int, str], str] | None = None,
    error: EpilockError | None = None,
) -> Response:
    found, issued, asked = _form_of(desk, point)
    today: date = desk.site.today()
    wrong = None if error is None else problem_of(error)
    status = wrong.status if wrong else 422 if problems else 200
    return desk.show(
        "sheet.html", here=PART, status=status, script=True, wrong=wrong, point=found,
        notice=issued.notice, form=form, given=words(form, "act"), today=today.isoformat(),
        columns=[(f, widget.of(f.category, found.method)) for f in asked.fields],
        typed=typed or {}, problems=problems or {}, rows=range(1, ROWS + 1), looked_at=LOOKED_AT,
    )  # fmt: skip
