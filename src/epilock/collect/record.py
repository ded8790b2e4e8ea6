"""Records: a batch of accepted submissions becomes sealed rows, entries and receipts in one transaction.

Rules kept in this file:
  1. A repeated submission (organisation, point, client id) is answered with the receipt of the first;
     one that uses the id for other content is a conflict.
  2. A number that was taken for a transaction that failed is never used again: its lease goes on after
     it, or is thrown away.
  3. A submission under a notice that is no longer in force, or of another level than the one in force, for a
     point that has closed meanwhile, or with a part that is being destroyed, is refused here too, in the transaction that would store it. Where
     several processes write (PostgreSQL), this is looked up again once the log's head is locked, and if
     another process was faster, the batch begins anew. The clock is read once nobody can come in between any more.
  4. One submission that is refused, for whatever reason, takes no other with it.
  5. What was filled in without a network goes into the bucket of the day it was filled in, under the notice
     that its person read, while its lease lasts and has room.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from epilock.collect import code, issue, offline, tally
from epilock.collect import point as points_
from epilock.collect.form import Accepted, Form
from epilock.collect.offline import Count
from epilock.db import Database, Transaction
from epilock.errors import (
    ClosedError,
    ConflictError,
    EpilockError,
    NotFoundError,
    StaleNoticeError,
)
from epilock.ledger import entry
from epilock.ledger.log import Batch, Log
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.access import Keys
from epilock.store.bucket import Bucket
from epilock.store.seal import Sealer

_DAY = timedelta(days=1)
MOST_TRIES = 5  # of a batch, beside processes that change points or destroy parts of today


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored submission: what its person keeps.

    Attributes:
        code: Short code of the receipt.
        receipt_id: 16 bytes, the UUID behind it.
        bucket: Name of the bucket.
        n: Record number.
        index: Position of its ledger entry.
        proof: ``.tlog-proof`` text, the entry in ``extra``; "" for a repeated submission, whose proof
            is made when it is asked for.
        commitment_key: 32 bytes that prove what was given; b"" for a repeated submission.
        repeated: Whether it had been stored before.
    """

    code: str
    receipt_id: bytes
    bucket: str
    n: int
    index: int
    proof: str
    commitment_key: bytes
    repeated: bool


class _Sealed(NamedTuple):
    """A submission that was sealed in the open transaction and waits for its index."""

    place: int  # in the batch
    accepted: Accepted
    receipt: bytes
    handle: bytes
    bucket: Bucket
    n: int
    entry: bytes
    parts: list[vault.PartRow]
    tags: list[tags.TagRow]
    digest: bytes
    commitment_key: bytes


_Place = tuple[str, str, str, date]  # organisation, emergency, circumstance, day


class _Known(NamedTuple):
    """What one transaction has looked up already.

    Attributes:
        today: The calendar day in China.
        wanted: Handles of the whole batch.
        points: Version of each point's notice in force; None: the point has closed.
        levels: Level in force of each emergency, by authority and code.
        buckets: Buckets with their tag keys; None: there is none.
        handles: Those of ``wanted`` that were stored before, by organisation and bucket.
        sealed: Receipts that this transaction stores.
        leases: How full the leases of devices are (None: without limit), and how many more come in.
    """

    today: date
    wanted: Sequence[bytes]
    points: dict[tuple[str, str], int | None]
    levels: dict[tuple[str, str], str | None]
    buckets: dict[_Place, tuple[Bucket, bytes] | None]
    handles: dict[tuple[str, int], frozenset[bytes]]
    sealed: set[bytes]
    leases: dict[tuple[str, str], Count | None]
    coming: Counter[tuple[str, str]]


def _level(tx: Transaction, known: _Known, form: Form, now: datetime) -> str | None:
    key = (form.point.authority, form.point.emergency)
    if key not in known.levels:
        known.levels[key] = emergencies.history(tx, *key).at(now)
    return known.levels[key]


def _known(now: datetime, wanted: Sequence[bytes] = ()) -> _Known:
    return _Known(now.astimezone(CHINA).date(), wanted, {}, {}, {}, {}, set(), {}, Counter())


class _ChangedError(Exception):
    """Another process changed what the batch was judged by; the transaction is given up."""


