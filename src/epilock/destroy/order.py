"""Orders: people decide to destroy parts of a bucket, instead of waiting for the run.

Destructive acts wait (design, decision 12): proposed by one, approved by another, carried out by the run
after a cooling time that begins with the approval, visible to supervisors meanwhile, cancellable until
then. The stages, and nothing else assigns one:

    proposed ──► approved ──► carried out
        ├────────────┼──────► cancelled     by anyone who may decide here
        └────────────┴──────► lapsed        its parts were destroyed on their day meanwhile

What may be ordered: parts that are due; and from the emergency's end on, in the 30 days that the standard
gives until all is gone (ERL 85: destroyed after it), parts below grade 4 whose period no law asks for.
Everything else is refused, when it is proposed and again when it would be carried out, and the monitor
holds the log to the same: nobody destroys before the date but the persons concerned, each their own
record (``erasure``).

Rules kept in this file:
  1. Who proposed an order cannot approve it. The approver belongs to the organisation or to one above it
     (a village office has one person).
  2. An order that would be carried out under a hold waits for the hold's end.
  3. Roles are the edge's to check: here an actor is a staff id and an organisation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import ApprovalError, HeldError, InputError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.clock import Due
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket

PROPOSED, APPROVED = "proposed", "approved"
CARRIED_OUT, CANCELLED, LAPSED = "carried-out", "cancelled", "lapsed"
NEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PROPOSED: frozenset({APPROVED, CANCELLED, LAPSED}),
        APPROVED: frozenset({CARRIED_OUT, CANCELLED, LAPSED}),
        CARRIED_OUT: frozenset(),
        CANCELLED: frozenset(),
        LAPSED: frozenset(),
    }
)
WAITING = (PROPOSED, APPROVED)
REASONS = ("due", "emergency-ended", "instructed")
COOLING = timedelta(hours=24)
NEVER_EARLY = 4  # the grade that waits for its day, whoever decides

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
    sa.Column("cooling", sa.Integer, nullable=False),  # seconds
    sa.Column("not_before", Instant, nullable=False),
    sa.Column("approved_by", sa.String(20)),
    sa.Column("approved_org", sa.String(31)),
    sa.Column("intent", sa.String(20)),
    sa.Index("orders_stage", "org", "stage"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order.

    Attributes:
        org: Organisation whose bucket it is.
        order: Its code.
        bucket: Bucket id.
        parts: Names of the parts, sorted.
        reason: One of ``REASONS``.
        stage: As in ``NEXT``.
        by: Staff id of who proposed it.
        proposed: When.
        cooling: Seconds between approval and execution.
        not_before: First instant at which it may be carried out; later still when it is approved later.
        approved_by, approved_org: The second person, or None.
        intent: The destruction it became, or None.
    """

    org: str
    order: str
    bucket: int
    parts: tuple[str, ...]
    reason: str
    stage: str
    by: str
    proposed: datetime
    cooling: int
    not_before: datetime
    approved_by: str | None
    approved_org: str | None
    intent: str | None


def propose(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    bucket: int,
    parts: Collection[str],
    reason: str,
    by: str,
    cooling: timedelta = COOLING,
    now: datetime,
) -> Order:
    """Propose to destroy ``parts`` of a bucket.

    Raises:
        InputError: The reason is none of ``REASONS``, or no part is named.
        NotFoundError: There is no such bucket.
        StateError: A part is not alive, or another order waits for it.
        NotDueError, HeldError: It must still be kept; rule and day are named.
    """
    if reason not in REASONS or not parts:
        raise InputError(f"an order names parts and one of the reasons {', '.join(REASONS)}")
    log.append(tx, [], now=now)  # the head first, as ``intent`` says
    found = buckets.load(tx, org, bucket)
    for part in parts:
        if part not in found.live:
            raise StateError(f"part {part} of {found.name} is not alive")
    if any(o.bucket == bucket and set(o.parts) & set(parts) for o in listing(tx, org)):
        raise StateError(f"another order waits for a part of {found.name}")
    check_orderable(tx, standard, found, parts, now=now)
    code, not_before = new_id("o"), now + cooling
    tx.insert(
        orders, org=org, order=code, bucket=bucket, parts=sorted(parts), reason=reason,
        stage=PROPOSED, by=by, proposed=now, cooling=int(cooling.total_seconds()),
        not_before=not_before,
    )  # fmt: skip
    said = entry.Order(
        org=org, standard=standard.ref, at=entry.stamp(now), order=code, bucket=found.name,
        parts=sorted(parts), reason=reason, by=by, not_before=entry.stamp(not_before),
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, code)


