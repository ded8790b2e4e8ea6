"""The standard and the levels in force, for programs: questions that anyone may ask, nothing is stored."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from epilock.errors import InputError
from epilock.registry import emergency as emergencies
from epilock.standard import clock
from epilock.standard.model import Verdict
from epilock.web.api.model import (
    Answer,
    Calendar,
    Change,
    EmergencyLevel,
    StandardVersion,
    Words,
)
from epilock.web.request import Site, SiteOf

router = APIRouter(prefix="/api", tags=["standard"])
Code = Annotated[str, Query(min_length=1, max_length=60)]
Maybe = Annotated[str | None, Query(max_length=60)]


@router.get("/standard")
def get_standard(site: SiteOf) -> StandardVersion:
    """Return the version in force and its codes with their names."""
    standard = site.parts.standard
    return StandardVersion(
        version=standard.version, sha256=standard.hash, ref=standard.ref,
        circumstances={c: Words.of(v.name) for c, v in standard.circumstances.items()},
        categories={c: Words.of(v.name) for c, v in standard.categories.items()},
        purposes={c: Words.of(v.name) for c, v in standard.purposes.items()},
        levels={c: Words.of(v.name) for c, v in standard.levels.items()},
    )  # fmt: skip


@router.get("/standard/ask")
def get_ask(  # noqa: PLR0917 - one question
    site: SiteOf,
    circumstance: Code,
    category: Code,
    level: Code,
    method: Maybe = None,
    medium: Maybe = None,
) -> Answer:
    """Say whether a category may be asked in a circumstance at a level, in this way, kept there."""
    found = site.parts.standard.ask(circumstance, category, level, method=method, medium=medium)
    return _answer(site, found)


@router.get("/standard/see")
def get_see(  # noqa: PLR0917 - one question
    site: SiteOf,
    circumstance: Code,
    category: Code,
    purpose: Code,
    range: Code,  # noqa: A002 - the standard's word
    form: Code,
) -> Answer:
    """Say whether staff in a circulation range may see a category for a purpose in a form."""
    found = site.parts.standard.see(circumstance, category, purpose=purpose, range=range, form=form)
    return _answer(site, found)


@router.get("/standard/due")
def get_due(  # noqa: PLR0917 - one question
    site: SiteOf,
    authority: Code,
    emergency: Code,
    circumstance: Code,
    part: Code,
    day: date,
    starts: Code = "collection",
) -> Calendar:
    """Say when a part of a bucket is due, by the levels recorded so far."""
    standard = site.parts.standard
    with site.parts.database.read() as tx:
        emergencies.load(tx, authority, emergency)
        history = emergencies.history(tx, authority, emergency)
    try:
        due = clock.due(
            standard, circumstance=circumstance, part=part, day=day, clock=starts, history=history
        )
    except OverflowError:
        raise InputError("day lies too far away") from None
    return Calendar(at=due.at, last_day=due.last_day, rule=due.rule, standard=standard.ref)


@router.get("/emergencies", tags=["emergencies"])
def get_emergencies(site: SiteOf) -> list[EmergencyLevel]:
    """Return all emergencies with the level in force and their history."""
    found = []
    with site.parts.database.read() as tx:
        for one in emergencies.everything(tx):
            history = emergencies.history(tx, one.authority, one.emergency)
            found.append(
                EmergencyLevel(
                    authority=one.authority, emergency=one.emergency, kind=one.kind, area=one.area,
                    name=Words.of(one.name), level=history.at(site.now()),
                    history=[Change(at=c.at, level=c.level) for c in history.changes],
                )
            )  # fmt: skip
    return found


def _answer(site: Site, verdict: Verdict) -> Answer:
    return Answer(
        allowed=verdict.allowed, rule=verdict.rule, source=list(verdict.source),
        optional=verdict.optional, advice=Words.of(verdict.advice), standard=site.parts.standard.ref,
    )  # fmt: skip
