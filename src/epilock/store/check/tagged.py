"""Tags of one bucket, made again: they lie in another order than records, so they are summed up first.

Each row that there should be adds its hash to a sum, one for each 4,096 numbers, and so does each row that
there is; where two sums agree, so do the rows (but for odds of 2**-128). Only where they differ, or while
tags are being made again in a later normal form or under a later key, are they compared one by one.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2s
from typing import Any

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EpilockError
from epilock.ledger.check import Damage
from epilock.store.bucket import Bucket
from epilock.store.check import rows
from epilock.store.keys import KeyStore
from epilock.store.keytree import LEASE_LEAVES
from epilock.store.seal import Unsealer
from epilock.store.tags import FORMS, Form, TagRow, generations, parse, tag_rows, tags, terms
from epilock.store.vault import parts

Sums = Counter[int]  # block of numbers to the sum of its rows' hashes

_N, _VERSION, _GENERATION = 4, 6, 7  # places in a row of tags
_MODULUS = 1 << 128
_SHUT = b""  # no text of a record: that has two braces at least
_CACHED = 4096  # parts kept open while rows are compared one by one


class Tagged:
    """The tags of one bucket.

    Args:
        tx: The main database.
        keys: The key store.
        bucket: The bucket.
        unsealers: Of its living parts.
        forms: Normal forms by version.
    """

    def __init__(
        self,
        tx: Transaction,
        keys: KeyStore,
        bucket: Bucket,
        unsealers: Mapping[str, Unsealer],
        forms: Mapping[int, Mapping[str, Form]] = FORMS,
    ) -> None:
        self._forms = forms
        self._tx, self._bucket, self._unsealers = tx, bucket, unsealers
        self._suite = keys.suite_of(bucket.org)
        self._sums: dict[str, Sums] = {part: Counter() for part in unsealers}
        self._open = lru_cache(maxsize=_CACHED)(self._read)
        try:
            self._key: bytes | None = keys.tag_key(bucket.org, bucket.emergency)
        except EpilockError:  # dropped with its emergency, or named by ``keyring``
            self._key = None
        self._generations = range(1, len(generations(self._key or b"")) + 1)

    def add(self, n: int, part: str, text: bytes) -> None:
        """Count the tags that the plaintext of one part of record ``n`` has.

        Raises:
            msgspec.DecodeError: It is not the text of a record.
        """
        if self._key is None:
            parse({part: text})
            return
        for row in self._rows(n, part, text, max(self._forms)):
            self._sums[part][_group(n)] += _hash(row)

    def compare(self) -> Iterator[Damage]:
        """Yield each tag that is missing, changed or one too many, of all that was added."""
        if self._key is None:
            return
        for part, expected in self._sums.items():
            found: Sums = Counter()
            for row in self._stored(part):
                found[_group(row[_N])] += _hash(row)
            suspect = {
                group
                for group in expected.keys() | found.keys()
                if (found[group] - expected[group]) % _MODULUS
            }
            if suspect:
                yield from self._missing(part, suspect)
                yield from self._surplus(part, suspect)

    def _missing(self, part: str, suspect: Collection[int]) -> Iterator[Damage]:
        c = parts.c
        for group in sorted(suspect):
            where = (
                c.org == self._bucket.org, c.bucket == self._bucket.id, c.part == part,
                c.n >= group * LEASE_LEAVES, c.n < (group + 1) * LEASE_LEAVES,
            )  # fmt: skip
            for *_, n, _, _ in rows.stream(self._tx, parts, *where):
                text = self._open(n, part)
                if text and not self._is_tagged(n, part, text):
                    place = f"org={self._bucket.org}, bucket={self._bucket.id}, part={part}, n={n}"
                    yield Damage(f"tags ({place})", "a tag of this record is missing or changed")

    def _is_tagged(self, n: int, part: str, text: bytes) -> bool:
        """Tell whether all tags of a text are there, in one of the normal forms, each under one of the keys."""
        made = {
            v: [
                {row[3:] for row in of_one}
                for of_one in zip(
                    *(self._rows(n, part, text, v, g) for g in self._generations), strict=True
                )
            ]
            for v in self._forms
        }
        c = tags.c
        query = sa.select(c.tag, c.n, c.role, c.version, c.generation).where(
            c.org == self._bucket.org, c.bucket == self._bucket.id, c.part == part, c.n == n,
            c.tag.in_({row[0] for found in made.values() for of_one in found for row in of_one}),
        )  # fmt: skip
        stored = {(bytes(tag), *rest) for tag, *rest in self._tx.conn.execute(query)}
        return any(all(of_one & stored for of_one in found) for found in made.values())

    def _surplus(self, part: str, suspect: Collection[int]) -> Iterator[Damage]:
        for row in self._stored(part):
            n, version, generation = row[_N], row[_VERSION], row[_GENERATION]
            if _group(n) not in suspect:
                continue
            text = self._open(n, part) if isinstance(n, int) else None
            if text == _SHUT:  # being erased, or named where it was opened
                continue
            is_known = version in self._forms and generation in self._generations
            known = self._rows(n, part, text, version, generation) if text and is_known else ()
            if row not in known:
                yield Damage(rows.name(tags, row), "is no tag of what its record holds")

    def _stored(self, part: str) -> Iterator[rows.Row]:
        place = (self._bucket.org, self._bucket.id, part)
        where = [c == v for c, v in zip(tags.primary_key.columns, place, strict=False)]
        return rows.stream(self._tx, tags, *where)

    def _rows(
        self, n: int, part: str, text: bytes, version: int, generation: int | None = None
    ) -> list[TagRow]:
        if self._key is None:
            return []
        found = terms(parse({part: text}), self._forms[version])
        place = (self._bucket.org, self._bucket.id, n)
        return tag_rows(self._suite, self._key, place, found, version, generation)

    def _read(self, n: int, part: str) -> bytes | None:
        """Return the plaintext of one part of record ``n``; None if it has none, ``_SHUT`` if it is shut."""
        query = sa.select(parts.c.nonce, parts.c.sealed).where(
            parts.c.org == self._bucket.org, parts.c.bucket == self._bucket.id,
            parts.c.part == part, parts.c.n == n,
        )  # fmt: skip
        row = self._tx.conn.execute(query).first()
        if row is None:
            return None
        try:
            text = self._unsealers[part].open(n, row.nonce, row.sealed)
            parse({part: text})
        except (EpilockError, TypeError, msgspec.DecodeError):
            return _SHUT
        return text


def _group(n: Any) -> int:
    """Return the block of 4,096 numbers that ``n`` lies in; -1 for what is no number."""
    return n // LEASE_LEAVES if isinstance(n, int) else -1


def _hash(row: rows.Row) -> int:
    """Return a number of 128 bits for a row; a row that can't even be written down has one too."""
    try:
        text = msgspec.json.encode(row)
    except UnicodeEncodeError:
        text = repr(row).encode("ascii", "backslashreplace")
    return int.from_bytes(blake2s(text, digest_size=16).digest(), "big")