def approve(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    order: str,
    by: str,
    by_org: str,
    now: datetime,
) -> Order:
    """Approve an order as the second person; its cooling time begins.

    Raises:
        NotFoundError: There is no such order.
        ApprovalError: Who proposed it cannot approve it.
        ForbiddenError: ``by_org`` is neither the organisation nor above it.
        StateError: It is not waiting for approval.
    """
    organisations.check_decides(tx, by_org, org)
    log.append(tx, [], now=now)  # the head first, as ``intent`` says
    found = load(tx, org, order)
    if found.by == by:
        raise ApprovalError("who proposes a destruction cannot approve it (design, decision 11)")
    later = max(found.not_before, now + timedelta(seconds=found.cooling))
    _enter(tx, found, APPROVED, approved_by=by, approved_org=by_org, not_before=later)
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
        NotFoundError: There is no such order.
        StateError: It is carried out, cancelled or lapsed already.
    """
    log.append(tx, [], now=now)  # the head first, as ``intent`` says
    _enter(tx, load(tx, org, order), CANCELLED)
    said = entry.OrderCancelled(
        org=org, standard=standard_ref, at=entry.stamp(now), order=order, by=by
    )
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, order)


def carry_out(
    tx: Transaction, log: Log, standard: Standard, *, org: str, now: datetime
) -> list[Intent]:
    """Announce the destruction of each approved order whose cooling time is over; return the intents.

    Raises:
        NotDueError: An order is for what must be kept, which ``propose`` would have refused.
    """
    log.append(tx, [], now=now)  # the head first, as ``intent`` says
    announced = []
    for found in listing(tx, org):
        bucket = buckets.load(tx, org, found.bucket)
        parts = [p for p in found.parts if p in bucket.live]
        if not parts:
            _enter(tx, found, LAPSED)
        elif found.stage == APPROVED and found.not_before <= now:
            try:
                due = check_orderable(tx, standard, bucket, parts, now=now)
            except HeldError:
                continue  # rule 2
            done = intents.announce_destruction(
                tx, log, standard_ref=standard.ref, bucket=bucket, parts=parts, due=due.at,
                rule=f"order/{found.order}", now=now,
            )  # fmt: skip
            _enter(tx, found, CARRIED_OUT, intent=done.intent)
            announced.append(done)
    return announced


def check_orderable(
    tx: Transaction, standard: Standard, bucket: Bucket, parts: Collection[str], *, now: datetime
) -> Due:
    """Return when the first of ``parts`` is due, if people may decide to destroy all of them now.

    Raises:
        NotDueError: One must still be kept; rule and day are named.
        HeldError: The bucket is held.
        InputError: The standard does not know the circumstance or a part.
    """
    ended = emergencies.history(tx, bucket.authority, bucket.emergency).ended_at()
    over = ended is not None and ended <= now
    grades = {part.name: part.grade for part in standard.parts(bucket.circumstance)}
    found = []
    for part in sorted(parts):
        due = dues.part_due(tx, standard, bucket, part)
        early = over and grades[part] < NEVER_EARLY
        early = early and not dues.is_statutory(standard, bucket.circumstance, part)
        if not early and (due.at is None or now < due.at):
            raise dues.not_due(bucket, part, due)
        found.append(due)
    holds.check_free(tx, bucket.org, bucket.id, now=now)
    return min(found, key=lambda due: due.at or now)


def load(tx: Transaction, org: str, order: str) -> Order:
    """Return the order.

    Raises:
        NotFoundError: There is none of that code.
    """
    return read(tx.get(orders, org=org, order=order))


def listing(
    tx: Transaction, org: str | None = None, *, stages: Sequence[str] = WAITING
) -> list[Order]:
    """Return the orders (of ``org``) in ``stages``, the latest first."""
    where: list[sa.ColumnElement[bool]] = [orders.c.stage.in_(list(stages))]
    if org is not None:
        where.append(orders.c.org == org)
    order_by = [orders.c.proposed.desc(), orders.c.order]
    return [read(r) for r in tx.all(orders, *where, order_by=order_by)]


def _enter(tx: Transaction, found: Order, stage: str, **values: Any) -> None:
    if stage not in NEXT[found.stage]:
        raise StateError(f"order {found.order} is {found.stage}: it cannot be {stage}")
    tx.update(orders, {"org": found.org, "order": found.order}, stage=stage, **values)


def read(row: dict[str, Any]) -> Order:
    """Return the order that a row holds."""
    return Order(**{**row, "parts": tuple(row["parts"])})
