"""Destruction: the calendar, the run, orders with their cooling time, holds, proofs of a bucket.

What is due goes by itself; an order is for those who won't wait for the run, and a hold for evidence.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import sqlalchemy as sa
from fastapi import APIRouter, Query
from starlette.responses import Response

from epilock.beside import PATIENCE
from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import intent as intents
from epilock.destroy import order as orders
from epilock.destroy.beside import Runs
from epilock.destroy.due import DuePart
from epilock.destroy.hold import Hold
from epilock.destroy.order import Order
from epilock.errors import EpilockError, InputError, StateError
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import count
from epilock.store.bucket import Bucket
from epilock.web.console import decided, listing
from epilock.web.console.computed import Computed, Question, arrange
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.console.once import MadeError, once
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, lone_day, word, words
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/destruction")
PART = "destruction"
HERE = "/console/destruction"
RELEASING = ("custodian", "approver", "supervisor")  # of the organisation or of one above it
WEEKS = 6  # of the calendar
SHOWN_CERTIFIED = 20  # certificates of a run; the log has all
SHOWN = 10  # orders and holds beside it; their lists have all
STATES = ("due", "waits", "open", "held")  # of a part in the calendar; open: it has no day yet
NEVER = datetime.max.replace(tzinfo=UTC)
LATEST = 4_102_444_800  # the year 2100, in Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order in a list, and the name of its bucket."""

    order: Order
    bucket: str


@router.get("")
def get_calendar(desk: DeskOf) -> Response:
    """Show what goes next, what waits for whom, and what is held; of one circumstance, day or state if asked.

    A supervisor sees that of any organisation, and changes none of it.
    """
    of = desk.whose(PART)
    parts, now, today = desk.site.parts, desk.site.now(), desk.site.today()
    with parts.database.read() as tx:
        organisation = organisations.load(tx, of)
        found = dues.calendar(tx, parts.standard, now=now, org=of)
        waiting = orders.listing(tx, of)
        held = holds.listing(tx, of, now=now)
        may_release = _may_release(desk, tx, of)
        used = {o.bucket for o in waiting[:SHOWN]} | {h.bucket for h in held[:SHOWN]}
        loaded = {b: buckets.load(tx, of, b) for b in used}
        ripe = any(o.stage == orders.APPROVED and o.not_before <= now for o in waiting)
        unfinished = ripe or bool(intents.open_intents(tx, of))
    page = arrange(_calendar(desk, of, found), found, desk.query)
    if page.export:
        return page.file("calendar")
    circumstance = page.chosen.get("circumstance", "")
    shown = [d for d in found if circumstance in {"", d.bucket.circumstance}]
    return desk.show(
        "destruction.html", here=PART, page=page, due=sum(d.is_due(now) for d in found),
        waiting=waiting[:SHOWN], held=held[:SHOWN], weeks=_weeks(shown, today, now),
        names={b: one.name for b, one in loaded.items()},
        about={b: one.circumstance for b, one in loaded.items()},
        may_run=of == desk.org and desk.has("custodian"), unfinished=unfinished,
        may_change=_may_change(desk, of), may_release=may_release, today=today, of=organisation,
    )  # fmt: skip


@router.get("/orders")
def get_orders(desk: DeskOf) -> Response:
    """Show all orders, also those that are over."""
    of = desk.whose(PART)
    with desk.site.parts.database.read() as tx:
        organisation = organisations.load(tx, of)
        page = listing.find(tx, _orders_plan(desk, of), desk.query, orders.orders.c.org == of)
        if page.export:
            return page.file("orders")
        shown = {r.order.bucket for r in page.rows}
        about = {b: buckets.load(tx, of, b).circumstance for b in shown}
    return desk.show(
        "orders.html", here=PART, page=page, about=about, of=organisation, waiting=orders.WAITING,
        may_change=_may_change(desk, of),
    )  # fmt: skip


