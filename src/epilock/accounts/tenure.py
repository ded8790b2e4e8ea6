"""How long an account has stood as it does: since when, what it was before, when its person was last here.

The ledger has each change of roles; this is what a review of accounts looks up without reading it.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, sealed_table

tenures = sealed_table(
    "tenures",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("staff", sa.String(20), primary_key=True),
    sa.Column("external_id", sa.String(64)),
    sa.Column("since", Instant, nullable=False),  # the period until the next review begins here
    sa.Column("confirmed_by", sa.String(20)),
    sa.Column("changed", Instant),
    sa.Column("roles_before", Json),
    sa.Column("signed_in", Instant),
    sa.UniqueConstraint("org", "external_id", name="tenures_external"),
)


def note(tx: Transaction, org: str, code: str, *, now: datetime, **values: Any) -> dict[str, Any]:
    """Note ``values`` of an account; its tenure begins now if it had none. Return the row."""
    key = {"org": org, "staff": code}
    if tx.find(tenures, lock=True, **key) is None:
        tx.insert(tenures, **key, since=now)
    return tx.update(tenures, key, **values)
