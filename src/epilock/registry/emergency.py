"""Emergencies and the history of their response levels.

An emergency belongs to the *authority* that declared it (a people's government or its command, ERL
17-20, 72, 86; PHERL 38, 49). Its level in force at an instant is the last change at or before it;
changes are only ever added, in the order of time, so that what was once due stays due.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table
from epilock.errors import ClosedError, ConflictError, InputError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry.organisation import check_area, check_slug
from epilock.standard.level import LEVELS, History, LevelChange
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
    """

    authority: str
    emergency: str
    kind: str
    area: str
    name: Text


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
) -> LevelChange:
    """Set the response level from ``effective`` (now if left out) on.

    The law asks the order to state matter, level and expected period (ERL 72), so issuer, instrument,
    date and expected end are recorded.

    Raises:
        InputError: The level is unknown, or issuer or instrument is empty.
        ConflictError: ``effective`` is not after the last change, or lies in the past.
        ClosedError: The emergency has ended.
    """
    load(tx, authority, emergency)
    at = (effective or now).replace(microsecond=0)
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}")
    if not issuer.strip() or not instrument.strip():
        raise InputError("a level needs the issuer and the instrument it was set by (ERL 72)")
    if at < now - SKEW:
        raise ConflictError("a level cannot be set in the past; give the instant it takes effect")
    past = history(tx, authority, emergency).changes
    if past and past[-1].level == "E":
        raise ClosedError(f"{emergency} has ended; declare a new emergency")
    if past and at <= past[-1].at:
        raise ConflictError(f"the last change takes effect at {past[-1].at.isoformat()}; be later")
    end = None if expected_end is None else expected_end.isoformat()
    tx.insert(
        levels, org=authority, emergency=emergency, effective=at, level=level, issuer=issuer,
        instrument=instrument, date=date_.isoformat(), expected_end=end,
    )  # fmt: skip
    said = entry.Level(
        org=authority, standard=standard_ref, at=entry.stamp(now), emergency=emergency, level=level,
        effective=entry.exact(at), issuer=issuer, instrument=instrument, date=date_.isoformat(),
        expected_end=end,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return LevelChange(at, level)


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


def history(tx: Transaction, authority: str, emergency: str) -> History:
    """Return the level history of the emergency, oldest first."""
    rows = tx.all(
        levels, levels.c.org == authority, levels.c.emergency == emergency,
        order_by=[levels.c.effective],
    )  # fmt: skip
    return History(tuple(LevelChange(r["effective"], r["level"]) for r in rows))


def _emergency(row: dict[str, Any]) -> Emergency:
    name = row["name"]
    return Emergency(
        authority=row["org"], emergency=row["emergency"], kind=row["kind"], area=row["area"],
        name=Text(name["zh"], name["en"]),
    )  # fmt: skip
