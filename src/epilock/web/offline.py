"""Collecting without a network: pages that a device keeps, and where it sends what it sealed.

A browser keeps ``/offline`` and the pages of its leases by a service worker, so they hold nothing of anybody:
no name, no session, no token. A lease's page is given to staff of its organisation alone; what it sends counts
only with their session and its token, as a form of the console does. That a lease takes nothing more is told to
whoever knows its code, for a session is over long before a day at a gate is; and whether a box has arrived to
whoever has its hash, for it may have come as a file. What is sealed is opened by ``collect.offline`` and stored by
the one writer.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated

import msgspec
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from epilock.accounts import session as sessions
from epilock.collect import offline, qr
from epilock.collect.answer import COUNT, DATE, NAME, TEMPERATURE, Problem
from epilock.collect.document import RESIDENT_ID
from epilock.collect.notice_page import html
from epilock.collect.outbox import Brought, Clerk
from epilock.collect.telephone import MOBILE
from epilock.errors import FileFormatError
from epilock.registry import organisation as organisations
from epilock.web import walk as walks
from epilock.web.console.desk import Desk, DeskOf
from epilock.web.language import Speaker
from epilock.web.page import HERE, STATIC, trusted
from epilock.web.request import Site, SiteOf
from epilock.web.security import POLICY_OFFLINE

router = APIRouter(include_in_schema=False, prefix="/offline")
PART = "offline"
SHARED = ("outbox.js", "offline.js")
HUB = (*SHARED, "hub.js")
LEASE = ("hpke.js", "code.js", "qr.js", "answers.js", *SHARED, "collect.js")
# What ``answers.js`` looks at while it is typed, and what it says.
LOOKED_AT: Mapping[str, Problem] = MappingProxyType(
    {
        "identity.name": NAME,
        "identity.resident-id": RESIDENT_ID,
        "identity.birth-date": DATE,
        "contact.mobile": MOBILE,
        "health.temperature": TEMPERATURE,
        "need.household-size": COUNT,
    }
)
TAKEN_ALONG = "interview"  # whatever the point's own: the next person is asked on the same device
ASKED = 20  # leases in one question; a device has a few
_LEASE = re.compile(r"([a-z][a-z0-9-]{1,30})/([a-z][a-z0-9-]{1,19})")  # organisation and code
_KEPT = {"Content-Security-Policy": POLICY_OFFLINE}


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """One box on its way.

    Attributes:
        csrf: Token of the session.
        box: What was sealed, base64.
    """

    csrf: str
    box: str


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """Boxes of a lease that is over, about which a device asks.

    Attributes:
        lease: Organisation and code of the lease, such as ``sunny/l-k3f7q2xw5mza``.
        boxes: SHA-256 of each, hex.
    """

    lease: str
    boxes: Annotated[list[str], msgspec.Meta(max_length=offline.MOST)]


class Arrived(msgspec.Struct):
    """What is answered: which of the boxes arrived, and whether it is still known of the others."""

    known: bool
    arrived: list[str]


class Taken(msgspec.Struct):
    """What is answered: the index of the ledger entry, and what became of the box."""

    index: int
    became: str


@router.get("")
def get_hub(site: SiteOf, request: Request) -> Response:
    """Show what the device has with it; the page itself knows nothing."""
    return site.pages.show(request, "offline/hub.html", headers=_KEPT, scripts=HUB)


@router.get("/worker.js")
def get_worker(site: SiteOf) -> Response:
    """Return the service worker; its text changes with whatever it keeps."""
    addresses = [site.pages.static[name] for name in ("epilock.css", "icon.svg", *HUB)]
    pages = ["/offline", *(f"/offline?lang={code}" for code in site.pages.languages)]
    return site.pages.text(
        "offline/worker.js", "text/javascript; charset=utf-8", version=_version(),
        files=[*pages, "/offline/manifest.webmanifest", *addresses],
        headers={**_KEPT, "Service-Worker-Allowed": "/offline", "Cache-Control": "no-cache"},
    )  # fmt: skip


@router.get("/manifest.webmanifest")
def get_manifest(site: SiteOf, request: Request) -> Response:
    """Return what a browser needs to install the pages as an application."""
    t = site.pages.speaker(request)
    icon = {"src": site.pages.static["icon.svg"], "sizes": "any", "type": "image/svg+xml"}
    said = {
        "name": t("offline.app"), "short_name": t("site.name"), "lang": t.tag, "id": "/offline",
        "start_url": "/offline", "scope": "/offline", "display": "standalone",
        "background_color": "#ffffff", "theme_color": "#0b4f57", "icons": [icon],
    }  # fmt: skip
    return Response(msgspec.json.encode(said), media_type="application/manifest+json")


@router.get("/session")
def get_session(desk: DeskOf) -> Response:
    """Return the token of the session, which each box is sent with."""
    desk.enter(PART)
    return Response(msgspec.json.encode({"csrf": desk.session.csrf}), media_type="application/json")


@router.get("/over")
def get_over(site: SiteOf, request: Request) -> Response:
    """Return which of the leases that a device has take nothing more; nobody need be signed in."""
    named = request.query_params.getlist("lease")[:ASKED]
    asked = [(m[1], m[2]) for m in map(_LEASE.fullmatch, named) if m]
    with site.parts.database.read() as tx:
        found = offline.over(tx, asked, now=site.now())
    said = {"over": [code for _, code in found]}
    return Response(msgspec.json.encode(said), media_type="application/json")


@router.post("/arrived")
async def post_arrived(site: SiteOf, request: Request) -> Response:
    """Return which boxes of a lease arrived, by whatever way; nobody need be signed in."""
    try:
        asked = msgspec.json.decode(await request.body(), type=Asked)
        boxes = [bytes.fromhex(each) for each in asked.boxes]
    except (msgspec.DecodeError, ValueError):
        raise FileFormatError(
            'boxes are asked about as {"lease": ..., "boxes": [SHA-256]}'
        ) from None
    found = _LEASE.fullmatch(asked.lease)
    said = Arrived(known=False, arrived=[])
    if found is not None:
        said = await run_in_threadpool(_arrived, site, found[1], found[2], boxes)
    return Response(msgspec.json.encode(said), media_type="application/json")


def _arrived(site: Site, org: str, lease: str, boxes: list[bytes]) -> Arrived:
    with site.parts.database.read() as tx:
        came = offline.arrived(tx, org, lease, boxes)
        known = offline.is_told(tx, org, lease, now=site.now())
    return Arrived(known=known, arrived=[box.hex() for box in came])


@router.get("/{lease}")
def get_lease(lease: str, desk: DeskOf) -> Response:
    """Show the form of a point that was taken along, to be kept by the device."""
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.read() as tx:
        found = offline.load(tx, desk.org, lease)
        offline.check_open(found, now=desk.site.now())
        point, issued, form = offline.leased_form(tx, parts.standard, found)
        serial = organisations.load(tx, desk.org).serial
        count = offline.counts(tx, desk.org, [lease]).get(lease)
    t = desk.t
    if t.language not in point.languages:
        t = Speaker(desk.site.pages.phrases, desk.site.pages.languages[point.languages[0]])
    return desk.site.pages.show(
        desk.request, "offline/lease.html", speaker=t, headers=_KEPT, scripts=LEASE, standard=parts.standard, lease=found,
        point=point, notice=issued.notice, sha256=issued.sha256, serial=serial,
        public_key=b64encode(found.public).decode(), most=offline.MOST if count is None else count.most,
        receipt_url=qr.receipt_url(parts.settings.url, ""),
        full=trusted(html(issued.notice, t.language)), groups=walks.grouped(issued.notice.acts),
        asked=walks.asked(parts.standard, issued.notice, form, form.acts.ids, method=TAKEN_ALONG), acts=form.acts,
        choices={
            f.id: n
            for n, group in enumerate(walks.choices(parts.standard, form), 1)
            for f in group
        },
        pages=[f"/offline/{lease}?lang={code}" for code in point.languages], looked_at=LOOKED_AT,
    )  # fmt: skip


@router.post("/{lease}/boxes")
async def post_box(lease: str, desk: DeskOf) -> Response:
    """Store what is in one sealed box, and answer when it is durable; sent again it is stored once."""
    desk.enter(PART)
    try:
        sent = msgspec.json.decode(await desk.request.body(), type=Sent)
        box = b64decode(sent.box, validate=True)
    except (msgspec.DecodeError, ValueError):
        raise FileFormatError('a box is sent as {"csrf": ..., "box": base64}') from None
    sessions.check_csrf(desk.session, sent.csrf)
    brought = await run_in_threadpool(_bring_in, desk, lease, box)
    said = Taken(brought.index, brought.became)
    return Response(msgspec.json.encode(said), 201, media_type="application/json")


def clerk_of(desk: Desk) -> Clerk:
    """Return what takes boxes in for the organisation of who is signed in."""
    parts = desk.site.parts
    return Clerk(parts.database, parts.keys, parts.standard, parts.writer, desk.org)


def _bring_in(desk: Desk, lease: str, box: bytes) -> Brought:
    return clerk_of(desk).bring_in(lease, box, now=desk.site.now())


@lru_cache(maxsize=1)
def _version() -> str:
    """Return the hash of all that the first page is made of."""
    files = [
        *STATIC.iterdir(), HERE / "templates/base.html", *(HERE / "templates/offline").iterdir(),
        HERE / "texts/site.toml", HERE / "texts/offline.toml",
    ]  # fmt: skip
    return sha256(b"\0".join(path.read_bytes() for path in sorted(files))).hexdigest()[:16]
