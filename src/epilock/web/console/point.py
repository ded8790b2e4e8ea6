"""Points of the organisation: the list, one point with its code, poster and count, closing it."""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.collect import issue, offline, qr, tally
from epilock.collect import point as points
from epilock.collect.notice import fingerprint
from epilock.collect.notice_page import html
from epilock.collect.point import Point
from epilock.db import Transaction
from epilock.errors import InputError
from epilock.registry import emergency as emergencies
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.log import download
from epilock.web.page import trusted
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/points")
PART = "points"
CLOSING = ("finished", "moved", "not-needed", "mistake", "instructed")  # why a point closes


@router.get("")
def get_points(desk: DeskOf) -> Response:
    """Show the points, the latest first."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        page = listing.find(tx, _plan(desk), desk.query, points.points.c.org == desk.org)
        counts = tally.so_far(tx, desk.org)
        names = {(e.authority, e.emergency): e.name for e in emergencies.everything(tx)}
    if page.export:
        return page.file("points")
    return desk.show("points.html", here=PART, page=page, counts=counts, names=names)


@router.get("/{point}")
def get_point(point: str, desk: DeskOf) -> Response:
    """Show one point: its address, what it asks now, its notice, what people did."""
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.read() as tx:
        found, issued = issue.in_force(tx, desk.org, point)
        versions = [
            issue.version_of(tx, desk.org, point, v) for v in range(issued.notice.version, 0, -1)
        ]
        seen = tally.totals(tx, desk.org, point)
        counts = _counts(desk, tx, point)
        taken = offline.count_running(tx, desk.org, point, now=desk.site.now())
    address = _address(desk, point)
    asked = found.active(parts.standard, issued.notice.level)
    ids = {f.id for f in asked}
    return desk.show(
        "point.html", here=PART, point=found, issued=issued, address=address, asked=asked,
        waiting=[f for f in found.fields if f.id not in ids], closing=CLOSING,
        counts=counts, taken=taken,
        image=trusted(qr.svg(address, title=desk.name(found.name))),
        full=trusted(html(issued.notice, desk.t.language)), versions=versions, seen=seen,
    )  # fmt: skip


@router.get("/{point}/notice/{version}")
def get_version(point: str, version: int, desk: DeskOf) -> Response:
    """Show one version of the notice, as people saw it."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        issued = issue.version_of(tx, desk.org, point, version)
        row = tally.totals(tx, desk.org, point).get(issued.sha256)
    return desk.show(
        "notice.html", here=PART, issued=issued, row=row,
        full=trusted(html(issued.notice, desk.t.language)),
    )  # fmt: skip


@router.get("/{point}/poster.pdf")
def get_poster(point: str, desk: DeskOf) -> Response:
    """Return the A4 poster."""
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.read() as tx:
        found, issued = issue.in_force(tx, desk.org, point)
    body = issue.poster_of(parts.press, found, issued, now=desk.site.now())
    return download(body, f"{point}-v{issued.notice.version}.pdf", "application/pdf")


@router.get("/{point}/count")
def get_count(point: str, desk: DeskOf) -> Response:
    """Show how many people have answered so far, large enough to be seen from a table away."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = points.load(tx, desk.org, point)
        counts = _counts(desk, tx, point)
    return desk.show("point_count.html", here=PART, point=found, counts=counts, script=True)


@router.get("/{point}/code.png")
def get_code(point: str, desk: DeskOf) -> Response:
    """Return the QR code alone, as a picture."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        points.load(tx, desk.org, point)
    return download(qr.png(_address(desk, point)), f"{point}.png", "image/png")


@router.post("/{point}/close")
def post_close(point: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Close a point; what it took stays under its clocks."""
    desk.enter(PART)
    parts, reason = desk.site.parts, word(form, "reason", most=40)
    if reason not in CLOSING:
        raise InputError(f"a point closes for one of {', '.join(CLOSING)}; it stands in the log")
    with parts.database.write() as tx:
        taken = offline.count_running(tx, desk.org, point, now=desk.site.now())
        if taken and not word(form, "sure"):
            raise InputError(
                "devices have this point with them: tick that what they have not sent is lost, or send it first"
            )
        points.close_point(
            tx, parts.log, parts.standard, org=desk.org, point=point, reason=reason,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/points", done="closed")


def _plan(desk: Desk) -> Plan[Point]:
    c = points.points.c
    return Plan(
        path="/console/points", table=points.points, key=c.point, read=lambda _, rows: [points.read(row) for row in rows], order="-opened",
        sorts={"opened": c.opened, "circumstance": c.circumstance},
        filters={
            "state": Filter(
                where=lambda s: c.closed.is_(None) if s == "open" else c.closed.is_not(None),
                options=("open", "closed"),
            ),
            "circumstance": listing.equal(c.circumstance, tuple(desk.site.parts.standard.circumstances)),
        },
        columns={
            "point": lambda p: p.point, "emergency": lambda p: f"{p.authority}/{p.emergency}",
            "circumstance": lambda p: p.circumstance, "method": lambda p: p.method,
            "basis": lambda p: p.basis, "notice": lambda p: p.version,
            "closed": lambda p: p.closed or "",
        },
    )  # fmt: skip


def _address(desk: Desk, point: str) -> str:
    mark = fingerprint(desk.site.parts.notice_signer(desk.org).verifier.public)
    return qr.point_url(desk.site.parts.settings.url, point, mark)


def _counts(desk: Desk, tx: Transaction, point: str) -> dict[str, int]:
    """Return what has been counted at ``point`` since it opened, nothing as 0."""
    return tally.so_far(tx, desk.org, point).get(point, dict.fromkeys(tally.KINDS, 0))
