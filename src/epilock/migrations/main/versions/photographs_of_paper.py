"""Photographs of pages of paper, sealed; which records stand on them."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper_photographs",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "code"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "photographed",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("categories", epilock.db.Json(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "bucket", "n"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("photographed", schema=None) as batch_op:
        batch_op.create_index("photographed_code", ["org", "code"], unique=False)
