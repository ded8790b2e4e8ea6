"""The run: a list comes in, batch by batch, and can be interrupted anywhere.

Order of effects, and what a crash leaves:
  1. The import is begun: its row and its ledger entry commit.      Crash: it is found by its file.
  2. Leases are taken, with the transaction before.                 Crash: dead numbers.
  3. Rows are read, checked and sealed; nothing is written.         Crash: dead numbers.
  4. Records, parts, tags, entries, and how far the import is, commit together.
                                                                    Crash: all of the batch or nothing.
  5. The last batch's transaction also ends the import.             Crash: as in 4.

So whoever runs the same command again goes on behind the last commit, and after the last one is told that
it is done. A commit that was done but reported failed is found as done.

Rules kept in this file:
  1. A batch is stored only if the notice it was checked against is still in force and its point open.
  2. A file that changes while it is read stores nothing more.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from epilock.collect import issue
from epilock.collect import point as points_
from epilock.collect.form import Form
from epilock.collect.intake import register
from epilock.collect.intake.line import Beside, InTurn, Job, Line
from epilock.collect.intake.mapping import ColumnMap, map_columns
from epilock.collect.intake.prepare import Lease, Prepared
from epilock.collect.intake.read import fingerprint, open_table
from epilock.collect.intake.register import Import
from epilock.collect.intake.table import Source
from epilock.collect.issue import Issued
from epilock.collect.point import Point
from epilock.db import Database, Transaction
from epilock.errors import ClosedError, ConflictError, StaleNoticeError
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.access import Keys
from epilock.store.bucket import Bucket

LARGE = 2**20  # bytes; a smaller file is not worth a second process
GROUP = (
    4  # leases of one transaction; larger ones write fewer pages of scattered indexes for each row
)
CACHE = 192  # megabytes of pages while a large file comes in


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What importing needs; made once.

    Attributes:
        database: The main database.
        keys: The key store.
        log: The log.
        standard: The rules.
        secret: 32 bytes, from which receipt ids of imports and fingerprints of files are derived.
        holder: Who takes the leases, for the register.
    """

    database: Database
    keys: Keys
    log: Log
    standard: Standard
    secret: bytes
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A point with its notice and form in force."""

    point: Point
    issued: Issued
    form: Form


def target_of(intake: Intake, org: str, point: str) -> Target:
    """Return the point with its form in force.

    Raises:
        NotFoundError: There is no such point.
        ClosedError: It has closed.
    """
    with intake.database.read() as tx:
        found, issued = issue.in_force(tx, org, point)
    if found.closed is not None:
        raise ClosedError(f"{point} has closed: it takes nothing more")
    return Target(point=found, issued=issued, form=issue.form_of(intake.standard, found, issued))


def run(
    intake: Intake,
    source: Source,
    *,
    org: str,
    point: str,
    by: str,
    by_hand: Mapping[str, str] | None = None,
    now: Callable[[], datetime],
    told: Callable[[Import], None] = lambda _: None,
    beside: bool | None = None,
) -> Import:
    """Import a list at a point, or go on with it; return the import when its last row was passed.

    Args:
        intake: What importing needs.
        source: The file.
        org: Organisation of the point.
        point: The point.
        by: Who imports, as the ledger names them.
        by_hand: See ``mapping.map_columns``.
        now: The clock.
        told: Called after each commit.
        beside: Whether a second process prepares; None: if the file is large.

    Raises:
        InputError: The file can't be read, or does not fit the form; the message says why.
        RefusedError: The standard gives no leave.
        ConsentError: The list does not say that its persons were told, and they must have been.
        StaleNoticeError: The notice changed meanwhile; run again to go on under the new one.
        ConflictError: The file changed, was begun with another mapping, or another process imports it.
    """
    target = target_of(intake, org, point)
    mapping = map_columns(intake.standard, target.form, open_table(source), by_hand)
    mapping.check()
    state = source.state()
    file = fingerprint(source, intake.secret)
    desk = _Desk(intake, target)
    large = state[0] > LARGE if beside is None else beside
    with intake.database.write() as tx:
        found = register.begin(
            tx, intake.log, standard_ref=intake.standard.ref, org=org, point=point,
            notice=target.form.notice, file=file, mapping=mapping, by=by, now=now(),
        )  # fmt: skip
        if found.done:
            return found
        leases = [desk.take(tx, now()) for _ in range(2 * GROUP if large else 1)]
    job = _job(intake, target, mapping, source, found)
    with closing(Beside(job) if large else InTurn(job, intake.standard)) as line:
        for first in leases:
            line.give(first)
        while not found.done:
            taken = _take(line, GROUP if large else 1)
            _check_file(source, state)
            with intake.database.write() as tx:
                if large:
                    tx.widen(CACHE)
                for batch in taken:
                    bucket = desk.used(batch.block)
                    found = _commit(tx, intake, target, found, batch, bucket=bucket, now=now)
                next_ = [desk.take(tx, now()) for batch in taken if batch.more]
            for lease in next_:
                line.give(lease)
            told(found)
    desk.give_back(now())  # after an error they run out by themselves
    return found


def _take(line: Line, most: int) -> list[Prepared]:
    """Return the batches of one transaction: ``most`` of them, or fewer at the end of the file."""
    taken = [line.take()]
    while taken[-1].more and len(taken) < most:
        taken.append(line.take())
    return taken


class _Desk:
    """Takes leases of the bucket of the day, and gives back what was not used."""

    def __init__(self, intake: Intake, target: Target) -> None:
        self._intake, self._target = intake, target
        self._out: dict[int, Bucket] = {}

    def take(self, tx: Transaction, now: datetime) -> Lease:
        """Return another lease."""
        intake, point = self._intake, self._target.point
        today = now.astimezone(CHINA).date()
        bucket = buckets.ensure(
            tx, intake.log, intake.keys, intake.standard, org=point.org, authority=point.authority,
            emergency=point.emergency, circumstance=point.circumstance, day=today, now=now,
        )  # fmt: skip
        block, seeds = vault.take_seeds(
            tx, intake.log, intake.keys, bucket, standard_ref=intake.standard.ref,
            holder=intake.holder, until=buckets.lease_end(bucket, now), now=now,
        )  # fmt: skip
        self._out[block] = bucket
        return Lease(bucket=bucket, block=block, seeds=seeds, today=today)

    def used(self, block: int) -> Bucket:
        """Return the bucket of a lease that a batch was prepared under; it is used up."""
        return self._out.pop(block)

    def give_back(self, now: datetime) -> None:
        """Return what nobody used, so that no certificate waits for it."""
        if self._out:
            with self._intake.database.write() as tx:
                for block, bucket in self._out.items():
                    buckets.return_lease(tx, bucket, block, now=now)
            self._out.clear()


def _job(intake: Intake, target: Target, mapping: ColumnMap, source: Source, found: Import) -> Job:
    form, point = target.form, target.point
    return Job(
        source=source, after=found.last_row, mapping=mapping, point=point, level=form.level,
        version=form.version, notice=form.notice, acts=form.acts,
        issued=target.issued.issued.astimezone(CHINA).date(), import_id=found.id,
        standard_ref=intake.standard.ref, secret=intake.secret,
        suite=intake.keys.suite_of(point.org).name,
        tag_key=intake.keys.tag_key(point.org, point.emergency),
    )  # fmt: skip


def _commit(
    tx: Transaction,
    intake: Intake,
    target: Target,
    found: Import,
    batch: Prepared,
    *,
    bucket: Bucket,
    now: Callable[[], datetime],
) -> Import:
    """Store one batch in the caller's transaction."""
    # the head first: what is judged now stays so until the commit
    intake.log.append(tx, [], now=now())
    at = now()
    _check_current(tx, target, at)
    found = register.advance(
        tx, found, bucket=bucket.id, last_row=max(batch.last_row, found.last_row),
        stored=len(batch.records), problems=batch.problems,
    )  # fmt: skip
    first = intake.log.base + intake.log.append(tx, batch.entries, now=at).first
    form, language = target.form, target.point.languages[0]
    rows = [
        vault.record_row(
            org=bucket.org, bucket=bucket.id, n=n, point=form.point.point, entry_index=index,
            handle=handle, notice=form.notice, parts=parts, language=language, given=given,
            minor=minor, at=at, digest=b"",
        )
        for index, (n, handle, parts, given, minor) in enumerate(batch.records, first)
    ]  # fmt: skip
    vault.keep(tx, rows, batch.parts)
    tags.keep(tx, batch.tags)
    if batch.more:
        return found
    return register.complete(tx, intake.log, found, standard_ref=intake.standard.ref, now=at)


def _check_current(tx: Transaction, target: Target, now: datetime) -> None:
    point = points_.load(tx, target.point.org, target.point.point)
    if point.closed is not None:
        raise ClosedError(
            f"{point.point} closed while the list was imported: it takes nothing more"
        )
    if point.version != target.form.version:
        raise StaleNoticeError(
            "the notice changed while the list was imported; run the import again to go on under it"
        )
    issue.check_level(tx, point, target.form.level, now=now)


def _check_file(source: Source, state: tuple[int, int]) -> None:
    if source.state() != state:
        raise ConflictError(
            f"{source.name} was changed while it was imported; nothing more is stored"
        )
