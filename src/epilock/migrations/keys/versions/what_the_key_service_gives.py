"""What a key service gave, and what it was asked to destroy."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_accounts",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "kind", "day"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_announced",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("stopped", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "kind", "name", "part"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_counted",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("bucket", sa.String(length=261), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "kind", "day", "bucket", "n"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_leases",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session", sa.LargeBinary(length=16), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "bucket", "part", "block"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_signed",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "name", "size"),
        sqlite_with_rowid=False,
    )