class Keeper:
    """Seals and stores batches; owned by one thread.

    Args:
        database: The main database.
        keys: The key store.
        log: The log.
        standard: The rules.
        secret: 32 bytes, from which receipt ids are derived.
        holder: Who takes the leases, for the register.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        log: Log,
        standard: Standard,
        secret: bytes,
        holder: str,
    ) -> None:
        self._database = database
        self._keys = keys
        self._log = log
        self._standard = standard
        self._secret = secret
        self._holder = holder
        self._sealers: dict[str, Sealer] = {}
        self._serials: dict[str, int] = {}

    def store(
        self, batch: Sequence[Accepted], *, now: Callable[[], datetime]
    ) -> list[Stored | Exception]:
        """Store a batch in one transaction of its own; the answers are in its order.

        ``now`` is the clock: what is in force is judged when the batch's turn has come (rule 3).

        Raises:
            Exception: The transaction failed: nothing of the batch is stored.
        """
        for _ in range(MOST_TRIES):
            with suppress(_ChangedError):
                return self._store_once(batch, now)
        raise ConflictError("what is asked here is being changed; please send this again")

    def _store_once(
        self, batch: Sequence[Accepted], clock: Callable[[], datetime]
    ) -> list[Stored | Exception]:
        answers: dict[int, Stored | Exception] = {}
        try:
            with self._database.write() as tx:
                sealed, committed = self._write(tx, batch, answers, clock)
        except BaseException:
            self._forget_leases()
            raise
        if committed is not None:
            proofs = self._log.proof_texts(committed, self._log.sign(committed))
            first = self._log.base + committed.first
            for index, (item, proof) in enumerate(zip(sealed, proofs, strict=True), first):
                answers[item.place] = self._stored(item, index, proof)
        return [answers[place] for place in range(len(batch))]

    def receipt_of(self, accepted: Accepted) -> bytes:
        """Return the receipt id (16 bytes) that a submission gets, now and when it is repeated."""
        if accepted.leased is not None:
            return accepted.client  # its person holds the code since it was filled in
        point = accepted.form.point
        client = str(UUID(bytes=accepted.client))
        return code.receipt_id(self._secret, point.org, point.point, client)

    def _write(
        self,
        tx: Transaction,
        batch: Sequence[Accepted],
        answers: dict[int, Stored | Exception],
        clock: Callable[[], datetime],
    ) -> tuple[list[_Sealed], Batch | None]:
        now = clock()
        receipts = [self.receipt_of(accepted) for accepted in batch]
        handles = [vault.handle_of(receipt) for receipt in receipts]
        known = _known(now, handles)
        sealed: list[_Sealed] = []
        twins: list[tuple[int, Accepted, bytes, bytes, bytes]] = []
        for place, (accepted, receipt, handle) in enumerate(
            zip(batch, receipts, handles, strict=True)
        ):
            digest = self._digest(accepted)
            if receipt in known.sealed:  # repeated within the batch: answered after the append
                twins.append((place, accepted, receipt, handle, digest))
                continue
            try:
                self._check_current(tx, known, accepted, now)
                found = self._find(tx, known, accepted, handle, now)
                if found is not None:
                    answers[place] = self._again(tx, found, receipt, digest)
                    continue
                item = self._seal(tx, known, place, accepted, receipt, handle, digest, now)
            except EpilockError as error:
                answers[place] = error
                continue
            known.sealed.add(receipt)
            sealed.append(item)
        if not sealed:
            return [], None
        committed = self._log.append(tx, [item.entry for item in sealed], now=now)
        if tx.conn.dialect.name == "postgresql":  # SQLite has locked everything from the start
            self._check_unchanged(tx, known, clock())
        self._keep(tx, sealed, self._log.base + committed.first, now)
        _count(tx, known, sealed, now)
        known.handles.clear()
        for place, accepted, receipt, handle, digest in twins:
            found = self._find(tx, known, accepted, handle, now)
            try:
                answers[place] = self._again(tx, _there(found), receipt, digest)
            except EpilockError as error:
                answers[place] = error
        return sealed, committed

    def _check_unchanged(self, tx: Transaction, known: _Known, now: datetime) -> None:
        """Return if all is as it was judged by; from here on the head is locked (rule 3)."""
        for (org, point), version in known.points.items():
            now_open = points_.load(tx, org, point)
            if version != (None if now_open.closed is not None else now_open.version):
                raise _ChangedError
        for emergency, level in known.levels.items():
            if emergencies.history(tx, *emergency).at(now) != level:
                raise _ChangedError
        for found in known.buckets.values():
            if found is not None:
                bucket = found[0]
                if buckets.load(tx, bucket.org, bucket.id).live != bucket.live:
                    raise _ChangedError
        for (org, lease), count in known.leases.items():
            if offline.counts(tx, org, [lease]).get(lease) != count:
                raise _ChangedError

    def _check_current(
        self, tx: Transaction, known: _Known, accepted: Accepted, now: datetime
    ) -> None:
        form, leased = accepted.form, accepted.leased
        point = form.point
        key = (point.org, point.point)
        if key not in known.points:
            now_open = points_.load(tx, *key)
            known.points[key] = None if now_open.closed is not None else now_open.version
        version = known.points[key]
        if version is None:
            raise ClosedError("this collection point has closed; nothing was stored")
        if leased is not None:
            offline.check_open(offline.load(tx, point.org, leased.lease), now=now)
        elif version != form.version:
            raise StaleNoticeError(
                f"the notice has changed (version {version} is in force): "
                "please read it and authorise again"
            )
        elif _level(tx, known, form, now) != form.level:
            raise StaleNoticeError(issue.OTHER_LEVEL)

    def _find(
        self, tx: Transaction, known: _Known, accepted: Accepted, handle: bytes, now: datetime
    ) -> tuple[Bucket, vault.Record] | None:
        """Return the record with ``handle`` that was stored today or yesterday, or None.

        A form page lives shorter than a day, so that a repetition reaches back one midnight at most. What was
        filled in without a network has one bucket however often it is sent.
        """
        leased = accepted.leased
        days = (known.today, known.today - _DAY) if leased is None else (leased.day,)
        for day in days:
            found = self._bucket(tx, known, accepted.form, day, now)
            if found is None:
                continue
            bucket = found[0]
            place = (bucket.org, bucket.id)
            if place not in known.handles:
                known.handles[place] = vault.known_handles(tx, *place, known.wanted)
            if handle in known.handles[place]:
                record = vault.find_handle(tx, *place, handle)
                if record is not None:
                    return bucket, record
        return None

    def _again(
        self, tx: Transaction, found: tuple[Bucket, vault.Record], receipt: bytes, digest: bytes
    ) -> Stored:
        bucket, record = found
        if record.digest is not None and not hmac.compare_digest(record.digest, digest):
            raise ConflictError(
                "this form was sent before with other answers; "
                "correct the record with its receipt, or fill in a new form"
            )
        return Stored(
            code.encode(self._serial(tx, bucket.org), receipt), receipt, bucket.name, record.n, record.entry_index,
            "", b"", True,  # noqa: FBT003 - by position for speed
        )  # fmt: skip

    def _bucket(
        self, tx: Transaction, known: _Known, form: Form, day: date, now: datetime
    ) -> tuple[Bucket, bytes] | None:
        """Return the bucket of ``day`` and its tag key; today's is made, of another there may be none."""
        point = form.point
        key = (point.org, point.emergency, point.circumstance, day)
        if key in known.buckets:
            return known.buckets[key]
        if day == known.today:
            bucket = buckets.ensure(
                tx, self._log, self._keys, self._standard, org=point.org, authority=point.authority,
                emergency=point.emergency, circumstance=point.circumstance, day=day, now=now,
            )  # fmt: skip
        else:
            try:
                bucket = buckets.load_by_name(tx, point.org, buckets.name_of(*key))
            except NotFoundError:
                known.buckets[key] = None
                return None
        found = (bucket, self._keys.tag_key(point.org, point.emergency))
        known.buckets[key] = found
        return found

    def _seal(  # noqa: PLR0917 - on the hot path, by position
        self,
        tx: Transaction,
        known: _Known,
        place: int,
        accepted: Accepted,
        receipt: bytes,
        handle: bytes,
        digest: bytes,
        now: datetime,
    ) -> _Sealed:
        form, org = accepted.form, accepted.form.point.org
        day = known.today if accepted.leased is None else accepted.leased.day
        found = self._bucket(tx, known, form, day, now)
        if found is None:
            raise NotFoundError("the bucket of the day could not be made")
        bucket, tag_key = found
        if bucket.live != bucket.parts and not set(bucket.live).issuperset(accepted.parts):
            raise ClosedError(
                "what was collected here that day is being destroyed; come back tomorrow: nothing was stored"
            )
        _check_room(tx, known, accepted)
        self._serial(tx, org)
        sealer = self._sealer(tx, bucket, now)
        n = sealer.take()
        sealed = sealer.seal(n, accepted.parts)
        item = _Sealed(
            place, accepted, receipt, handle, bucket, n,
            self._collecting(form, bucket, tuple(sorted(accepted.parts)))(
                n, sealed.commitment.hex()
            ),
            sealed.rows,
            tags.tag_rows(
                self._keys.suite_of(org), tag_key, (org, bucket.id, n), tags.terms(accepted.plain)
            ),
            digest, sealed.commitment_key,
        )  # fmt: skip
        if accepted.leased is not None:
            known.coming[org, accepted.leased.lease] += 1
        return item

    def _collecting(
        self, form: Form, bucket: Bucket, parts: tuple[str, ...]
    ) -> Callable[[int, str], bytes]:
        return _collecting(
            bucket.org, self._standard.ref, form.point.point, bucket.name, form.notice, parts
        )

    def _sealer(self, tx: Transaction, bucket: Bucket, now: datetime) -> Sealer:
        sealer = self._sealers.get(bucket.name)
        if sealer is None or not sealer.left:
            for name in [n for n, s in self._sealers.items() if s.bucket.day < bucket.day]:
                self._sealers.pop(name).close()  # the day is over: forget its keys
            sealer = vault.take_sealer(
                tx, self._log, self._keys, bucket, standard_ref=self._standard.ref,
                holder=self._holder, until=buckets.lease_end(bucket, now), now=now,
            )  # fmt: skip
            self._sealers[bucket.name] = sealer
        return sealer

    def _forget_leases(self) -> None:
        for sealer in self._sealers.values():
            sealer.close()
        self._sealers.clear()

    def _keep(self, tx: Transaction, sealed: Sequence[_Sealed], first: int, now: datetime) -> None:
        rows = [
            vault.record_row(
                org=item.bucket.org, bucket=item.bucket.id, n=item.n,
                point=item.accepted.form.point.point, entry_index=index,
                handle=item.handle, notice=item.accepted.form.notice,
                parts=tuple(item.accepted.parts), language=item.accepted.language,
                given=item.accepted.given, minor=item.accepted.minor, at=now, digest=item.digest,
            )
            for index, item in enumerate(sealed, first)
        ]  # fmt: skip
        vault.keep(tx, rows, [row for item in sealed for row in item.parts])
        tags.keep(tx, [row for item in sealed for row in item.tags])
        for index, item in enumerate(sealed, first):
            leased = item.accepted.leased
            if leased is not None:
                lease = offline.load(tx, item.bucket.org, leased.lease)
                offline.note_arrived(tx, lease, leased.box, index)

    def _digest(self, accepted: Accepted) -> bytes:
        """Return the keyed fingerprint by which a repetition is told from other content."""
        text = b"\0".join(
            [accepted.form.notice.encode(), b"%d" % accepted.given, *accepted.parts.values()]
        )
        return hashlib.blake2s(
            text, key=self._secret, digest_size=vault.DIGEST_BYTES, person=b"epi-same"
        ).digest()

    def _serial(self, tx: Transaction, org: str) -> int:
        if org not in self._serials:
            self._serials[org] = organisations.load(tx, org).serial
        return self._serials[org]

    def _stored(self, item: _Sealed, index: int, proof: str) -> Stored:
        short = code.encode(self._serials[item.bucket.org], item.receipt)
        return Stored(
            short,
            item.receipt,
            item.bucket.name,
            item.n,
            index,
            proof,
            item.commitment_key,
            False,  # noqa: FBT003 - by position for speed
        )


