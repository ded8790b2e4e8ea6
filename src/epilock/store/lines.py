"""Lines: what a record was in a release, readable only while all lives that the release used of the record.

A release's custodian must know which record was in which class, or no later release can be held against it.
That list dies with its records, without anybody erasing it: there is one line for each record, sealed under a
subkey of the leaf keys of all its parts that the release used. Puncture, step-down or the end of any of
them makes the line noise. The row goes with the record's rows (``removal``).

Rules kept in this file:
  1. The subkey is bound to the release, and is none that a receipt holds (``commitment``): a person's own
     receipt opens no line.
  2. All lines of a release are of the same length: a record that was left out has one too.
  3. Nothing here says what a line means; that is the release's.
"""

import os
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from epilock.db import Transaction, metadata
from epilock.errors import ErasedError, StateError, TamperedError
from epilock.store.access import Keys
from epilock.store.bucket import Bucket
from epilock.store.seal import Unsealer
from epilock.store.suite import LINE, NONCE_BYTES

release_lines = sa.Table(
    "release_lines",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("release", sa.String(20), primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Columns: ``used`` bit i for part i of the release's parts; ``sealed`` nonce and sealed bytes."""

LineRow = tuple[str, int, int, str, int, bytes]


class Lines:
    """Seals and opens the lines of one release in one bucket; for one batch, for one thread.

    Args:
        keys: The key store.
        bucket: The bucket.
        release: Code of the release.
        parts: The parts that the release uses, in their order.
    """

    def __init__(self, keys: Keys, bucket: Bucket, release: str, parts: Sequence[str]) -> None:
        self._suite, self._bucket, self._release = keys.suite_of(bucket.org), bucket, release
        self._parts = tuple(parts)
        self._unsealers = {
            part: Unsealer(
                bucket, part, keys.cover(bucket.org, bucket.name, part), suite=self._suite
            )
            for part in parts
            if part in bucket.live
        }

    def seal(self, n: int, used: Iterable[str], said: bytes) -> LineRow:
        """Return the row of record ``n``, of which the release used the parts ``used``.

        Raises:
            ErasedError: One of them is gone.
            StateError: There is none.
        """
        among = set(used)
        bits = sum(1 << place for place, part in enumerate(self._parts) if part in among)
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._suite.cipher(self._key(n, bits))
        sealed = cipher.encrypt(nonce, said, self._aad(n, bits))
        return (self._bucket.org, self._bucket.id, n, self._release, bits, nonce + sealed)

    def open(self, n: int, used: int, sealed: bytes) -> bytes:
        """Return what the line of record ``n`` says.

        Raises:
            ErasedError: A part that the release used is gone.
            TamperedError: The row was changed, moved or put back; it is named.
        """
        cipher = self._suite.cipher(self._key(n, used))
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._suite.open(cipher, nonce, rest, self._aad(n, used))
        except TamperedError:
            place = f"org={self._bucket.org}, bucket={self._bucket.id}, n={n}"
            raise TamperedError(
                f"release_lines ({place}, release={self._release}) is not what was sealed"
            ) from None

    def _key(self, n: int, bits: int) -> bytes:
        leaves = []
        for place, part in enumerate(self._parts):
            if not bits >> place & 1:
                continue
            if part not in self._unsealers:
                raise ErasedError(f"{self._bucket.name} has no key for part {part}")
            leaves.append(self._unsealers[part].leaf(n))
        if not leaves:
            raise StateError("a line is of a record that a release used a part of")
        return self._suite.subkey(leaves[0], LINE, b"".join([*leaves[1:], self._release.encode()]))

    def _aad(self, n: int, bits: int) -> bytes:
        suite, bucket = self._suite.name, self._bucket
        return f"epilock/line/v1|{suite}|{bucket.org}|{bucket.name}|{self._release}|{bits}|{n}".encode()


def of_bucket(tx: Transaction, bucket: Bucket, release: str) -> dict[int, tuple[int, bytes]]:
    """Return the lines of a release in a bucket by record number: ``used`` and ``sealed``."""
    c = release_lines.c
    query = sa.select(c.n, c.used, c.sealed).where(
        c.org == bucket.org, c.bucket == bucket.id, c.release == release
    )
    return {n: (used, bytes(sealed)) for n, used, sealed in tx.conn.execute(query)}


def sweep(tx: Transaction, org: str, bucket: int, first: int, last: int) -> None:
    """Delete the lines of the records ``first`` to ``last`` of a bucket, whose keys are gone."""
    c = release_lines.c
    tx.conn.execute(
        sa.delete(release_lines).where(
            c.org == org, c.bucket == bucket, c.n >= first, c.n <= last
        )
    )  # fmt: skip
