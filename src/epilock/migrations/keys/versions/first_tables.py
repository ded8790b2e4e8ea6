"""first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epochs",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "part_keys",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seeds", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "bucket", "part"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "secrets",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seeds",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("depth", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("prefix", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "bucket", "part", "depth", "prefix"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_keys",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("emergency", sa.String(length=31), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "emergency"),
        sqlite_with_rowid=False,
    )
