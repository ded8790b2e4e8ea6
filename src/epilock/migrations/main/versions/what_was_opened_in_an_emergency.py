"""What was opened in an emergency is found among decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "decisions_review", "decisions", ["org", "at"], sqlite_where=sa.text("review = 1"),
        postgresql_where=sa.text("review = true"),
    )  # fmt: skip
