"""The tally: how many records of some buckets say what. It opens one part of each, for ``aggregate`` alone.

What it returns is exact and must not leave before ``deidentify.cells`` has hidden what is small.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from epilock.beside import Told, nobody
from epilock.db import Transaction
from epilock.errors import ErasedError
from epilock.store import tags, vault
from epilock.store.bucket import LIVE, Bucket
from epilock.store.seal import Unsealer
from epilock.store.vault import Record
from epilock.use.gate import Gate

NOT_GIVEN = ""
_CHUNK = 5000  # records that are in memory at once


def count(
    gate: Gate,
    tx: Transaction,
    buckets: Sequence[Bucket],
    category: str | None,
    *,
    purpose: str,
    told: Told = nobody,
) -> Counter[str]:
    """Return how many living records there are by value of ``category``, or by day if it is None.

    On consent only those whose person gave ``purpose``. ``told`` is told how far it is.

    Raises:
        TamperedError: A row is missing or was changed, moved, cut or put back; it is named.
    """
    counts: Counter[str] = Counter()
    given = Given(gate, tx, purpose)
    for passed, bucket in enumerate(buckets):
        told("count", passed, len(buckets))
        if category is None:
            counts[bucket.day.isoformat()] += sum(map(given, living(tx, bucket)))
        else:
            counts.update(_values(gate, tx, bucket, category, given))
    return counts


class Given:
    """Tells whether a record's person gave the purpose; asked once for records that gave alike (rule 5)."""

    def __init__(self, gate: Gate, tx: Transaction, purpose: str) -> None:
        self._gate, self._tx, self._act = gate, tx, f"purpose:{purpose}"
        self._known: dict[tuple[str, str, int | None], bool] = {}

    def __call__(self, record: Record) -> bool:
        """Tell it of one record."""
        alike = (record.point, record.notice, record.given)
        found = self._known.get(alike)
        if found is None:
            acts = self._gate.acts_of(self._tx, record)
            found = self._known[alike] = acts is None or self._act in acts
        return found


def living(tx: Transaction, bucket: Bucket) -> Iterator[Record]:
    """Yield the living records of a bucket, a slice at a time."""
    c = vault.records.c
    after = -1
    while True:
        rows = tx.all(
            vault.records, c.org == bucket.org, c.bucket == bucket.id, c.state == LIVE, c.n > after,
            order_by=[c.n], limit=_CHUNK,
        )  # fmt: skip
        yield from map(vault.read_record, rows)
        if len(rows) < _CHUNK:
            return
        after = rows[-1]["n"]


def _values(
    gate: Gate, tx: Transaction, bucket: Bucket, category: str, given: Given
) -> Iterator[str]:
    """Yield what each record of a bucket says in ``category``: the one part that holds it is opened."""
    part = gate.standard.part_of(bucket.circumstance, category).name
    if part not in bucket.live:
        return
    cover = gate.keys.cover(bucket.org, bucket.name, part)
    unsealer = Unsealer(bucket, part, cover, suite=gate.keys.suite_of(bucket.org))
    for records in slices(living(tx, bucket)):
        wanted = [r.n for r in records if part in r.left and given(r)]
        c = vault.parts.c
        rows = tx.conn.execute(
            sa.select(c.n, c.nonce, c.sealed).where(
                c.org == bucket.org, c.bucket == bucket.id, c.part == part,
                c.n >= records[0].n, c.n <= records[-1].n,
            )
        )  # fmt: skip
        found = {n: (nonce, sealed) for n, nonce, sealed in rows}
        for n in wanted:
            if n not in found:
                raise vault.missing(next(r for r in records if r.n == n), part)
            try:
                plain = tags.parse({part: unsealer.open(n, *found[n])})
            except ErasedError:  # erased since this transaction began
                continue
            fields = plain[part].get(category, {})
            yield "; ".join(v.strip() for v in fields.values() if v.strip()) or NOT_GIVEN


def slices(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield the records in slices that fit into memory, none of them empty."""
    held: list[Record] = []
    for record in records:
        held.append(record)
        if len(held) == _CHUNK:
            yield held
            held = []
    if held:
        yield held
