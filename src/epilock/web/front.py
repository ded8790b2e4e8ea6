"""The front page: a door for who was asked, who wants to ask and who watches, and the levels in force."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.standard import Standard
from epilock.web.in_force import running
from epilock.web.request import SiteOf

router = APIRouter(include_in_schema=False)


@router.get("/")
def get_front(site: SiteOf, request: Request) -> Response:
    """Show the front page: three doors, and the levels in force."""
    found, standard = running(site), site.parts.standard
    open_at = {e.level: _open_at(standard, e.level) for e in found}
    return site.pages.show(request, "front.html", running=found, standard=standard, open_at=open_at)


def _open_at(standard: Standard, level: str) -> int:
    """Return how many circumstances may ask something at ``level``."""
    return sum(
        any(standard.ask(where.code, category, level).allowed for category in where.allows)
        for where in standard.circumstances.values()
    )
