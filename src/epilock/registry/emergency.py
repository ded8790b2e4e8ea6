"""Emergencies and the history of their response levels.

An emergency belongs to the *authority* that declared it (a people's government or its command, ERL
17-20, 72, 86; PHERL 38, 49). Its level in force at an instant is the last change at or before it;
changes are only ever added, in the order of time, so that what was once due stays due.

An order may set the level that is set already: it renews it, and says until when instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table
from epilock.errors import ClosedError, ConflictError, InputError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry.organisation import check_area, check_slug
from epilock.standard.level import CHINA, LEVELS, History, LevelChange
from epilock.standard.text import Text

TYPES = ("natural-disaster", "accident", "public-health", "social-security")
SKEW = timedelta(minutes=5)  # a change may be entered this long after it took effect

emergencies = sealed_table(
    "emergencies",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("emergency", sa.String(31), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("area", sa.String(6), nullable=False),
    sa.Column("name", Json, nullable=False),
    sa.Column("declared", Instant, nullable=False),
)

levels = sealed_table(
    "levels",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("emergency", sa.String(31), primary_key=True),
    sa.Column("effective", Instant, primary_key=True),
    sa.Column("level", sa.String(3), nullable=False),
    sa.Column("issuer", sa.String(200), nullable=False),
    sa.Column("instrument", sa.String(200), nullable=False),
    sa.Column("date", sa.String(10), nullable=False),
    sa.Column("expected_end", sa.String(10)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """One emergency.

    Attributes:
        authority: Organisation that declared it.
        emergency: Its code, such as ``outbreak-7``.
        kind: One of ``TYPES`` (GB/T 35561-2017).
        area: GB/T 2260 code, six digits.
        name: Its name.
        declared: When.
    """

    authority: str
    emergency: str
    kind: str
    area: str
    name: Text
    declared: datetime


def declare(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    authority: str,
    emergency: str,
    kind: str,
    area: str,
    name: Text,
    now: datetime,
) -> Emergency:
    """Declare an emergency; it has no level, and so allows nothing, until ``change_level``.

    Raises:
        InputError: A code, type or area is not as it should be.
        ConflictError: The authority has an emergency of that code.
    """
    check_slug(emergency, "an emergency's code")
    check_area(area)
    if kind not in TYPES:
        raise InputError(f"an emergency's type must be one of {', '.join(TYPES)}")
    named = {"zh": name.zh, "en": name.en}
    tx.insert(
        emergencies, org=authority, emergency=emergency, kind=kind, area=area, name=named,
        declared=now,
    )  # fmt: skip
    said = entry.Emergency(
        org=authority, standard=standard_ref, at=entry.stamp(now), emergency=emergency, kind=kind,
        area=area, name=named,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, authority, emergency)


def change_level(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    authority: str,
    emergency: str,
    level: str,
    issuer: str,
    instrument: str,
    date_: date,
    expected_end: date | None,
    now: datetime,
    effective: datetime | None = None,
    seen: int | None = None,
) -> LevelChange:
    """Set the response level from ``effective`` (now if left out) on.

    The law asks the order to state matter, level and expected period (ERL 72), so issuer, instrument,
    date and expected end are recorded. What was set last is not set once more: who sends it again is
    answered with it. ``seen`` is how many changes there were when whoever sets it looked at what would follow.

    Raises:
        InputError: The level is unknown, issuer or instrument is empty, or a day is impossible.
        ConflictError: ``effective`` is not after the last change, or lies in the past; the level was changed since
            ``seen``; or it is set already, with the same expected end.
        ClosedError: The emergency has ended.
    """
    log.append(tx, [], now=now)  # holds the log's head: one change is judged at a time
    load(tx, authority, emergency)
    at = (effective or now).replace(microsecond=0)
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}")
    if not issuer.strip() or not instrument.strip():
        raise InputError("a level needs the issuer and the instrument it was set by (ERL 72)")
    check_date(date_, now=now)
    check_end(expected_end, at)
    if at < now - SKEW:
        raise ConflictError("a level cannot be set in the past; give the instant it takes effect")
    past = history(tx, authority, emergency).changes
    end = None if expected_end is None else expected_end.isoformat()
    facts = {
        "level": level, "issuer": issuer, "instrument": instrument, "date": date_.isoformat(),
        "expected_end": end,
    }  # fmt: skip
    last = tx.get(levels, org=authority, emergency=emergency, effective=past[-1].at) if past else {}
    if last and effective is None and all(last[n] == value for n, value in facts.items()):
        return past[-1]
    if last and last["level"] == "E":
        raise ClosedError(f"{emergency} has ended; declare a new emergency")
    if seen is not None and seen != len(past):
        raise ConflictError(
            "nothing was set: the level was changed since you looked; read what would follow now, and confirm that"
        )
    if last and (last["level"], last["expected_end"]) == (level, end):
        raise ConflictError(
            "this level is set already; an order that renews it names another expected end"
        )
    if past and at <= past[-1].at:
        raise ConflictError(f"the last change takes effect at {past[-1].at.isoformat()}; be later")
    tx.insert(levels, org=authority, emergency=emergency, effective=at, **facts)
    said = entry.Level(
        org=authority, standard=standard_ref, at=entry.stamp(now), emergency=emergency, level=level,
        effective=entry.exact(at), issuer=issuer, instrument=instrument, date=date_.isoformat(),
        expected_end=end,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return LevelChange(at, level)


def check_date(date_: date, *, now: datetime) -> None:
    """Return if an order may bear the day ``date_``.

    Raises:
        InputError: It is to come.
    """
    if date_ > now.astimezone(CHINA).date():
        raise InputError("an order is given before it is entered; its date is not after today")


def check_end(expected_end: date | None, effective: datetime) -> None:
    """Return if a level that takes effect then may be expected to end on a day, or on none.

    Raises:
        InputError: The day is not after that on which it takes effect.
    """
    if expected_end is not None and expected_end <= effective.astimezone(CHINA).date():
        raise InputError("the expected end is after the day on which the level takes effect")


def load(tx: Transaction, authority: str, emergency: str) -> Emergency:
    """Return the emergency.

    Raises:
        NotFoundError: The authority declared none of that code.
    """
    row = tx.find(emergencies, org=authority, emergency=emergency)
    if row is None:
        raise NotFoundError("this authority declared no emergency of that code (authority/code)")
    return _emergency(row)


def everything(tx: Transaction) -> list[Emergency]:
    """Return all emergencies, oldest first."""
    return [_emergency(r) for r in tx.all(emergencies, order_by=[emergencies.c.declared])]


def named(tx: Transaction, codes: Sequence[str]) -> dict[str, Text]:
    """Return what the emergencies of ``codes`` are called, in their order; of one code under two authorities, either."""
    names = {e.emergency: e.name for e in everything(tx)}
    return {code: names[code] for code in codes}


def history(tx: Transaction, authority: str, emergency: str) -> History:
    """Return the level history of the emergency, oldest first."""
    rows = tx.rows(levels, org=authority, emergency=emergency)
    changes = [LevelChange(r["effective"], r["level"]) for r in rows]
    return History(tuple(sorted(changes, key=lambda change: change.at)))


def _emergency(row: dict[str, Any]) -> Emergency:
    name = row["name"]
    return Emergency(
        authority=row["org"], emergency=row["emergency"], kind=row["kind"], area=row["area"],
        name=Text(name["zh"], name["en"]), declared=row["declared"],
    )  # fmt: skip
