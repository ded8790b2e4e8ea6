"""Points: an organisation's declared place of collection, and the notices it has shown.

A point declares every field it may ever ask; which of them are *active* is what the standard allows
at the level in force. A change of level issues a new version of the notice, and with it a new form.

Rules kept in this file:
  1. A field whose category the circumstance never allows cannot be declared at all.
  2. A point with categories of grade 3 or 4 opens only with an impact assessment in force (PIPL 55,
     56).
  3. On law or emergency a point names its mandate; without one it works on consent only (CAC notice
     of 2020-02-04, item 1; PIPL 13).
  4. A notice version is never changed: it is stored with the bytes that were hashed and signed.
"""

import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from os import urandom
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table
from epilock.errors import ClosedError, InputError, NotFoundError, RefusedError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.level import CHINA, LEVELS
from epilock.standard.text import Text

FIELD_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_FIELDS = 100
ASSESSED_GRADE = 3  # of what needs an assessment before; PIPL 55 asks it for what is sensitive
LANGUAGES = ("zh", "en")
PAPER = "paper"  # a way to collect, and what is then kept besides

points = sealed_table(
    "points",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("point", sa.String(40), primary_key=True),
    sa.Column("authority", sa.String(31), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("circumstance", sa.String(40), nullable=False),
    sa.Column("name", Json, nullable=False),
    sa.Column("languages", Json, nullable=False),
    sa.Column("method", sa.String(20), nullable=False),
    sa.Column("media", Json, nullable=False),
    sa.Column("fields", Json, nullable=False),
    sa.Column("basis", sa.String(20), nullable=False),
    sa.Column("mandate", sa.String(20)),
    sa.Column("assessment", sa.String(20)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("closed", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing a point may ask.

    Attributes:
        id: Its name in the form, such as ``mobile``.
        category: Category of the standard.
        label: What the person reads.
        optional: Whether it may be left empty; the standard can make it optional, never required.
        words: Whether it is answered in words of its own, although its category has a list of answers: such as the day
            of a test, of the category of results.
    """

    id: str
    category: str
    label: Text
    optional: bool
    words: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What someone wants to open; ``open_point`` decides.

    Attributes:
        emergency: ``authority/code``, such as ``jinan/outbreak-7``.
        circumstance: Code of the standard.
        name: What the point is called in public.
        languages: Of ``zh`` and ``en``, the first is shown first.
        method: Method of the standard, such as ``qr-form``.
        media: Media of the standard; ``vault`` at least.
        fields: What it may ever ask, in the order of the form.
    """

    emergency: str
    circumstance: str
    name: Text
    languages: tuple[str, ...] = LANGUAGES
    method: str = "qr-form"
    media: tuple[str, ...] = ("vault",)
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An open or closed point; what ``Plan`` does not name is said here.

    Attributes:
        basis: ``consent``, ``law``, ``emergency`` or ``guardian``.
        mandate: Code of the order it acts under, or None (then on consent).
        assessment: Code of its impact assessment, or None.
        version: Of the notice in force, from 1.
    """

    org: str
    point: str
    authority: str
    emergency: str
    circumstance: str
    name: Text
    languages: tuple[str, ...]
    method: str
    media: tuple[str, ...]
    fields: tuple[Field, ...]
    basis: str
    mandate: str | None
    assessment: str | None
    version: int
    closed: datetime | None

    def active(self, standard: Standard, level: str) -> tuple[Field, ...]:
        """Return the fields that may be asked at ``level``, optional where the standard says so."""
        verdicts = [
            (f, standard.ask(self.circumstance, f.category, level, method=self.method))
            for f in self.fields
        ]
        return tuple(
            replace(f, optional=f.optional or v.optional) for f, v in verdicts if v.allowed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A field that cannot be declared, with what would be allowed instead."""

    field: str
    category: str
    rule: str
    source: tuple[str, ...]
    advice: Text


def needs_assessment(standard: Standard, category: str) -> bool:
    """Tell whether an impact assessment must be in force before a point asks for ``category`` (PIPL 55)."""
    return standard.categories[category].grade >= ASSESSED_GRADE


def refusals(standard: Standard, plan: Plan) -> tuple[Refusal, ...]:
    """Return the fields of ``plan`` that its circumstance allows at no level, by its method."""
    found = []
    for field in plan.fields:
        verdicts = [
            standard.ask(plan.circumstance, field.category, level, method=plan.method)
            for level in LEVELS
        ]
        if not any(v.allowed for v in verdicts):
            last = verdicts[-1]
            found.append(
                Refusal(
                    field=field.id,
                    category=field.category,
                    rule=last.rule,
                    source=last.source,
                    advice=last.advice,
                )
            )
    return tuple(found)


def code_for(org: str, form: UUID) -> str:
    """Return the code of the point that is opened by the form of this id: the same however often it is sent."""
    return _code(org, sha256(form.bytes).digest())


def is_there(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether ``org`` has opened a point of this code."""
    return tx.find(points, org=org, point=code) is not None


def _code(org: str, random: bytes) -> str:
    return f"{org}.{b32encode(random).decode().lower()[:6]}"


def open_point(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    plan: Plan,
    now: datetime,
    code: str = "",
) -> Point:
    """Open a point for ``org``; its first notice is issued by ``notice.issue`` in the same transaction.

    ``code`` is the point's (``code_for``), or a fresh one is made.

    A point that collects on paper keeps on paper, whether its plan says so or not.

    Raises:
        InputError: The plan contradicts itself.
        RefusedError: A field is refused at every level, a medium is, or an assessment is missing.
        ClosedError: The emergency has no level or has ended.
    """
    if plan.method == PAPER:
        plan = replace(plan, media=tuple(dict.fromkeys((*plan.media, PAPER))))
    _check(standard, plan)
    organisations.load(tx, org)
    authority, _, emergency = plan.emergency.partition("/")
    emergencies.load(tx, authority, emergency)
    level = emergencies.history(tx, authority, emergency).at(now)
    if level is None or level == "E":
        raise ClosedError(f"{plan.emergency} has no response level in force: nothing may be asked")
    today = now.astimezone(CHINA).date()
    assessment = mandates.find_assessment(tx, org, plan.circumstance, today)
    waiting = [f.id for f in plan.fields if needs_assessment(standard, f.category)]
    if assessment is None and waiting:
        raise RefusedError(
            f"an impact assessment must be in force before a point asks for {', '.join(waiting)}",
            rule="duty/assessment", source=("PIPL-55", "PIPL-56"),
            allowed=f"leave that out, or first record an assessment about {plan.circumstance}",
        )  # fmt: skip
    mandate = mandates.find_mandate(
        tx, org, authority=authority, emergency=emergency, circumstance=plan.circumstance,
        today=today,
    )  # fmt: skip
    basis = _basis(standard, plan.circumstance, has_mandate=mandate is not None)
    code = code or _code(org, urandom(5))
    tx.insert(
        points, org=org, point=code, authority=authority, emergency=emergency,
        circumstance=plan.circumstance, name=plan.name.as_dict(), languages=list(plan.languages),
        method=plan.method, media=list(plan.media), basis=basis,
        fields=[
            {
                "id": f.id, "category": f.category, "label": f.label.as_dict(), "optional": f.optional,
                **({"words": True} if f.words else {}),
            }
            for f in plan.fields
        ],
        mandate=None if mandate is None else mandate.mandate, assessment=assessment, version=0,
        opened=now,
    )  # fmt: skip
    point = load(tx, org, code)
    asked = point.active(standard, level)
    said = entry.Point(
        org=org, standard=standard.ref, at=entry.stamp(now), point=code, authority=authority,
        emergency=emergency, circumstance=plan.circumstance, method=plan.method,
        media=list(plan.media), categories=[f.category for f in asked if not f.optional],
        optional=[f.category for f in asked if f.optional], mandate=point.mandate, basis=basis,
        assessment=assessment,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return point


def close_point(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    point: str,
    reason: str,
    now: datetime,
) -> None:
    """Close a point: from now on it takes nothing; what it took stays under its clocks.

    Raises:
        NotFoundError: ``org`` has no such point.
        ClosedError: It is closed already.
    """
    if load(tx, org, point).closed is not None:
        raise ClosedError(f"{point} is closed already")
    tx.update(points, {"org": org, "point": point}, closed=now)
    said = entry.PointClosed(
        org=org, standard=standard.ref, at=entry.stamp(now), point=point, reason=reason
    )
    log.append(tx, [entry.encode(said)], now=now)


def load(tx: Transaction, org: str, point: str) -> Point:
    """Return the point.

    Raises:
        NotFoundError: ``org`` has no such point.
    """
    row = tx.find(points, org=org, point=point)
    if row is None:
        raise NotFoundError("no such collection point; compare its code or its address")
    return read(row)


def listing(tx: Transaction, org: str, *, only_open: bool = False) -> list[Point]:
    """Return the points of ``org``, the latest first."""
    where = [points.c.org == org]
    if only_open:
        where.append(points.c.closed.is_(None))
    return [read(r) for r in tx.all(points, *where, order_by=[points.c.opened.desc()])]


def that_collect(tx: Transaction, org: str, *, emergency: str, circumstance: str) -> list[Point]:
    """Return the points of ``org``, open and closed, that collect for a circumstance of an emergency, by their code."""
    c = points.c
    rows = tx.all(
        points, c.org == org, c.emergency == emergency, c.circumstance == circumstance,
        order_by=[c.point],
    )  # fmt: skip
    return [read(row) for row in rows]


def count_open(tx: Transaction, authority: str, emergency: str) -> dict[str, int]:
    """Return how many points of any organisation collect in an emergency, by circumstance."""
    c = points.c
    query = (
        sa.select(c.circumstance, sa.func.count())
        .where(c.authority == authority, c.emergency == emergency, c.closed.is_(None))
        .group_by(c.circumstance)
    )
    return dict(tx.conn.execute(query).all())


def count_by_organisation(tx: Transaction) -> dict[str, int]:
    """Return how many points collect, by organisation; without those that have none."""
    c = points.c
    query = sa.select(c.org, sa.func.count()).where(c.closed.is_(None)).group_by(c.org)
    return dict(tx.conn.execute(query).all())


def read(row: dict[str, Any]) -> Point:
    """Return the point that a row of ``points`` states."""
    return Point(
        org=row["org"], point=row["point"], authority=row["authority"],
        emergency=row["emergency"], circumstance=row["circumstance"],
        name=Text(**row["name"]), languages=tuple(row["languages"]), method=row["method"],
        media=tuple(row["media"]),
        fields=tuple(
            Field(**{**f, "label": Text(**f["label"])})
            for f in row["fields"]
        ),
        basis=row["basis"], mandate=row["mandate"], assessment=row["assessment"],
        version=row["version"], closed=row["closed"],
    )  # fmt: skip


def parse(data: dict[str, Any]) -> Plan:
    """Return the plan that a TOML or JSON document ``{"point": {...}, "field": [...]}`` describes.

    Raises:
        InputError: A key is missing, unknown or of the wrong kind; the message names it.
    """
    try:
        document = msgspec.convert(data, _Document, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"the point's description: {error}") from None
    head = document.point
    return Plan(
        emergency=head.emergency, circumstance=head.circumstance, name=head.name.text(),
        languages=tuple(head.languages), method=head.method, media=tuple(head.media),
        fields=tuple(
            Field(id=f.id, category=f.category, label=f.label.text(), optional=f.optional, words=f.words)
            for f in document.field
        ),
    )  # fmt: skip


class _Label(msgspec.Struct, forbid_unknown_fields=True):
    zh: str
    en: str

    def text(self) -> Text:
        return Text(self.zh, self.en)


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    emergency: str
    circumstance: str
    name: _Label
    languages: list[str] = msgspec.field(default_factory=lambda: list(LANGUAGES))
    method: str = "qr-form"
    media: list[str] = msgspec.field(default_factory=lambda: ["vault"])


class _Field(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    category: str
    label: _Label
    optional: bool = False
    words: bool = False


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    point: _Head
    field: list[_Field]


def _check(standard: Standard, plan: Plan) -> None:
    if plan.circumstance not in standard.circumstances:
        raise InputError(
            f"{plan.circumstance!r} is no circumstance of the standard; "
            "see `epilock standard list circumstances`"
        )
    ids = [f.id for f in plan.fields]
    if not 1 <= len(ids) <= MAX_FIELDS or len(set(ids)) != len(ids):
        raise InputError(f"a point has 1 to {MAX_FIELDS} fields, each with an id of its own")
    for field in plan.fields:
        if not FIELD_ID.fullmatch(field.id):
            raise InputError(f"field id {field.id!r} must be a-z, 0-9 and _, a letter first")
        if field.category not in standard.categories:
            raise InputError(f"field {field.id}: {field.category!r} is no category of the standard")
    if not plan.languages or not set(plan.languages) <= set(LANGUAGES):
        raise InputError(f"languages must be of {', '.join(LANGUAGES)}")
    if "/" not in plan.emergency:
        raise InputError("emergency is written authority/code, such as jinan/outbreak-7")
    _check_refusals(standard, plan)


def _check_refusals(standard: Standard, plan: Plan) -> None:
    allowed = standard.circumstances[plan.circumstance].media
    for medium in plan.media:
        if medium not in allowed:
            raise RefusedError(
                f"{plan.circumstance} may not be kept on {medium!r}",
                rule=f"medium/{plan.circumstance}/{medium}", allowed=f"media: {', '.join(allowed)}",
            )  # fmt: skip
    refused = refusals(standard, plan)
    if refused:
        first = refused[0]
        raise RefusedError(
            f"{plan.circumstance} never asks for {', '.join(r.field for r in refused)}",
            rule=first.rule, source=first.source, allowed=first.advice.en,
            allowed_zh=first.advice.zh,
        )  # fmt: skip


def _basis(standard: Standard, circumstance: str, *, has_mandate: bool) -> str:
    """Return the basis in force: the circumstance's own where a mandate carries it, else consent."""
    bases: Sequence[str] = standard.circumstances[circumstance].basis
    if "guardian" in bases and not has_mandate:
        return "guardian"
    lawful = [b for b in bases if b in {"law", "emergency"}]
    return lawful[0] if lawful and has_mandate else "consent"
