"""Intents: what was announced in the ledger and is not certified yet. Work that a crash must not lose.

An erasure or destruction is three steps in two databases:
  1. the intent and its ledger entry commit here;            crash: ``run`` finds it and goes on
  2. the key store destroys keys and rotates its epoch;      crash: repeated, which is harmless
  3. the certificate's entry and the new state commit here.  crash: steps 2 and 3 are repeated
Nothing is certified that was not done, nothing is done that was not announced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.bucket import DYING, Bucket

DESTROY, ERASE = "destroy", "erase"
REASONS = ("withdrawal", "objection", "correction", "event")

intents = sealed_table(
    "intents",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("intent", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("n", sa.Integer),
    sa.Column("to_bucket", sa.Integer),
    sa.Column("to_n", sa.Integer),
    sa.Column("announced", Instant, nullable=False),
    sa.Column("done", Instant),
    sa.Column("entry_index", sa.BigInteger),
    sa.Column("first", sa.Integer),
    sa.Column("last", sa.Integer),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One intent.

    Attributes:
        org: Organisation.
        intent: Its code, the ``destruction`` or ``erasure`` of its entries.
        kind: ``destroy`` (parts of a bucket) or ``erase`` (parts of one record).
        bucket: Bucket id.
        parts: Names of the parts.
        n: Record number, for ``erase``.
        to_bucket, to_n: The record that took its place (a correction, an event), or None.
        announced: When.
        done: When it was certified, or None.
        entry_index: Index of the certifying entry, or None.
        first, last: Range of numbers that a certificate covers, or None.
    """

    org: str
    intent: str
    kind: str
    bucket: int
    parts: tuple[str, ...]
    n: int | None
    to_bucket: int | None
    to_n: int | None
    announced: datetime
    done: datetime | None
    entry_index: int | None
    first: int | None
    last: int | None


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
    """Announce that ``parts`` of a bucket go; the caller has checked that they may."""
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
    reason: str,
    now: datetime,
    to: tuple[int, int] | None = None,
) -> Intent:
    """Announce that what is left of one record goes; ``to`` (bucket id, number) takes its place.

    Raises:
        NotFoundError: There is no such record.
        StateError: Nothing is left of it, or it is being erased already, or the reason is unknown.
    """
    if reason not in REASONS:
        raise StateError(f"a record is erased for {', '.join(REASONS)}")
    record = vault.find_record(tx, bucket.org, bucket.id, n)
    parts = sorted(p for p in record.left if p in bucket.live)
    pending = [i for i in open_intents(tx, bucket.org) if (i.bucket, i.n) == (bucket.id, n)]
    if not parts or record.state != buckets.LIVE or pending:
        raise StateError("nothing is left of this record, or it is being erased already")
    code = new_id("e")
    tx.insert(
        intents, org=bucket.org, intent=code, kind=ERASE, bucket=bucket.id, parts=parts, n=n,
        to_bucket=None if to is None else to[0], to_n=None if to is None else to[1], announced=now,
    )  # fmt: skip
    said = entry.Erasure(
        org=bucket.org, standard=standard_ref, at=entry.stamp(now), erasure=code, bucket=bucket.name,
        n=n, parts=parts, reason=reason,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, bucket.org, code)


def load(tx: Transaction, org: str, intent: str) -> Intent:
    """Return the intent.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _intent(tx.get(intents, org=org, intent=intent))


def open_intents(tx: Transaction, org: str) -> list[Intent]:
    """Return the intents of ``org`` that are not certified, the oldest first."""
    rows = tx.all(
        intents, intents.c.org == org, intents.c.done.is_(None), order_by=[intents.c.announced]
    )
    return [_intent(r) for r in rows]


def of_bucket(tx: Transaction, org: str, bucket: int) -> list[Intent]:
    """Return all intents of a bucket, the oldest first."""
    rows = tx.all(
        intents, intents.c.org == org, intents.c.bucket == bucket, order_by=[intents.c.announced]
    )
    return [_intent(r) for r in rows]


def certify(
    tx: Transaction,
    found: Intent,
    *,
    entry_index: int,
    first: int | None,
    last: int | None,
    now: datetime | None,
) -> None:
    """Note that the intent is done, in the transaction that appended its certificate."""
    tx.update(
        intents, {"org": found.org, "intent": found.intent}, done=now, entry_index=entry_index,
        first=first, last=last,
    )  # fmt: skip


def _intent(row: dict[str, Any]) -> Intent:
    return Intent(**{**row, "parts": tuple(row["parts"])})
