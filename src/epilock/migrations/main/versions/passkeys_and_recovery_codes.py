"""Passkeys of accounts, the questions they answered, recovery codes, and when who is signed in showed a factor."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "challenges",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("until", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "passkeys",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("passkey", sa.String(length=20), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("added", epilock.db.Instant(), nullable=False),
        sa.Column("used", epilock.db.Instant(), nullable=True),
        sa.Column("shut", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "staff", "passkey"),
        sa.UniqueConstraint("org", "credential", name="passkeys_credential"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proofs",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "staff", "hash"),
        sqlite_with_rowid=False,
    )
