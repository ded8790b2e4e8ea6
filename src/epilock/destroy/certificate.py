"""Proofs of destruction for one receipt: which entry says that which part of this record is gone.

A certificate names a bucket, parts and a range of record numbers; a receipt holds its number, so each
person has a proof of their own, and a certificate costs the same for ten records as for ten million.
"""

from dataclasses import dataclass

from epilock.db import Transaction
from epilock.destroy import intent as intents
from epilock.destroy.intent import DESTROY
from epilock.errors import ProofError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.store import bucket as buckets
from epilock.store import vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One proof.

    Attributes:
        parts: Parts of the record that it says are gone.
        kind: ``destroy`` (with the bucket) or ``erase`` (this record alone).
        index: Index of the entry.
        text: ``.tlog-proof``, the entry in ``extra``.
    """

    parts: tuple[str, ...]
    kind: str
    index: int
    text: str


def prove(tx: Transaction, log: Log, org: str, bucket: int, n: int) -> tuple[Proof, ...]:
    """Return the proofs for a record, the oldest first; what still lives has none.

    ``tx`` must be a reading transaction, for checkpoints are signed from what is committed.

    Raises:
        NotFoundError: There is no such record.
    """
    record = vault.find_record(tx, org, bucket, n)
    found = []
    for intent in intents.of_bucket(tx, org, bucket):
        parts = tuple(p for p in intent.parts if p in record.parts)
        mine = intent.kind == DESTROY or intent.n == n
        if intent.done is None or intent.entry_index is None or not parts or not mine:
            continue
        text = log.proof(tx, intent.entry_index)
        check(log.entry(tx, intent.entry_index), buckets.load(tx, org, bucket).name, n)
        found.append(Proof(parts=parts, kind=intent.kind, index=intent.entry_index, text=text))
    return tuple(found)


def check(data: bytes, bucket: str, n: int) -> tuple[str, ...]:
    """Return the parts that the entry ``data`` certifies as gone for record ``n`` of ``bucket``.

    Pure; ``ledger.verify`` has proved before that the entry stands in the log.

    Raises:
        EntryError: It is no entry.
        ProofError: It is no certificate, or one of another bucket, number or range.
    """
    said = entry.decode(data)
    if isinstance(said, entry.Erased):
        if (said.bucket, said.n) != (bucket, n):
            raise ProofError("this entry is about another record")
        return tuple(said.parts)
    if not isinstance(said, entry.Certificate):
        raise ProofError("this entry certifies no destruction")
    if said.bucket != bucket or not said.first <= n <= said.last:
        raise ProofError("this certificate does not cover the record")
    if not said.complete:
        raise ProofError("this certificate is not complete: leases were still out")
    return tuple(said.parts)
