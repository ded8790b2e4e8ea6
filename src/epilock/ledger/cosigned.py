"""What witnesses gave for checkpoints of this log, and which checkpoint the public is shown.

While witnesses are asked, the log goes on growing; so the public is shown the newest checkpoint for which
they *were* asked, with what came back in time. Receipts are proved against it as soon as it covers them.

Rules kept in this file:
  1. A cosignature is kept only after it was verified (``witness.ask``); here nothing is believed anew.
  2. What is shown never gets smaller.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.ledger import cosignature
from epilock.ledger.note import Verifier

cosignatures = sealed_table(
    "witness_cosignatures",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("algorithm", sa.Integer, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
)

shown = sealed_table(
    "witness_shown",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
)


def keep(tx: Transaction, log: int, size: int, lines: Sequence[tuple[Verifier, str]]) -> None:
    """Keep verified cosignature lines of the checkpoint of ``size``; a later one of a key replaces it."""
    for key, line in lines:
        place = {"log": log, "size": size, "key_id": key.key_id.hex(), "name": key.name}
        tx.delete(cosignatures, **place)
        tx.insert(cosignatures, **place, algorithm=key.algorithm, line=line)


def lines(tx: Transaction, log: int, size: int) -> str:
    """Return the cosignature lines of the checkpoint of ``size``: Ed25519 first, by name.

    Raises:
        TamperedError: A row was changed past this program.
    """
    found = tx.rows(cosignatures, log=log, size=size)
    found.sort(key=itemgetter("algorithm", "name", "key_id"))
    return "".join(row["line"] for row in found)


def short(signed: str) -> str:
    """Return a note without its ML-DSA-44 lines: what fits into a QR code of 2,953 bytes."""
    most = 8 + 64 + cosignature.TIME_BYTES  # of an Ed25519 line in base64, and room for its key id
    text, gap, tail = signed.rpartition("\n\n")
    kept = [line for line in tail.splitlines() if len(line.rsplit(" ", 1)[-1]) <= most * 4 // 3]
    return text + gap + "".join(f"{line}\n" for line in kept)


def show(tx: Transaction, log: int, size: int, *, now: datetime) -> None:
    """Show the public the checkpoint of ``size``, unless a larger one is shown already."""
    row = tx.find(shown, lock=True, log=log)
    if row is None:
        tx.insert(shown, log=log, size=size, at=now)
    elif row["size"] < size:
        tx.update(shown, {"log": log}, size=size, at=now)


def shown_size(tx: Transaction, log: int) -> int | None:
    """Return the size of the checkpoint that the public is shown; None if witnesses were never asked."""
    row = tx.find(shown, log=log)
    return None if row is None else int(row["size"])
