"""Destruction: the calendar, the run, orders with their cooling time, holds, proofs of a bucket.

What is due goes by itself; an order is for those who won't wait for the run, and a hold for evidence.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from starlette.datastructures import FormData
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
from epilock.errors import EpilockError, InputError
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import count
from epilock.store.bucket import Bucket
from epilock.web.console import listing
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word, words

router = APIRouter(include_in_schema=False, prefix="/console/destruction")
PART = "destruction"
HERE = "/console/destruction"
PER_PAGE = 50
WEEKS = 6  # of the calendar
LATEST = 4_102_444_800  # the year 2100, in Unix seconds


@router.get("")
def get_calendar(desk: DeskOf, page: int = 1, circumstance: str = "", day: str = "") -> Response:
    """Show what goes next, what waits for whom, and what is held; of one circumstance or day if asked."""
    desk.enter(PART)
    parts, now, asked = desk.site.parts, desk.site.now(), _asked(day)
    with parts.database.read() as tx:
        found = dues.calendar(tx, parts.standard, now=now, org=desk.org)
        waiting = orders.listing(tx, desk.org)
        held = holds.listing(tx, desk.org, now=now)
        used = {o.bucket for o in waiting} | {h.bucket for h in held}
        names = {b: buckets.load(tx, desk.org, b).name for b in used}
    due = sum(d.is_due(now) for d in found)
    cases = sorted({d.bucket.circumstance for d in found})
    found = [d for d in found if circumstance in {"", d.bucket.circumstance}]
    weeks = _weeks(found, desk.site.today(), now)
    found = [d for d in found if asked in {None, d.due.last_day}]
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(1, page), pages)
    return desk.show(
        "destruction.html", here=PART, found=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        total=len(found), due=due, waiting=waiting, held=held, cases=cases, weeks=weeks,
        circumstance=circumstance, day=day, names=names, page=page, pages=pages,
        may_run=desk.has("custodian"), today=desk.site.today(),
    )  # fmt: skip


@router.get("/holds")
def get_holds(desk: DeskOf) -> Response:
    """Show all holds, also those that are over."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        page = listing.find(tx, _holds_plan(desk), desk.query, holds.holds.c.org == desk.org)
        names = {h.bucket: buckets.load(tx, desk.org, h.bucket).name for h in page.rows}
    if page.export:
        return page.file("holds")
    return desk.show("holds.html", here=PART, page=page, names=names, reasons=holds.REASONS)


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
    desk: DeskOf, since: Annotated[int, Query(ge=0, le=LATEST, description="Unix seconds")]
) -> Response:
    """Show how far the destruction is that began at ``since``."""
    desk.enter(PART)
    began = datetime.fromtimestamp(since, UTC)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = _runs(desk).progress(tx, desk.org, began)
    wrong = None if found.problem is None else problem_of(found.problem)
    return desk.show(
        "destruction_run.html", here=PART, found=found, began=began, since=since, wrong=wrong,
        may_run=desk.has("custodian"),
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
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            orders.propose(
                tx, parts.log, parts.standard, org=desk.org, bucket=bucket,
                parts=words(form, "part"), reason=word(form, "reason", most=40), by=desk.who,
                cooling=parts.settings.cooling, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, bucket, form, error)
    return desk.go(HERE, done="order")


@router.post("/{bucket}/holds")
def post_hold(bucket: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Place a hold: evidence or investigation, after an assessment, with an end."""
    desk.need("custodian")
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            holds.place(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, bucket=bucket,
                assessment=word(form, "assessment", most=20), reason=word(form, "reason", most=20),
                last_day=day_in(form, "until"), by=desk.who, now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, bucket, form, error)
    return desk.go(f"{HERE}/{bucket}", done="hold")


@router.post("/holds/{hold}/release")
def post_release(hold: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a hold before its time; a second person does it, not who placed it alone."""
    del form
    desk.need("custodian", "approver")
    parts = desk.site.parts
    with parts.database.write() as tx:
        holds.release(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, hold=hold, by=desk.who,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go(HERE, done="released")


@router.post("/orders/{order}/cancel")
def post_cancel(order: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Cancel an order before it is carried out."""
    del form
    desk.need("custodian", "approver")
    parts = desk.site.parts
    with parts.database.write() as tx:
        orders.cancel(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, order=order, by=desk.who,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go(HERE, done="cancelled")


def _runs(desk: Desk) -> Runs:
    runs = desk.request.app.state.runs
    assert isinstance(runs, Runs)  # noqa: S101 - ``create_app`` put it there
    return runs


def _asked(day: str) -> date | None:
    try:
        return date.fromisoformat(day) if day else None
    except ValueError:
        raise InputError("day: a day is written 2026-03-14") from None


def _weeks(found: list[DuePart], today: date, now: datetime) -> list[list[tuple[date, int]]]:
    """Return the weeks from that of ``today`` on: each day with how many parts have it as their last."""
    days = Counter(d.due.last_day for d in found if d.due.last_day and not d.is_due(now))
    monday = today - timedelta(days=today.weekday())
    return [
        [(day, days[day]) for day in (monday + timedelta(days=7 * week + n) for n in range(7))]
        for week in range(WEEKS)
    ]


def _holds_plan(desk: Desk) -> Plan[Hold]:
    c, now = holds.holds.c, desk.site.now()
    states = {
        "lasting": sa.and_(c.released.is_(None), c.until > now),
        "released": c.released.is_not(None),
        "ended": sa.and_(c.released.is_(None), c.until <= now),
    }
    return Plan(
        path=f"{HERE}/holds", table=holds.holds, key=c.hold, read=lambda _, rows: [Hold(**row) for row in rows],
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
    desk: Desk, bucket: int, form: FormData | None = None, error: EpilockError | None = None
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
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "bucket.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        bucket=found, due=due, states=states, done_=done, counts=counts, assessments=assessments,
        hold=hold, typed=form or FormData(), reasons=holds.REASONS, order_reasons=orders.REASONS,
        part_names={p.name: p for p in parts.standard.parts(found.circumstance)},
        may_act=desk.has("custodian"), cooling=parts.settings.cooling, today=now.astimezone(CHINA).date(),
    )  # fmt: skip


def _for_holding(desk: Desk, tx: Transaction, bucket: Bucket) -> list[dict[str, Any]]:
    """Return the assessments in force that a hold on ``bucket`` may rest on, also of those above."""
    c = mandates.assessments.c
    about = (holds.ABOUT, f"{holds.ABOUT}/{bucket.circumstance}")
    return [
        row
        for org in (bucket.org, *organisations.superiors(tx, bucket.org))
        for row in tx.all(
            mandates.assessments, c.org == org, c.about.in_(about),
            c.until >= desk.site.today().isoformat(), order_by=[c.recorded.desc()],
        )
    ]  # fmt: skip
