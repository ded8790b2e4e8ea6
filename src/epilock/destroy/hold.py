"""Holds: a bucket that evidence or an investigation needs is not destroyed for now, and only stored.

ERL 85 lets what was got for a response be kept after it only as evidence or for investigation, after an
assessment of lawfulness, need and safety; PIPL 47: then only stored and protected. A hold names its
assessment and ends by itself; holds are in the public log.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.errors import HeldError, InputError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import mandate as mandates
from epilock.store import bucket as buckets

REASONS = ("evidence", "investigation")

holds = sealed_table(
    "holds",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("hold", sa.String(20), primary_key=True),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("assessment", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(20), nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("placed", Instant, nullable=False),
    sa.Column("released", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold; ``released`` is None while it lasts, unless ``until`` has passed."""

    org: str
    hold: str
    bucket: int
    assessment: str
    reason: str
    until: datetime
    by: str
    placed: datetime
    released: datetime | None


def place(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    bucket: int,
    assessment: str,
    reason: str,
    until: datetime,
    by: str,
    now: datetime,
) -> Hold:
    """Place a hold on a bucket.

    Raises:
        InputError: The reason is none of ``REASONS``, or ``until`` is past.
        NotFoundError: There is no such bucket or assessment.
    """
    if reason not in REASONS:
        raise InputError(f"a hold is for {' or '.join(REASONS)} only (ERL 85)")
    if until <= now:
        raise InputError("a hold must end in the future")
    found = buckets.load(tx, org, bucket)
    tx.get(mandates.assessments, org=org, assessment=assessment)
    code = new_id("h")
    tx.insert(
        holds, org=org, hold=code, bucket=bucket, assessment=assessment, reason=reason, until=until,
        by=by, placed=now,
    )  # fmt: skip
    said = entry.Hold(
        org=org, standard=standard_ref, at=entry.stamp(now), hold=code, bucket=found.name,
        assessment=assessment, reason=reason, until=entry.stamp(until), by=by,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return _hold(tx.get(holds, org=org, hold=code))


def release(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, hold: str, by: str, now: datetime
) -> None:
    """End a hold before its time.

    Raises:
        NotFoundError: There is no such hold.
        StateError: It has ended already.
    """
    found = _hold(tx.get(holds, org=org, hold=hold, lock=True))
    if found.released is not None or found.until <= now:
        raise StateError(f"{hold} has ended already")
    tx.update(holds, {"org": org, "hold": hold}, released=now)
    said = entry.HoldReleased(org=org, standard=standard_ref, at=entry.stamp(now), hold=hold, by=by)
    log.append(tx, [entry.encode(said)], now=now)


def listing(tx: Transaction, org: str, *, now: datetime) -> list[Hold]:
    """Return the holds of ``org`` that last, the oldest first."""
    rows = tx.all(
        holds, holds.c.org == org, holds.c.released.is_(None), holds.c.until > now,
        order_by=[holds.c.placed],
    )  # fmt: skip
    return [_hold(r) for r in rows]


def on_bucket(tx: Transaction, org: str, bucket: int, *, now: datetime) -> Hold | None:
    """Return a hold that lasts on the bucket, or None."""
    return next((h for h in listing(tx, org, now=now) if h.bucket == bucket), None)


def is_held(tx: Transaction, org: str, bucket: int, now: datetime) -> bool:
    """Tell whether a hold lasts on the bucket: then it opens for inspection only (``use.gate``)."""
    return on_bucket(tx, org, bucket, now=now) is not None


def check_free(tx: Transaction, org: str, bucket: int, *, now: datetime) -> None:
    """Return if no hold lasts on the bucket.

    Raises:
        HeldError: One does; its assessment and end are named.
    """
    found = on_bucket(tx, org, bucket, now=now)
    if found is not None:
        raise HeldError(
            f"held for {found.reason} until {found.until:%Y-%m-%d}, assessment {found.assessment}",
            rule="duty/hold", source=("ERL-85", "PIPL-47"),
            allowed="wait until the hold ends, or have it released",
        )  # fmt: skip


def _hold(row: dict[str, Any]) -> Hold:
    return Hold(**row)
