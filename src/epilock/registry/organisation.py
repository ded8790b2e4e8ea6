"""Organisations: who collects, who may receive, who stands above whom.

An organisation's ``range`` is the circulation range (R1-R7 of the standard) in which its staff sees
what *others* collected; what it collects itself it sees as R1. Its ``parent`` is the organisation
whose approver may be the second person when it has none of its own (a village office has one person).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table
from epilock.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard.text import Text

SLUG = re.compile(r"[a-z][a-z0-9-]{1,30}")
AREA = re.compile(r"[0-9]{6}")
MAX_SERIAL = 1 << 15  # the receipt code holds 15 bits of it
KINDS = ("compound", "workplace", "venue", "school", "shelter", "health", "government", "processor")

organisations = sealed_table(
    "organisations",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("serial", sa.Integer, nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("range", sa.String(2), nullable=False),
    sa.Column("parent", sa.String(31)),
    sa.Column("area", sa.String(6), nullable=False),
    sa.Column("name", Json, nullable=False),
    sa.Column("contact", Json, nullable=False),
    sa.Column("registered", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation.

    Attributes:
        org: Its code, such as ``sunny-garden``.
        serial: Its number in this installation, 1 to 32,767; stands in receipt codes.
        kind: One of ``KINDS``.
        range: ``R1`` to ``R6``, see the module.
        parent: Code of the superior organisation or None.
        area: GB/T 2260 code, six digits.
        name: Its name.
        contact: ``address``, ``telephone``, ``officer`` (who answers for personal information),
            ``complaints`` (its own channel, NDSMR 20) and ``supervisor`` (the department over it).
    """

    org: str
    serial: int
    kind: str
    range: str
    parent: str | None
    area: str
    name: Text
    contact: dict[str, str]


CONTACT = ("address", "telephone", "officer", "complaints", "supervisor")


def check_slug(value: str, what: str) -> str:
    """Return ``value`` if it is a code: 2 to 31 of a-z, 0-9 and ``-``, a letter first.

    Raises:
        InputError: It is not.
    """
    if not SLUG.fullmatch(value):
        raise InputError(f"{what} must be 2 to 31 of a-z, 0-9 and '-', beginning with a letter")
    return value


def check_area(value: str) -> str:
    """Return ``value`` if it is a division code of GB/T 2260 (six digits).

    Raises:
        InputError: It is not.
    """
    if not AREA.fullmatch(value):
        raise InputError("an area is a division code of GB/T 2260: six digits, such as 370102")
    return value


def check(*, org: str, kind: str, range_: str, area: str, contact: Mapping[str, str]) -> None:
    """Return if an organisation can be registered so, whatever is registered already.

    Raises:
        InputError: A code, kind, range or contact is not as it should be.
    """
    check_slug(org, "an organisation's code")
    check_area(area)
    if kind not in KINDS:
        raise InputError(f"an organisation's kind must be one of {', '.join(KINDS)}")
    if range_ not in {"R1", "R2", "R3", "R4", "R5", "R6"}:
        raise InputError("range must be R1 to R6 (section 4 of the standard)")
    if set(contact) != set(CONTACT) or not all(contact.values()):
        raise InputError(f"contact needs {', '.join(CONTACT)}")


def register(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    kind: str,
    range_: str,
    parent: str | None,
    area: str,
    name: Text,
    contact: dict[str, str],
    notice_key: str,
    now: datetime,
) -> Organisation:
    """Register an organisation; its entry names the key (vkey) that signs its notices.

    Raises:
        InputError: A code, kind, range or contact is not as it should be.
        ConflictError: The code is taken, or all serials are.
        NotFoundError: The parent is not registered.
    """
    check(org=org, kind=kind, range_=range_, area=area, contact=contact)
    if parent is not None and tx.find(organisations, org=parent) is None:
        raise NotFoundError(f"the superior organisation {parent} is not registered")
    last = tx.conn.execute(sa.select(sa.func.max(organisations.c.serial))).scalar() or 0
    serial = last + 1
    if serial >= MAX_SERIAL:
        raise ConflictError(f"an installation serves at most {MAX_SERIAL - 1} organisations")
    tx.insert(
        organisations, org=org, serial=serial, kind=kind, range=range_, parent=parent, area=area,
        name={"zh": name.zh, "en": name.en}, contact=contact, registered=now,
    )  # fmt: skip
    said = entry.Organisation(
        org=org, standard=standard_ref, at=entry.stamp(now), serial=serial, kind=kind, range=range_,
        parent=parent, area=area, name={"zh": name.zh, "en": name.en}, notice_key=notice_key,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org)


def load(tx: Transaction, org: str) -> Organisation:
    """Return the organisation with code ``org``.

    Raises:
        NotFoundError: It is not registered.
    """
    row = tx.find(organisations, org=org)
    if row is None:
        raise NotFoundError("no organisation of this code is registered here")
    return _organisation(row)


def by_serial(tx: Transaction, serial: int) -> Organisation:
    """Return the organisation whose receipts carry ``serial``.

    Raises:
        NotFoundError: No organisation has it.
    """
    rows = tx.all(organisations, organisations.c.serial == serial)
    if not rows:
        raise NotFoundError("no organisation of this installation gave that receipt")
    return _organisation(rows[0])


def everyone(tx: Transaction) -> list[Organisation]:
    """Return all organisations, oldest first."""
    return [_organisation(r) for r in tx.all(organisations, order_by=[organisations.c.serial])]


def in_ranges(tx: Transaction, ranges: Collection[str]) -> list[Organisation]:
    """Return the organisations of some ranges, oldest first."""
    c = organisations.c
    rows = tx.all(organisations, c.range.in_(sorted(ranges)), order_by=[c.serial])
    return [_organisation(row) for row in rows]


def superiors(tx: Transaction, org: str) -> list[str]:
    """Return the codes above ``org``, the nearest first; a loop in the register ends the list."""
    above: list[str] = []
    parent = load(tx, org).parent
    while parent is not None and parent not in above and parent != org:
        above.append(parent)
        parent = load(tx, parent).parent
    return above


def check_decides(tx: Transaction, by_org: str, org: str) -> None:
    """Return if ``by_org`` may decide about things of ``org``: it is that, or stands above it.

    It is asked before the thing is looked up: nobody else learns whether it is there.

    Raises:
        ForbiddenError: It is neither.
        NotFoundError: ``org`` is not registered.
    """
    if by_org not in {org, *superiors(tx, org)}:
        raise ForbiddenError("this is decided in its organisation, or in one above it")


def below(tx: Transaction, org: str) -> list[Organisation]:
    """Return ``org`` and all organisations below it, oldest first; a loop in the register ends the search."""
    known = everyone(tx)
    inside, found = {org}, 0
    while len(inside) > found:
        found = len(inside)
        inside |= {o.org for o in known if o.parent in inside}
    return [o for o in known if o.org in inside]


def _organisation(row: dict[str, Any]) -> Organisation:
    name = row["name"]
    return Organisation(
        org=row["org"], serial=row["serial"], kind=row["kind"], range=row["range"],
        parent=row["parent"], area=row["area"], name=Text(name["zh"], name["en"]),
        contact=row["contact"],
    )  # fmt: skip
