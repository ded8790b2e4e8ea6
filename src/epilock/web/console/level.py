"""Emergencies and their levels: seen by all who decide; set by the authority that declared them.

Before a level is changed the page shows what would follow: what may be asked, what no longer, and what
would be due when. It is worked out by the same functions that will do it, and only what was shown is set: if the level
moved meanwhile, the page shows anew what would follow. A level is in force when the page answers;
the notices that follow are issued beside it, and it shows how far that is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.beside import PATIENCE, Name
from epilock.collect import point as points
from epilock.collect import reissue
from epilock.collect.issue import to_be_issued
from epilock.db import Transaction
from epilock.destroy.foresee import Foreseen, foresee
from epilock.errors import ClosedError, EpilockError, ForbiddenError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.registry.emergency import Emergency
from epilock.standard import Standard
from epilock.standard.level import LEVELS
from epilock.standard.text import Text
from epilock.web.console import levels as lists
from epilock.web.console.computed import arrange
from epilock.web.console.desk import AUTHORITY, CheckedForm, Desk, DeskOf
from epilock.web.console.levels import Leveled
from epilock.web.problem import of as problem_of
from epilock.web.request import lone_day, word
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/levels")
PART = "levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What a change of level means for one circumstance that is collected now: category names."""

    circumstance: str
    points: int
    gained: tuple[Text, ...]
    lost: tuple[Text, ...]


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
    """Show an emergency's history; with ``level``, what would follow from it, each day in a list."""
    desk.enter(PART)
    return _page(desk, authority, emergency, level)


@router.post("/{authority}/{emergency}")
def post_level(authority: str, emergency: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Set the level from now on, as it was looked at, and let the notices of all points be issued anew."""
    _own(desk, authority)
    parts, level = desk.site.parts, word(form, "level", most=5)
    date_, end, slips = _days(form, desk.site.now())
    if date_ is None or slips:
        return _page(desk, authority, emergency, level, form, slips=slips)
    try:
        with parts.database.write() as tx:
            emergencies.change_level(
                tx, parts.log, standard_ref=parts.standard.ref, authority=authority,
                emergency=emergency, level=level, issuer=word(form, "issuer", most=200),
                instrument=word(form, "instrument", most=200), date_=date_, expected_end=end,
                now=desk.site.now(), seen=_seen(form),
            )  # fmt: skip
    except ClosedError as error:  # nothing follows from a level any more
        return _page(desk, authority, emergency, "", form, error)
    except WRONG as error:
        return _page(desk, authority, emergency, level, form, error)
    of = (authority, emergency)
    go_on = partial(reissue.go_on, parts.database, parts.press, now=parts.now, of=of)
    work = parts.works.begin(_work(*of), lambda told: go_on(told=told), wait=PATIENCE)
    done = "" if work.is_under_way or work.problem else "level"
    return desk.go(f"/console/levels/{authority}/{emergency}", done=done)


def _days(form: FormData, now: datetime) -> tuple[date | None, date | None, Slips]:
    """Return the day of the order and the expected end, and what is wrong with these or with who set it."""
    date_, end, slips = None, None, Slips()
    try:
        date_ = lone_day(form, "date")
        emergencies.check_date(date_, now=now)
    except InputError as error:
        slips["date"] = error
    try:
        end = lone_day(form, "expected_end") if word(form, "expected_end") else None
        emergencies.check_end(end, now)
    except InputError as error:
        slips["expected_end"] = error
    for name in ("issuer", "instrument"):
        with at(name, slips):
            if not word(form, name):
                raise InputError("the law asks who set the level, and by which order (ERL 72)")
    return date_, end, slips


def _seen(form: FormData) -> int:
    """Return how many changes the preview knew that the form stood on; -1 if the form doesn't say it."""
    said = word(form, "seen", most=9)
    return int(said) if said.isascii() and said.isdigit() else -1


def _work(authority: str, emergency: str) -> Name:
    return ("notices", authority, emergency)


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
            Leveled(
                emergency=e, authority=organisations.load(tx, e.authority),
                level=emergencies.history(tx, e.authority, e.emergency).at(now),
            )
            for e in emergencies.everything(tx)
        ]  # fmt: skip
    page = arrange(lists.emergencies(found), found, desk.query)
    if page.export:
        return page.file("emergencies")
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "levels.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, authorities={e.authority.org: e.authority for e in found}, unset=lists.NONE,
        typed=form or FormData(), kinds=emergencies.TYPES,
        may_declare=desk.organisation.kind == AUTHORITY and desk.has("custodian"),
    )  # fmt: skip


