"""Which whole parts were given out under each signed grant."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_parts",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant", "bucket", "part"),
        sqlite_with_rowid=False,
    )
