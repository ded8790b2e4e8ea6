"""Holds: a bucket that evidence or an investigation needs is not destroyed for now, and only stored.

ERL 85 lets what was got for a response be kept after it only as evidence or for investigation and
review, after an assessment of lawfulness, need and safety; PIPL 47: then only stored and protected. So a
hold names its assessment, has a last day, ends by itself, and stands in the public log.

    placed ──► released   (before its last day, by someone)
       └─────► ended      (its last day is over; nobody needs to do anything)

What "only stored" means: not destroyed on its day, not erased or corrected or moved one by one, opened
for inspection only (``use.gate`` asks ``is_held``). What was announced before the hold is completed.

Rules kept in this file:
  1. A hold is on one bucket. A wider scope (a circumstance, a span of days) becomes a hold on each bucket
     that is there, so that anyone can read off what is held.
  2. It rests on an assessment that is about holding (``hold`` or ``hold/<circumstance>``), of the
     organisation or one above it, and ends no later than it does. A longer one needs a new assessment.
  3. The log's head is locked first: a hold and a destruction of one bucket come one after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from epilock.db import Instant, Transaction, id_from, metadata, new_id, sealed_table
from epilock.errors import ApprovalError, HeldError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.level import CHINA, midnight
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket

REASONS = ("evidence", "investigation")
ABOUT = "hold"  # what an assessment for a hold is about
MOST_BUCKETS = 1_000  # of one scope
SOURCE = ("ERL-85", "PIPL-47")
_DAY = timedelta(days=1)

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
    sa.Index("holds_bucket", "org", "bucket"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold.

    Attributes:
        org: Organisation whose bucket it is.
        hold: Its code.
        bucket: Bucket id.
        assessment: Code of the assessment it rests on.
        reason: One of ``REASONS``.
        until: First instant after its last day (China).
        by: Staff id of who placed it.
        placed: When.
        released: When it was released, or None.
    """

    org: str
    hold: str
    bucket: int
    assessment: str
    reason: str
    until: datetime
    by: str
    placed: datetime
    released: datetime | None

    @property
    def last_day(self) -> date:
        """Its last calendar day in China."""
        return (self.until.astimezone(CHINA) - _DAY).date()

    def lasts(self, now: datetime) -> bool:
        """Tell whether it is neither released nor over."""
        return self.released is None and now < self.until


def code_for(form: UUID) -> str:
    """Return the code of the hold that is placed by the form of this id."""
    return id_from("h", form)


def check_last_day(last_day: date, *, now: datetime) -> None:
    """Raise InputError if a hold to the end of ``last_day`` would be over."""
    if midnight(last_day + _DAY) <= now:
        raise InputError("a hold's last day must not be past")


