"""Decisions: what the gate decided about records, and which decisions a record was in.

A decision is written with its ledger entry by the gate alone, and never changed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table

OPENED, REFUSED = "opened", "refused"
SUBJECT = "subject"

decisions = sealed_table(
    "decisions",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("decision", sa.String(20), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("by_org", sa.String(31), nullable=False),
    sa.Column("grant", sa.String(20)),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("form", sa.String(20), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("rule", sa.String(200), nullable=False),
    sa.Column("places", Json, nullable=False),
    sa.Column("categories", Json, nullable=False),
    sa.Column("review", sa.Boolean, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Index("decisions_at", "org", "at", "decision"),
)
sa.Index(
    "decisions_review", decisions.c.org, decisions.c.at,
    sqlite_where=decisions.c.review == sa.true(), postgresql_where=decisions.c.review == sa.true(),
)  # fmt: skip

openings = sa.Table(
    "openings",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("decision", sa.String(20), primary_key=True),
    sqlite_with_rowid=False,
)
"""Which decisions a record was in; each is found again in ``decisions``, whose rows are sealed."""

Place = tuple[int, int]  # bucket id, record number


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision, as it was committed.

    Attributes:
        org: Organisation that collected the records.
        decision: Its code.
        by: Staff id, or ``subject``.
        by_org: Organisation of who asked.
        grant: The grant, or None.
        purpose, form: As asked.
        verdict: ``opened`` or ``refused``.
        rule: The rule that decided.
        places: The records.
        categories: What may be revealed.
        review: Whether it must be reviewed afterwards (emergency opening).
        at: When.
        entry_index: Index of its ledger entry.
    """

    org: str
    decision: str
    by: str
    by_org: str
    grant: str | None
    purpose: str
    form: str
    verdict: str
    rule: str
    places: tuple[Place, ...]
    categories: tuple[str, ...]
    review: bool
    at: datetime
    entry_index: int


def load(tx: Transaction, org: str, decision: str) -> Decision:
    """Return the decision.

    Raises:
        NotFoundError: There is none of that code.
    """
    return read(tx.get(decisions, org=org, decision=decision))


def history(tx: Transaction, org: str, bucket: int, n: int) -> list[Decision]:
    """Return all decisions about one record, the oldest first: who opened it, when, what for."""
    query = sa.select(openings.c.decision).where(
        openings.c.org == org, openings.c.bucket == bucket, openings.c.n == n
    )
    found = [load(tx, org, row.decision) for row in tx.conn.execute(query)]
    return sorted(found, key=lambda d: d.entry_index)


def latest(tx: Transaction, org: str, *, limit: int = 100) -> list[Decision]:
    """Return the latest decisions about records of ``org``."""
    rows = tx.all(
        decisions,
        decisions.c.org == org,
        order_by=[decisions.c.at.desc(), decisions.c.entry_index.desc()],
        limit=limit,
    )
    return [read(r) for r in rows]


def read(row: dict[str, Any]) -> Decision:
    """Return the decision that a row of ``decisions`` states."""
    places = tuple((bucket, n) for bucket, n in row["places"])
    return Decision(**{**row, "places": places, "categories": tuple(row["categories"])})
