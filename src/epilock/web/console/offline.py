"""Leases for collecting without a network: taking one, ending one, bringing in a device's outbox as a file."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.accounts import staff
from epilock.collect import offline
from epilock.collect import point as points
from epilock.collect.offline import Lease
from epilock.db import Transaction
from epilock.errors import BoxError, EpilockError, ForbiddenError, InputError
from epilock.standard.text import Text
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.console.once import MadeError, once
from epilock.web.offline import PART, clerk_of
from epilock.web.problem import of as problem_of
from epilock.web.problem import slug_of
from epilock.web.request import begun, file_in, word
from epilock.web.slip import WRONG, Slips, at, status

RUNNING, FULL, ENDED = "running", "full", "ended"
STATES = (RUNNING, FULL, ENDED)
router = APIRouter(include_in_schema=False, prefix="/console/offline")
Outcome = tuple[Counter[str], list["Refused"]]


@router.get("")
def get_offline(desk: DeskOf) -> Response:
    """Show the leases, the latest first, and the forms to take one and to bring in an outbox."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_lease(desk: DeskOf, form: CheckedForm) -> Response:
    """Lease a point for the rest of today, and lead to the page that the device keeps."""
    desk.enter(PART)
    parts = desk.site.parts
    is_held = partial(offline.is_held, holder=desk.who)
    slips: Slips = {}
    with at("most", slips):
        most = _most(form)
        offline.check_most(most)
    if slips:
        return _page(desk, slips=slips)
    try:
        code = offline.code_for(begun(form, "once"))
        with suppress(MadeError), once(desk, is_held, code), parts.database.write() as tx:
            offline.take(
                tx, parts.log, parts.keys, parts.standard, org=desk.org, point=word(form, "point", most=40),
                holder=desk.who, most=most, now=desk.site.now, code=code,
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, error=error)
    return desk.go(f"/offline/{code}", lang=desk.t.language)


@router.post("/outbox")
def post_outbox(desk: DeskOf, form: CheckedForm) -> Response:
    """Store what is in a device's outbox, and say what became of each box."""
    desk.enter(PART)
    return _take_outbox(desk, form)


@router.get("/{lease}/end")
def get_end(lease: str, desk: DeskOf) -> Response:
    """Ask whether this is the lease to end, and say what is lost with it."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = _to_end(tx, desk, lease)
        offline.check_open(found, now=desk.site.now())
        point = points.load(tx, desk.org, found.point)
        count = offline.counts(tx, desk.org, [lease]).get(lease)
        names = staff.logins(tx, desk.org, [found.holder])
    return desk.show(
        "offline_end.html", here=PART, lease=found, point=point, count=count, names=names
    )


@router.post("/{lease}/end")
def post_end(lease: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a lease: whatever was not sent under it is lost."""
    del form
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        offline.end(tx, _to_end(tx, desk, lease), now=desk.site.now())
    return desk.back("/console/offline", done="lease_ended")


def _to_end(tx: Transaction, desk: Desk, lease: str) -> Lease:
    found = offline.load(tx, desk.org, lease)
    if found.holder != desk.who and not desk.has("custodian"):
        raise ForbiddenError("a lease is ended by who took it, or by a custodian")
    return found


@router.post("/{lease}/more")
def post_more(lease: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Let more forms come in under a lease that is full; a custodian decides."""
    desk.need("custodian")
    try:
        with desk.site.parts.database.write() as tx:
            found = offline.load(tx, desk.org, lease)
            offline.allow_more(tx, found, most=_most(form), now=desk.site.now())
    except WRONG as error:
        return _page(desk, error=error)
    return desk.back("/console/offline", done="lease_widened")


def _most(form: FormData) -> int:
    given = word(form, "most", most=4)
    if not given.isascii() or not given.isdigit():
        raise InputError("say for how many forms, as a number")
    return int(given)


def _take_outbox(desk: Desk, form: FormData) -> Response:
    became: Counter[str] = Counter()
    refused: list[Refused] = []
    try:
        _, body = file_in(desk.request, form, "file")
        brought = clerk_of(desk).bring_in_file(body, now=desk.site.now())
        for number, each in enumerate(brought, 1):
            if isinstance(each, EpilockError):
                refused.append(_refused(number, each))
            else:
                became[each.became] += 1
    except WRONG as error:
        return _page(desk, error=error)
    return _page(desk, brought=(became, refused))


class Refused(NamedTuple):
    """A form of a file that was not taken.

    Attributes:
        number: Its place in the file, from 1.
        mark: The end of its receipt code, or "" where it could not be opened.
        slug: Kind of the error.
        reasons: What is wrong, field by field.
    """

    number: int
    mark: str
    slug: str
    reasons: Sequence[Text]


def _refused(number: int, error: EpilockError) -> Refused:
    slug = slug_of(type(error))
    if isinstance(error, BoxError):
        return Refused(number, error.mark, slug, [Text(p.zh, p.en) for p in error.problems])
    return Refused(number, "", slug, ())


def plan(points: Sequence[str], who: str, now: datetime) -> Plan[Lease]:
    """Return what the list of leases of ``points`` can do for the account ``who``."""
    c, running = offline.offline_leases.c, offline.is_running(now)
    states = {
        RUNNING: running, FULL: sa.and_(running, offline.is_full()), ENDED: sa.not_(running),
    }  # fmt: skip
    return Plan(
        path="/console/offline", table=offline.offline_leases, key=c.lease, order="-taken",
        read=lambda _, rows: [offline.read(row) for row in rows],
        sorts={"taken": c.taken, "until": c.until},
        filters={
            "state": Filter(where=lambda state: states[state], options=STATES),
            "point": listing.equal(c.point, points),
            "holder": Filter(where=lambda _: c.holder == who, options=("me",)),
            "since": listing.since(c.taken), "until": listing.until(c.taken),
        },
        columns={
            "lease": lambda one: one.lease, "point": lambda one: one.point, "notice": lambda one: one.version,
            "holder": lambda one: one.holder, "day": lambda one: one.day, "taken": lambda one: one.taken,
            "until": lambda one: one.until,
        },
    )  # fmt: skip


def _page(
    desk: Desk,
    *,
    error: EpilockError | None = None,
    slips: Slips | None = None,
    brought: Outcome | None = None,
) -> Response:
    now: datetime = desk.site.now()
    with desk.site.parts.database.read() as tx:
        at = offline.points_of(tx, desk.org)
        own = offline.offline_leases.c.org == desk.org
        page = listing.find(tx, plan(at, desk.who, now), desk.query, own)
        everything = points.listing(tx, desk.org)
        counts = offline.counts(tx, desk.org, [lease.lease for lease in page.rows])
        names = staff.logins(tx, desk.org, [lease.holder for lease in page.rows])
    if page.export:
        return page.file("leases")
    wrong = None if error is None else problem_of(error)
    still = {p.point for p in everything if p.closed is None}
    return desk.show(
        "offline.html", here=PART, script=True, once=uuid4(), sent=desk.sent("/console/offline"), status=status(wrong, slips or {}), wrong=wrong, slips=slips or {},
        page=page, at=at, states=STATES, open_points=[p for p in everything if p.closed is None and p.method in offline.METHODS],
        points={p.point: p for p in everything}, brought=brought,
        counts=counts, names=names, usual=offline.USUAL, most=offline.MOST,
        running={
            lease.lease for lease in page.rows
            if lease.sealed is not None and now < lease.until and lease.point in still
        },
    )  # fmt: skip
