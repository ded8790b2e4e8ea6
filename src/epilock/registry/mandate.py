"""What a point may lean on: mandates (orders), agreements with processors, impact assessments.

A point that collects by law or emergency names the order it acts under (CAC notice of 2020-02-04,
item 1; ERL 83, 84): issuer, number, date, scope, end. Without one it works on consent only. A
processor needs an agreement in force (PIPL 21; NDSMR 12: the record is kept three years). A point
with categories of grade 3 or 4 needs an assessment first (PIPL 55, 56: kept three years).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, id_from, metadata, new_id, sealed_table
from epilock.errors import InputError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies_
from epilock.registry import organisation as organisations_
from epilock.standard.level import CHINA

mandates = sealed_table(
    "mandates",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("mandate", sa.String(20), primary_key=True),
    sa.Column("authority", sa.String(31), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("issuer", sa.String(200), nullable=False),
    sa.Column("number", sa.String(100), nullable=False),
    sa.Column("date", sa.String(10), nullable=False),
    sa.Column("circumstances", Json, nullable=False),
    sa.Column("until", sa.String(10)),
    sa.Column("recorded", Instant, nullable=False),
)

agreements = sealed_table(
    "agreements",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("agreement", sa.String(20), primary_key=True),
    sa.Column("processor", sa.String(31), nullable=False),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("categories", Json, nullable=False),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("recorded", Instant, nullable=False),
)

assessments = sealed_table(
    "assessments",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("assessment", sa.String(20), primary_key=True),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("date", sa.String(10), nullable=False),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("recorded", Instant, nullable=False),
)


MANDATE, AGREEMENT, ASSESSMENT = "m", "a", "d"  # how their codes begin
_TABLES = {MANDATE: mandates, AGREEMENT: agreements, ASSESSMENT: assessments}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """An order under which an organisation collects; ``circumstances`` is its scope."""

    org: str
    mandate: str
    authority: str
    emergency: str
    issuer: str
    number: str
    dated: date
    circumstances: tuple[str, ...]
    until: date | None

    def covers(self, circumstance: str, today: date) -> bool:
        """Tell whether the order reaches ``circumstance`` on the calendar day ``today``."""
        in_force = self.dated <= today and (self.until is None or today <= self.until)
        return in_force and circumstance in self.circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """An impact assessment (PIPL 55, 56), kept by the SHA-256 of its report."""

    org: str
    assessment: str
    about: str
    dated: date
    until: date
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A written agreement with a processor (PIPL 21)."""

    org: str
    agreement: str
    processor: str
    purpose: str
    categories: tuple[str, ...]
    until: date


def code_for(kind: str, form: UUID) -> str:
    """Return the code of what is recorded by the form of this id; ``kind`` is MANDATE, AGREEMENT or ASSESSMENT."""
    return id_from(kind, form)


