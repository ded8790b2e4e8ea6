"""Counts: how many records say what, under a grant to count; which records, nobody is told.

What is asked is decided and written before anything is counted; the table has an address of its own, and
is given again as it was. Where the standard wants noise, the first answer to a question is a page that says how
far off the numbers would be, what that costs and what is left; only what is chosen there is asked.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.beside import PATIENCE, Told, Work
from epilock.db import Transaction, missing
from epilock.deidentify.cells.line import SMALLEST
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.answer import Accuracy, preview
from epilock.deidentify.noise.budget import Budget, micro, shown
from epilock.deidentify.noise.query import MICRO, OTHERS
from epilock.errors import EpilockError, ForbiddenError, InputError, NotFoundError
from epilock.registry import emergency as emergencies
from epilock.use import aggregate
from epilock.use import grant as grants
from epilock.use.aggregate import Aggregate
from epilock.use.allotment import needs_budget
from epilock.use.decision import OPENED, REFUSED
from epilock.use.grant import AGGREGATE, Grant
from epilock.use.question import DAY, Noise, Question, account_of, request_of
from epilock.use.tally import NOT_GIVEN
from epilock.web.console import asked, listing, reach
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import lone_day, word
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/counts")
PART = "counts"
HERE = "/console/counts"
PRICES = (MICRO // 20, MICRO // 10, MICRO // 4, MICRO // 2, MICRO)  # that are offered
MOST_VALUES = 200  # that are counted apart
ANY = "any"  # what is counted changes neither price nor error


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: a value or a day, and how many records say so."""

    value: str
    day: date | None
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One price of an answer with noise.

    Attributes:
        epsilon: As people write it.
        accuracy: How far off each number is likely to be.
        after: What would be left, as people write it; None if there is not so much.
    """

    epsilon: str
    accuracy: Accuracy
    after: str | None


@router.get("")
def get_counts(desk: DeskOf) -> Response:
    """Show the tables that who asks has asked for, and the form that asks for another."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_count(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for a table; the decision is written before anything is counted, or the price is shown first."""
    desk.enter(PART)
    parts, slips = desk.site.parts, Slips()
    try:
        with parts.database.read() as tx:
            leave = grants.load(tx, desk.org, word(form, "grant", most=20))
        question = _question(form, leave, slips)
        if question is None:
            return _page(desk, form, slips=slips)
        noise = _noise(form, question)
        if noise is None and needs_budget(parts.standard, leave.purpose):
            return _price(desk, form, leave, question)
        with parts.database.write() as tx:
            decided = aggregate.decide(
                parts.gate, tx, desk.session.staff, question=question, grant=leave.grant, noise=noise,
                now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    if decided.verdict == OPENED and not decided.left:
        _begun(desk, decided)
    return desk.go(f"/console/counts/{decided.question.source}/{decided.decision}")


@router.get("/{source}/{decision}")
def get_counted(source: str, decision: str, desk: DeskOf) -> Response:
    """Show a table to who asked for it, or why there is none."""
    desk.enter(PART)
    going_on = None
    with desk.site.parts.database.read() as tx:
        found = aggregate.load(tx, source, decision)
    if found.by_org != desk.org:
        raise missing(aggregate.aggregates)
    if found.by != desk.who:
        raise ForbiddenError("a table is shown to the one who asked for it")
    if found.verdict == OPENED and not found.left:  # a crash came between decision and table
        going_on = _begun(desk, found, wait=PATIENCE)
        going_on.check()
        if not going_on.is_under_way:
            return desk.go(f"{HERE}/{source}/{decision}")
    return desk.show(
        "counted.html", here=PART, found=found, refused=found.verdict == REFUSED, rows=[] if going_on else _rows(found), going_on=going_on,
        rule=found.rule.partition("/")[0], smallest=SMALLEST, not_given=NOT_GIVEN, others=OTHERS,
        cost="" if found.answer is None else shown(found.answer.epsilon),
    )  # fmt: skip


def _begun(desk: Desk, decided: Aggregate, *, wait: float = 0) -> Work:
    """Return the work that counts for a decision, which goes on beside the page."""
    parts = desk.site.parts

    def count(told: Told) -> None:
        with parts.database.read() as tx:
            counts = aggregate.tally(parts.gate, tx, decided, told)
        with parts.database.write() as tx:
            aggregate.publish(parts.gate, tx, decided, counts, now=parts.now())

    name = ("count", decided.question.source, decided.decision)
    return parts.works.begin(name, count, wait=wait)


def _question(form: FormData, leave: Grant, slips: Slips) -> Question | None:
    """Return what a form asks; if there is something wrong with it, add that and return None."""
    circumstance, _, counted = word(form, "what", most=130).partition(":")
    since = until = None
    with at("what", slips):
        if not circumstance or not counted:
            raise InputError("choose what is to be counted from the list")
    with at("since", slips):
        since = lone_day(form, "since")
    with at("until", slips):
        until = lone_day(form, "until")
        if since is not None:
            aggregate.check_days(since, until)
    if since is None or until is None or slips:
        return None
    return Question(
        source=leave.source, emergency=word(form, "emergency", most=31), circumstance=circumstance,
        since=since, until=until, counted=counted,
    )  # fmt: skip


def _noise(form: FormData, question: Question) -> Noise | None:
    """Return how the question is to be answered with noise, or None if no price was chosen."""
    price = word(form, "epsilon", most=12)
    if not price:
        return None
    lines = [] if question.counted == DAY else word(form, "values").splitlines()
    values = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(values) > MOST_VALUES:
        raise InputError(f"at most {MOST_VALUES} values are counted apart")
    return Noise(epsilon=micro(price), values=values)


def _price(desk: Desk, form: FormData, leave: Grant, question: Question) -> Response:
    """Show what an answer would be worth and cost, and what is left; nothing is written."""
    left = None
    with desk.site.parts.database.read() as tx, suppress(NotFoundError):
        left = budget.load(tx, account_of(question, leave.purpose, leave.org))
    return desk.show(
        "counts_price.html", here=PART, leave=leave, question=question, typed=form, left=left,
        offers=[] if left is None else _offers(question, left), shown=shown, chosen=shown(PRICES[2]),
    )  # fmt: skip


def _offers(question: Question, left: Budget) -> list[Offer]:
    offers = []
    for price in PRICES:
        request = request_of(question, Noise(epsilon=price, values=(ANY,)))
        after = shown(left.left - price) if price <= left.left else None
        offers.append(Offer(epsilon=shown(price), accuracy=preview(request), after=after))
    return offers


def _rows(found: Aggregate) -> list[Row]:
    """Return the lines of a table: days in their order, values by how many they are."""
    cells: Mapping[str, int | None] = found.shown if found.table is None else found.table.cells
    if found.question.counted == DAY:
        days = sorted(d for d in cells if d != OTHERS)
        return [Row(value="", day=date.fromisoformat(d), count=cells[d]) for d in days]
    ranked = sorted(cells, key=lambda value: (value == OTHERS, -(cells[value] or 0), value))
    return [Row(value=value, day=None, count=cells[value]) for value in ranked]


def _mine(desk: Desk, tx: Transaction) -> list[Grant]:
    return [g for g in reach.active(desk, tx) if g.form == AGGREGATE]


def _page(
    desk: Desk,
    form: FormData | None = None,
    error: EpilockError | None = None,
    slips: Slips | None = None,
) -> Response:
    parts, today = desk.site.parts, desk.site.today()
    with parts.database.read() as tx:
        mine = _mine(desk, tx)
        own = asked.own(desk, aggregate.aggregates)
        page = listing.find(tx, asked.counted(parts.standard), desk.query, own)
        events = emergencies.named(tx, sorted({e.emergency for e in emergencies.everything(tx)}))
    if page.export:
        return page.file("counts")
    reached = sorted({c for g in mine for c in g.circumstances})
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "counts.html", here=PART, status=status(wrong, slips or {}), wrong=wrong, slips=slips or {},
        mine=mine, page=page, verdicts=asked.VERDICTS, events=[(code, desk.name(name)) for code, name in events.items()], typed=form or FormData(),
        what=[(c, [DAY, *aggregate.can_count(parts.gate, c)]) for c in reached],
        first=(today - timedelta(days=7)).isoformat(), smallest=SMALLEST,
        last=(today - timedelta(days=1)).isoformat(),
    )  # fmt: skip
