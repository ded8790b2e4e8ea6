"""Sign-ins with their devices and networks; since when accounts stand as they do."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrivals",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("arrival", sa.String(length=20), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("device", sa.LargeBinary(length=32), nullable=False),
        sa.Column("session", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("network", sa.String(length=43), nullable=False),
        sa.Column("latitude", sa.Integer(), nullable=True),
        sa.Column("longitude", sa.Integer(), nullable=True),
        sa.Column("place", sa.String(length=60), nullable=True),
        sa.Column("at", epilock.db.Instant(), nullable=False),
        sa.Column("state", sa.String(length=6), nullable=False),
        sa.Column("reason", sa.String(length=6), nullable=False),
        sa.Column("unproved", sa.Boolean(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "arrival"),
        sqlite_with_rowid=False,
    )
    op.create_index("arrivals_staff", "arrivals", ["org", "staff", "at"])
    op.create_index("arrivals_device", "arrivals", ["org", "device"])
    op.create_table(
        "tenures",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=True),
        sa.Column("since", epilock.db.Instant(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=20), nullable=True),
        sa.Column("changed", epilock.db.Instant(), nullable=True),
        sa.Column("roles_before", epilock.db.Json(), nullable=True),
        sa.Column("signed_in", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "staff"),
        sa.UniqueConstraint("org", "external_id", name="tenures_external"),
        sqlite_with_rowid=False,
    )
