"""Identity providers of organisations, and which accounts are entered by them."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_links",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("staff", sa.String(length=20), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("sub", sa.String(length=255), nullable=False),
        sa.Column("added", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "staff"),
        sa.UniqueConstraint("org", "issuer", "sub", name="provider_links_sub"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "providers",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("client", sa.String(length=200), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("factors", epilock.db.Json(), nullable=False),
        sa.Column("set", epilock.db.Instant(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org"),
        sqlite_with_rowid=False,
    )
