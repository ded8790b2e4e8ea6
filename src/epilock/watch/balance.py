"""Balance: as many records lie in a bucket as were counted when they came in, for none is ever deleted.

Both are read in one transaction. SQLite counts along the index of handles, so that no row is read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction
from epilock.ledger.check import Damage
from epilock.store.check.rows import shown
from epilock.store.count import counts
from epilock.store.vault import records

_names = msgspec.json.Decoder(list[str])
_HINT = {"sqlite": " INDEXED BY records_handle", "postgresql": ""}

Bucket = tuple[str, int]


def check(tx: Transaction) -> Iterator[Damage]:
    """Yield the buckets that have fewer records than were counted, or more."""
    counted: Counter[Bucket] = Counter()
    c = counts.c
    for org, bucket, number in tx.conn.execute(sa.select(c.org, c.bucket, c.records)):
        counted[org, bucket] += number
    hint = _HINT[tx.conn.dialect.name]
    text = f"SELECT org, bucket, count(*) FROM {records.name}{hint} GROUP BY org, bucket"
    there = {(org, bucket): number for org, bucket, number in tx.conn.exec_driver_sql(text)}
    for place in sorted(there.keys() | counted.keys()):
        yield from differ(
            f"records (org={shown(place[0])}, bucket={place[1]})",
            there.get(place, 0),
            counted[place],
        )


def differ(place: str, there: int, counted: int) -> Iterator[Damage]:
    """Yield that so many rows are missing or too many; the difference alone, which stays while others come in."""
    if there < counted:
        yield Damage(place, f"rows that are missing: {counted - there}")
    if there > counted:
        yield Damage(place, f"rows that were never counted: {there - counted}")


def parts_counted(tx: Transaction) -> Mapping[tuple[str, int, str], int]:
    """Return how many sealed rows each part of each bucket must have: collected, and not erased one by one."""
    found: Counter[tuple[str, int, str]] = Counter()
    c = counts.c
    query = sa.select(c.org, c.bucket, c.parts, c.erased, c.records)
    for org, bucket, names, erased, number in tx.conn.execute(query):
        gone = set(_names.decode(erased))
        for part in _names.decode(names):
            if part not in gone:
                found[org, bucket, part] += number
    return found
