"""Releases: a de-identified table is asked for, looked at in numbers, approved by another person, downloaded.

Before it is approved who asked sees numbers alone, rounded; the report with its distributions is for who approves.
Making it takes a second or some minutes: the page waits a little and can be left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.beside import PATIENCE
from epilock.collect import point as points
from epilock.db import Transaction, missing
from epilock.errors import EpilockError, ForbiddenError, StateError
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.use import grant as grants
from epilock.use.decision import OPENED
from epilock.use.grant import ACTIVE, DEIDENTIFIED, Grant
from epilock.use.release import file, question, register
from epilock.use.release.file import REPORT, TABLE
from epilock.use.release.question import COARSE, Question
from epilock.use.release.register import Release
from epilock.web.console import asked, decided, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.log import download
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/releases")
PART = "releases"
LEAVE_OUT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A field of a release.

    Attributes:
        field: Its category, or ``day``.
        as_: As what it is released.
        level: Its level in the release; None if that is not known, or not the same for all rows.
        highest: The level on which nothing of it is left; 0 if it is not coarsened.
    """

    field: str
    as_: str
    level: int | None
    highest: int


@router.get("")
def get_releases(desk: DeskOf) -> Response:
    """Show the releases that who asks has asked for, and under which grants another can be."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        mine, own = _mine(desk, tx), asked.own(desk, register.releases)
        page = listing.find(tx, asked.released(desk.site.parts.standard), desk.query, own)
    if page.export:
        return page.file("releases")
    return desk.show("releases.html", here=PART, mine=mine, page=page, stages=asked.STAGES)


@router.get("/new/{grant}/{circumstance}")
def get_new(grant: str, circumstance: str, desk: DeskOf) -> Response:
    """Show the form that asks for a release."""
    desk.enter(PART)
    return _form(desk, grant, circumstance)


@router.post("/new/{grant}/{circumstance}")
def post_new(grant: str, circumstance: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for a release; the decision is written before anything is opened, and then it is made."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            leave = grants.load(tx, desk.org, grant)
            fields = _fields(desk, tx, leave, circumstance)
            found = register.decide(
                parts.gate, tx, desk.session.staff, grant=grant, now=desk.site.now(),
                question=_question(form, leave, circumstance, fields),
            )  # fmt: skip
    except WRONG as error:
        return _form(desk, grant, circumstance, form, error)
    return _made(desk, found)


@router.get("/{source}/{release}")
def get_release(source: str, release: str, desk: DeskOf) -> Response:
    """Show a release to who asked for it, and to who may approve it."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = _load(desk, tx, source, release)
        work = desk.site.parts.maker.work(found)
        judges = register.may_judge(tx, found, desk.session.staff) and found.by != desk.who
    return desk.show(
        "release.html", here=PART, found=found, q=found.question, own=found.by == desk.who,
        judges=judges, lines=_lines(found), rule=found.rule.partition("/")[0],
        asked=desk.site.parts.standard.circumstances[found.question.circumstance].release,
        waiting=found.stage in register.UNDER_WAY and (work is not None or not register.rests(found)),
        work=work,
    )  # fmt: skip


