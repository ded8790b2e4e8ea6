"""Reviews: what was opened for treatment in an emergency, without a grant, is looked at afterwards.

Another person, an approver of the organisation whose member opened it or of one above it, says within
``WITHIN`` whether it was justified, with a reason of ``REASONS``. The monitor finds the reviews that never
came. A review is given once and never changed. The opener's reason stands here and not in the ledger, for
it is free text about a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.db import Instant, Transaction, metadata, missing, sealed_table
from epilock.errors import (
    ApprovalError,
    ForbiddenError,
    InputError,
    StateError,
)
from epilock.ledger import entry
from epilock.ledger.audit.opening import REVIEW_WITHIN as WITHIN
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations

MOST_OUTSTANDING = 10  # of one person: what a stolen account can take so before another looks
JUSTIFIED, UNJUSTIFIED = "justified", "unjustified"
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "life-at-risk": JUSTIFIED,
        "in-treatment": JUSTIFIED,
        "not-in-treatment": UNJUSTIFIED,
        "could-have-asked": UNJUSTIFIED,
        "more-than-needed": UNJUSTIFIED,
    }
)
"""Why an opening was justified or not: the reason decides the verdict, so that the two never differ."""

emergency_openings = sealed_table(
    "emergency_openings",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("decision", sa.String(20), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("by_org", sa.String(31), nullable=False),
    sa.Column("stated", sa.String(300), nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("reviewer", sa.String(20)),
    sa.Column("reviewer_org", sa.String(31)),
    sa.Column("verdict", sa.String(11)),
    sa.Column("reason", sa.String(20)),
    sa.Column("reviewed", Instant),
    sa.Index("emergency_openings_due", "by_org", "reviewed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyOpening:
    """One opening without a grant, and its review.

    Attributes:
        org, decision: Organisation that collected the record, and code of the decision.
        by, by_org: Who opened it, of which organisation.
        stated: Why, in the opener's words.
        opened: When.
        reviewer, reviewer_org: Who reviewed it, of which organisation; None while nobody has.
        verdict: ``justified`` or ``unjustified``, or None.
        reason: A key of ``REASONS``, or None.
        reviewed: When it was reviewed, or None.
    """

    org: str
    decision: str
    by: str
    by_org: str
    stated: str
    opened: datetime
    reviewer: str | None
    reviewer_org: str | None
    verdict: str | None
    reason: str | None
    reviewed: datetime | None

    @property
    def due(self) -> datetime:
        """The instant until which it must be reviewed."""
        return self.opened + WITHIN

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether its review should have come and has not."""
        return self.reviewed is None and now >= self.due


def note(  # noqa: PLR0917 - which opening, by whom, why
    tx: Transaction, org: str, decision: str, by: str, by_org: str, stated: str, now: datetime
) -> None:
    """Note an opening in an emergency, in the transaction of its decision."""
    tx.insert(
        emergency_openings, org=org, decision=decision, by=by, by_org=by_org, stated=stated[:300],
        opened=now,
    )  # fmt: skip


def review(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    decision: str,
    by: Staff,
    reason: str,
    now: datetime,
) -> EmergencyOpening:
    """Say of an emergency opening of a record of ``org`` whether it was justified.

    Raises:
        ApprovalError: ``by`` opened it.
        ForbiddenError: ``by`` is no approver of the opener's organisation or one above it.
        InputError: The reason is none of ``REASONS``.
        NotFoundError: There is no such opening in an emergency, or it is nothing to ``by``'s organisation.
        StateError: It was reviewed already.
    """
    if reason not in REASONS:
        raise InputError(f"the reason of a review is one of {', '.join(REASONS)}")
    key = {"org": org, "decision": decision}
    opened = _read(tx.get(emergency_openings, lock=True, **key))
    above = {opened.by_org, *organisations.superiors(tx, opened.by_org)}
    if by.org not in {org, *above}:
        raise missing(emergency_openings)
    if by.staff == opened.by:
        raise ApprovalError("who opened a record cannot review that (decision 11)")
    if "approver" not in by.roles or by.org not in above:
        raise ForbiddenError("an approver of the opener's organisation or one above it reviews")
    if opened.reviewed is not None:
        raise StateError(f"{decision} was reviewed already")
    verdict = REASONS[reason]
    row = tx.update(
        emergency_openings, key, reviewer=by.staff, reviewer_org=by.org, verdict=verdict,
        reason=reason, reviewed=now,
    )  # fmt: skip
    said = entry.Review(
        org=org, standard=standard_ref, at=entry.stamp(now), decision=decision, by=by.staff,
        verdict=verdict, reason=reason,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return _read(row)


def load(tx: Transaction, org: str, decision: str) -> EmergencyOpening:
    """Return the opening in an emergency.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _read(tx.get(emergency_openings, org=org, decision=decision))


def outstanding(
    tx: Transaction, by_org: str | None = None, by: str | None = None
) -> list[EmergencyOpening]:
    """Return what was opened in an emergency and nobody has reviewed, the oldest first.

    By all staff of ``by_org``, or by one of them; by whomever if none is named.
    """
    c = emergency_openings.c
    where: list[sa.ColumnElement[bool]] = [c.reviewed.is_(None)]
    if by_org is not None:
        where.append(c.by_org == by_org)
    if by is not None:
        where.append(c.by == by)
    rows = tx.all(emergency_openings, *where, order_by=[c.opened])
    return [_read(row) for row in rows]


def listing(tx: Transaction, by_org: str, *, limit: int = 100) -> list[EmergencyOpening]:
    """Return what staff of ``by_org`` opened in an emergency, the latest first."""
    c = emergency_openings.c
    rows = tx.all(emergency_openings, c.by_org == by_org, order_by=[c.opened.desc()], limit=limit)
    return [_read(row) for row in rows]


def _read(row: dict[str, Any]) -> EmergencyOpening:
    return EmergencyOpening(**row)