def _page(  # noqa: PLR0917 - what the page is about, then what was sent
    desk: Desk,
    authority: str,
    emergency: str,
    level: str,
    form: FormData | None = None,
    error: Exception | None = None,
    slips: Slips | None = None,
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
        at, left = history.at(now), len(to_be_issued(tx, now=now, of=(authority, emergency)))
        shifts = _shifts(tx, standard, found, at, level) if level else ()
        sooner = foresee(tx, standard, authority, emergency, level, now=now) if level else []
    page = arrange(lists.days(found, level, sooner, now), sooner, desk.query) if level else None
    if page is not None and page.export:
        return page.file(f"level-{level}")
    work = desk.site.parts.works.of(_work(authority, emergency))
    if error is None and left and work is not None:
        error = work.problem
    wrong = None if error is None else problem_of(error)
    moved, seen = [s for s in shifts if s.gained or s.lost], str(len(history.changes))
    return desk.show(
        "level.html", here=PART, status=status(wrong, slips or {}), wrong=wrong,
        left=left, work=work if work is not None and work.is_under_way else None,
        emergency=found, rows=rows, at=at, level=level, shifts=moved, page=page, days=len(sooner),
        still=[s for s in shifts if s not in moved], sums=_sums(shifts if level != at else (), sooner, now) if level else {},
        last=rows[0] if rows else None, typed=form or FormData(),
        slips=slips or {},
        # What was looked at stays what it was while only a day is put right.
        seen=word(form, "seen") if form and slips else seen,
        ended=history.ended_at() is not None, today=desk.site.today().isoformat(),
        may_set=desk.org == authority and desk.has("custodian"), choices=tuple(reversed(LEVELS)),
    )  # fmt: skip


def _shifts(
    tx: Transaction, standard: Standard, emergency: Emergency, old: str | None, new: str
) -> list[Shift]:
    """Return what changes for each circumstance in which someone collects now."""
    used = points.count_open(tx, emergency.authority, emergency.emergency)
    return [
        Shift(
            circumstance=code, points=count,
            gained=_names(standard, _asked(standard, code, new) - _asked(standard, code, old)),
            lost=_names(standard, _asked(standard, code, old) - _asked(standard, code, new)),
        )
        for code, count in sorted(used.items())
    ]  # fmt: skip


def _sums(shifts: Sequence[Shift], found: Sequence[Foreseen], now: datetime) -> dict[str, int]:
    """Return what would follow, in numbers: points, categories that are gained and lost, parts by their day."""
    parts = Counter[str]()
    for each in found:
        parts[lists.effect(each, now)] += each.parts
    return {
        "points": sum(s.points for s in shifts),
        "gained": sum(len(s.gained) for s in shifts),
        "lost": sum(len(s.lost) for s in shifts),
        **{name: parts[name] for name in lists.EFFECTS},
    }


def _asked(standard: Standard, circumstance: str, level: str | None) -> set[str]:
    if level is None:
        return set()
    allows: Mapping[str, object] = standard.circumstances[circumstance].allows
    return {c for c in allows if standard.ask(circumstance, c, level).allowed}


def _names(standard: Standard, codes: set[str]) -> tuple[Text, ...]:
    return tuple(standard.categories[code].name for code in sorted(codes))
