"""What is due: each living part of each bucket, with its day, from the level history and the standard.

Pure but for reading the rows; the same can be computed from the public log (``ledger.monitor``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from epilock.db import Transaction
from epilock.destroy import hold as holds
from epilock.destroy.hold import Hold
from epilock.errors import NotDueError
from epilock.registry import emergency as emergencies
from epilock.standard import Standard
from epilock.standard.clock import Due
from epilock.standard.clock import due as due_of
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket


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


def calendar(
    tx: Transaction, standard: Standard, *, now: datetime, org: str | None = None
) -> list[DuePart]:
    """Return all living parts, the next to go first; what has no day yet comes last."""
    found = []
    histories = {}
    for bucket in buckets.listing(tx, org):
        key = (bucket.authority, bucket.emergency)
        if key not in histories:
            histories[key] = emergencies.history(tx, *key)
        hold = holds.on_bucket(tx, bucket.org, bucket.id, now=now)
        for part in bucket.live:
            due = due_of(
                standard, circumstance=bucket.circumstance, part=part, day=bucket.day,
                clock=bucket.clock, history=histories[key],
            )  # fmt: skip
            found.append(DuePart(bucket=bucket, part=part, due=due, hold=hold))
    never = now + timedelta(days=365_000)
    return sorted(found, key=lambda d: (d.due.at or never, d.bucket.name, d.part))


def check_due(
    tx: Transaction, standard: Standard, bucket: Bucket, part: str, *, now: datetime
) -> Due:
    """Return when ``part`` was due, if that has come and no hold lasts.

    Raises:
        NotDueError: It must still be kept; rule and day are named.
        HeldError: The bucket is held.
    """
    history = emergencies.history(tx, bucket.authority, bucket.emergency)
    due = due_of(
        standard, circumstance=bucket.circumstance, part=part, day=bucket.day, clock=bucket.clock,
        history=history,
    )  # fmt: skip
    if due.at is None or now < due.at:
        until = "the emergency ends" if due.last_day is None else f"{due.last_day} is over"
        raise NotDueError(
            f"{bucket.name} part {part} is kept until {until}", rule=due.rule,
            source=("ERL-85", "PIPL-47"), allowed="each person may have their own record erased",
        )  # fmt: skip
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    return due
