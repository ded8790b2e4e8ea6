"""What is due: each living part of each bucket with its day, from the level history and the standard.

Nothing is decided here that a stranger could not decide from the public log (``ledger.monitor``).

Rules kept in this file:
  1. A part's day is ``standard.clock.due`` and nothing else.
  2. A part that this version of the standard does not know has no day. It is listed, and never destroyed
     by the clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

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
from epilock.store.bucket import LIVE, Bucket, bucket_parts, buckets, read

SOURCE = ("ERL-85", "PIPL-47")
UNKNOWN = "not-in-standard"
_NEVER = datetime.max.replace(tzinfo=UTC)


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
        until: Only parts that are due before this instant.
    """
    clock = _clock(tx, standard)
    lasting = holds.lasting(tx, org, now=now)
    found = [
        DuePart(bucket=bucket, part=part, due=due, hold=lasting.get((bucket.org, bucket.id)))
        for bucket in _living(tx, org)
        for part in bucket.live
        for due in [clock(bucket, part)]
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


def _clock(tx: Transaction, standard: Standard) -> Callable[[Bucket, str], Due]:
    """Return ``part_due`` for many parts: buckets of one day and circumstance share their dates."""

    @cache
    def levels(authority: str, emergency: str) -> History:
        return emergencies.history(tx, authority, emergency)

    @cache
    def compute(circumstance: str, part: str, day: date, clock: str, history: History) -> Due:
        try:
            return due_of(
                standard, circumstance=circumstance, part=part, day=day, clock=clock,
                history=history,
            )  # fmt: skip
        except InputError:
            return Due(at=None, rule=f"{UNKNOWN}/{circumstance}/{part}", last_day=None)

    return lambda b, part: compute(
        b.circumstance, part, b.day, b.clock, levels(b.authority, b.emergency)
    )


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
