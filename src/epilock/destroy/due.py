"""What is due: each living part of each bucket with its day, from the level history and the standard.

Nothing is decided here that a stranger could not decide from the public log (``ledger.monitor``).

Rules kept in this file:
  1. A part's day is ``standard.clock.due`` and nothing else.
  2. A part that this version of the standard does not know has no day. It is listed, and never destroyed
     by the clock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TypeVar

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.destroy import hold as holds
from epilock.destroy.hold import Hold
from epilock.errors import InputError, NotDueError
from epilock.ledger.audit import GRACE
from epilock.registry import emergency as emergencies
from epilock.standard import Standard
from epilock.standard.clock import Due
from epilock.standard.clock import due as due_of
from epilock.standard.level import History
from epilock.store.bucket import LIVE, Bucket, bucket_parts, buckets, lives, read

SOURCE = ("ERL-85", "PIPL-47")
UNKNOWN = "not-in-standard"
_NEVER = datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 1000  # rows that one statement names
_KIND = (
    buckets.c.authority, buckets.c.emergency, buckets.c.circumstance, buckets.c.day, buckets.c.clock,
)  # fmt: skip
_Kind = tuple[str, str, str, str, str]  # what, beside its name, a part's day depends on
_Clock = Callable[[_Kind, str], Due]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePart:
    """A living part and its day.

    Attributes:
        bucket: Its bucket.
        part: Its name.
        due: When it must go and by which rule.
        hold: A hold that lasts on the bucket, or None.
    """

    bucket: Bucket
    part: str
    due: Due
    hold: Hold | None

    def is_due(self, now: datetime) -> bool:
        """Tell whether it must go now, and may."""
        return self.due.at is not None and self.due.at <= now and self.hold is None

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it should be gone: due for longer than the monitor's day of grace."""
        return self.is_due(now) and self.due.at is not None and self.due.at + GRACE <= now


def calendar(
    tx: Transaction,
    standard: Standard,
    *,
    now: datetime,
    org: str | None = None,
    until: datetime | None = None,
) -> list[DuePart]:
    """Return all living parts, the next to go first; what has no day yet comes last.

    Args:
        tx: A transaction.
        standard: The rules.
        now: The instant; holds that last then are named.
        org: Only its parts; None for all organisations.
        until: Only parts that are due before this instant; buckets that have none are neither read nor proved. A
            row that was altered to be due later is so missed here, not by the run and the watcher, which read all.
    """
    clock = _clock(tx, standard)
    lasting = holds.lasting(tx, org, now=now)
    living = _living(tx, org) if until is None else _falling(tx, clock, standard, org, until)
    found = [
        DuePart(bucket=bucket, part=part, due=due, hold=lasting.get((bucket.org, bucket.id)))
        for bucket in living
        for part in bucket.live
        for due in [clock(_kind_of(bucket), part)]
        if until is None or (due.at is not None and due.at < until)
    ]
    return sorted(found, key=lambda d: (d.due.at or _NEVER, d.bucket.name, d.part))


def check_due(
    tx: Transaction, standard: Standard, bucket: Bucket, part: str, *, now: datetime
) -> Due:
    """Return when ``part`` was due, if that has come and no hold lasts.

    Raises:
        NotDueError: It must still be kept; rule and day are named.
        HeldError: The bucket is held.
        InputError: The standard does not know the circumstance or the part.
    """
    due = part_due(tx, standard, bucket, part)
    if due.at is None or now < due.at:
        raise not_due(bucket, part, due)
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    return due


def part_due(tx: Transaction, standard: Standard, bucket: Bucket, part: str) -> Due:
    """Return when one part is due, by the levels recorded so far.

    Raises:
        InputError: The standard does not know the circumstance or the part.
    """
    history = emergencies.history(tx, bucket.authority, bucket.emergency)
    return due_of(
        standard, circumstance=bucket.circumstance, part=part, day=bucket.day, clock=bucket.clock,
        history=history,
    )  # fmt: skip


