"""Residents' requests: with a receipt a person acts alone; without it an officer records, another approves.

The page names places and reasons, never what someone gave.
"""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.destroy import request as requests
from epilock.destroy.erasure import REASONS
from epilock.destroy.request import Request
from epilock.store import bucket as buckets
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, DeskOf
from epilock.web.console.listing import Plan
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/requests")
PART = "requests"
_C = requests.erasure_requests.c
_PLAN: Plan[Request] = Plan(
    path="/console/requests", table=requests.erasure_requests, key=_C.request,
    read=lambda _, rows: [Request(**row) for row in rows], sorts={"asked": _C.asked}, order="-asked",
    filters={
        "state": listing.equal(_C.stage, requests.STAGES),
        "reason": listing.equal(_C.reason, tuple(REASONS)),
        "since": listing.since(_C.asked), "until": listing.until(_C.asked),
    },
    columns={
        "request": lambda r: r.request, "reason": lambda r: r.reason, "asked": lambda r: r.asked,
        "due": lambda r: r.due, "stage": lambda r: r.stage, "recorded_by": lambda r: r.by,
        "decided_by": lambda r: r.decided_by or "", "decided": lambda r: r.decided or "",
    },
)  # fmt: skip


@router.get("")
def get_requests(desk: DeskOf) -> Response:
    """Show what residents can do, and the requests that were recorded, the latest first."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        page = listing.find(tx, _PLAN, desk.query, _C.org == desk.org)
        places = {r.bucket: buckets.load(tx, desk.org, r.bucket) for r in page.rows}
    if page.export:
        return page.file("requests")
    return desk.show(
        "requests.html", here=PART, page=page, places=places, days=requests.ANSWER_WITHIN.days,
        stages=requests.STAGES, reasons=tuple(REASONS),
    )  # fmt: skip


@router.post("/{bucket}/{n}")
def post_request(bucket: int, n: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Record that the person of a record asks for it to be erased; another person decides. Sent again, it is done."""
    desk.enter(PART)
    reason = word(form, "reason", most=20)
    with desk.site.parts.database.write() as tx:
        known = requests.waiting_for(tx, desk.org, bucket, n)
        if known is not None and (known.by, known.reason) == (desk.who, reason):
            return desk.go("/console/requests", done="asked_before")
        requests.ask(
            tx, org=desk.org, bucket=bucket, n=n, reason=reason, by=desk.who, now=desk.site.now()
        )
    return desk.go("/console/requests", done="asked")
