"""Leases for collecting without a network: taking one, ending one, bringing in a device's outbox as a file."""

from base64 import b64decode
from collections import Counter
from datetime import datetime

import msgspec
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from epilock.collect import offline
from epilock.collect import point as points
from epilock.errors import EpilockError, FileFormatError, ForbiddenError, TooLargeError
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.offline import PART, store_box
from epilock.web.problem import of as problem_of
from epilock.web.problem import slug_of
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/offline")
FORMAT = "epilock/outbox/v1"
MAX_FILE = 1_000_000  # bytes; a multipart file of up to 1 MiB stays in memory (Starlette)
MAX_BOXES = 500  # of one file: what is answered within a few seconds


class Box(msgspec.Struct, forbid_unknown_fields=True):
    """One sealed form: the lease it was sealed for, and its bytes in base64."""

    lease: str
    box: str


class Outbox(msgspec.Struct, forbid_unknown_fields=True):
    """What a device exports."""

    format: str
    boxes: list[Box]


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
                point=word(form, "point", most=40), holder=desk.who, now=desk.site.now(),
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


def read_outbox(body: bytes) -> list[tuple[str, bytes]]:
    """Return lease and bytes of each box of an exported file.

    Raises:
        TooLargeError: It is larger than 1 MB, or has more than 500 boxes.
        FileFormatError: It is no file that a device exports.
    """
    if len(body) > MAX_FILE:
        raise TooLargeError(f"at most {MAX_FILE} bytes are taken here; send from the device itself")
    try:
        said = msgspec.json.decode(body, type=Outbox)
        boxes = [(each.lease, b64decode(each.box, validate=True)) for each in said.boxes]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise FileFormatError("this is no outbox that a device exported") from None
    if said.format != FORMAT:
        raise FileFormatError(f"the outbox must be of the format {FORMAT}")
    if len(boxes) > MAX_BOXES:
        raise TooLargeError(f"an outbox has at most {MAX_BOXES} boxes")
    return boxes


def _take_outbox(desk: Desk, body: bytes) -> Response:
    became: Counter[str] = Counter()
    try:
        for lease, box in read_outbox(body):
            try:
                became["repeated" if store_box(desk, lease, box).repeated else "stored"] += 1
            except EpilockError as error:
                became[slug_of(type(error))] += 1
    except WRONG as error:
        return _page(desk, error=error)
    return _page(desk, became=became)


def _page(
    desk: Desk, *, error: EpilockError | None = None, became: Counter[str] | None = None
) -> Response:
    now: datetime = desk.site.now()
    with desk.site.parts.database.read() as tx:
        found = offline.listing(tx, desk.org)
        everything = points.listing(tx, desk.org)
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "offline.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, open_points=[p for p in everything if p.closed is None and p.method in offline.METHODS],
        names={p.point: p.name for p in everything}, became=became,
        running={lease.lease for lease in found if lease.sealed is not None and now < lease.until},
    )  # fmt: skip
