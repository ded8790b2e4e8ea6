"""Told afterwards: letters for the persons of an import, and the register of who was told (PIPL 18).

A letter holds the receipt code, with which its person sees, corrects and withdraws. Whoever holds a code can
see the record: so letters are made for who signed in, and the ledger says so before the first one leaves.

Rules kept in this file:
  1. Codes are computed when they are asked for; the database holds none.
  2. No letter for a record that is erased or destroyed.
  3. A row is told once; the numbers that the ledger states are counted from records that came in.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.collect import code
from epilock.collect.intake import register
from epilock.collect.intake.register import Import
from epilock.collect.intake.run import Intake
from epilock.db import Transaction
from epilock.errors import ConflictError, InputError, StateError
from epilock.ledger import entry
from epilock.registry import organisation as organisations
from epilock.store import vault
from epilock.store.bucket import LIVE

WAYS = ("letter", "message", "telephone", "in-person", "posted")
STEP = 4096  # rows that are looked up at a time
ALIVE = (LIVE, vault.MOVED)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one person is to be sent.

    Attributes:
        row: Number of their row in the list.
        code: Receipt code.
    """

    row: int
    code: str


def announce(intake: Intake, org: str, import_id: str, *, by: str, now: datetime) -> Import:
    """Enter in the ledger that letters are made, and return the import; ``letters`` makes them.

    Raises:
        NotFoundError: There is no such import.
    """
    with intake.database.write() as tx:
        found = register.load(tx, org, import_id)
        said = entry.ImportNotices(
            org=org, standard=intake.standard.ref, at=entry.stamp(now), import_id=import_id,
            records=found.stored, by=by,
        )  # fmt: skip
        intake.log.append(tx, [entry.encode(said)], now=now)
    return found


def letters(intake: Intake, found: Import) -> Iterator[Letter]:
    """Yield a letter for each record that is there, in the order of rows, after ``announce``."""
    with intake.database.read() as tx:
        serial = organisations.load(tx, found.org).serial
        batches = register.batches_of(tx, found)
    for batch in batches:
        for first in range(batch["first_row"], batch["last_row"] + 1, STEP):
            last = min(first + STEP - 1, batch["last_row"])
            with intake.database.read() as tx:
                there = _there(tx, intake.secret, found, batch["bucket"], first, last, ALIVE)
            for row, receipt in there.items():
                yield Letter(row, code.encode(serial, receipt))


def untold(tx: Transaction, found: Import) -> int:
    """Return how many persons of an import are still to be told."""
    return untold_of(tx, found.org, [found])[found.id]


def untold_of(tx: Transaction, org: str, imports: Sequence[Import]) -> dict[str, int]:
    """Return, by import of ``org``, how many of its persons are still to be told."""
    c, told = register.told.c, Counter[str]()
    for row in tx.all(register.told, c.org == org, c.import_id.in_([each.id for each in imports])):
        told[row["import_id"]] += row["records"]
    return {each.id: each.stored - told[each.id] if each.afterwards else 0 for each in imports}


def is_left() -> sa.ColumnElement[bool]:
    """Return the condition that someone of an import, a row of ``imports``, is still to be told."""
    c, each = register.told.c, register.imports.c
    told = sa.select(sa.func.coalesce(sa.func.sum(c.records), 0)).where(
        c.org == each.org, c.import_id == each.import_id
    )
    return sa.and_(each.afterwards == 1, each.stored > told.scalar_subquery())


def mark_told(
    tx: Transaction,
    intake: Intake,
    found: Import,
    *,
    way: str,
    by: str,
    now: datetime,
    rows: tuple[int, int] | None = None,
) -> int:
    """Note that the persons of ``rows`` (first and last; None: all that are left) were told; return how many.

    Raises:
        InputError: ``way`` is no way of telling, or the import has no such rows.
        StateError: They had been told before, as the list says; or nobody is left.
        ConflictError: Some of the rows were told already.
    """
    if way not in WAYS:
        raise InputError(f"people are told in one of these ways: {', '.join(WAYS)}")
    if not found.afterwards:
        raise StateError("the persons of this import had been told before; nobody is left to tell")
    ranges = _left(tx, found) if rows is None else [rows]
    told = [(first, last, _count(tx, intake.secret, found, first, last)) for first, last in ranges]
    total = sum(count for _, _, count in told)
    if rows is not None:
        _check_new(tx, found, rows)
    if not total:
        raise StateError("nobody is left to tell in these rows")
    for first, last, count in told:
        tx.insert(
            register.told, org=found.org, import_id=found.id, first_row=first, last_row=last,
            records=count, way=way, by=by, at=now,
        )  # fmt: skip
    said = entry.ImportTold(
        org=found.org, standard=intake.standard.ref, at=entry.stamp(now), import_id=found.id,
        records=total, way=way, by=by,
    )  # fmt: skip
    intake.log.append(tx, [entry.encode(said)], now=now)
    return total


def _check_new(tx: Transaction, found: Import, rows: tuple[int, int]) -> None:
    first, last = rows
    if not 1 <= first <= last <= found.last_row:
        raise InputError(f"rows are 1 to {found.last_row}, the lower first")
    if any(row["first_row"] <= last and first <= row["last_row"] for row in _told(tx, found)):
        raise ConflictError("some of these rows were told already; name those that are left")


def _told(tx: Transaction, found: Import) -> list[dict[str, Any]]:
    c = register.told.c
    return tx.all(
        register.told,
        c.org == found.org,
        c.import_id == found.id,
        order_by=[c.first_row],
        lock=True,
    )


def _left(tx: Transaction, found: Import) -> list[tuple[int, int]]:
    """Return the ranges of rows that nobody was told of."""
    left, start = [], 1
    for row in _told(tx, found):
        if start < row["first_row"]:
            left.append((start, row["first_row"] - 1))
        start = row["last_row"] + 1
    return [*left, (start, found.last_row)] if start <= found.last_row else left


def _count(tx: Transaction, secret: bytes, found: Import, first: int, last: int) -> int:
    """Return how many rows of a range became records."""
    count = 0
    for batch in register.batches_of(tx, found):
        low, high = max(first, batch["first_row"]), min(last, batch["last_row"])
        if (low, high) == (batch["first_row"], batch["last_row"]):
            count += batch["stored"]
            continue
        for start in range(low, high + 1, STEP):
            end = min(start + STEP - 1, high)
            count += len(_there(tx, secret, found, batch["bucket"], start, end, vault.STATES))
    return count


def _there(  # noqa: PLR0917 - where, then what
    tx: Transaction,
    secret: bytes,
    found: Import,
    bucket: int,
    first: int,
    last: int,
    states: tuple[str, ...],
) -> dict[int, bytes]:
    """Return the receipt ids of the rows of a range that have a record in one of ``states``."""
    receipts = {
        row: code.imported_receipt_id(secret, found.org, found.id, row)
        for row in range(first, last + 1)
    }
    handles = {row: vault.handle_of(receipt) for row, receipt in receipts.items()}
    known = vault.known_handles(tx, found.org, bucket, list(handles.values()), states=states)
    return {row: receipts[row] for row, handle in handles.items() if handle in known}
