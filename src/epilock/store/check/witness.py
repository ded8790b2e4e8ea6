"""What the ledger says of the store, held against it: nothing collected is missing, nothing dead is alive.

Entries only ever add, so each is checked alone, in their order: a bucket that was made is there, a lease
too; a record that was collected has its row; one that was corrected, moved or erased says so; parts with a
certificate are dead.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EntryError, EpilockError
from epilock.ledger import entry
from epilock.ledger.check import Damage
from epilock.ledger.log import Log
from epilock.ledger.shards import entries_at
from epilock.store import bucket as buckets_
from epilock.store import vault
from epilock.store.bucket import DESTROYED, PURGED, Bucket, bucket_parts, buckets, leases
from epilock.store.check import rows
from epilock.store.vault import Record, records


class Known:
    """What the rows say of buckets, and the ledger of erasures that are under way.

    Attributes:
        buckets: By organisation and name; only those whose rows are whole.
        states: State of each part, by organisation and bucket name.
        pending: (bucket name, number, part) announced to be erased and not yet said to be.
    """

    def __init__(self, tx: Transaction) -> None:
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.states: dict[tuple[str, str], Mapping[str, str]] = {}
        self.pending: set[tuple[str, int, str]] = set()
        for org, number, *_ in rows.stream(tx, buckets):
            try:
                bucket = buckets_.load(tx, org, number)
            except (EpilockError, ValueError, sa.exc.DatabaseError):
                continue  # named already, by its MAC
            self.buckets[bucket.org, bucket.name] = bucket
            self.states[bucket.org, bucket.name] = buckets_.part_states(tx, org, number)


def check(tx: Transaction, log: Log, known: Known) -> Iterator[Damage]:
    """Yield each row that the ledger speaks of and that is missing or says otherwise."""
    witness = _Witness(tx, known)
    first = 0
    while chunk := entries_at(tx, log, first, rows.CHUNK):
        said = []
        for index, data in enumerate(chunk, first):
            try:
                said.append((index, entry.decode(data)))
            except EntryError as error:
                yield Damage(f"ledger_entries (idx={index})", f"is no entry: {error}")
        yield from witness.collected([(i, e) for i, e in said if isinstance(e, entry.Collect)])
        for index, each in said:
            yield from witness.one(index, each)
        first += len(chunk)


class _Witness:
    def __init__(self, tx: Transaction, known: Known) -> None:
        self.tx = tx
        self.known = known

    def collected(self, said: Sequence[tuple[int, entry.Collect]]) -> Iterator[Damage]:
        """Look up the records of a chunk, bucket by bucket."""
        by_bucket: dict[tuple[str, str], dict[int, int]] = {}
        for index, each in said:
            by_bucket.setdefault((each.org, each.bucket), {})[each.n] = index
        for (org, name), numbers in by_bucket.items():
            bucket = self.known.buckets.get((org, name))
            if bucket is None:
                continue  # its own entry, or its MAC, names it
            query = sa.select(records.c.n).where(
                records.c.org == org, records.c.bucket == bucket.id, records.c.n.in_(numbers)
            )
            for n in sorted(numbers.keys() - set(self.tx.conn.execute(query).scalars())):
                yield Damage(_row(bucket, n), f"is missing: ledger entry {numbers[n]} collected it")

    def one(self, index: int, each: entry.Entry) -> Iterator[Damage]:
        """Check what any other entry says."""
        match each:
            case entry.Bucket():
                yield from self._bucket(index, each)
            case entry.Lease():
                yield from self._lease(index, each)
            case entry.Correct():
                yield from self._moved(index, each.org, each.bucket, each.n)
            case entry.Event():
                yield from self._moved(index, each.org, each.bucket, each.n)
            case entry.Erasure():
                self.known.pending |= {(each.bucket, each.n, part) for part in each.parts}
            case entry.Erased():
                self.known.pending -= {(each.bucket, each.n, part) for part in each.parts}
                yield from self._erased(index, each)
            case entry.Certificate():
                yield from self._certified(index, each)
            case _:
                pass

    def _bucket(self, index: int, each: entry.Bucket) -> Iterator[Damage]:
        bucket = self.known.buckets.get((each.org, each.bucket))
        if bucket is None:
            problem = f"is missing or changed: ledger entry {index} made it"
            yield Damage(f"buckets (org={each.org}, name={each.bucket})", problem)
            return
        for part in sorted(set(each.parts) - set(bucket.parts)):
            row = rows.name(bucket_parts, (bucket.org, bucket.id, part))
            yield Damage(row, f"is missing: ledger entry {index} made it")

    def _lease(self, index: int, each: entry.Lease) -> Iterator[Damage]:
        bucket = self.known.buckets.get((each.org, each.bucket))
        if bucket is None:
            return
        query = sa.select(leases.c.lease).where(
            leases.c.org == each.org, leases.c.bucket == bucket.id, leases.c.block == each.block
        )
        if self.tx.conn.execute(query).scalar() != each.lease:
            row = f"leases (org={each.org}, bucket={bucket.id}, block={each.block})"
            yield Damage(row, f"is missing or another: ledger entry {index} gave it out")

    def _moved(self, index: int, org: str, name: str, n: int) -> Iterator[Damage]:
        bucket, record = self._record(org, name, n)
        if bucket is not None and record is not None and record.state != vault.MOVED:
            yield Damage(
                _row(bucket, n), f"was moved (ledger entry {index}), but is {record.state}"
            )

    def _erased(self, index: int, each: entry.Erased) -> Iterator[Damage]:
        bucket, record = self._record(each.org, each.bucket, each.n)
        if bucket is None or record is None or record.state == vault.MOVED:
            return
        left = sorted(set(each.parts) & set(record.left))
        if left:
            problem = f"lost part {left[0]} (ledger entry {index}), but says it has it"
            yield Damage(_row(bucket, each.n), problem)

    def _certified(self, index: int, each: entry.Certificate) -> Iterator[Damage]:
        bucket = self.known.buckets.get((each.org, each.bucket))
        states = self.known.states.get((each.org, each.bucket), {})
        for part in each.parts:
            if bucket is not None and states.get(part) not in {DESTROYED, PURGED, None}:
                row = (bucket.org, bucket.id, part)
                problem = f"was destroyed (ledger entry {index}), but is {states[part]}"
                yield Damage(rows.name(bucket_parts, row), problem)

    def _record(self, org: str, name: str, n: int) -> tuple[Bucket | None, Record | None]:
        bucket = self.known.buckets.get((org, name))
        if bucket is None:
            return None, None
        try:
            return bucket, vault.find_record(self.tx, org, bucket.id, n)
        except (EpilockError, ValueError, sa.exc.DatabaseError):
            return bucket, None  # named already: by its MAC, or as missing


def _row(bucket: Bucket, n: int) -> str:
    values: tuple[Any, ...] = (bucket.org, bucket.id, n)
    return rows.name(records, values)
