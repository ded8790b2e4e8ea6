"""Recovery codes: ten on paper, each used once in the place of a second factor that is lost.

A code has 80 random bits, so that its plain SHA-256 can be kept: nobody guesses one. Spaces, hyphens and capitals
do not matter, nor 0 for O and 1 for I, which the alphabet (RFC 4648 base32) does not have.
"""

import hmac
import re
from base64 import b32encode
from hashlib import sha256
from os import urandom

import sqlalchemy as sa

from epilock.db import Transaction, metadata, sealed_table

MANY = 10
_OCTETS = 10  # 80 random bits, 16 characters
_CODE = re.compile(r"[A-Z2-7]{16}")
_LOOKS = str.maketrans({"0": "O", "1": "I", " ": None, "-": None})

recovery_codes = sealed_table(
    "recovery_codes",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("staff", sa.String(20), primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
)


def renew(tx: Transaction, org: str, staff: str) -> list[str]:
    """Make new codes, to be shown once; the old ones are void."""
    remove(tx, org, staff)
    made = [b32encode(urandom(_OCTETS)).decode() for _ in range(MANY)]
    for code in made:
        tx.insert(recovery_codes, org=org, staff=staff, hash=_hash(org, staff, code))
    return ["-".join(re.findall(".{4}", code.lower())) for code in made]


def spend(tx: Transaction, org: str, staff: str, typed: str) -> bool:
    """Tell whether ``typed`` is a code of the account, which it is never again."""
    code = typed.upper().translate(_LOOKS)
    if not _CODE.fullmatch(code):
        return False
    wanted, found = _hash(org, staff, code), False
    for row in tx.rows(recovery_codes, lock=True, org=org, staff=staff):
        found |= hmac.compare_digest(bytes(row["hash"]), wanted)
    return found and tx.delete(recovery_codes, org=org, staff=staff, hash=wanted) == 1


def left(tx: Transaction, org: str, staff: str) -> int:
    """Return how many codes of the account are unused."""
    return len(tx.rows(recovery_codes, org=org, staff=staff))


def remove(tx: Transaction, org: str, staff: str) -> None:
    """Make every code of an account void."""
    tx.delete(recovery_codes, org=org, staff=staff)


def _hash(org: str, staff: str, code: str) -> bytes:
    return sha256(f"recovery|{org}|{staff}|{code}".encode()).digest()
