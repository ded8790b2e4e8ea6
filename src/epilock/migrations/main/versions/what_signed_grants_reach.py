"""How many whole parts a grant reads; where a photograph's key lies, which says what it shows."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "grant_parts",
        sa.Column("org", sa.String(length=31), nullable=False),
        sa.Column("grant", sa.String(length=20), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("paper_photographs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("at", sa.String(length=200), nullable=True))
