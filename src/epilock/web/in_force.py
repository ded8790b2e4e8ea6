"""The emergencies that are running and their levels: what "now" means on every page that says it."""

from dataclasses import dataclass

from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.standard.level import ENDED, severity
from epilock.standard.text import Text
from epilock.web.request import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An emergency that is not over.

    Attributes:
        code: ``authority/emergency``, such as ``jinan/outbreak-7``.
        name: Its name.
        authority: Name of who declared it.
        level: The level in force, never ``E``.
    """

    code: str
    name: Text
    authority: Text
    level: str


def running(site: Site) -> list[Running]:
    """Return the emergencies that are running now, the gravest first."""
    now = site.now()
    with site.parts.database.read() as tx:
        found = [
            Running(
                code=f"{e.authority}/{e.emergency}", name=e.name, level=level,
                authority=organisations.load(tx, e.authority).name,
            )
            for e in emergencies.everything(tx)
            for level in [emergencies.history(tx, e.authority, e.emergency).at(now)]
            if level is not None and level != ENDED
        ]  # fmt: skip
    return sorted(found, key=lambda e: -severity(e.level))
