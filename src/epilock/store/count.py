"""How many records a bucket took in, and how many of them lost what: what a certificate states.

Counts are kept with each insertion and erasure, so that a certificate costs the same for ten records as
for ten million. ``check`` counts again, and so can anyone from the ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction, metadata, sealed_table
from epilock.store.bucket import Bucket

counts = sealed_table(
    "record_counts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("parts", sa.String(1000), primary_key=True),
    sa.Column("erased", sa.String(1000), primary_key=True),
    sa.Column("records", sa.Integer, nullable=False),
)
"""How many records of a bucket were collected with ``parts`` and have lost ``erased`` (``names_text``)."""

Key = tuple[str, int, str, str]  # organisation, bucket, parts, erased
_NAMES = msgspec.json.Decoder(list[str])


class Counts(NamedTuple):
    """What a certificate says of some parts of a bucket.

    Attributes:
        collected: Records that had any of the parts.
        erased: Those of them of which none of the parts was left: erased one by one, or moved.
    """

    collected: int
    erased: int

    @property
    def left(self) -> int:
        """Those that die with the parts."""
        return self.collected - self.erased


def names_text(names: Sequence[str]) -> str:
    """Return names of parts as they are stored: a sorted JSON list."""
    return _text(tuple(names))


@lru_cache(maxsize=1024)
def _text(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(sorted(names)).decode()


def add(tx: Transaction, key: Key, number: int) -> None:
    """Add ``number`` (which may be negative) to one count."""
    org, bucket, parts, erased = key
    place = {"org": org, "bucket": bucket, "parts": parts, "erased": erased}
    row = tx.find(counts, lock=True, **place)
    if row is None:
        tx.insert(counts, **place, records=number)
    else:
        tx.update(counts, place, records=row["records"] + number)


def of(tx: Transaction, bucket: Bucket, parts: Collection[str] | None = None) -> Counts:
    """Return the counts over ``parts`` of the bucket (all if None).

    Raises:
        TamperedError: A row was changed past this program.
    """
    rows = tx.all(counts, counts.c.org == bucket.org, counts.c.bucket == bucket.id)
    return _sum(rows, set(bucket.parts if parts is None else parts))


def of_all(tx: Transaction, org: str, buckets: Collection[int]) -> Mapping[int, Counts]:
    """Return the counts over all parts of each of ``buckets``, in one query; errors as ``of``."""
    rows: dict[int, list[Mapping[str, Any]]] = {bucket: [] for bucket in buckets}
    for row in tx.all(counts, counts.c.org == org, counts.c.bucket.in_(list(rows))):
        rows[row["bucket"]].append(row)
    return {bucket: _sum(found, None) for bucket, found in rows.items()}


def _sum(rows: Sequence[Mapping[str, Any]], wanted: set[str] | None) -> Counts:
    """Return the counts over the parts that are ``wanted``, all if None."""
    collected = erased = 0
    for row in rows:
        names = set(_NAMES.decode(row["parts"]))
        had = names if wanted is None else names & wanted
        if had:
            collected += row["records"]
            erased += row["records"] * (had <= set(_NAMES.decode(row["erased"])))
    return Counts(collected, erased)
