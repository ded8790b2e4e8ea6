"""The vault: records and their sealed parts in the main database; from plaintext to rows and back.

A *record* row holds what must be known without opening: where it was collected, under which notice and
acts, the handle its receipt finds it by. Its *parts* are sealed rows of their own, one for each part.

A record goes through these states, and nothing else assigns one:

    live ──► erased     each of its parts was erased one by one
    live ──► moved      corrected, or its event came: another record has what was left of it
    live ──► destroyed  each part of its bucket is gone and purged; set in the background

What a row that is no longer live keeps is what a receipt needs to find its certificate: bucket, number,
point, entry, handle. When it was given, by which acts, by what age group is forgotten with the rest.

Rules kept in this file:
  1. Rows are inserted only into parts that are alive, checked in the same transaction.
  2. A part that should be there and is not is named as tampering; a part whose key is gone is erased.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, microseconds, sealed_table
from epilock.errors import ErasedError, LeasedError, NotFoundError, StateError, TamperedError
from epilock.ledger.log import Log
from epilock.store import bucket as buckets_
from epilock.store import count, keytree
from epilock.store.access import Keys
from epilock.store.bucket import LIVE, Bucket
from epilock.store.seal import PartRow, Sealed, Sealer, Unsealer, commitment, commitment_text

__all__ = [
    "PartRow",
    "Sealed",
    "Sealer",
    "Unsealer",
    "commitment",
    "commitment_text",
]  # fmt: skip - the vault is asked for these; ``seal`` has them apart because it touches no database

ERASED, MOVED, DESTROYED = "erased", "moved", "destroyed"
STATES = (LIVE, ERASED, MOVED, DESTROYED)
_TABLE, _BY_HANDLE = "FROM records", "INDEXED BY records_handle"
_HANDLES = f"SELECT handle, state {_TABLE} WHERE org = ? AND bucket = ? AND"
HANDLE_BYTES = DIGEST_BYTES = 16

records = sealed_table(
    "records",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("point", sa.String(40), nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Column("handle", sa.LargeBinary(HANDLE_BYTES), nullable=False),
    sa.Column("notice", sa.String(64), nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("erased", Json, nullable=False),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("moved_bucket", sa.Integer),
    sa.Column("moved_n", sa.Integer),
    sa.Column("language", sa.String(8)),
    sa.Column("given", sa.BigInteger),
    sa.Column("minor", sa.SmallInteger),
    sa.Column("at", Instant),
    sa.Column("digest", sa.LargeBinary(DIGEST_BYTES)),
    sa.Index("records_handle", "org", "bucket", "handle"),
)
"""Columns: ``entry_index`` of the ``collect`` (or ``event``) entry; ``handle``, see ``handle_of``; ``notice``
SHA-256 in hex; ``parts`` as collected; ``erased`` those erased one by one; ``given`` bit i for act i of the
notice; ``minor`` 0 none, 1 under 14, 2 under 18; ``digest`` keyed fingerprint of the submission, by which a
repeated client id with other content is told from a repetition."""

parts = sa.Table(
    "parts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

RecordRow = tuple[Any, ...]  # the columns of ``records`` without the MAC; see ``record_row``
_PARTS, _ERASED = 7, 8  # places in a row


class Record(NamedTuple):
    """A record as it is known without opening it; columns as in ``records``."""

    org: str
    bucket: int
    n: int
    point: str
    entry_index: int
    handle: bytes
    notice: str
    parts: tuple[str, ...]
    erased: tuple[str, ...]
    state: str
    moved_bucket: int | None
    moved_n: int | None
    language: str | None
    given: int | None
    minor: int | None
    at: datetime | None
    digest: bytes | None

    @property
    def left(self) -> tuple[str, ...]:
        """The parts that were not erased one by one (their bucket may have lost them since)."""
        return tuple(p for p in self.parts if p not in self.erased)


def handle_of(receipt: bytes) -> bytes:
    """Return the handle of a receipt id (16 bytes): the first 16 bytes of its SHA-256.

    The database holds the handle alone, so whoever reads it cannot present himself with a receipt.
    """
    return sha256(receipt).digest()[:HANDLE_BYTES]


def record_row(
    *,
    org: str,
    bucket: int,
    n: int,
    point: str,
    entry_index: int,
    handle: bytes,
    notice: str,
    parts: Sequence[str],
    language: str,
    given: int,
    minor: int,
    at: datetime,
    digest: bytes,
) -> RecordRow:
    """Return the row of a new record for ``keep``, in stored form; columns as in ``records``."""
    return (
        org, bucket, n, point, entry_index, handle, notice, count.names_text(parts), "[]", LIVE, None,
        None, language, given, minor, microseconds(at), digest,
    )  # fmt: skip


def lost_row(  # noqa: PLR0917 - what its entry says
    org: str, bucket: int, n: int, point: str, entry_index: int, notice: str, parts: Sequence[str]
) -> RecordRow:
    """Return the row for ``keep`` of a record of which nothing is left but its ledger entry.

    No receipt has its handle, which is zeros; when it was given, and by which acts, nobody knows any more.
    """
    return (
        org, bucket, n, point, entry_index, bytes(HANDLE_BYTES), notice, count.names_text(parts),
        "[]", LIVE, *[None] * 7,
    )  # fmt: skip


def keep(
    tx: Transaction,
    new: Sequence[RecordRow],
    sealed: Sequence[PartRow],
) -> None:
    """Insert new records (``record_row``) and their sealed parts (``Sealed.rows``), and count them.

    Their tags are inserted with ``tags.keep``, in the same transaction.

    Raises:
        ClosedError: A part is being destroyed, or was; nothing is inserted.
    """
    for (org, bucket), used in _parts_by_bucket(sealed).items():
        states = buckets_.part_states(tx, org, bucket, lock=True)
        buckets_.check_open(states, f"bucket {bucket} of {org}", used)
    tx.bulk(records, new)
    tx.bulk(parts, sealed)
    found = Counter((row[0], row[1], row[_PARTS], row[_ERASED]) for row in new)
    for key, number in found.items():
        count.add(tx, key, number)


def take_sealer(
    tx: Transaction,
    log: Log,
    keys: Keys,
    bucket: Bucket,
    *,
    standard_ref: str,
    holder: str,
    until: datetime,
    now: datetime,
) -> Sealer:
    """Take a lease of ``bucket``, as ``bucket.take_lease``, and return a sealer for its parts that are alive.

    Raises:
        ClosedError: None of its parts is alive, or all its numbers are given out.
        ErasedError: A part is gone.
    """
    block, seeds = take_seeds(
        tx, log, keys, bucket, standard_ref=standard_ref, holder=holder, until=until, now=now
    )
    return Sealer(bucket, block, seeds, suite=keys.suite_of(bucket.org))


def take_seeds(
    tx: Transaction,
    log: Log,
    keys: Keys,
    bucket: Bucket,
    *,
    standard_ref: str,
    holder: str,
    until: datetime,
    now: datetime,
) -> tuple[int, dict[str, bytes]]:
    """Take a lease as ``take_sealer``; return its block, and a seed for each part that is alive.

    A block that a key service gave to a process whose transaction never committed is skipped: its numbers
    are dead, and its lease runs out.
    """
    while True:  # a bucket's blocks come to an end: ``take_lease`` says so
        block = buckets_.take_lease(
            tx, log, bucket, standard_ref=standard_ref, holder=holder, until=until, now=now
        )
        live = buckets_.load(tx, bucket.org, bucket.id).live
        with suppress(LeasedError):
            return block, {
                part: keys.lease_seed(bucket.org, bucket.name, part, block) for part in live
            }


def find_record(tx: Transaction, org: str, bucket: int, n: int) -> Record:
    """Return the record.

    Raises:
        NotFoundError: There is none.
        TamperedError: Its row was changed past this program.
    """
    return read_record(tx.get(records, org=org, bucket=bucket, n=n))


def find_handle(tx: Transaction, org: str, bucket: int, handle: bytes) -> Record | None:
    """Return the record of ``bucket`` with this handle, without following moves, or None."""
    rows = tx.all(
        records, records.c.org == org, records.c.bucket == bucket, records.c.handle == handle,
        order_by=[records.c.n], limit=1,
    )  # fmt: skip
    return read_record(rows[0]) if rows else None


def known_handles(
    tx: Transaction,
    org: str,
    bucket: int,
    handles: Collection[bytes],
    *,
    states: Collection[str] | None = None,
) -> frozenset[bytes]:
    """Return those of ``handles`` that a record of ``bucket`` has, in one of ``states`` if given.

    One query for a whole batch. SQLite is told which index to take: left alone it reads the whole bucket
    as soon as a state is asked for, for it knows nothing of how rare a handle is.
    """
    wanted = list(handles)
    if tx.conn.dialect.name == "postgresql":
        query, values = f"{_HANDLES} handle = ANY(?)", [org, bucket, wanted]
    else:
        marks = ", ".join("?" * len(wanted))
        query = f"{_HANDLES} handle IN ({marks})".replace(_TABLE, f"{_TABLE} {_BY_HANDLE}")
        values = [org, bucket, *wanted]
    return frozenset(
        bytes(h) for h, state in tx.query(query, values) if states is None or state in states
    )


def find_receipt(tx: Transaction, org: str, handle: bytes) -> tuple[Bucket, int]:
    """Return bucket and number of the record that the receipt stands for now, wherever it was moved.

    Raises:
        NotFoundError: The organisation has no such record.
        TamperedError: A row was changed past this program.
    """
    b, r = buckets_.buckets.c, records.c
    query = (
        sa.select(r.bucket, r.n)
        .join_from(
            buckets_.buckets,
            records,
            sa.and_(r.org == b.org, r.bucket == b.bucket, r.handle == handle),
        )
        .where(b.org == org)
        .order_by(r.bucket, r.n)
        .limit(1)
    )
    place = tx.conn.execute(query).first()
    if place is None:
        raise NotFoundError("no record of this organisation has that receipt")
    record = follow(tx, find_record(tx, org, place.bucket, place.n))
    return buckets_.load(tx, org, record.bucket), record.n


def follow(tx: Transaction, record: Record) -> Record:
    """Return the record that ``record`` was moved to in the end, or itself.

    Raises:
        TamperedError: A row was changed past this program.
        StateError: The moves lead in a circle.
    """
    seen = set()
    while record.moved_bucket is not None and record.moved_n is not None:
        if (record.bucket, record.n) in seen:
            raise StateError(f"records of {record.org} were moved in a circle")
        seen.add((record.bucket, record.n))
        record = find_record(tx, record.org, record.moved_bucket, record.moved_n)
    return record


def open_record(  # noqa: PLR0917 - where, then what
    tx: Transaction,
    keys: Keys,
    org: str,
    bucket: int,
    n: int,
    wanted: Collection[str] | None = None,
) -> dict[str, bytes]:
    """Return the plaintext of the record's parts by name: of ``wanted``, or of all that are alive.

    A wanted part that was never given is left out. The decision and its entry are the caller's (``use``).

    Raises:
        NotFoundError: There is no such record.
        StateError: It was moved; ``follow`` says where.
        ErasedError: It, or a part that was asked for by name, is erased or destroyed.
        TamperedError: A row is missing or was changed, moved, cut or put back; it is named.
    """
    record = find_record(tx, org, bucket, n)
    return open_known(tx, keys, buckets_.load(tx, org, bucket), record, wanted)


def open_known(
    tx: Transaction,
    keys: Keys,
    bucket: Bucket,
    record: Record,
    wanted: Collection[str] | None = None,
) -> dict[str, bytes]:
    """Do what ``open_record`` does for a bucket and a record that are loaded already."""
    names = _to_open(bucket, record, wanted)
    query = sa.select(parts.c.part, parts.c.nonce, parts.c.sealed).where(
        parts.c.org == record.org, parts.c.bucket == record.bucket, parts.c.n == record.n,
        parts.c.part.in_(names),
    )  # fmt: skip
    found = {part: (nonce, sealed) for part, nonce, sealed in tx.conn.execute(query)}
    opened = {}
    for name in names:
        cover = keys.cover(bucket.org, bucket.name, name, keytree.path(record.n))
        unsealer = Unsealer(bucket, name, cover, suite=keys.suite_of(bucket.org))
        unsealer.leaf(record.n)  # a part that was erased is erased, even if its row is still there
        if name not in found:
            raise missing(record, name)
        opened[name] = unsealer.open(record.n, *found[name])
    return opened


def missing(record: Record, part: str) -> TamperedError:
    """Return the error that names a sealed part which should be there."""
    place = f"org={record.org}, bucket={record.bucket}, part={part}, n={record.n}"
    return TamperedError(f"parts ({place}) is missing")


def numbers(tx: Transaction, bucket: Bucket) -> tuple[int, int]:
    """Return the lowest and the highest record number of the bucket; (0, 0) if it has none."""
    c = records.c
    where = (c.org == bucket.org, c.bucket == bucket.id)
    first = tx.conn.execute(sa.select(c.n).where(*where).order_by(c.n).limit(1)).scalar()
    last = tx.conn.execute(sa.select(c.n).where(*where).order_by(c.n.desc()).limit(1)).scalar()
    return first or 0, last or 0


def _to_open(bucket: Bucket, record: Record, wanted: Collection[str] | None) -> list[str]:
    """Return the parts to open, sorted; see ``open_record`` for what is raised."""
    if record.state == MOVED:
        raise StateError("this record was moved: corrected, or its event came")
    left = [p for p in record.left if p in bucket.live]
    if wanted is None:
        if not left:
            raise ErasedError("nothing is left of this record: erased, or destroyed on its day")
        return sorted(left)
    for part in wanted:
        if part in record.parts and part not in left:
            raise ErasedError(f"part {part} of this record is erased, or destroyed on its day")
    return sorted(set(wanted) & set(left))


def _parts_by_bucket(sealed: Iterable[PartRow]) -> Mapping[tuple[str, int], set[str]]:
    found: dict[tuple[str, int], set[str]] = {}
    for row in sealed:
        found.setdefault((row[0], row[1]), set()).add(row[2])
    return found


def read_record(row: dict[str, Any]) -> Record:
    """Return the record that a row of ``records`` states."""
    row["parts"], row["erased"] = tuple(row["parts"]), tuple(row["erased"])
    return Record(**row)
