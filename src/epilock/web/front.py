"""The front page: what this site is, which levels are in force, and the way to every part of it."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.standard.level import ENDED
from epilock.standard.text import Text
from epilock.web.request import Site, SiteOf

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """An emergency that is not over: its name, who declared it, its level's name."""

    name: Text
    authority: Text
    level: Text


@router.get("/")
def get_front(site: SiteOf, request: Request) -> Response:
    """Show the front page."""
    return site.pages.show(request, "front.html", running=_running(site))


def _running(site: Site) -> list[InForce]:
    now, standard = site.now(), site.parts.standard
    with site.parts.database.read() as tx:
        return [
            InForce(
                name=e.name, authority=organisations.load(tx, e.authority).name,
                level=standard.levels[level].name,
            )
            for e in emergencies.everything(tx)
            for level in [emergencies.history(tx, e.authority, e.emergency).at(now)]
            if level not in {None, ENDED}
        ]  # fmt: skip
