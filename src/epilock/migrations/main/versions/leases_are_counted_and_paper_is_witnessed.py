"""How many forms a device may bring in under one lease, and how many it has; codes of pages of paper."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offline_counts",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("lease", sa.String(length=20), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "lease"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paper_codes",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("point", sa.String(length=40), nullable=False),
        sa.Column("book", sa.String(length=20), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "code"),
        sa.UniqueConstraint("org", "point", "book", "page", name="uq_paper_codes_page"),
        sqlite_with_rowid=False,
    )