def not_due(bucket: Bucket, part: str, due: Due) -> NotDueError:
    """Return the refusal to destroy a part before its day: the rule, and until when it is kept."""
    day = "30 days after the emergency's end" if due.last_day is None else f"{due.last_day}"
    return NotDueError(
        f"part {part} of {bucket.name} is kept until {day}", rule=due.rule, source=SOURCE,
        allowed="the person concerned may have their own record erased",
    )  # fmt: skip


def is_statutory(standard: Standard, circumstance: str, part: str) -> bool:
    """Tell whether a law asks for the part's period, so that nobody may shorten it (PIPL 47).

    Raises:
        InputError: The standard does not know the circumstance or the part.
    """
    return any(standard.retention(circumstance, part, level).statutory for level in standard.levels)


def _clock(tx: Transaction, standard: Standard) -> _Clock:
    """Return what tells a part's day by its kind and name; each is worked out once."""

    @cache
    def levels(authority: str, emergency: str) -> History:
        return emergencies.history(tx, authority, emergency)

    @cache
    def compute(kind: _Kind, part: str) -> Due:
        authority, emergency, circumstance, day, clock = kind
        try:
            return due_of(
                standard, circumstance=circumstance, part=part, day=date.fromisoformat(day),
                clock=clock, history=levels(authority, emergency),
            )  # fmt: skip
        except InputError:
            return Due(at=None, rule=f"{UNKNOWN}/{circumstance}/{part}", last_day=None)

    return compute


def _kind_of(b: Bucket) -> _Kind:
    return b.authority, b.emergency, b.circumstance, b.day.isoformat(), b.clock


def _falling(
    tx: Transaction, clock: _Clock, standard: Standard, org: str | None, until: datetime
) -> list[Bucket]:
    """Return the buckets with a living part of whose kind something is due before ``until``."""
    own = [lives()] if org is None else [lives(), buckets.c.org == org]
    kinds = []
    for row in tx.conn.execute(sa.select(*_KIND).where(*own).distinct()):
        kind: _Kind = tuple(row)
        known = standard.parts(kind[2]) if kind[2] in standard.circumstances else ()
        days = [clock(kind, part.name).at for part in known]
        if any(at is not None and at < until for at in days):
            kinds.append(kind)
    c, states = bucket_parts.c, defaultdict[tuple[str, int], dict[str, str]](dict)
    found = [
        row for some in _some(kinds) for row in tx.all(buckets, *own, sa.tuple_(*_KIND).in_(some))
    ]
    for some in _some([(row["org"], row["bucket"]) for row in found]):
        for part in tx.all(bucket_parts, sa.tuple_(c.org, c.bucket).in_(some)):
            states[part["org"], part["bucket"]][part["part"]] = part["state"]
    return [read(row, states[row["org"], row["bucket"]]) for row in found]


def _some(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield all ``rows``, as many at a time as one statement may name."""
    for first in range(0, len(rows), _AT_ONCE):
        yield rows[first : first + _AT_ONCE]


def _living(tx: Transaction, org: str | None) -> list[Bucket]:
    """Return the buckets that have a living part, in two queries however many there are."""
    alive = bucket_parts.alias("alive")

    def lives(table: sa.Table) -> Sequence[sa.ColumnElement[bool]]:
        same = sa.and_(alive.c.org == table.c.org, alive.c.bucket == table.c.bucket)
        where = sa.exists().where(same, alive.c.state == LIVE)
        return [where] if org is None else [where, table.c.org == org]

    states: dict[tuple[str, int], dict[str, str]] = {}
    for row in tx.all(bucket_parts, *lives(bucket_parts)):
        states.setdefault((row["org"], row["bucket"]), {})[row["part"]] = row["state"]
    return [
        read(row, states.get((row["org"], row["bucket"]), {}))
        for row in tx.all(buckets, *lives(buckets))
    ]
