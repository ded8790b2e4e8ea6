"""Intents: what was announced in the ledger and must be done and certified. Work that a crash must not lose.

A *destruction* drops parts of a bucket, an *erasure* punctures parts of one record. Both are three steps
in two databases (``run`` carries out the second and third, and says what a crash leaves):

    announced ──► keys destroyed ──► certified
    (entry ``destroy`` or ``erasure``)  (entry ``certificate`` or ``erased``)

Rules kept in this file:
  1. An intent, its ledger entry and the change of state it begins are written in one transaction.
  2. Nothing here decides whether something may go: ``due``, ``hold``, ``order`` and ``erasure`` do.
  3. The log's head is locked before any row (``Log.append`` of nothing), so that whoever else appends
     stands in the same queue and no two transactions wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.store import bucket as buckets
from epilock.store.bucket import DYING, Bucket

DESTROY, ERASE = "destroy", "erase"

intents = sealed_table(
    "intents",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("intent", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("n", sa.Integer),
    sa.Column("cause", sa.BigInteger),
    sa.Column("announced", Instant, nullable=False),
    sa.Column("done", Instant),
    sa.Column("entry_index", sa.BigInteger),
    sa.Index("intents_open", "org", "done"),
    sa.Index("intents_record", "org", "bucket", "n"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One intent.

    Attributes:
        org: Organisation.
        intent: Its code, the ``destruction`` or ``erasure`` of its entries.
        kind: ``destroy`` (parts of a bucket) or ``erase`` (parts of one record).
        bucket: Bucket id.
        parts: Names of the parts, sorted.
        n: Record number, for ``erase``.
        cause: Index of the ``event`` or ``correct`` entry that moved the record, or None.
        announced: When.
        done: When it was certified, or None. A certificate that is not complete leaves it None.
        entry_index: Index of the latest certifying entry, or None.
    """

    org: str
    intent: str
    kind: str
    bucket: int
    parts: tuple[str, ...]
    n: int | None
    cause: int | None
    announced: datetime
    done: datetime | None
    entry_index: int | None


def announce_destruction(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    bucket: Bucket,
    parts: Sequence[str],
    rule: str,
    due: datetime | None,
    now: datetime,
) -> Intent:
    """Announce that ``parts`` of a bucket go, by ``rule``; from here on they take no records.

    Raises:
        StateError: A part is not alive.
    """
    log.append(tx, [], now=now)  # rule 3
    buckets.retire_parts(tx, bucket, parts, DYING, now=now)
    code = new_id("x")
    tx.insert(
        intents, org=bucket.org, intent=code, kind=DESTROY, bucket=bucket.id,
        parts=sorted(parts), announced=now,
    )  # fmt: skip
    said = entry.Destroy(
        org=bucket.org, standard=standard_ref, at=entry.stamp(now), destruction=code,
        bucket=bucket.name, parts=sorted(parts), rule=rule,
        due=None if due is None else entry.stamp(due),
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, bucket.org, code)


def announce_erasure(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    bucket: Bucket,
    n: int,
    parts: Sequence[str],
    reason: str,
    now: datetime,
    cause: int | None = None,
) -> Intent:
    """Announce that ``parts`` of record ``n`` go; ``cause`` is the entry that moved it elsewhere."""
    log.append(tx, [], now=now)  # rule 3
    code = new_id("e")
    tx.insert(
        intents, org=bucket.org, intent=code, kind=ERASE, bucket=bucket.id, parts=sorted(parts),
        n=n, cause=cause, announced=now,
    )  # fmt: skip
    said = entry.Erasure(
        org=bucket.org, standard=standard_ref, at=entry.stamp(now), erasure=code, bucket=bucket.name,
        n=n, parts=sorted(parts), reason=reason,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, bucket.org, code)


def load(tx: Transaction, org: str, intent: str, *, lock: bool = False) -> Intent:
    """Return the intent; with ``lock`` it stays as it is until the transaction ends.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _intent(tx.get(intents, lock=lock, org=org, intent=intent))


def open_intents(tx: Transaction, org: str) -> list[Intent]:
    """Return the intents of ``org`` that are not certified in full, the oldest first."""
    return _all(tx, intents.c.org == org, intents.c.done.is_(None))


def organisations(tx: Transaction) -> list[str]:
    """Return the organisations that have open intents."""
    query = sa.select(intents.c.org).where(intents.c.done.is_(None)).distinct()
    return sorted(tx.conn.execute(query).scalars())


def of_bucket(tx: Transaction, org: str, bucket: int) -> list[Intent]:
    """Return the destructions of a bucket's parts, the oldest first."""
    c = intents.c
    return _all(tx, c.org == org, c.bucket == bucket, c.kind == DESTROY)


def certified_since(tx: Transaction, org: str, since: datetime, *, limit: int) -> list[Intent]:
    """Return the latest destructions of parts that were certified from ``since`` on, the latest first."""
    c = intents.c
    where = (c.org == org, c.kind == DESTROY, c.done >= since)
    order = [c.done.desc(), c.entry_index.desc()]
    return [_intent(row) for row in tx.all(intents, *where, order_by=order, limit=limit)]


def of_record(tx: Transaction, org: str, bucket: int, n: int) -> list[Intent]:
    """Return the erasures of one record, the oldest first."""
    c = intents.c
    return _all(tx, c.org == org, c.bucket == bucket, c.n == n)


def certify(
    tx: Transaction, found: Intent, *, entry_index: int, complete: bool, now: datetime
) -> None:
    """Note the certifying entry, in the transaction that appended it."""
    key = {"org": found.org, "intent": found.intent}
    tx.update(intents, key, entry_index=entry_index, done=now if complete else None)


def _all(tx: Transaction, *where: sa.ColumnElement[bool]) -> list[Intent]:
    rows = tx.all(intents, *where, order_by=[intents.c.announced, intents.c.intent])
    return [_intent(row) for row in rows]


def _intent(row: dict[str, Any]) -> Intent:
    return Intent(**{**row, "parts": tuple(row["parts"])})
