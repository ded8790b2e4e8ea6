"""Who approves, which grants they signed, and what each has opened."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_approvers",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("credential", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("home", sa.String(length=31), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("added", epilock.db.Instant(), nullable=False),
        sa.Column("removed", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "credential"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_grants",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("assertion", sa.Text(), nullable=False),
        sa.Column("signer", sa.String(length=20), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("registered", epilock.db.Instant(), nullable=False),
        sa.Column("until", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_opened",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant", "bucket", "n"),
        sqlite_with_rowid=False,
    )