@router.post("/{source}/{release}/request")
def post_request(source: str, release: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Ask another person to approve it."""
    del form
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        found = _load(desk, tx, source, release)
        register.request(tx, found, desk.session.staff, now=desk.site.now())
    return desk.go(_path(found), done="asked")


@router.post("/{source}/{release}/withdraw")
def post_withdraw(source: str, release: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Give it up."""
    del form
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        found = _load(desk, tx, source, release)
        register.withdraw(tx, found, desk.session.staff, now=desk.site.now())
    return desk.go(_path(found), done="cancelled")


@router.post("/{source}/{release}/judge")
def post_judge(source: str, release: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Approve it, which makes it once more and hands it out, or refuse it."""
    desk.enter(PART)
    parts, approve = desk.site.parts, word(form, "verdict") == "approve"
    try:
        with parts.database.write() as tx:
            found = register.judge(
                tx, parts.log, _load(desk, tx, source, release), desk.session.staff,
                standard_ref=parts.standard.ref, approve=approve, read=word(form, "sha256", most=64),
                now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "release", source, release, word(form, "verdict"), error)
    return _made(desk, found) if approve else desk.go("/console/approvals", done="refused")


@router.get("/{source}/{release}/table.csv")
def get_table(source: str, release: str, desk: DeskOf) -> Response:
    """Return the table to who asked for it, as long as the grant lasts."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = _load(desk, tx, source, release)
        if found.by != desk.who or not register.is_under_grant(tx, found, desk.site.now()):
            raise ForbiddenError("a table is handed to who asked for it, while the grant lasts")
        body = file.read(tx, desk.site.parts.keys, source, release, TABLE)
    return download(body, f"{release}.csv", "text/csv; charset=utf-8")


@router.get("/{source}/{release}/report.html")
def get_report(source: str, release: str, desk: DeskOf) -> Response:
    """Return the report to who may approve the release, and once it left to who asked for it."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = _load(desk, tx, source, release)
        if found.by == desk.who and not (
            found.stage == register.APPROVED and register.is_under_grant(tx, found, desk.site.now())
        ):
            raise ForbiddenError("who asked gets the report with the table, while the grant lasts")
        body = file.read(tx, desk.site.parts.keys, source, release, REPORT)
    return download(body, f"{release}.html", "text/html; charset=utf-8")


def _load(desk: Desk, tx: Transaction, source: str, release: str) -> Release:
    found = register.load(tx, source, release)
    if desk.org not in {found.by_org, *organisations.superiors(tx, found.by_org)}:
        raise missing(register.releases)
    if found.by != desk.who and not register.may_judge(tx, found, desk.session.staff):
        raise ForbiddenError("a release is shown to who asked for it and to who may approve it")
    return found


def _made(desk: Desk, found: Release) -> Response:
    """Let what waits be made, and go to its page."""
    if found.verdict == OPENED:
        desk.site.parts.maker.go_on(found.org, found.release, wait=PATIENCE)
    return desk.go(_path(found))


def _path(found: Release) -> str:
    return f"/console/releases/{found.org}/{found.release}"


def _question(
    form: FormData, leave: Grant, circumstance: str, fields: Sequence[str]
) -> Question:  # fmt: skip
    chosen = {name: word(form, f"as.{name}", most=20) for name in fields}
    suppressed = word(form, "suppressed", most=3)
    return Question(
        source=leave.source, emergency=word(form, "emergency", most=31), circumstance=circumstance,
        since=day_in(form, "since"), until=day_in(form, "until"),
        fields={name: as_ for name, as_ in chosen.items() if as_ != LEAVE_OUT},
        suppressed=int(suppressed) if suppressed.isascii() and suppressed.isdigit() else -1,
        search=word(form, "search", most=10),
    )  # fmt: skip


def _fields(desk: Desk, tx: Transaction, leave: Grant, circumstance: str) -> list[str]:
    """Return the fields that can be released, of those that a point of the organisation asks or asked."""
    if circumstance not in leave.circumstances:
        raise ForbiddenError("this grant is for other circumstances")
    asked = {
        field.category
        for point in points.listing(tx, leave.source)
        if point.circumstance == circumstance
        for field in point.fields
    }
    known = question.fields(desk.site.parts.standard, circumstance)
    return [name for name in known if name in asked or name == question.DAY]


def _lines(found: Release) -> list[Line]:
    levels = (found.found or {}).get("levels") or {}
    return [
        Line(field=name, as_=as_, level=levels.get(name), highest=_highest(as_))
        for name, as_ in found.question.fields.items()
    ]


def _highest(as_: str) -> int:
    if as_ in COARSE:
        return question.levels(COARSE[as_]) + 1
    return 1 if as_ == question.WHOLE else 0


def _mine(desk: Desk, tx: Transaction) -> list[Grant]:
    now = desk.site.now()
    active = grants.listing(tx, desk.org, stages=(ACTIVE,))
    return [g for g in active if g.staff == desk.who and g.form == DEIDENTIFIED and g.until > now]


def _form(
    desk: Desk,
    grant: str,
    circumstance: str,
    form: FormData | None = None,
    error: EpilockError | None = None,
) -> Response:
    standard, today = desk.site.parts.standard, desk.site.today()
    with desk.site.parts.database.read() as tx:
        leave = next((g for g in _mine(desk, tx) if g.grant == grant), None)
        if leave is None:
            raise ForbiddenError("a release needs an active grant of one's own")
        fields = _fields(desk, tx, leave, circumstance)
        events = sorted({e.emergency for e in emergencies.everything(tx)})
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "release_new.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        leave=leave, circumstance=standard.circumstances[circumstance], typed=form or FormData(),
        fields=[(f, question.ways(standard, f)) for f in fields],
        events=[(e, e) for e in events], limits=question.SUPPRESSED, searches=question.SEARCHES,
        first=(today - timedelta(days=30)).isoformat(), last=(today - timedelta(days=1)).isoformat(),
    )  # fmt: skip
