"""Emergencies and their levels: seen by all who decide; set by the authority that declared them.

Before a level is changed the page shows what would follow: what may be asked, what no longer, and what
would be due when. It is worked out by the same functions that will do it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.collect import issue
from epilock.collect import point as points
from epilock.db import Transaction
from epilock.errors import EpilockError, ForbiddenError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.registry.emergency import Emergency
from epilock.standard import Standard
from epilock.standard.clock import due as due_of
from epilock.standard.level import LEVELS, History, LevelChange
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.web.console.desk import AUTHORITY, WRONG, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word

router = APIRouter(include_in_schema=False, prefix="/console/levels")
PART = "levels"
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What a change of level means for one circumstance that is collected now: category names."""

    circumstance: str
    points: int
    gained: tuple[Text, ...]
    lost: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sooner:
    """A part whose day would change: its bucket, what it is now, what it would be (None: open)."""

    bucket: str
    part: str
    now: datetime | None
    then: datetime | None
    rule: str


@router.get("")
def get_emergencies(desk: DeskOf) -> Response:
    """Show all emergencies with their levels, and the form that declares one."""
    desk.enter(PART)
    return _listing(desk)


@router.post("")
def post_emergency(desk: DeskOf, form: CheckedForm) -> Response:
    """Declare an emergency; it allows nothing until it has a level."""
    desk.need("custodian")
    if desk.organisation.kind != AUTHORITY:
        raise ForbiddenError("an emergency is declared by a people's government or its command")
    parts, code = desk.site.parts, word(form, "emergency", most=60)
    try:
        with parts.database.write() as tx:
            emergencies.declare(
                tx, parts.log, standard_ref=parts.standard.ref, authority=desk.org, emergency=code,
                kind=word(form, "kind"), area=word(form, "area", most=20) or desk.organisation.area,
                name=Text(word(form, "zh", most=100), word(form, "en", most=100)),
                now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _listing(desk, form, error)
    return desk.go(f"/console/levels/{desk.org}/{code}", done="emergency")


@router.get("/{authority}/{emergency}")
def get_emergency(authority: str, emergency: str, desk: DeskOf, level: str = "") -> Response:
    """Show an emergency's history; with ``level``, what would follow from it."""
    desk.enter(PART)
    return _page(desk, authority, emergency, level)


@router.post("/{authority}/{emergency}")
def post_level(authority: str, emergency: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Set the level from now on."""
    _own(desk, authority)
    parts, level = desk.site.parts, word(form, "level", most=5)
    try:
        with parts.database.write() as tx:
            issue.change_level(
                tx, parts.press, authority=authority, emergency=emergency, level=level,
                issuer=word(form, "issuer", most=200), instrument=word(form, "instrument", most=200),
                date_=day_in(form, "date"),
                expected_end=day_in(form, "expected_end") if word(form, "expected_end") else None,
                now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, authority, emergency, level, form, error)
    return desk.go(f"/console/levels/{authority}/{emergency}", done="level")


def _own(desk: Desk, authority: str) -> None:
    desk.need("custodian")
    if desk.org != authority:
        raise ForbiddenError(
            "only the authority that declared an emergency sets its level (ERL 72)"
        )


def _listing(
    desk: Desk, form: FormData | None = None, error: EpilockError | None = None
) -> Response:
    now = desk.site.now()
    with desk.site.parts.database.read() as tx:
        found = [
            (e, emergencies.history(tx, e.authority, e.emergency).at(now), organisations.load(tx, e.authority))
            for e in emergencies.everything(tx)
        ]  # fmt: skip
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "levels.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, typed=form or FormData(), kinds=emergencies.TYPES,
        may_declare=desk.organisation.kind == AUTHORITY and desk.has("custodian"),
    )  # fmt: skip


def _page(  # noqa: PLR0917 - what the page is about, then what was sent
    desk: Desk,
    authority: str,
    emergency: str,
    level: str,
    form: FormData | None = None,
    error: EpilockError | None = None,
) -> Response:
    if level and level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}")
    standard, now = desk.site.parts.standard, desk.site.now()
    with desk.site.parts.database.read() as tx:
        found = emergencies.load(tx, authority, emergency)
        history = emergencies.history(tx, authority, emergency)
        rows = tx.all(
            emergencies.levels, emergencies.levels.c.org == authority,
            emergencies.levels.c.emergency == emergency,
            order_by=[emergencies.levels.c.effective.desc()],
        )  # fmt: skip
        at = history.at(now)
        shifts = _shifts(tx, standard, found, at, level) if level else ()
        sooner = _sooner(tx, standard, found, history, level, now) if level else ()
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "level.html", here=PART, sums=_sums(shifts, sooner, now) if level else {},
         status=200 if wrong is None else wrong.status, wrong=wrong,
        emergency=found, rows=rows, at=at, level=level, shifts=shifts, sooner=sooner[:MOST_SHOWN],
        more=max(0, len(sooner) - MOST_SHOWN), typed=form or FormData(),
        ended=history.ended_at() is not None, today=desk.site.today().isoformat(),
        may_set=desk.org == authority and desk.has("custodian"),
        choices=[c for c in reversed(LEVELS) if c != at],
    )  # fmt: skip


def _shifts(
    tx: Transaction, standard: Standard, emergency: Emergency, old: str | None, new: str
) -> list[Shift]:
    """Return what changes for each circumstance in which someone collects now."""
    used: dict[str, int] = {}
    for org in organisations.everyone(tx):
        for point in points.listing(tx, org.org, only_open=True):
            if (point.authority, point.emergency) == (emergency.authority, emergency.emergency):
                used[point.circumstance] = used.get(point.circumstance, 0) + 1
    return [
        Shift(
            circumstance=code, points=count,
            gained=_names(standard, _asked(standard, code, new) - _asked(standard, code, old)),
            lost=_names(standard, _asked(standard, code, old) - _asked(standard, code, new)),
        )
        for code, count in sorted(used.items())
    ]  # fmt: skip


def _sums(shifts: Sequence[Shift], sooner: Sequence[Sooner], now: datetime) -> dict[str, int]:
    """Return what would follow, in numbers: points, categories that are gained and lost, parts by their day."""
    at_once = [s for s in sooner if s.then and s.then <= now and not (s.now and s.now <= now)]
    later = [s for s in sooner if s.now and (s.then is None or s.then > s.now)]
    return {
        "points": sum(s.points for s in shifts),
        "gained": sum(len(s.gained) for s in shifts),
        "lost": sum(len(s.lost) for s in shifts),
        "at_once": len(at_once),
        "sooner": len(sooner) - len(at_once) - len(later),
        "later": len(later),
    }


def _asked(standard: Standard, circumstance: str, level: str | None) -> set[str]:
    if level is None:
        return set()
    allows: Mapping[str, object] = standard.circumstances[circumstance].allows
    return {c for c in allows if standard.ask(circumstance, c, level).allowed}


def _names(standard: Standard, codes: set[str]) -> tuple[Text, ...]:
    return tuple(standard.categories[code].name for code in sorted(codes))


def _sooner(  # noqa: PLR0917 - the facts of one question
    tx: Transaction,
    standard: Standard,
    emergency: Emergency,
    history: History,
    level: str,
    now: datetime,
) -> list[Sooner]:
    """Return the parts whose day would change, those that would go first at the top."""
    last = history.changes[-1].at if history.changes else now
    would = History((*history.changes, LevelChange(max(now, last + timedelta(seconds=1)), level)))
    found = []
    for bucket in buckets.listing(tx):
        if (bucket.authority, bucket.emergency) != (emergency.authority, emergency.emergency):
            continue
        for part in bucket.live:
            today, then = (
                due_of(
                    standard, circumstance=bucket.circumstance, part=part, day=bucket.day,
                    clock=bucket.clock, history=h,
                )
                for h in (history, would)
            )  # fmt: skip
            if today.at != then.at:
                found.append(
                    Sooner(
                        bucket=bucket.name, part=part, now=today.at, then=then.at, rule=then.rule
                    )
                )
    return sorted(found, key=lambda s: (s.then is None, s.then or now, s.bucket, s.part))
