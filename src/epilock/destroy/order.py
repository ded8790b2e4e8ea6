"""Orders: a person wants a bucket destroyed now that it is due, instead of waiting for the run.

Destructive acts wait (design, decision 12): proposed by one, approved by another, carried out after a
cooling time, visible to supervisors meanwhile. An order never shortens what must be kept: before the
date it is refused when it is proposed and again when it would be carried out.

    proposed ──► approved ──► carried out
        └────────────┴──────► cancelled
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import ApprovalError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.store import bucket as buckets

PROPOSED, APPROVED, CARRIED_OUT, CANCELLED = "proposed", "approved", "carried-out", "cancelled"
NEXT = {
    PROPOSED: {APPROVED, CANCELLED},
    APPROVED: {CARRIED_OUT, CANCELLED},
    CARRIED_OUT: set[str](),
    CANCELLED: set[str](),
}

orders = sealed_table(
    "orders",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("order", sa.String(20), primary_key=True),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("stage", sa.String(12), nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("proposed", Instant, nullable=False),
    sa.Column("not_before", Instant, nullable=False),
    sa.Column("approved_by", sa.String(20)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order; ``stage`` as in ``NEXT``, ``not_before`` the end of its cooling time."""

    org: str
    order: str
    bucket: int
    parts: tuple[str, ...]
    reason: str
    stage: str
    by: str
    proposed: datetime
    not_before: datetime
    approved_by: str | None


def propose(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    bucket: int,
    parts: Sequence[str],
    reason: str,
    by: str,
    cooling: timedelta,
    now: datetime,
) -> Order:
    """Propose to destroy ``parts`` of a bucket that are due.

    Raises:
        NotDueError, HeldError: They must still be kept; rule and day are named.
        StateError: A part is not alive.
    """
    found = buckets.load(tx, org, bucket)
    for part in parts:
        if part not in found.live:
            raise StateError(f"part {part} of {found.name} is not alive")
        dues.check_due(tx, standard, found, part, now=now)
    code, not_before = new_id("o"), now + cooling
    tx.insert(
        orders, org=org, order=code, bucket=bucket, parts=sorted(parts), reason=reason,
        stage=PROPOSED, by=by, proposed=now, not_before=not_before,
    )  # fmt: skip
    said = entry.Order(
        org=org, standard=standard.ref, at=entry.stamp(now), order=code, bucket=found.name,
        parts=sorted(parts), reason=reason, by=by, not_before=entry.stamp(not_before),
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, code)


def approve(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, order: str, by: str, now: datetime
) -> Order:
    """Approve an order as the second person.

    Raises:
        ApprovalError: Who proposed it cannot approve it.
        StateError: It is not waiting for approval.
    """
    found = load(tx, org, order)
    if found.by == by:
        raise ApprovalError("who proposes a destruction cannot approve it (decision 11)")
    _enter(tx, found, APPROVED, approved_by=by)
    said = entry.OrderApproved(
        org=org, standard=standard_ref, at=entry.stamp(now), order=order, by=by
    )
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, order)


def cancel(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, order: str, by: str, now: datetime
) -> Order:
    """Cancel an order before it is carried out.

    Raises:
        StateError: It is carried out or cancelled already.
    """
    _enter(tx, load(tx, org, order), CANCELLED)
    said = entry.OrderCancelled(
        org=org, standard=standard_ref, at=entry.stamp(now), order=order, by=by
    )
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, order)


def carry_out(
    tx: Transaction, log: Log, standard: Standard, *, org: str, now: datetime
) -> list[Intent]:
    """Announce the destruction of every approved order whose cooling time is over; return the intents.

    An order whose parts are held meanwhile waits; parts that are gone already are left out.
    """
    done = []
    for found in listing(tx, org, stages=(APPROVED,)):
        bucket = buckets.load(tx, org, found.bucket)
        held = holds.on_bucket(tx, org, bucket.id, now=now)
        if now < found.not_before or held is not None:
            continue
        parts = [p for p in found.parts if p in bucket.live]
        _enter(tx, found, CARRIED_OUT)
        if parts:
            due = dues.check_due(tx, standard, bucket, parts[0], now=now)
            done.append(
                intents.announce_destruction(
                    tx, log, standard_ref=standard.ref, bucket=bucket, parts=parts, rule=due.rule,
                    due=due.at, now=now,
                )
            )  # fmt: skip
    return done


def load(tx: Transaction, org: str, order: str) -> Order:
    """Return the order.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _order(tx.get(orders, org=org, order=order))


def listing(
    tx: Transaction, org: str, *, stages: Sequence[str] = (PROPOSED, APPROVED)
) -> list[Order]:
    """Return the orders of ``org`` in ``stages``, the latest first."""
    rows = tx.all(
        orders, orders.c.org == org, orders.c.stage.in_(list(stages)),
        order_by=[orders.c.proposed.desc()],
    )  # fmt: skip
    return [_order(r) for r in rows]


def _enter(tx: Transaction, found: Order, stage: str, **values: Any) -> None:
    if stage not in NEXT[found.stage]:
        raise StateError(f"order {found.order} is {found.stage}: it cannot be {stage}")
    tx.update(orders, {"org": found.org, "order": found.order}, stage=stage, **values)


def _order(row: dict[str, Any]) -> Order:
    return Order(**{**row, "parts": tuple(row["parts"])})
