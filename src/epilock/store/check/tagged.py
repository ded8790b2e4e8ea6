"""Tags of one bucket, made again: they lie in another order than records, so they are summed up first.

Each row that there should be adds its hash to a sum, and so does each row that there is; where the two
sums agree, so do the rows (but for odds of 2**-128). Only where they differ, or while tags are being made
again in a later normal form, are they compared one by one.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2s

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EpilockError
from epilock.ledger.check import Damage
from epilock.store.bucket import Bucket
from epilock.store.check import rows
from epilock.store.keys import KeyStore
from epilock.store.seal import Unsealer
from epilock.store.tags import FORMS, Form, TagRow, parse, tag_rows, tags, terms
from epilock.store.vault import parts

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
        self._tx, self._suite, self._bucket, self._unsealers = tx, keys.suite, bucket, unsealers
        self._sums = dict.fromkeys(unsealers, 0)
        self._open = lru_cache(maxsize=_CACHED)(self._read)
        try:
            self._key: bytes | None = keys.tag_key(bucket.org, bucket.emergency)
        except EpilockError:  # dropped with its emergency, or named by ``keyring``
            self._key = None

    def add(self, n: int, part: str, text: bytes) -> None:
        """Count the tags that the plaintext of one part of record ``n`` has.

        Raises:
            msgspec.DecodeError: It is not the text of a record.
        """
        if self._key is None:
            parse({part: text})
            return
        for row in self._rows(n, part, text, max(self._forms)):
            self._sums[part] += _hash(row)

    def compare(self) -> Iterator[Damage]:
        """Yield each tag that is missing, changed or one too many, of all that was added."""
        if self._key is None:
            return
        for part, expected in self._sums.items():
            found = sum(_hash(row) for row in self._stored(part))
            if (found - expected) % _MODULUS:
                yield from self._missing(part)
                yield from self._surplus(part)

    def _missing(self, part: str) -> Iterator[Damage]:
        place = (self._bucket.org, self._bucket.id, part)
        where = [c == v for c, v in zip(parts.primary_key.columns, place, strict=False)]
        for *_, n, _, _ in rows.stream(self._tx, parts, *where):
            text = self._open(n, part)
            if not text:
                continue  # being erased, or named where it was opened
            query = sa.select(tags.c.tag, tags.c.role, tags.c.version).where(
                tags.c.org == place[0], tags.c.bucket == place[1], tags.c.part == part,
                tags.c.n == n, tags.c.tag.in_({r[3] for v in self._forms for r in self._rows(n, part, text, v)}),
            )  # fmt: skip
            stored = {(bytes(tag), role, v) for tag, role, v in self._tx.conn.execute(query)}
            if not any(
                {(r[3], r[5], r[6]) for r in self._rows(n, part, text, version)} <= stored
                for version in self._forms
            ):
                row = f"tags (org={place[0]}, bucket={place[1]}, part={part}, n={n})"
                yield Damage(row, "a tag of this record is missing or changed")

    def _surplus(self, part: str) -> Iterator[Damage]:
        for row in self._stored(part):
            n, version = row[4], row[6]
            text = self._open(n, part) if isinstance(n, int) else None
            if text == _SHUT:
                continue
            known = self._rows(n, part, text, version) if text and version in self._forms else ()
            if row not in known:
                yield Damage(rows.name(tags, row), "is no tag of what its record holds")

    def _stored(self, part: str) -> Iterator[rows.Row]:
        place = (self._bucket.org, self._bucket.id, part)
        where = [c == v for c, v in zip(tags.primary_key.columns, place, strict=False)]
        return rows.stream(self._tx, tags, *where)

    def _rows(self, n: int, part: str, text: bytes, version: int) -> list[TagRow]:
        if self._key is None:
            return []
        found = terms(parse({part: text}), self._forms[version])
        place = (self._bucket.org, self._bucket.id, n)
        return tag_rows(self._suite, self._key, place, found, version)

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


def _hash(row: rows.Row) -> int:
    """Return a number of 128 bits for a row; a row that can't even be written down has one too."""
    try:
        text = msgspec.json.encode(row)
    except UnicodeEncodeError:
        text = repr(row).encode("ascii", "backslashreplace")
    return int.from_bytes(blake2s(text, digest_size=16).digest(), "big")
