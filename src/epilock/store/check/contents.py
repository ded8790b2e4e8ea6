"""Records, sealed parts and counts, bucket by bucket: each part is opened, and is what was given.

A bucket's records and the rows of each of its parts are walked side by side in the order of their numbers,
so that a missing row and one too many are both seen.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EntryError, EpilockError, ErasedError, TamperedError
from epilock.ledger import entry
from epilock.ledger.check import Damage
from epilock.ledger.log import Log
from epilock.ledger.shards import entries_at
from epilock.store import count
from epilock.store.bucket import DYING, LIVE, PURGED, Bucket, bucket_parts, leases
from epilock.store.check import rows
from epilock.store.check.tagged import Tagged
from epilock.store.check.witness import Known
from epilock.store.count import counts
from epilock.store.keyrows import part_keys, seeds
from epilock.store.keys import KeyStore
from epilock.store.keytree import LEAVES
from epilock.store.seal import Unsealer, commitment
from epilock.store.tags import tags
from epilock.store.vault import parts, records

_GAP = 64  # entries between two that are wanted, up to which they are read in one go
_NO_BUCKET = "belongs to no bucket, or to one whose row was changed"


class _Found(NamedTuple):
    """A record whose row is whole."""

    n: int
    point: str
    entry_index: int
    notice: str
    parts: tuple[str, ...]
    erased: tuple[str, ...]


def check(tx: Transaction, keys: KeyStore, log: Log, known: Known) -> Iterator[Damage]:
    """Yield each record, sealed part, tag and count that is not what was stored."""
    for key in sorted(known.buckets):
        yield from _Contents(tx, keys, log, known, known.buckets[key]).run()
    yield from _strays(tx, known)


def _strays(tx: Transaction, known: Known) -> Iterator[Damage]:
    """Yield the places where rows lie that no bucket has."""
    ids = {(b.org, b.id): set(b.parts) for b in known.buckets.values()}
    for table in (bucket_parts, leases, records, counts):
        for org, bucket in rows.places(tx, table, 2):
            if (org, bucket) not in ids:
                yield Damage(f"{table.name} (org={rows.shown(org)}, bucket={bucket})", _NO_BUCKET)
    for table in (parts, tags):
        for org, bucket, part in rows.places(tx, table, 3):
            if part not in ids.get((org, bucket), ()):
                place = f"org={rows.shown(org)}, bucket={bucket}, part={rows.shown(part)}"
                yield Damage(f"{table.name} ({place})", _NO_BUCKET)


class _Contents:
    """One bucket."""

    def __init__(
        self, tx: Transaction, keys: KeyStore, log: Log, known: Known, bucket: Bucket
    ) -> None:
        self.tx, self.keys, self.log, self.bucket = tx, keys, log, bucket
        self.pending = known.pending
        self.states = known.states[bucket.org, bucket.name]
        self.unsealers: dict[str, Unsealer] = {}
        self.counted: Counter[tuple[str, str]] = Counter()
        self.whole = True  # no row of a record was changed, so that counts can be compared

    def run(self) -> Iterator[Damage]:
        yield from self._load_keys()
        tagged = Tagged(self.tx, self.keys, self.bucket, self.unsealers)
        after = -1
        while after < LEAVES:
            chunk = self._records(after)
            last = max(chunk, default=LEAVES)
            opened: dict[int, dict[str, bytes]] = {}
            for part in self.bucket.parts:
                yield from self._part(part, chunk, (after, last), opened)
            yield from self._texts(opened, tagged)
            good = [record for record in chunk.values() if record is not None]
            yield from self._witnessed(good, opened)
            self.whole = self.whole and len(good) == len(chunk)
            self.counted.update(
                (count.names_text(r.parts), count.names_text(r.erased)) for r in good
            )
            after = last
        yield from self._counts()
        yield from tagged.compare()

    def _load_keys(self) -> Iterator[Damage]:
        for part, state in self.states.items():
            if state not in {LIVE, DYING}:
                continue
            place = (self.bucket.org, self.bucket.name, part)
            try:
                cover = self.keys.cover(*place)
            except ErasedError:
                if state == LIVE:
                    yield Damage(rows.name(part_keys, place), "is gone, and its part is alive")
            except (EpilockError, UnicodeError, ValueError, sa.exc.DatabaseError):
                continue  # ``keyring`` names the row
            else:
                self.unsealers[part] = Unsealer(
                    self.bucket, part, cover, suite=self.keys.suite_of(self.bucket.org)
                )

    def _records(self, after: int) -> dict[int, _Found | None]:
        """Return the next records by number; None for one whose row was changed."""
        c = records.c
        where = (
            c.org == self.bucket.org, c.bucket == self.bucket.id, c.n > after, c.n < LEAVES,
        )  # fmt: skip
        found: dict[int, _Found | None] = {}
        for row in rows.stream(self.tx, records, *where, limit=rows.CHUNK):
            _, _, n, point, index, _, notice, names, erased, *_ = row
            found[n] = None
            if rows.is_sealed(self.tx, records, row):
                given, lost = (tuple(msgspec.json.decode(text)) for text in (names, erased))
                found[n] = _Found(n, point, index, notice, given, lost)
        return found

    def _part(
        self,
        part: str,
        chunk: Mapping[int, _Found | None],
        span: tuple[int, int],
        opened: dict[int, dict[str, bytes]],
    ) -> Iterator[Damage]:
        """Compare the rows of one part with the records; note in ``opened`` what opens."""
        c = parts.c
        where = (
            c.org == self.bucket.org, c.bucket == self.bucket.id, c.part == part,
            c.n > span[0], c.n <= span[1],
        )  # fmt: skip
        stored = {row[3]: row[4:] for row in rows.stream(self.tx, parts, *where)}
        state = self.states[part]
        for n in sorted(stored.keys() | chunk.keys()):
            record = chunk.get(n)
            if n in chunk and record is None:
                continue  # what its row said is not known
            row = rows.name(parts, (self.bucket.org, self.bucket.id, part, n))
            kept = record is not None and part in record.parts and part not in record.erased
            if n in stored and (not kept or state == PURGED):
                yield Damage(row, "should not be there: no record has it")
            elif kept and n not in stored and state in {LIVE, DYING}:
                yield Damage(row, "is missing")
            elif kept and part in self.unsealers:
                yield from self._open(part, n, stored[n], opened)
            if record is not None and part in record.erased:
                yield from self._is_erased(part, n)

    def _open(
        self, part: str, n: int, stored: rows.Row, opened: dict[int, dict[str, bytes]]
    ) -> Iterator[Damage]:
        row = rows.name(parts, (self.bucket.org, self.bucket.id, part, n))
        try:
            opened.setdefault(n, {})[part] = self.unsealers[part].open(n, *stored)
        except ErasedError:
            if self.states[part] == LIVE and (self.bucket.name, n, part) not in self.pending:
                yield Damage(row, "has lost its key, and the ledger knows of no erasure")
        except (TamperedError, TypeError):  # TypeError: a flipped byte made it no bytes
            yield Damage(row, "is not what was sealed")

    def _is_erased(self, part: str, n: int) -> Iterator[Damage]:
        if part not in self.unsealers or (self.bucket.name, n, part) in self.pending:
            return
        try:
            self.unsealers[part].leaf(n)
        except ErasedError:
            return
        place = (self.bucket.org, self.bucket.name, part)
        row = f"{seeds.name} ({', '.join(map(str, place))})"
        yield Damage(row, f"give the key of record {n}, whose part {part} was erased")

    def _texts(self, opened: Mapping[int, Mapping[str, bytes]], tagged: Tagged) -> Iterator[Damage]:
        for n, texts in opened.items():
            for part, text in texts.items():
                try:
                    tagged.add(n, part, text)
                except msgspec.DecodeError:
                    row = rows.name(parts, (self.bucket.org, self.bucket.id, part, n))
                    yield Damage(row, "opens, and is not the text of a record")

    def _witnessed(
        self, found: Sequence[_Found], opened: Mapping[int, Mapping[str, bytes]]
    ) -> Iterator[Damage]:
        """Compare records with their entries, and what was opened with its commitment."""
        said = self._entries(sorted(record.entry_index for record in found))
        for record in found:
            index, text = record.entry_index, opened.get(record.n, {})
            each = said.get(index)
            row = rows.name(records, (self.bucket.org, self.bucket.id, record.n))
            if not self._agree(record, each):
                yield Damage(row, f"does not fit ledger entry {index}, which it names")
            elif isinstance(each, entry.Collect) and text.keys() == set(record.parts):
                leaves = [self.unsealers[part].leaf(record.n) for part in sorted(text)]
                suite = self.keys.suite_of(self.bucket.org)
                if commitment(suite.commitment_key(leaves), text, suite).hex() != each.commitment:
                    yield Damage(row, f"opens to other than ledger entry {index} commits to")

    def _agree(self, record: _Found, said: entry.Entry | None) -> bool:
        place = (self.bucket.org, self.bucket.name, record.n)
        if isinstance(said, entry.Collect):
            same = (said.org, said.bucket, said.n) == place and said.notice == record.notice
            return same and said.point == record.point and set(said.parts) == set(record.parts)
        return isinstance(said, entry.Event) and (said.org, said.to_bucket, said.to_n) == place

    def _entries(self, indexes: Sequence[int]) -> dict[int, entry.Entry]:
        """Return the entries at ``indexes`` (sorted), those near to each other read together."""
        found: dict[int, entry.Entry] = {}
        start = 0
        for i, index in enumerate(indexes):
            if i + 1 < len(indexes) and indexes[i + 1] - index <= _GAP:
                continue
            first, wanted = indexes[start], set(indexes[start : i + 1])
            for at, data in enumerate(
                entries_at(self.tx, self.log, first, index - first + 1), first
            ):
                if at in wanted:
                    try:
                        found[at] = entry.decode(data)
                    except EntryError:
                        continue  # ``witness`` names it
            start = i + 1
        return found

    def _counts(self) -> Iterator[Damage]:
        if not self.whole:
            return
        where = (counts.c.org == self.bucket.org, counts.c.bucket == self.bucket.id)
        stored = {row[2:4]: row[4] for row in rows.stream(self.tx, counts, *where)}
        for key in sorted(stored.keys() | self.counted.keys()):
            if stored.get(key, 0) != self.counted[key]:
                row = rows.name(counts, (self.bucket.org, self.bucket.id, *key))
                yield Damage(row, f"says {stored.get(key, 0)}, there are {self.counted[key]}")
