"""Budgets are asked for and approved; a count may be answered with noise; a study's end takes two persons."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allotments",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("allotment", sa.String(length=20), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("recipient", sa.String(length=80), nullable=False),
        sa.Column("epsilon", sa.BigInteger(), nullable=False),
        sa.Column("ceiling", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("decided_by", sa.String(length=20), nullable=True),
        sa.Column("asked", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "allotment"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "noisy_counts",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("release", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "decision"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grant_studies",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "study_ends",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("asked", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "study"),
        sqlite_with_rowid=False,
    )