@router.get("/holds")
def get_holds(desk: DeskOf) -> Response:
    """Show all holds, also those that are over; one above that may release them sees those too."""
    desk.enter(PART)
    of = desk.query.get("org") or desk.org
    with desk.site.parts.database.read() as tx:
        may_release = _may_release(desk, tx, of)
        if not may_release:
            desk.whose(PART)
        page = listing.find(tx, _holds_plan(desk, of), desk.query, holds.holds.c.org == of)
        names = buckets.names(tx, of, {h.bucket for h in page.rows})
        organisation = organisations.load(tx, of)
        beneath = _held_below(desk, tx) if may_release and of == desk.org else []
    if page.export:
        return page.file("holds")
    return desk.show(
        "holds.html", here=PART, page=page, names=names, reasons=holds.REASONS, of=organisation,
        may_change=may_release, beneath=beneath,
    )  # fmt: skip


@router.post("/run")
def post_run(desk: DeskOf, form: CheckedForm) -> Response:
    """Destroy what is due now and carry out orders whose cooling time is over, with certificates.

    It goes on beside the page, which shows how far it is and can be left.
    """
    del form
    desk.need("custodian")
    began = int(desk.site.now().timestamp())
    _runs(desk).begin(desk.org, wait=PATIENCE)
    return desk.go(f"{HERE}/run", since=str(began))


@router.get("/run")
def get_run(
    desk: DeskOf,
    since: Annotated[int | None, Query(ge=0, le=LATEST, description="Unix seconds")] = None,
) -> Response:
    """Show how far the destruction is that began at ``since``; the calendar where none is named."""
    desk.enter(PART)
    if since is None:
        return desk.go(HERE)
    began = datetime.fromtimestamp(since, UTC)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = _runs(desk).progress(tx, desk.org, began)
        certified = intents.certified_since(tx, desk.org, began, limit=SHOWN_CERTIFIED)
        places = {i.bucket: buckets.load(tx, desk.org, i.bucket) for i in certified}
    wrong = None if found.problem is None else problem_of(found.problem)
    return desk.show(
        "destruction_run.html", here=PART, found=found, began=began, since=since, wrong=wrong,
        certified=certified, places=places, may_run=desk.has("custodian"),
    )  # fmt: skip


@router.get("/{bucket}")
def get_bucket(bucket: int, desk: DeskOf) -> Response:
    """Show one bucket: its parts, their days, and what was done to it."""
    desk.enter(PART)
    return _page(desk, bucket)


