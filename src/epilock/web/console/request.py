"""Residents' requests: with a receipt a person acts alone; without it an officer records, another approves.

The page names places and reasons, never what someone gave.
"""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.destroy import request as requests
from epilock.store import bucket as buckets
from epilock.web.console.desk import CheckedForm, DeskOf
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/requests")
PART = "requests"
MOST = 100


@router.get("")
def get_requests(desk: DeskOf) -> Response:
    """Show what residents can do, and the requests that were recorded, the latest first."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = requests.listing(tx, desk.org, limit=MOST)
        places = {r.bucket: buckets.load(tx, desk.org, r.bucket) for r in found}
    return desk.show("requests.html", here=PART, found=found, places=places)


@router.post("/{bucket}/{n}")
def post_request(bucket: int, n: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Record that the person of a record asks for it to be erased; another person decides."""
    desk.enter(PART)
    with desk.site.parts.database.write() as tx:
        requests.ask(
            tx, org=desk.org, bucket=bucket, n=n, reason=word(form, "reason", most=20), by=desk.who,
            now=desk.site.now(),
        )  # fmt: skip
    return desk.go("/console/requests", done="asked")
