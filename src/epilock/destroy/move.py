"""Moves: a record becomes another one, because its clock's event came or because it was corrected.

Until the event that starts its clock (release from quarantine, delivery) a record lies in its collection
bucket, under the ceiling. The event reseals what is left of it into the bucket of the event's day, where
it dies with all others of that day; the old leaf is punctured. A leaf seals once, so a correction is a
new record too. The receipt follows.
"""

from datetime import date, datetime

from epilock.db import Transaction
from epilock.destroy import hold as holds
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import InputError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import COLLECTION, Bucket
from epilock.store.keys import KeyStore

HOLDER = "event"  # who holds the leases of event buckets: this process, for the one transaction


def start_clock(
    tx: Transaction,
    log: Log,
    keys: KeyStore,
    standard: Standard,
    *,
    bucket: Bucket,
    n: int,
    event: str,
    day: date,
    now: datetime,
) -> Intent:
    """Reseal record ``n`` into the bucket of the event's day and announce the old one's erasure.

    ``run.complete`` then punctures the old leaf. The caller's transaction holds both or neither.

    Raises:
        InputError: The event is not the one that starts this circumstance's clock, or the day is wrong.
        StateError: The clock runs already, or nothing is left of the record.
        HeldError: The bucket is held.
    """
    starts = {
        r.starts
        for by_level in standard.circumstances[bucket.circumstance].retentions.values()
        for r in by_level.values()
    }
    if event not in starts - {COLLECTION}:
        known = ", ".join(sorted(starts - {COLLECTION})) or "none"
        raise InputError(f"the event that starts the clock of {bucket.circumstance}: {known}")
    if bucket.clock != COLLECTION:
        raise StateError("the clock of this record runs already")
    today = now.astimezone(CHINA).date()
    future = bool(standard.events[event].facts.get("future"))
    if day < bucket.day or (day > today and not future):
        raise InputError("the event's day must lie between the day of collection and today")
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    record = vault.find_record(tx, bucket.org, bucket.id, n)
    plain = vault.open_record(tx, keys, bucket.org, bucket.id, n)
    target = buckets.ensure(
        tx, log, keys, standard, org=bucket.org, authority=bucket.authority,
        emergency=bucket.emergency, circumstance=bucket.circumstance, day=day, clock=event, now=now,
    )  # fmt: skip
    block = buckets.take_lease(
        tx, log, target, standard_ref=standard.ref, holder=HOLDER, now=now,
        until=buckets.lease_end(target, now),
    )  # fmt: skip
    sealer = vault.lease_sealer(tx, keys, target, block)
    to_n = sealer.take()
    sealed = sealer.seal(to_n, plain)
    sealer.close()
    buckets.return_lease(tx, target, block, now=now)
    said = entry.Event(
        org=bucket.org, standard=standard.ref, at=entry.stamp(now), bucket=bucket.name, n=n,
        event=event, day=day.isoformat(), to_bucket=target.name, to_n=to_n,
    )  # fmt: skip
    index = log.append(tx, [entry.encode(said)], now=now).first
    row = vault.record_row(
        org=target.org, bucket=target.id, n=to_n, point=record.point, entry_index=index,
        handle=record.handle, notice=record.notice, parts=tuple(plain),
        language=record.language or "zh", given=record.given or 0, minor=record.minor or 0,
        at=record.at or now, digest=record.digest or bytes(vault.DIGEST_BYTES),
    )  # fmt: skip
    vault.keep(tx, [row], sealed.rows)
    found = tags.terms(tags.parse(plain))
    key = keys.tag_key(target.org, target.emergency)
    tags.keep(tx, tags.tag_rows(keys.suite, key, (target.org, target.id, to_n), found))
    return intents.announce_erasure(
        tx, log, standard_ref=standard.ref, bucket=bucket, n=n, reason="event", now=now,
        to=(target.id, to_n),
    )  # fmt: skip


def correct(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    bucket: Bucket,
    n: int,
    by: vault.Record,
    now: datetime,
) -> Intent:
    """Put the record ``by``, stored before in this transaction, in the place of record ``n``.

    Raises:
        StateError: Nothing is left of the old record.
        HeldError: The bucket is held.
    """
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    target = buckets.load(tx, by.org, by.bucket)
    said = entry.Correct(
        org=bucket.org, standard=standard_ref, at=entry.stamp(now), bucket=bucket.name, n=n,
        by_bucket=target.name, by_n=by.n,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return intents.announce_erasure(
        tx, log, standard_ref=standard_ref, bucket=bucket, n=n, reason="correction", now=now,
        to=(by.bucket, by.n),
    )  # fmt: skip
