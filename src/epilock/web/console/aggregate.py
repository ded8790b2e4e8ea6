"""Counts: how many records say what, under a grant to count; which records, nobody is told.

What is asked is decided and written before anything is counted; the table has an address of its own, and
is given again as it was.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify.cells.line import SMALLEST
from epilock.errors import EpilockError, ForbiddenError, InputError
from epilock.registry import emergency as emergencies
from epilock.use import aggregate
from epilock.use import grant as grants
from epilock.use.aggregate import DAY, Aggregate, Question
from epilock.use.decision import OPENED, REFUSED
from epilock.use.grant import ACTIVE, AGGREGATE, Grant
from epilock.use.tally import NOT_GIVEN
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word

router = APIRouter(include_in_schema=False, prefix="/console/counts")
PART = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: a value or a day, and how many records say so."""

    value: str
    day: date | None
    count: int


@router.get("")
def get_counts(desk: DeskOf) -> Response:
    """Show the tables that who asks has asked for, and the form that asks for another."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_count(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for a table; the decision is written before anything is counted."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            leave = grants.load(tx, desk.org, word(form, "grant", most=20))
            decided = aggregate.decide(
                parts.gate, tx, desk.session.staff, question=_question(form, leave),
                grant=leave.grant, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    if decided.verdict == OPENED:
        _count(desk, decided)
    return desk.go(f"/console/counts/{decided.question.source}/{decided.decision}")


@router.get("/{source}/{decision}")
def get_counted(source: str, decision: str, desk: DeskOf) -> Response:
    """Show a table to who asked for it, or why there is none."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = aggregate.load(tx, source, decision)
    if found.by != desk.who:
        raise ForbiddenError("a table is shown to the one who asked for it")
    if found.verdict == OPENED and found.table is None:  # a crash came between decision and table
        found = _count(desk, found)
    return desk.show(
        "counted.html", here=PART, found=found, refused=found.verdict == REFUSED, rows=_rows(found),
        rule=found.rule.partition("/")[0], smallest=SMALLEST, not_given=NOT_GIVEN,
    )  # fmt: skip


def _count(desk: Desk, decided: Aggregate) -> Aggregate:
    parts = desk.site.parts
    with parts.database.read() as tx:
        counts = aggregate.tally(parts.gate, tx, decided)
    with parts.database.write() as tx:
        return aggregate.publish(parts.gate, tx, decided, counts, now=desk.site.now())


def _question(form: FormData, leave: Grant) -> Question:
    circumstance, _, counted = word(form, "what", most=130).partition(":")
    if not circumstance or not counted:
        raise InputError("choose what is to be counted from the list")
    return Question(
        source=leave.source, emergency=word(form, "emergency", most=31), circumstance=circumstance,
        since=day_in(form, "since"), until=day_in(form, "until"), counted=counted,
    )  # fmt: skip


def _rows(found: Aggregate) -> list[Row]:
    """Return the lines of a table: days in their order, values by how many they are."""
    if found.table is None:
        return []
    cells = found.table.cells
    if found.question.counted == DAY:
        return [Row(value="", day=date.fromisoformat(d), count=cells[d]) for d in sorted(cells)]
    ranked = sorted(cells, key=lambda value: (-cells[value], value))
    return [Row(value=value, day=None, count=cells[value]) for value in ranked]


def _mine(desk: Desk, tx: Transaction) -> list[Grant]:
    now = desk.site.now()
    active = grants.listing(tx, desk.org, stages=(ACTIVE,))
    return [g for g in active if g.staff == desk.who and g.form == AGGREGATE and g.until > now]


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    parts, today = desk.site.parts, desk.site.today()
    with parts.database.read() as tx:
        mine = _mine(desk, tx)
        found = aggregate.asked(tx, desk.session.staff)
        events = sorted({e.emergency for e in emergencies.everything(tx)})
    reached = sorted({c for g in mine for c in g.circumstances})
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "counts.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        mine=mine, found=found, events=[(e, e) for e in events], typed=form or FormData(),
        what=[(c, [DAY, *aggregate.can_count(parts.gate, c)]) for c in reached],
        first=(today - timedelta(days=7)).isoformat(), smallest=SMALLEST,
        last=(today - timedelta(days=1)).isoformat(),
    )  # fmt: skip
