"""Under which generation of its emergency's tag key each tag is."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tags", sa.Column("generation", sa.SmallInteger(), nullable=False, server_default="1")
    )
