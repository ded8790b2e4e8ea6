"""Leases of points that are collected at without a network, and pages of paper ledgers."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offline_leases",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("lease", sa.String(length=20), nullable=False),
        sa.Column("point", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("parts", epilock.db.Json(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("taken", epilock.db.Instant(), nullable=False),
        sa.Column("until", epilock.db.Instant(), nullable=False),
        sa.Column("public", sa.LargeBinary(length=65), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "lease"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paper_pages",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("point", sa.String(length=40), nullable=False),
        sa.Column("book", sa.String(length=20), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("written", sa.String(length=10), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("keyed", epilock.db.Instant(), nullable=False),
        sa.Column("keyed_by", sa.String(length=31), nullable=False),
        sa.Column("due", sa.String(length=10), nullable=False),
        sa.Column("destroyed", epilock.db.Instant(), nullable=True),
        sa.Column("destroyed_by", sa.String(length=31), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "point", "book", "page"),
        sqlite_with_rowid=False,
    )
