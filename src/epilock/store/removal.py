"""Rows go after their keys: of one record, of a moved record, of a dead part.

By the time a function here is called the keys are gone (``KeyStore.destroy``), so that these rows are
noise to everyone. They are deleted all the same: tags would still tell that someone was there, and
disks fill up.

Rules kept in this file:
  1. Nothing here decides: intent, key and certificate are ``destroy``'s, in that order.
  2. ``purge`` works in slices that each fit a short transaction; what a crash leaves, the next slice
     finds.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import StateError, TamperedError
from epilock.store import bucket as buckets_
from epilock.store import count, lines, vault
from epilock.store.bucket import DESTROYED as PART_DESTROYED
from epilock.store.bucket import LIVE, PURGED, Bucket
from epilock.store.tags import tags
from epilock.store.vault import DESTROYED, ERASED, MOVED, Record, parts, records

SLICE = 40_000  # rows that one transaction deletes: some 30 ms, as long as its sync to the disk
RECORDS = 5_000  # of them that are made to forget, which costs ten times a deletion

# What a record keeps of itself only while it lives (see ``vault``).
FORGOTTEN: dict[str, Any] = {
    "language": None,
    "given": None,
    "minor": None,
    "at": None,
    "digest": None,
}
_COLUMNS = [c.name for c in records.columns if c.name != "mac"]
_STATE = _COLUMNS.index("state")
_NOTHING = (None,) * (len(_COLUMNS) - _STATE - 1)  # where it was moved, and all of FORGOTTEN
_READ = sa.text(
    f"SELECT {', '.join(_COLUMNS)}, mac FROM records WHERE org = :org AND bucket = :bucket"
    " AND n >= :start AND state = 'live' ORDER BY n LIMIT :most"
)
_WRITE = (
    f"UPDATE records SET state = '{DESTROYED}', "
    + ", ".join(f"{name} = NULL" for name in _COLUMNS[_STATE + 1 :])
    + ", mac = ? WHERE org = ? AND bucket = ? AND n = ?"
)


def erase(tx: Transaction, org: str, bucket: int, n: int, names: Sequence[str]) -> Record:
    """Delete the rows of the parts ``names`` of one record; return it as it is now. Safe to repeat.

    Raises:
        NotFoundError: There is no such record.
        StateError: It was moved.
        TamperedError: Its row was changed past this program.
    """
    record = vault.find_record(tx, org, bucket, n)
    if record.state == MOVED:
        raise StateError(
            "this record was moved: corrected, or its event came; erase what it became"
        )
    erased = sorted({*record.erased, *(p for p in names if p in record.parts)})
    gone = {"state": ERASED, **FORGOTTEN} if set(erased) == set(record.parts) else {}
    return _lose(tx, record, erased, gone)


def move(tx: Transaction, org: str, bucket: int, n: int, *, to: tuple[int, int]) -> Record:
    """Note that record ``n`` became the record ``to`` (bucket id, number), delete its rows; return it.

    The new record is kept with ``vault.keep``, before or after, in the same transaction.

    Raises:
        NotFoundError: There is no such record.
        StateError: It is not live, or was moved elsewhere.
        TamperedError: Its row was changed past this program.
    """
    record = vault.find_record(tx, org, bucket, n)
    if record.state == MOVED and (record.moved_bucket, record.moved_n) == to:
        return record
    if record.state != LIVE or to == (bucket, n):
        raise StateError(f"a record that is {record.state} can't be moved, and none to itself")
    gone = {"state": MOVED, "moved_bucket": to[0], "moved_n": to[1], **FORGOTTEN}
    return _lose(tx, record, sorted(record.parts), gone)


def purge(tx: Transaction, bucket: Bucket, part: str, *, now: datetime, limit: int = SLICE) -> int:
    """Delete up to ``limit`` rows of a part whose key is destroyed; return how many.

    Call it, each time in a transaction of its own, until it returns 0: then the part is ``purged``.
    With the last part of a bucket its records become ``destroyed`` and forget what only a living record
    keeps.

    Raises:
        StateError: The part's key is not destroyed.
        TamperedError: A record was changed past this program.
    """
    states = buckets_.part_states(tx, bucket.org, bucket.id, lock=True)
    if states.get(part) == PURGED:
        return 0
    if states.get(part) != PART_DESTROYED:
        raise StateError(f"part {part} of {bucket.name} is not destroyed: its rows stay")
    done = _delete(tx, parts, ("n",), (bucket.org, bucket.id, part), limit)
    if done < limit:
        key = ("tag", "n", "role")
        done += _delete(tx, tags, key, (bucket.org, bucket.id, part), limit - done)
    if done < limit and {s for name, s in states.items() if name != part} <= {PURGED}:
        done += _forget(tx, bucket, min(limit - done, RECORDS))
    if done == 0:
        buckets_.retire_parts(tx, bucket, [part], PURGED, now=now)
    return done


def _lose(tx: Transaction, record: Record, erased: Sequence[str], change: dict[str, Any]) -> Record:
    """Delete the rows of the parts ``erased``, note them in the record and count it anew."""
    for table in (parts, tags):
        tx.conn.execute(
            sa.delete(table).where(
                table.c.org == record.org, table.c.bucket == record.bucket,
                table.c.part.in_(erased), table.c.n == record.n,
            )
        )  # fmt: skip
    if change:  # nothing of it is left
        lines.sweep(tx, record.org, record.bucket, record.n, record.n)
    key = {"org": record.org, "bucket": record.bucket, "n": record.n}
    tx.update(records, key, erased=list(erased), **change)
    if tuple(erased) != record.erased:
        place = (record.org, record.bucket, count.names_text(record.parts))
        count.add(tx, (*place, count.names_text(record.erased)), -1)
        count.add(tx, (*place, count.names_text(erased)), 1)
    return vault.find_record(tx, record.org, record.bucket, record.n)


def _delete(
    tx: Transaction,
    table: sa.Table,
    key: tuple[str, ...],
    place: tuple[str, int, str],
    limit: int,
) -> int:
    """Delete the first ``limit`` rows of a part in the order of ``key``; return how many."""
    columns = [table.c[name] for name in key]
    where = [table.c.org == place[0], table.c.bucket == place[1], table.c.part == place[2]]
    query = sa.select(*columns).where(*where).order_by(*columns).offset(limit - 1).limit(1)
    last = tx.conn.execute(query).first()
    if last is not None:
        where.append(sa.tuple_(*columns) <= tuple(last))
    return tx.conn.execute(sa.delete(table).where(*where)).rowcount


def _forget(tx: Transaction, bucket: Bucket, limit: int) -> int:
    """Make the next ``limit`` living records of a dead bucket ``destroyed``; return how many.

    Rows are read and written as they are stored: a million of them would take minutes one by one.
    """
    key = {"org": bucket.org, "bucket": bucket.id}
    start = tx.get(buckets_.buckets, **key, lock=True)["forgotten"]
    found = tx.conn.execute(_READ, {**key, "start": start, "most": limit}).all()
    if not found:
        return 0
    for row in found:
        if not hmac.compare_digest(tx.mac(records, row[:-1]), row.mac):
            place = f"org={row.org}, bucket={row.bucket}, n={row.n}"
            raise TamperedError(f"records ({place}) was changed past this program")
    gone = (DESTROYED, *_NOTHING)
    changed = [(tx.mac(records, (*row[:_STATE], *gone)), *row[:3]) for row in found]
    mark = "?" if tx.conn.dialect.name == "sqlite" else "%s"
    tx.conn.exec_driver_sql(_WRITE.replace("?", mark), changed)
    lines.sweep(tx, bucket.org, bucket.id, found[0].n, found[-1].n)
    tx.update(buckets_.buckets, key, forgotten=found[-1].n + 1)
    return len(found)