def is_recorded(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether ``org`` has recorded a paper of this code."""
    table = _TABLES.get(code[:1])
    if table is None:
        return False
    key: dict[str, Any] = {list(table.primary_key.columns)[1].name: code}
    return tx.find(table, org=org, **key) is not None


def record_mandate(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    authority: str,
    emergency: str,
    issuer: str,
    number: str,
    date_: date,
    circumstances: tuple[str, ...],
    until: date | None,
    now: datetime,
    code: str = "",
) -> Mandate:
    """Record the order that lets ``org`` collect in ``circumstances``, under ``code`` (``code_for``) or a fresh one.

    Raises:
        InputError: Issuer, number or scope is empty, or it ends before it begins.
        NotFoundError: The emergency is not declared.
    """
    emergencies_.load(tx, authority, emergency)
    if not issuer.strip() or not number.strip() or not circumstances:
        raise InputError("a mandate needs issuer, number and at least one circumstance (ERL 83)")
    if until is not None and until < date_:
        raise InputError("a mandate cannot end before its date")
    values: dict[str, Any] = {
        "authority": authority, "emergency": emergency, "issuer": issuer, "number": number,
        "date": date_.isoformat(), "circumstances": list(circumstances),
        "until": None if until is None else until.isoformat(),
    }  # fmt: skip
    code = code or new_id(MANDATE)
    tx.insert(mandates, org=org, mandate=code, recorded=now, **values)
    said = entry.Mandate(
        org=org, standard=standard_ref, at=entry.stamp(now), mandate=code, **values
    )
    log.append(tx, [entry.encode(said)], now=now)
    return load_mandate(tx, org, code)


def load_mandate(tx: Transaction, org: str, mandate: str) -> Mandate:
    """Return the mandate.

    Raises:
        NotFoundError: ``org`` recorded none of that code.
    """
    return _mandate(tx.get(mandates, org=org, mandate=mandate))


def find_mandate(
    tx: Transaction, org: str, *, authority: str, emergency: str, circumstance: str, today: date
) -> Mandate | None:
    """Return a mandate of ``org`` in force for ``circumstance``, the latest recorded, or None."""
    rows = tx.all(
        mandates, mandates.c.org == org, mandates.c.authority == authority,
        mandates.c.emergency == emergency, order_by=[mandates.c.recorded.desc()],
    )  # fmt: skip
    return next((m for m in map(_mandate, rows) if m.covers(circumstance, today)), None)


def mandates_of(tx: Transaction, org: str) -> list[Mandate]:
    """Return the mandates of ``org``, the latest recorded first."""
    rows = tx.all(mandates, mandates.c.org == org, order_by=[mandates.c.recorded.desc()])
    return [_mandate(r) for r in rows]


def record_agreement(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    processor: str,
    purpose: str,
    categories: tuple[str, ...],
    until: date,
    now: datetime,
    code: str = "",
) -> Agreement:
    """Record a written agreement with the registered organisation ``processor``, under ``code`` or a fresh one.

    Raises:
        InputError: It covers no category.
        NotFoundError: The processor is not registered.
    """
    organisations_.load(tx, processor)
    if not categories:
        raise InputError("an agreement names the categories it covers (PIPL 21)")
    values: dict[str, Any] = {
        "processor": processor, "purpose": purpose, "categories": list(categories),
        "until": until.isoformat(),
    }  # fmt: skip
    code = code or new_id(AGREEMENT)
    tx.insert(agreements, org=org, agreement=code, recorded=now, **values)
    said = entry.Agreement(
        org=org, standard=standard_ref, at=entry.stamp(now), agreement=code, **values
    )
    log.append(tx, [entry.encode(said)], now=now)
    return _agreement(tx.get(agreements, org=org, agreement=code))


def agreements_in_force(tx: Transaction, org: str, today: date) -> list[Agreement]:
    """Return the agreements of ``org`` in force on ``today``."""
    rows = tx.all(
        agreements, agreements.c.org == org, agreements.c.until >= today.isoformat(),
        order_by=[agreements.c.agreement],
    )  # fmt: skip
    return [_agreement(r) for r in rows]


def agreements_of(tx: Transaction, org: str) -> list[Agreement]:
    """Return the agreements of ``org``, the latest recorded first."""
    rows = tx.all(agreements, agreements.c.org == org, order_by=[agreements.c.recorded.desc()])
    return [_agreement(r) for r in rows]


def record_assessment(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    about: str,
    date_: date,
    until: date,
    sha256: str,
    now: datetime,
    code: str = "",
) -> str:
    """Record an impact assessment by the hash of its report, under ``code`` or a fresh one; return its code.

    Raises:
        InputError: It is dated after today, ends before its date, or the hash is not 64 hex digits.
    """
    if date_ > now.astimezone(CHINA).date():
        raise InputError("an assessment is made before it is recorded; its date is not after today")
    if until < date_:
        raise InputError("an assessment cannot end before its date")
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004 - hex SHA-256
        raise InputError("sha256 must be the 64 lower-case hex digits of the report's hash")
    values: dict[str, Any] = {
        "about": about, "date": date_.isoformat(), "until": until.isoformat(), "sha256": sha256,
    }  # fmt: skip
    code = code or new_id(ASSESSMENT)
    tx.insert(assessments, org=org, assessment=code, recorded=now, **values)
    said = entry.Assessment(
        org=org, standard=standard_ref, at=entry.stamp(now), assessment=code, **values
    )
    log.append(tx, [entry.encode(said)], now=now)
    return code


def assessments_of(tx: Transaction, org: str) -> list[Assessment]:
    """Return the assessments of ``org``, the latest recorded first."""
    rows = tx.all(assessments, assessments.c.org == org, order_by=[assessments.c.recorded.desc()])
    return [
        Assessment(
            org=org, assessment=r["assessment"], about=r["about"], sha256=r["sha256"],
            dated=date.fromisoformat(r["date"]), until=date.fromisoformat(r["until"]),
        )
        for r in rows
    ]  # fmt: skip


def find_assessment(tx: Transaction, org: str, about: str, today: date) -> str | None:
    """Return the code of an assessment of ``about`` in force on ``today``, or None."""
    rows = tx.all(
        assessments, assessments.c.org == org, assessments.c.about == about,
        assessments.c.date <= today.isoformat(), assessments.c.until >= today.isoformat(), order_by=[assessments.c.recorded.desc()],
        limit=1,
    )  # fmt: skip
    return str(rows[0]["assessment"]) if rows else None


def _mandate(row: dict[str, Any]) -> Mandate:
    return Mandate(
        org=row["org"], mandate=row["mandate"], authority=row["authority"],
        emergency=row["emergency"], issuer=row["issuer"], number=row["number"],
        dated=date.fromisoformat(row["date"]), circumstances=tuple(row["circumstances"]),
        until=None if row["until"] is None else date.fromisoformat(row["until"]),
    )  # fmt: skip


def _agreement(row: dict[str, Any]) -> Agreement:
    return Agreement(
        org=row["org"], agreement=row["agreement"], processor=row["processor"],
        purpose=row["purpose"], categories=tuple(row["categories"]),
        until=date.fromisoformat(row["until"]),
    )  # fmt: skip