def is_placed(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether a hold has this code."""
    return tx.find(holds, org=org, hold=code) is not None


def place(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    bucket: int,
    assessment: str,
    reason: str,
    last_day: date,
    by: str,
    now: datetime,
    code: str = "",
) -> Hold:
    """Place a hold on a bucket to the end of ``last_day``, under ``code`` (``code_for``) or a fresh one.

    Raises:
        InputError: The reason is none of ``REASONS``, the last day is past or after the assessment's, or
            the assessment is about something else, or dated after today.
        NotFoundError: There is no such bucket or assessment.
        StateError: Nothing of the bucket is left to be held: it is destroyed, or that was announced.
    """
    if reason not in REASONS:
        raise InputError(f"a hold is for {' or '.join(REASONS)} only (ERL 85)")
    check_last_day(last_day, now=now)
    log.append(tx, [], now=now)  # rule 3
    found = buckets.load(tx, org, bucket)
    if not found.live:
        raise StateError(f"{found.name} is destroyed, or its destruction was announced")
    _check_assessment(tx, found, assessment, last_day, now.astimezone(CHINA).date())
    code, until = code or new_id("h"), midnight(last_day + _DAY)
    tx.insert(
        holds, org=org, hold=code, bucket=bucket, assessment=assessment, reason=reason, until=until,
        by=by, placed=now,
    )  # fmt: skip
    said = entry.Hold(
        org=org, standard=standard_ref, at=entry.stamp(now), hold=code, bucket=found.name,
        assessment=assessment, reason=reason, until=last_day.isoformat(), by=by,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, code)


def place_scope(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    circumstance: str,
    days: tuple[date, date],
    assessment: str,
    reason: str,
    last_day: date,
    by: str,
    now: datetime,
) -> list[Hold]:
    """Place a hold on each living bucket of a circumstance from the first to the last of ``days``.

    Buckets that are made later are not held: today's bucket is there from its first record on.

    Raises:
        InputError: As ``place``; or the days are in the wrong order, or hold more than 1,000 buckets.
        NotFoundError: No living bucket lies there; or as ``place``.
    """
    first, last = days
    if first > last:
        raise InputError("a span of days begins before it ends")
    log.append(tx, [], now=now)  # rule 3
    wanted = [
        b for b in buckets.listing(tx, org) if b.circumstance == circumstance and first <= b.day <= last
    ]  # fmt: skip
    if not wanted:
        raise NotFoundError(f"{org} has no living bucket of {circumstance} in these days")
    if len(wanted) > MOST_BUCKETS:
        raise InputError(f"{len(wanted)} buckets lie there; hold at most {MOST_BUCKETS} at a time")
    return [
        place(
            tx, log, standard_ref=standard_ref, org=org, bucket=b.id, assessment=assessment,
            reason=reason, last_day=last_day, by=by, now=now,
        )
        for b in wanted
    ]  # fmt: skip


def release(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, hold: str, by: str, now: datetime
) -> Hold:
    """End a hold before its time, as another person than who placed it; what is due goes with the next run.

    Raises:
        NotFoundError: There is no such hold.
        ApprovalError: ``by`` placed it.
        StateError: It has ended already.
    """
    log.append(tx, [], now=now)  # rule 3
    found = load(tx, org, hold)
    if found.by == by:
        raise ApprovalError("who places a hold cannot release it (design, decision 11)")
    if not found.lasts(now):
        raise StateError(f"hold {hold} has ended already")
    tx.update(holds, {"org": org, "hold": hold}, released=now)
    said = entry.HoldReleased(org=org, standard=standard_ref, at=entry.stamp(now), hold=hold, by=by)
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, hold)


def load(tx: Transaction, org: str, hold: str) -> Hold:
    """Return the hold.

    Raises:
        NotFoundError: There is none of that code.
    """
    return Hold(**tx.get(holds, org=org, hold=hold))


def listing(tx: Transaction, org: str | None = None, *, now: datetime) -> list[Hold]:
    """Return the holds (of ``org``) that last, the oldest first."""
    where = [holds.c.released.is_(None), holds.c.until > now]
    if org is not None:
        where.append(holds.c.org == org)
    return [Hold(**row) for row in tx.all(holds, *where, order_by=[holds.c.placed, holds.c.hold])]


def lasting(
    tx: Transaction, org: str | None = None, *, now: datetime
) -> Mapping[tuple[str, int], Hold]:
    """Return by organisation and bucket the hold that lasts longest."""
    return {(h.org, h.bucket): h for h in sorted(listing(tx, org, now=now), key=lambda h: h.until)}


def on_bucket(tx: Transaction, org: str, bucket: int, *, now: datetime) -> Hold | None:
    """Return the hold that lasts longest on the bucket, or None."""
    rows = tx.all(
        holds, holds.c.org == org, holds.c.bucket == bucket, holds.c.released.is_(None),
        holds.c.until > now, order_by=[holds.c.until.desc()], limit=1,
    )  # fmt: skip
    return Hold(**rows[0]) if rows else None


def is_held(tx: Transaction, org: str, bucket: int, now: datetime) -> bool:
    """Tell whether a hold lasts on the bucket: then it opens for inspection only (``use.gate``)."""
    return on_bucket(tx, org, bucket, now=now) is not None


def check_free(tx: Transaction, org: str, bucket: int, *, now: datetime) -> None:
    """Return if no hold lasts on the bucket.

    Raises:
        HeldError: One does; its assessment and last day are named.
    """
    found = on_bucket(tx, org, bucket, now=now)
    if found is not None:
        raise HeldError(
            f"held for {found.reason} to the end of {found.last_day}, assessment {found.assessment}",
            rule="duty/hold", source=SOURCE, allowed="wait until the hold ends, or have it released",
        )  # fmt: skip


def public_count(tx: Transaction, *, now: datetime) -> Mapping[str, int]:
    """Return how many buckets are held, by reason: what a public page says."""
    found = lasting(tx, now=now).values()
    return {reason: sum(h.reason == reason for h in found) for reason in REASONS}


def _check_assessment(
    tx: Transaction, bucket: Bucket, assessment: str, last_day: date, today: date
) -> None:
    """Return if the assessment lets the bucket be held to the end of ``last_day`` (rule 2)."""
    row = _assessment(tx, bucket.org, assessment)
    if row["about"] not in {ABOUT, f"{ABOUT}/{bucket.circumstance}"}:
        raise InputError(
            f"a hold needs an assessment about `{ABOUT}` or `{ABOUT}/{bucket.circumstance}` of its"
            " lawfulness, need and safety (ERL 85); this one is about something else"
        )
    if row["date"] > today.isoformat():
        raise InputError(f"the assessment is dated {row['date']}: nothing rests on it before")
    if last_day.isoformat() > row["until"]:
        raise InputError(f"the assessment ends on {row['until']}: a longer hold needs a new one")


def _assessment(tx: Transaction, org: str, code: str) -> dict[str, Any]:
    """Return the assessment's row, of the organisation or of one above it."""
    for owner in (org, *organisations.superiors(tx, org)):
        row = tx.find(mandates.assessments, org=owner, assessment=code)
        if row is not None:
            return row
    raise NotFoundError(f"neither {org} nor an organisation above it recorded that assessment")
