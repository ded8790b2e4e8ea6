"""Releases of de-identified tables, their files, and the line of each record in each of them."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("release", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("by_org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("emergency", sa.String(length=31), nullable=False),
        sa.Column("circumstance", sa.String(length=41), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=False),
        sa.Column("until", sa.String(length=10), nullable=False),
        sa.Column("question", epilock.db.Json(), nullable=False),
        sa.Column("parts", epilock.db.Json(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("found", epilock.db.Json(), nullable=True),
        sa.Column("problem", epilock.db.Json(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("k", sa.Integer(), nullable=True),
        sa.Column("l", sa.Integer(), nullable=True),
        sa.Column("approved_by", sa.String(length=20), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("cells", epilock.db.Json(), nullable=True),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("changed", epilock.db.Instant(), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("left_index", sa.BigInteger(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "release"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index("releases_grant", ["by_org", "grant"], unique=False)

    op.create_table(
        "release_files",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("release", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "release", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "release_lines",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release", sa.String(length=20), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "bucket", "n", "release"),
        sqlite_with_rowid=False,
    )