@router.post("/{bucket}/orders")
def post_order(bucket: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Propose to destroy parts that are due; another person approves, then a cooling time runs."""
    desk.need("custodian")
    parts, slips = desk.site.parts, Slips()
    with at("part", slips):
        if not words(form, "part"):
            raise InputError("tick what is to be destroyed")
    if slips:
        return _page(desk, bucket, slips=slips)
    try:
        with parts.database.write() as tx:
            orders.propose(
                tx, parts.log, parts.standard, org=desk.org, bucket=bucket,
                parts=words(form, "part"), reason=word(form, "reason", most=40), by=desk.who,
                cooling=parts.settings.cooling, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, bucket, error)
    return desk.go(HERE, done="order")


@router.post("/{bucket}/holds")
def post_hold(bucket: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Place a hold: evidence or investigation, after an assessment, with an end."""
    desk.need("custodian")
    parts, slips, last_day = desk.site.parts, Slips(), None
    with at("until", slips):
        last_day = lone_day(form, "until")
        holds.check_last_day(last_day, now=desk.site.now())
    if last_day is None or slips:
        return _page(desk, bucket, slips=slips)
    try:
        code = holds.code_for(begun(form, "once"))
        with once(desk, holds.is_placed, code), parts.database.write() as tx:
            holds.place(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, bucket=bucket,
                assessment=word(form, "assessment", most=20), reason=word(form, "reason", most=20),
                last_day=last_day, by=desk.who, now=desk.site.now(), code=code,
            )  # fmt: skip
    except MadeError:
        return desk.go(f"{HERE}/{bucket}", done="made")
    except WRONG as error:
        return _page(desk, bucket, error)
    return desk.go(f"{HERE}/{bucket}", done="hold")


@router.post("/holds/{hold}/release")
def post_release(hold: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a hold before its time, of the own organisation or of ``org`` below it; who placed it does not."""
    del form
    desk.need(*RELEASING)
    parts, of, now = desk.site.parts, desk.query.get("org") or desk.org, desk.site.now()
    try:
        with parts.database.write() as tx:
            organisations.check_decides(tx, desk.org, of)
            holds.release(
                tx, parts.log, standard_ref=parts.standard.ref, org=of, hold=hold, by=desk.who, now=now,
            )  # fmt: skip
            other = holds.on_bucket(tx, of, holds.load(tx, of, hold).bucket, now=now)
    except StateError as error:
        return decided.again(desk, "end of a hold", of, hold, decided.END, error)
    return desk.back(f"{HERE}/holds", done="released" if other is None else "released_one")


@router.post("/orders/{order}/cancel")
def post_cancel(order: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Cancel an order before it is carried out."""
    del form
    desk.need("custodian", "approver")
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            orders.cancel(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, order=order,
                by=desk.who, now=desk.site.now(),
            )  # fmt: skip
    except StateError as error:
        return decided.again(desk, "order", desk.org, order, decided.REFUSE, error)
    return desk.back(f"{HERE}/orders", done="cancelled")


def _may_change(desk: Desk, of: str) -> bool:
    return of == desk.org and desk.has("custodian", "approver")


def _may_release(desk: Desk, tx: Transaction, of: str) -> bool:
    """Tell whether the account may release a hold of ``of`` that somebody else placed."""
    return desk.has(*RELEASING) and desk.org in {of, *organisations.superiors(tx, of)}


def _held_below(desk: Desk, tx: Transaction) -> list[tuple[Organisation, int]]:
    """Return the organisations below that hold something now, and how much."""
    held = Counter(h.org for h in holds.listing(tx, now=desk.site.now()))
    below = organisations.below(tx, desk.org) if held else []
    return [(o, held[o.org]) for o in below if held[o.org] and o.org != desk.org]


def _runs(desk: Desk) -> Runs:
    runs = desk.request.app.state.runs
    assert isinstance(runs, Runs)  # noqa: S101 - ``create_app`` put it there
    return runs


def _calendar(desk: Desk, of: str, found: Sequence[DuePart]) -> Computed[DuePart]:
    now = desk.site.now()
    cases = sorted(
        {d.bucket.circumstance for d in found} | set(desk.site.parts.standard.circumstances)
    )

    def state(d: DuePart) -> str:
        return "held" if d.hold else "due" if d.is_due(now) else "waits" if d.due.at else "open"

    return Computed(
        path=HERE, fixed=desk.kept(of), order="due", key=lambda d: f"{d.bucket.id}.{d.part}",
        sorts={
            "due": lambda d: d.due.at or NEVER, "circumstance": lambda d: d.bucket.circumstance,
            "day": lambda d: d.bucket.day, "rule": lambda d: d.due.rule,
        },
        filters={
            "circumstance": Question(fits=lambda d, v: d.bucket.circumstance == v, options=cases),
            "day": Question(fits=lambda d, v: str(d.due.last_day) == v),
            "state": Question(fits=lambda d, v: state(d) == v, options=STATES),
        },
        columns={
            "last_day": lambda d: d.due.last_day or "", "state": state,
            "circumstance": lambda d: d.bucket.circumstance, "day": lambda d: d.bucket.day,
            "clock": lambda d: d.bucket.clock, "bucket": lambda d: d.bucket.name,
            "part": lambda d: d.part, "rule": lambda d: d.due.rule,
            "held_until": lambda d: d.hold.last_day if d.hold else "",
        },
    )  # fmt: skip


def _weeks(found: list[DuePart], today: date, now: datetime) -> list[list[tuple[date, int]]]:
    """Return the weeks from that of ``today`` on: each day with how many parts have it as their last."""
    days = Counter(d.due.last_day for d in found if d.due.last_day and not d.is_due(now))
    monday = today - timedelta(days=today.weekday())
    return [
        [(day, days[day]) for day in (monday + timedelta(days=7 * week + n) for n in range(7))]
        for week in range(WEEKS)
    ]


def _orders_plan(desk: Desk, of: str) -> Plan[Ordered]:
    c = orders.orders.c
    return Plan(
        path=f"{HERE}/orders", fixed=desk.kept(of), table=orders.orders, key=c.order,
        read=lambda tx, rows: _with_buckets(tx, of, rows), sorts={"proposed": c.proposed, "not_before": c.not_before}, order="-proposed",
        filters={
            "stage": listing.equal(c.stage, tuple(orders.NEXT)),
            "reason": listing.equal(c.reason, orders.REASONS),
        },
        columns={
            "order": lambda r: r.order.order, "bucket": lambda r: r.bucket,
            "parts": lambda r: " ".join(r.order.parts), "reason": lambda r: r.order.reason,
            "stage": lambda r: r.order.stage, "proposed_by": lambda r: r.order.by,
            "proposed": lambda r: r.order.proposed, "not_before": lambda r: r.order.not_before,
            "approved_by": lambda r: r.order.approved_by or "",
        },
    )  # fmt: skip


def _with_buckets(tx: Transaction, of: str, rows: Sequence[dict[str, Any]]) -> list[Ordered]:
    found = [orders.read(row) for row in rows]
    names = buckets.names(tx, of, {each.bucket for each in found})
    return [Ordered(order=each, bucket=names[each.bucket]) for each in found]


def _holds_plan(desk: Desk, of: str) -> Plan[Hold]:
    c, now = holds.holds.c, desk.site.now()
    states = {
        "lasting": sa.and_(c.released.is_(None), c.until > now),
        "released": c.released.is_not(None),
        "ended": sa.and_(c.released.is_(None), c.until <= now),
    }
    return Plan(
        path=f"{HERE}/holds", fixed=desk.kept(of), table=holds.holds, key=c.hold,
        read=lambda _, rows: [Hold(**row) for row in rows],
        sorts={"placed": c.placed, "until": c.until}, order="-placed",
        filters={
            "state": Filter(where=lambda state: states[state], options=tuple(states)),
            "reason": listing.equal(c.reason, holds.REASONS),
        },
        columns={
            "hold": lambda h: h.hold, "reason": lambda h: h.reason, "placed_by": lambda h: h.by,
            "assessment": lambda h: h.assessment, "placed": lambda h: h.placed,
            "last_day": lambda h: h.last_day, "released": lambda h: h.released or "",
        },
    )  # fmt: skip


def _page(
    desk: Desk, bucket: int, error: EpilockError | None = None, *, slips: Slips | None = None
) -> Response:
    parts, now = desk.site.parts, desk.site.now()
    with parts.database.read() as tx:
        found = buckets.load(tx, desk.org, bucket)
        due = {p: dues.part_due(tx, parts.standard, found, p) for p in found.live}
        states = buckets.part_states(tx, desk.org, bucket)
        done = intents.of_bucket(tx, desk.org, bucket)
        counts = {part: count.of(tx, found, [part]) for part in found.parts}
        assessments = _for_holding(desk, tx, found)
        hold = holds.on_bucket(tx, desk.org, bucket, now=now)
        ordered = [o for o in orders.listing(tx, desk.org) if o.bucket == bucket]
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "bucket.html", here=PART, status=status(wrong, slips or {}), wrong=wrong, slips=slips or {},
        bucket=found, due=due, states=states, done_=done, counts=counts, assessments=assessments,
        hold=hold, ordered={part: o for o in ordered for part in o.parts}, once=uuid4(), reasons=holds.REASONS, order_reasons=orders.REASONS,
        may_act=desk.has("custodian"), cooling=parts.settings.cooling, today=now.astimezone(CHINA).date(),
    )  # fmt: skip


def _for_holding(desk: Desk, tx: Transaction, bucket: Bucket) -> list[dict[str, Any]]:
    """Return the assessments in force that a hold on ``bucket`` may rest on, also of those above."""
    c, today = mandates.assessments.c, desk.site.today().isoformat()
    about = (holds.ABOUT, f"{holds.ABOUT}/{bucket.circumstance}")
    return [
        row
        for org in (bucket.org, *organisations.superiors(tx, bucket.org))
        for row in tx.all(
            mandates.assessments, c.org == org, c.about.in_(about),
            c.date <= today, c.until >= today, order_by=[c.recorded.desc()],
        )
    ]  # fmt: skip
