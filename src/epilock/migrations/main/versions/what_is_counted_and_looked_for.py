"""Counts, reviews, searches; budgets of answers with noise, and studies."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aggregates",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("by_org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("emergency", sa.String(length=31), nullable=False),
        sa.Column("circumstance", sa.String(length=41), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=False),
        sa.Column("until", sa.String(length=10), nullable=False),
        sa.Column("counted", sa.String(length=80), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("days", epilock.db.Json(), nullable=False),
        sa.Column("table", epilock.db.Json(), nullable=True),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "decision"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("aggregates", schema=None) as batch_op:
        batch_op.create_index("aggregates_grant", ["by_org", "grant"], unique=False)

    op.create_table(
        "emergency_openings",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("by_org", sa.String(length=31), nullable=False),
        sa.Column("stated", sa.String(length=300), nullable=False),
        sa.Column("opened", epilock.db.Instant(), nullable=False),
        sa.Column("reviewer", sa.String(length=20), nullable=True),
        sa.Column("reviewer_org", sa.String(length=31), nullable=True),
        sa.Column("verdict", sa.String(length=11), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("reviewed", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "decision"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("emergency_openings", schema=None) as batch_op:
        batch_op.create_index("emergency_openings_due", ["by_org", "reviewed"], unique=False)

    op.create_table(
        "searches",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("search", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("by_org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("emergency", sa.String(length=31), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "search"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("searches", schema=None) as batch_op:
        batch_op.create_index("searches_grant", ["by_org", "grant"], unique=False)

    op.create_table(
        "noisy_releases",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("release", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("recipient", sa.String(length=80), nullable=False),
        sa.Column("by", sa.String(length=31), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("epsilon", sa.BigInteger(), nullable=False),
        sa.Column("answer", epilock.db.Json(), nullable=True),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "release"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("noisy_releases", schema=None) as batch_op:
        batch_op.create_index(
            "noisy_releases_account", ["org", "dataset", "purpose", "recipient"], unique=False
        )

    op.create_table(
        "privacy_budgets",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("recipient", sa.String(length=80), nullable=False),
        sa.Column("allotted", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "dataset", "purpose", "recipient"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "privacy_datasets",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("ceiling", sa.BigInteger(), nullable=False),
        sa.Column("allotted", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "dataset"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "studies",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("opened", epilock.db.Instant(), nullable=False),
        sa.Column("ended", epilock.db.Instant(), nullable=True),
        sa.Column("destroyed", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "study"),
        sqlite_with_rowid=False,
    )
