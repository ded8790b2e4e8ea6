"""The keys that sign a log, one after the other: which checkpoints each of them signs.

A key is announced by an entry and from there on signs beside the old one, so whoever trusts the old key
learns the new one from a tree that the old one signed; witnesses and monitors see both. The old key ends
with another entry. A log is sealed by ending all of its keys: no larger tree is ever signed.

Rules kept in this file:
  1. Which keys sign is a function of the tree's size alone, never of the clock: signing a committed row
     again gives the same bytes.
  2. A key that ended is not used again, and the last one ends only with the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction, metadata, sealed_table
from epilock.errors import IntegrityError
from epilock.ledger.note import Signer

keys = sealed_table(
    "log_keys",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("vkey", sa.String(400), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger),
)

SignerOf = Callable[[int], Signer]
"""Returns the key of a number, from 1 on; the key store makes one that there is not yet."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key of a log.

    Attributes:
        number: From 1 on.
        signer: The key.
        first: Size of the smallest tree that it signs.
        last: Size of the largest; None while it is in use.
    """

    number: int
    signer: Signer
    first: int = 0
    last: int | None = None

    def signs(self, size: int) -> bool:
        """Tell whether it signs trees of ``size``."""
        return self.first <= size and (self.last is None or size <= self.last)


Keyring = tuple[SigningKey, ...]


def load(tx: Transaction, log: int, signer_of: SignerOf) -> Keyring:
    """Return the keys of a log, the oldest first.

    Raises:
        TamperedError: A row was changed past this program.
        IntegrityError: The key store holds another key than was announced.
    """
    rows = tx.all(keys, keys.c.log == log, order_by=[keys.c.number])
    if not rows:
        return (SigningKey(1, signer_of(1)),)
    found = tuple(
        SigningKey(row["number"], signer_of(row["number"]), row["first"], row["last"])
        for row in rows
    )
    for key, row in zip(found, rows, strict=True):
        if key.signer.vkey != row["vkey"]:
            raise IntegrityError(f"key {key.number} of the log is not the one that was announced")
    return found


def version(tx: Transaction, log: int) -> Sequence[Any]:
    """Return what changes whenever the keys of a log do: number and end of each."""
    query = "SELECT number, last FROM log_keys WHERE log = ? ORDER BY number"
    return tx.query(query, (log,))


def add(tx: Transaction, log: int, ring: Keyring, signer: Signer, *, first: int) -> None:
    """Write that ``signer`` signs trees from size ``first`` on, beside those of ``ring``."""
    _write_first(tx, log, ring)
    tx.insert(
        keys, log=log, number=ring[-1].number + 1, vkey=signer.vkey, first=first, last=None
    )  # fmt: skip


def end(
    tx: Transaction, log: int, ring: Keyring, ended: Sequence[SigningKey], *, last: int
) -> None:
    """Write that ``ended`` of ``ring`` sign no tree larger than ``last``."""
    _write_first(tx, log, ring)
    for each in ended:
        tx.update(keys, {"log": log, "number": each.number}, last=last)


def _write_first(tx: Transaction, log: int, ring: Keyring) -> None:
    """Write the key that a log begins with; it has no row before its first change."""
    first = ring[0]
    if tx.find(keys, log=log, number=first.number) is None:
        tx.insert(keys, log=log, number=first.number, vkey=first.signer.vkey, first=0, last=None)
