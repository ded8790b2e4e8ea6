"""Files that rest sealed, each under a key of its own, which is destroyed when the file has to go.

The key is a leaf of the key store (``store.keys``), where it lies like a bucket's seeds: once it is destroyed no
copy of the databases opens the file. The bytes stand in a table of the room that the file belongs to; a bucket of
records has a name of four parts, and a file's place never so many.

The place of a photograph says which records it shows, so that a key service can hold it to what they are held to.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from epilock.store.access import Keys
from epilock.store.suite import NONCE_BYTES

PART = "file"
RELEASE, PAPER = "release", "paper"
ROOMS = (RELEASE, PAPER)  # first part of a place
_BUCKET = 4  # parts of a bucket's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Which records a photograph of a page shows, as its place says it.

    Attributes:
        code: The page's.
        bucket: Name of the bucket of the first record on it.
        n: That record's number.
        rows: How many records it shows.
    """

    code: str
    bucket: str
    n: int
    rows: int

    @classmethod
    def of(cls, code: str, records: Collection[tuple[str, int]]) -> Self:
        """Return the sheet with these records: (name of the bucket, number)."""
        bucket, n = min(records)
        return cls(code=code, bucket=bucket, n=n, rows=len(records))

    @property
    def place(self) -> str:
        """Under which name its key lies."""
        return f"{PAPER}/{self.code}/{self.bucket}/{self.n}/{self.rows}"


def read_sheet(at: str) -> Sheet | None:
    """Return the sheet whose place ``at`` is, or None if it is another's, or says nothing of its records."""
    room, *rest = at.split("/")
    if room != PAPER or len(rest) != _BUCKET + 3:
        return None
    code, *bucket, n, rows = rest
    if not (n.isdecimal() and rows.isdecimal()):
        return None
    return Sheet(code=code, bucket="/".join(bucket), n=int(n), rows=int(rows))


def is_place(name: str) -> bool:
    """Tell whether a name of the key store is a file's place and no bucket's."""
    parts = name.split("/")
    return parts[0] in ROOMS and len(parts) != _BUCKET


def place(room: str, code: str) -> str:
    """Return the name under which the key store keeps the key of a file."""
    return f"{room}/{code}"


def seal(keys: Keys, org: str, at: str, aad: bytes, body: bytes) -> bytes:
    """Return ``body`` sealed under the key of place ``at``, made if there is none; outside any transaction."""
    keys.add_bucket(org, at, [PART])
    cipher = keys.suite_of(org).part_cipher(keys.leaf(org, at, PART, 0))
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, body, aad)


def unseal(keys: Keys, org: str, at: str, aad: bytes, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        ErasedError: Its key is destroyed.
        TamperedError: It was changed or put in another's place.
    """
    cipher = keys.suite_of(org).part_cipher(keys.leaf(org, at, PART, 0))
    return keys.suite_of(org).open(cipher, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
