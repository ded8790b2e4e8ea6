"""Objections and complaints by receipt."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subject_requests",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("request", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("ground", sa.String(length=20), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("asked", epilock.db.Instant(), nullable=False),
        sa.Column("answer", sa.String(length=20), nullable=True),
        sa.Column("by", sa.String(length=20), nullable=True),
        sa.Column("answered", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "request"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("subject_requests", schema=None) as batch_op:
        batch_op.create_index("subject_requests_open", ["org", "answered"], unique=False)
        batch_op.create_index("subject_requests_record", ["org", "bucket", "n"], unique=False)
