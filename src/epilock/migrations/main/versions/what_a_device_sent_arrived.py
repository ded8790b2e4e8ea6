"""Which sealed forms of a device arrived, so that it is told after its lease too."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offline_arrivals",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("lease", sa.String(length=20), nullable=False),
        sa.Column("box", sa.LargeBinary(length=32), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.Column("until", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "lease", "box"),
        sqlite_with_rowid=False,
    )
    op.create_index("offline_arrivals_until", "offline_arrivals", ["org", "until"])
