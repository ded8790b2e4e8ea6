"""Destruction is frozen by what went around the program."""

import sqlalchemy as sa
from alembic import op

import epilock.db

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "freezes",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("freeze", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("begun", epilock.db.Instant(), nullable=False),
        sa.Column("findings", epilock.db.Json(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("witnessed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("asked_by", sa.String(length=20), nullable=True),
        sa.Column("asked", epilock.db.Instant(), nullable=True),
        sa.Column("lifted_by", sa.String(length=20), nullable=True),
        sa.Column("lifted", epilock.db.Instant(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "freeze"),
        sqlite_with_rowid=False,
    )