def _check_room(tx: Transaction, known: _Known, accepted: Accepted) -> None:
    """Return if the lease of a device has room for one form more."""
    if accepted.leased is None:
        return
    key = (accepted.form.point.org, accepted.leased.lease)
    if key not in known.leases:
        known.leases[key] = offline.counts(tx, key[0], [key[1]]).get(key[1])
    offline.check_room(key[1], known.leases[key], known.coming[key])


def _there(found: tuple[Bucket, vault.Record] | None) -> tuple[Bucket, vault.Record]:
    if found is None:
        raise ConflictError("this form was sent twice at once; please send it again")
    return found


@lru_cache(maxsize=4096)
def _collecting(  # noqa: PLR0917 - on the hot path, by position
    org: str, standard: str, point: str, bucket: str, notice: str, parts: tuple[str, ...]
) -> Callable[[int, str], bytes]:
    return entry.collecting(
        org=org, standard=standard, point=point, bucket=bucket, notice=notice, parts=parts
    )


def _count(tx: Transaction, known: _Known, sealed: Sequence[_Sealed], now: datetime) -> None:
    """Count what was given under each notice and lease, in the transaction that stores it; the head is locked."""
    for (org, lease), times in known.coming.items():
        offline.count_stored(tx, org, lease, times)
    given = Counter(
        (item.bucket.org, item.accepted.form.point.point, item.accepted.form.notice)
        for item in sealed
    )
    tally.keep(tx, {key: {"given": times} for key, times in given.items()}, now=now)
