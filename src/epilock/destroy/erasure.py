"""Erasure of one record: withdrawal, objection, correction, event. Its key is punctured, its rows go.

Three steps, as for a bucket: the intent is announced here, ``run.complete`` punctures the keys (many
records of an organisation in one rotation of its epoch) and certifies with an ``erased`` entry.

Rules kept in this file:
  1. What a law says must be kept is not erased because its person asks (PIPL 47, last paragraph): it is
     only stored. What was got unlawfully is erased all the same (PIPL 47(4)).
  2. Nothing is erased under a hold.
  3. Parts that are being destroyed with their bucket are left to that.
  4. What is being erased already stays one intent: asking twice is harmless.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import ErasedError, InputError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.standard.clock import Due
from epilock.store import bucket as buckets
from epilock.store import removal, vault
from epilock.store.bucket import Bucket
from epilock.store.vault import Record

# Reason to whether a period that a law asks for goes before it (rule 1). ``correction`` and ``event`` are
# announced by ``move``, with the record that takes the old one's place.
REASONS: Mapping[str, bool] = MappingProxyType(
    {"withdrawal": True, "objection": True, "unlawful": False}
)


def erase(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    bucket: int,
    n: int,
    reason: str,
    now: datetime,
    parts: Collection[str] | None = None,
) -> Intent:
    """Announce that a record, or some ``parts`` of it, is erased; ``run.complete`` then does it.

    Without ``parts`` everything goes that may: ``kept_by_law`` says what does not.

    Raises:
        InputError: The reason is none of ``REASONS``, or the record has no such part.
        NotFoundError: There is no such record.
        NotDueError: A law asks for the period of what was asked for, or of all that is left.
        HeldError: The bucket is held.
        StateError: The record was moved: erase what it became.
        ErasedError: Nothing is left of what was asked for.
    """
    if reason not in REASONS:
        raise InputError(f"a record is erased for {', '.join(REASONS)}")
    log.append(tx, [], now=now)  # the head first, as ``intent`` says
    place = buckets.load(tx, org, bucket)
    record = vault.find_record(tx, org, bucket, n)
    left = _left(place, record, parts)
    under_way = {
        p: i for i in intents.of_record(tx, org, bucket, n) if i.done is None for p in i.parts
    }
    if under_way.keys() >= set(left):
        return under_way[left[0]]
    left = [p for p in left if p not in under_way]
    holds.check_free(tx, org, bucket, now=now)
    kept = kept_by_law(tx, standard, place, left) if REASONS[reason] else {}
    going = [p for p in left if p not in kept]
    if kept and (parts is not None or not going):
        part, due = next(iter(kept.items()))
        raise dues.not_due(place, part, due)
    return intents.announce_erasure(
        tx, log, standard_ref=standard.ref, bucket=place, n=n, parts=going, reason=reason, now=now
    )


def kept_by_law(
    tx: Transaction, standard: Standard, bucket: Bucket, parts: Collection[str]
) -> Mapping[str, Due]:
    """Return those of ``parts`` whose period a law asks for, with their days."""
    return {
        part: dues.part_due(tx, standard, bucket, part)
        for part in parts
        if dues.is_statutory(standard, bucket.circumstance, part)
    }


def finish(
    tx: Transaction, standard: Standard, found: Intent, bucket: Bucket, *, now: datetime
) -> entry.Erased:
    """Delete the rows of what ``found`` erased, whose keys are gone; return what the ledger says then.

    Raises:
        NotFoundError: The record's row is missing.
        TamperedError: It was changed past this program.
        StateError: The intent names no record.
    """
    if found.n is None:
        raise StateError(f"intent {found.intent} names no record")
    if found.cause is None:  # a record that was moved lost its rows when it was
        removal.erase(tx, found.org, found.bucket, found.n, found.parts)
    return entry.Erased(
        org=found.org, standard=standard.ref, at=entry.stamp(now), erasure=found.intent,
        bucket=bucket.name, n=found.n, parts=found.parts,
    )  # fmt: skip


def check_still(tx: Transaction, bucket: Bucket, n: int, *, now: datetime) -> Record:
    """Return record ``n`` if it may be replaced by another now: nothing of it is on its way out.

    Raises:
        NotFoundError: There is no such record.
        HeldError: The bucket is held.
        StateError: It is not live, or it or its bucket is being erased or destroyed.
    """
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    record = vault.find_record(tx, bucket.org, bucket.id, n)
    if record.state != buckets.LIVE:
        raise StateError(f"this record is {record.state}")
    going = [*intents.of_record(tx, bucket.org, bucket.id, n)]
    going += intents.of_bucket(tx, bucket.org, bucket.id)
    if any(i.done is None and not set(i.parts).isdisjoint(record.left) for i in going):
        raise StateError("part of this record is being erased or destroyed; wait for the next run")
    return record


def _left(bucket: Bucket, record: Record, wanted: Collection[str] | None) -> list[str]:
    """Return which parts can be erased, sorted; see ``erase`` for what is raised."""
    if record.state == vault.MOVED:
        raise StateError("this record was moved: erase what it became")
    unknown = sorted(set(wanted or ()) - set(record.parts))
    if unknown:
        raise InputError(f"this record has no part {unknown[0]}")
    left = sorted(p for p in record.left if p in bucket.live and (wanted is None or p in wanted))
    if not left:
        raise ErasedError("nothing of this is left: erased, or destroyed with its bucket")
    return left
