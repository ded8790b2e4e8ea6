"""Moves: a record becomes another one, because its clock's event came or because it was corrected.

Until the event that starts its clock (release from quarantine, delivery) a record lies in its collection
bucket, under the ceiling. The event reseals what is left of it into the bucket of the event's day, where
it dies with all others of that day; the old leaf is punctured. A leaf seals once, so a correction is a
new record too: in the bucket of the one it replaces, whose clock runs on. The receipt follows.

In one transaction: the new record, the entry ``event`` or ``correct``, the old record marked as moved and
its rows deleted, and the intent to erase its keys. From that entry on the monitor counts the record under
its new number and the old one as erased; so do the rows. ``run.complete`` then punctures.

Rules kept in this file:
  1. An event is entered once, for a record whose clock it starts, and not after its day under the
     ceiling has come: so it can't be used to keep anything longer twice.
  2. Nothing moves under a hold, or while part of it is being erased or destroyed.
  3. What is opened to be resealed, or compared, stays in this process's memory for that moment; nobody is
     shown it.
  4. A corrected record was collected when the first was: no correction keeps anything longer, and so what is
     kept may be corrected while it is (PIPL 46). Nothing is added that may no longer be asked.
"""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import erasure
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import (
    ConflictError,
    ErasedError,
    InputError,
    NotDueError,
    RefusedError,
    StateError,
    TamperedError,
)
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.standard import Standard
from epilock.standard.level import CHINA, ENDED
from epilock.store import bucket as buckets
from epilock.store import removal, tags, vault
from epilock.store.access import Keys
from epilock.store.bucket import COLLECTION, Bucket, leases
from epilock.store.seal import Sealer
from epilock.store.vault import Record

HOLDER = "moves"  # who holds the leases: this process, see ``Mover``
LEASE = timedelta(hours=12)


@dataclass(slots=True)
class _Lease:
    """A lease of this thread; ``code`` tells it from one of a transaction that was rolled back."""

    code: str
    until: datetime
    sealer: Sealer


