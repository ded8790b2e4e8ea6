"""Files that rest sealed, each under a key of its own, which is destroyed when the file has to go.

The key is a leaf of the key store (``store.keys``), where it lies like a bucket's seeds: once it is destroyed no
copy of the databases opens the file. The bytes stand in a table of the room that the file belongs to; no bucket
of records has a name of two parts, so that a file's place is never a bucket's.
"""

import os

from epilock.store.access import Keys
from epilock.store.suite import NONCE_BYTES

PART = "file"
RELEASE, PAPER = "release", "paper"
ROOMS = (RELEASE, PAPER)  # first part of a place


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
