"""Leases for collecting without a network: taking one, ending one, bringing in a device's outbox as a file."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from epilock.collect import offline
from epilock.collect import point as points
from epilock.collect.outbox import MAX_FILE
from epilock.errors import BoxError, EpilockError, ForbiddenError, InputError
from epilock.standard.text import Text
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.offline import PART, clerk_of
from epilock.web.problem import of as problem_of
from epilock.web.problem import slug_of
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/offline")
Outcome = tuple[Counter[str], list["Refused"]]


@router.get("")
def get_offline(desk: DeskOf) -> Response:
    """Show the leases, and the forms to take one and to bring in an outbox."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_lease(desk: DeskOf, form: CheckedForm) -> Response:
    """Lease a point for the rest of today, and lead to the page that the device keeps."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            lease = offline.take(
                tx, parts.log, parts.keys, parts.standard, org=desk.org,
                point=word(form, "point", most=40), holder=desk.who, most=_most(form), now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, error=error)
    return desk.go(f"/offline/{lease.lease}", lang=desk.t.language)


@router.post("/outbox")
async def post_outbox(desk: DeskOf, form: CheckedForm) -> Response:
    """Store what is in a device's outbox, and say what became of each box."""
    desk.enter(PART)
    file = form.get("file")
    body = await file.read(MAX_FILE + 1) if isinstance(file, UploadFile) else b""
    return await run_in_threadpool(_take_outbox, desk, body)


@router.post("/{lease}/end")
def post_end(lease: str, desk: DeskOf, form: CheckedForm) -> Response:
    """End a lease: whatever was not sent under it is lost."""
    del form
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        found = offline.load(tx, desk.org, lease)
        if found.holder != desk.who and not desk.has("custodian"):
            raise ForbiddenError("a lease is ended by who took it, or by a custodian")
        offline.end(tx, found, now=desk.site.now())
    return desk.go("/console/offline", done="lease_ended")


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
    return desk.go("/console/offline", done="lease_widened")


def _most(form: FormData) -> int:
    given = word(form, "most", most=4)
    if not given.isascii() or not given.isdigit():
        raise InputError("say for how many forms, as a number")
    return int(given)


def _take_outbox(desk: Desk, body: bytes) -> Response:
    became: Counter[str] = Counter()
    refused: list[Refused] = []
    try:
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


def _page(
    desk: Desk, *, error: EpilockError | None = None, brought: Outcome | None = None
) -> Response:
    now: datetime = desk.site.now()
    with desk.site.parts.database.read() as tx:
        found = offline.listing(tx, desk.org)
        everything = points.listing(tx, desk.org)
        counts = offline.counts(tx, desk.org, [lease.lease for lease in found])
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "offline.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, open_points=[p for p in everything if p.closed is None and p.method in offline.METHODS],
        names={p.point: p.name for p in everything}, brought=brought,
        counts=counts, usual=offline.USUAL, most=offline.MOST,
        running={lease.lease for lease in found if lease.sealed is not None and now < lease.until},
    )  # fmt: skip