class Mover:
    """Enters events and corrections; each thread of the process has its own leases, so threads may share it.

    Args:
        log: The log.
        keys: The key store.
        standard: The rules.
    """

    def __init__(self, log: Log, keys: Keys, standard: Standard) -> None:
        self._log = log
        self._keys = keys
        self._standard = standard
        self._here = threading.local()

    def start_clock(
        self, tx: Transaction, *, bucket: Bucket, n: int, event: str, day: date, now: datetime
    ) -> Intent:
        """Reseal record ``n`` into the bucket of the event's day and announce the old one's erasure.

        Raises:
            InputError: The event is not the one that starts this circumstance's clock, or the day is not
                from the day of collection to today (an expiry may lie in the future).
            NotFoundError: There is no such record.
            NotDueError: It is due already, and no event makes it stay.
            HeldError: The bucket is held.
            StateError: The clock runs already, the record is not live, or part of it is being erased or
                destroyed.
            ErasedError: Nothing is left of it.
            TamperedError: A row is not what was stored.
        """
        self._check(bucket, event, day, now)
        self._log.append(tx, [], now=now)  # the head first, as ``intent`` says
        old = erasure.check_still(tx, bucket, n, now=now)
        plain = vault.open_known(
            tx, self._keys, buckets.load(tx, bucket.org, bucket.id), old
        )  # what is alive of it
        self._check_clocks(tx, bucket, tuple(plain), event, now)
        target = buckets.ensure(
            tx, self._log, self._keys, self._standard, org=bucket.org, authority=bucket.authority,
            emergency=bucket.emergency, circumstance=bucket.circumstance, day=day, clock=event,
            now=now,
        )  # fmt: skip
        sealer = self._sealer(tx, target, now)
        to_n = sealer.take()
        sealed = sealer.seal(to_n, plain)
        said = entry.Event(
            org=bucket.org, standard=self._standard.ref, at=entry.stamp(now), bucket=bucket.name,
            n=n, event=event, day=day.isoformat(), to_bucket=target.name, to_n=to_n,
        )  # fmt: skip
        cause = self._log.base + self._log.append(tx, [entry.encode(said)], now=now).first
        vault.keep(tx, [_row(old, target, to_n, tuple(plain), cause)], sealed.rows)
        self._tag(tx, target, to_n, plain)
        return _leave(
            tx, self._log, self._standard.ref, bucket, old, to=(target.id, to_n), reason="event",
            cause=cause, now=now,
        )  # fmt: skip

    def correct(
        self,
        tx: Transaction,
        *,
        bucket: Bucket,
        n: int,
        parts: Mapping[str, bytes],
        given: int,
        minor: int,
        now: datetime,
        known: int | None = None,
    ) -> Intent | None:
        """Put other answers in the place of record ``n`` and announce the old one's erasure.

        Args:
            tx: A writing transaction.
            bucket: Where the record lies, and the corrected one will.
            n: Its number.
            parts: Part name to plaintext, as ``collect.form`` makes it under the record's own notice.
            given: The acts that were given: those of before, and a guardian's where they make a child of it.
            minor: The age group that they tell.
            now: When.
            known: Number of the record that the answers were made from, if that is to count.

        Returns:
            What was announced; None if the record says just that already: it stays as it is.

        Raises:
            NotFoundError: There is no such record.
            HeldError: The bucket is held.
            StateError: The record is not live, or part of it is being erased or destroyed.
            ConflictError: It says something else than ``parts``, and is not the one that is ``known``.
            ErasedError: Nothing is left of it.
            RefusedError: ``parts`` tell what the record did not, and what may no longer be asked.
            ClosedError: One of ``parts`` is being destroyed, or was, with its bucket.
            TamperedError: A row is not what was stored.
        """
        self._log.append(tx, [], now=now)  # the head first, as ``intent`` says
        old = erasure.check_still(tx, bucket, n, now=now)
        bucket = buckets.load(tx, bucket.org, bucket.id)
        before, after = (
            tags.parse(each) for each in (vault.open_known(tx, self._keys, bucket, old), parts)
        )
        if (minor, given, after) == (old.minor, old.given, before):
            return None
        if known is not None and known != n:
            raise ConflictError("this was corrected meanwhile: compare it with what is stored now")
        buckets.check_open(buckets.part_states(tx, bucket.org, bucket.id), bucket.name, parts)
        self._check_added(tx, bucket, _categories(after) - _categories(before), now)
        sealer = self._sealer(tx, bucket, now)
        by_n = sealer.take()
        sealed = sealer.seal(by_n, parts)
        org, ref = bucket.org, self._standard.ref
        collected = entry.Collect(
            org=org, standard=ref, point=old.point, bucket=bucket.name, n=by_n, notice=old.notice,
            parts=sorted(parts), commitment=sealed.commitment.hex(),
        )  # fmt: skip
        said = entry.Correct(
            org=org, standard=ref, at=entry.stamp(now), bucket=bucket.name, n=n,
            by_bucket=bucket.name, by_n=by_n,
        )  # fmt: skip
        batch = self._log.append(tx, [entry.encode(collected), entry.encode(said)], now=now)
        first = self._log.base + batch.first
        new = old._replace(
            given=given, minor=minor, digest=b""
        )  # of what it said before nothing is kept
        vault.keep(tx, [_row(new, bucket, by_n, tuple(sorted(parts)), first)], sealed.rows)
        self._tag(tx, bucket, by_n, parts)
        return _leave(
            tx, self._log, ref, bucket, old, to=(bucket.id, by_n), reason="correction",
            cause=first + 1, now=now,
        )  # fmt: skip

    def give_back(self, tx: Transaction, *, now: datetime) -> None:
        """Return this thread's leases and forget their keys; at the end of a command."""
        for lease in self._leases().values():
            lease.sealer.close()
            bucket = lease.sealer.bucket
            if self._is_good(tx, lease, now):
                buckets.return_lease(tx, bucket, lease.sealer.block, now=now)
        self._leases().clear()

    def _check_added(
        self, tx: Transaction, bucket: Bucket, added: Collection[str], now: datetime
    ) -> None:
        """Return if each category of ``added`` may be asked now (rule 4)."""
        level = emergencies.history(tx, bucket.authority, bucket.emergency).at(now) or ENDED
        for category in sorted(added):
            verdict = self._standard.ask(bucket.circumstance, category, level)
            if not verdict.allowed:
                raise RefusedError(
                    f"{category} may no longer be asked, so it is not added", rule=verdict.rule,
                    source=verdict.source, allowed="correct what was given, or withdraw it",
                )  # fmt: skip

    def _check(self, bucket: Bucket, event: str, day: date, now: datetime) -> None:
        where = self._standard.circumstances.get(bucket.circumstance)
        known = {
            kept.starts
            for by_level in (where.retentions.values() if where else ())
            for kept in by_level.values()
        } - {COLLECTION}
        if event not in known:
            one = ", ".join(sorted(known)) or "none"
            raise InputError(f"the event that starts the clock of {bucket.circumstance}: {one}")
        if bucket.clock != COLLECTION:
            raise StateError(f"the clock of this record runs since its {bucket.clock}")
        future = bool(self._standard.events[event].facts.get("future"))
        if day < bucket.day or (day > now.astimezone(CHINA).date() and not future):
            raise InputError("the event's day lies between the day of collection and today")

    def _check_clocks(
        self, tx: Transaction, bucket: Bucket, parts: tuple[str, ...], event: str, now: datetime
    ) -> None:
        for part in parts:
            due = dues.part_due(tx, self._standard, bucket, part)
            if due.at is not None and due.at <= now:
                raise NotDueError(
                    f"part {part} of {bucket.name} was due on {due.last_day}: no event makes it stay",
                    rule=due.rule, source=dues.SOURCE, allowed="it goes with the next run",
                )  # fmt: skip
            if any(
                self._standard.retention(bucket.circumstance, part, level).starts != event
                for level in self._standard.levels
            ):
                raise StateError(f"the clock of part {part} is not started by {event}")

    def _sealer(self, tx: Transaction, target: Bucket, now: datetime) -> Sealer:
        """Return a sealer of this thread with numbers left, whose lease is a committed one or ours."""
        mine = self._leases()
        for place in [p for p, lease in mine.items() if now >= lease.until]:
            mine.pop(place).sealer.close()
        known = mine.get((target.org, target.name))
        if known is not None and known.sealer.left and self._is_good(tx, known, now):
            return known.sealer
        if known is not None:
            known.sealer.close()
        until = min(buckets.lease_end(target, now), now + LEASE)  # an event's day may lie ahead
        sealer = vault.take_sealer(
            tx, self._log, self._keys, target, standard_ref=self._standard.ref, holder=HOLDER,
            until=until, now=now,
        )  # fmt: skip
        code = tx.get(leases, org=target.org, bucket=target.id, block=sealer.block)["lease"]
        mine[target.org, target.name] = _Lease(code, until, sealer)
        return sealer

    def _is_good(self, tx: Transaction, lease: _Lease, now: datetime) -> bool:
        """Tell whether the lease is still in the database: its transaction may have been rolled back."""
        bucket, block = lease.sealer.bucket, lease.sealer.block
        row = tx.find(leases, org=bucket.org, bucket=bucket.id, block=block)
        good = row is not None and row["lease"] == lease.code and row["returned"] is None
        return good and now < lease.until

    def _leases(self) -> dict[tuple[str, str], _Lease]:
        if not hasattr(self._here, "leases"):
            self._here.leases = {}
        found: dict[tuple[str, str], _Lease] = self._here.leases
        return found

    def _tag(self, tx: Transaction, target: Bucket, n: int, plain: Mapping[str, bytes]) -> None:
        key = self._keys.tag_key(target.org, target.emergency)
        found = tags.terms(tags.parse(plain))
        tags.keep(
            tx,
            tags.tag_rows(self._keys.suite_of(target.org), key, (target.org, target.id, n), found),
        )


