"""Requests at the desk: a person whose receipt is lost asks the organisation to erase their record (PIPL 47, 50).

With the receipt a person erases alone and at once. Without it an officer has seen who asks, and nobody may
destroy alone before the day (design, decision 11): the officer records the request, another person approves,
and then the record is erased like any other (``erasure``).

Rules kept in this file:
  1. Who recorded a request cannot decide it; who decides sits in the organisation or in one above it.
  2. A record has one waiting request at most.
  3. A request holds no personal information: a place, a reason of the list, who and when.
  4. It is decided within 15 days. The law says "in time" (NDSMR 23); what is handled by hand has 15 working
     days at most (Measures on apps of 2019-11-28, part 6). Which days are worked the State Council says
     anew each year; 15 calendar days are never more than that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.destroy import erasure
from epilock.destroy.erasure import REASONS
from epilock.errors import ApprovalError, InputError, StateError
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.store import vault
from epilock.store.bucket import LIVE

ASKED, APPROVED, REFUSED = "asked", "approved", "refused"
STAGES = (ASKED, APPROVED, REFUSED)
ANSWER_WITHIN = timedelta(days=15)
"""The longest that a request may wait (rule 4)."""

erasure_requests = sealed_table(
    "erasure_requests",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("request", sa.String(20), primary_key=True),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(20), nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("asked", Instant, nullable=False),
    sa.Column("decided_by", sa.String(20)),
    sa.Column("decided", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        org: Who holds the record.
        request: Its code.
        bucket, n: The record.
        reason: Of ``erasure.REASONS``.
        stage: ``asked``, ``approved`` or ``refused``.
        by: Staff id of who recorded it.
        asked: When.
        decided_by, decided: The second person and when, or None.
    """

    org: str
    request: str
    bucket: int
    n: int
    reason: str
    stage: str
    by: str
    asked: datetime
    decided_by: str | None
    decided: datetime | None

    @property
    def due(self) -> datetime:
        """The instant until which it must be decided."""
        return self.asked + ANSWER_WITHIN

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it should be decided and is not."""
        return self.stage == ASKED and now >= self.due


def ask(
    tx: Transaction, *, org: str, bucket: int, n: int, reason: str, by: str, now: datetime
) -> Request:
    """Record that a person asks for their record to be erased; of one that is held too, so that it is answered.

    Raises:
        InputError: The reason is none of ``erasure.REASONS``.
        NotFoundError: There is no such record.
        StateError: The record is gone or moved, or a request for it waits already (rule 2).
    """
    if reason not in REASONS:
        raise InputError(f"a record is erased for {', '.join(REASONS)}")
    record = vault.find_record(tx, org, bucket, n)
    if record.state != LIVE:
        raise StateError(f"this record is {record.state}")
    if waiting_for(tx, org, bucket, n):
        raise StateError("a request for this record waits already")
    code = new_id("q")
    tx.insert(
        erasure_requests, org=org, request=code, bucket=bucket, n=n, reason=reason, stage=ASKED,
        by=by, asked=now,
    )  # fmt: skip
    return load(tx, org, code)


def decide(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    request: str,
    by: str,
    by_org: str,
    approve: bool,
    now: datetime,
) -> Request:
    """Approve or refuse a request as the second person (rule 1); approved, its erasure is announced.

    The caller commits, then has ``run.complete`` destroy the keys.

    Raises:
        NotFoundError: There is no such request.
        StateError: It is decided already, or the record has moved.
        ApprovalError: Who recorded it cannot decide it.
        ForbiddenError: ``by_org`` is neither the organisation nor above it.
        NotDueError, HeldError, ErasedError: As ``erasure.erase``.
    """
    organisations.check_decides(tx, by_org, org)
    found = load(tx, org, request, lock=True)
    if found.stage != ASKED:
        raise StateError(f"this request is {found.stage} already")
    if found.by == by:
        raise ApprovalError("who records a request cannot approve it (design, decision 11)")
    if approve:
        erasure.erase(
            tx, log, standard, org=org, bucket=found.bucket, n=found.n, reason=found.reason, now=now
        )
    tx.update(
        erasure_requests, {"org": org, "request": request}, decided_by=by, decided=now,
        stage=APPROVED if approve else REFUSED,
    )  # fmt: skip
    return load(tx, org, request)


def load(tx: Transaction, org: str, request: str, *, lock: bool = False) -> Request:
    """Return a request.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _request(tx.get(erasure_requests, lock=lock, org=org, request=request))


def listing(tx: Transaction, org: str, *, stage: str | None = None) -> list[Request]:
    """Return the requests of ``org``, the latest first; only those of ``stage`` if it is given."""
    c = erasure_requests.c
    where = [c.org == org] if stage is None else [c.org == org, c.stage == stage]
    rows = tx.all(erasure_requests, *where, order_by=[c.asked.desc(), c.request])
    return [_request(row) for row in rows]


def waiting_for(tx: Transaction, org: str, bucket: int, n: int) -> Request | None:
    """Return the request that waits for a decision about a record, or None."""
    c = erasure_requests.c
    rows = tx.all(erasure_requests, c.org == org, c.stage == ASKED, c.bucket == bucket, c.n == n)
    return _request(rows[0]) if rows else None


def _request(row: dict[str, Any]) -> Request:
    return Request(**row)
