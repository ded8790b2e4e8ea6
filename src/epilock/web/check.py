"""Checking without us: a page whose script verifies in the browser, and the verifier to take home.

What is put into that page is sent nowhere: its form has no address, and the script asks no network.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock import verifier
from epilock.ledger.shards import all_of
from epilock.web.log import download
from epilock.web.request import SiteOf

router = APIRouter(include_in_schema=False)


@router.get("/log/check")
def get_page(site: SiteOf, request: Request) -> Response:
    """Show the page that checks a receipt, a checkpoint or a proof in the browser."""
    keys = [log.signer.vkey for log in all_of(site.parts.log)]
    return site.pages.show(request, "log/check.html", script=True, keys=keys)


@router.get("/log/verifier.py")
def get_verifier() -> Response:
    """Return the file that verifies without this program."""
    return download(verifier.source(), verifier.NAME, "text/x-python; charset=utf-8")