def _categories(plain: tags.Plain) -> set[str]:
    return {category for said in plain.values() for category in said}


def _row(
    old: Record, target: Bucket, n: int, parts: tuple[str, ...], entry_index: int
) -> vault.RecordRow:
    """Return the row of the record that ``old`` becomes: the same receipt, notice and acts."""
    kept = (old.language, old.given, old.minor, old.at, old.digest)
    language, given, minor, at, digest = kept
    if language is None or given is None or minor is None or at is None or digest is None:
        raise TamperedError(f"records (org={old.org}, bucket={old.bucket}, n={old.n}) is not whole")
    return vault.record_row(
        org=target.org, bucket=target.id, n=n, point=old.point, entry_index=entry_index,
        handle=old.handle, notice=old.notice, parts=parts, language=language, given=given,
        minor=minor, at=at, digest=digest,
    )  # fmt: skip


def _leave(
    tx: Transaction,
    log: Log,
    standard_ref: str,
    bucket: Bucket,
    old: Record,
    *,
    to: tuple[int, int],
    reason: str,
    cause: int,
    now: datetime,
) -> Intent:
    """Mark ``old`` as moved, delete its rows and announce that the keys of what was left of it go."""
    left = [p for p in old.left if p in buckets.load(tx, bucket.org, bucket.id).live]
    if not left:
        raise ErasedError("nothing of this is left: erased, or destroyed with its bucket")
    removal.move(tx, bucket.org, bucket.id, old.n, to=to)
    return intents.announce_erasure(
        tx, log, standard_ref=standard_ref, bucket=bucket, n=old.n, parts=left,
        reason=reason, cause=cause, now=now,
    )  # fmt: skip
