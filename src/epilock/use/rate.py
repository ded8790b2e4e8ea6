"""Rate limits: at most so many events of a kind in a window, counted in the database.

What is counted is a hash under an installation secret, so that the table holds no address or code.
"""

from datetime import datetime, timedelta
from hashlib import blake2s

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.errors import RateError

rates = sealed_table(
    "rates",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("who", sa.LargeBinary(16), primary_key=True),
    sa.Column("began", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)


def count(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    kind: str,
    who: str,
    most: int,
    window: timedelta,
    now: datetime,
) -> RateError | None:
    """Count one event; return the error to raise, once the caller has committed, or None.

    Windows are fixed: the count begins anew ``window`` after its first event.
    """
    key = {
        "org": org, "kind": kind,
        "who": blake2s(who.encode(), key=secret, digest_size=16, person=b"epi-rate").digest(),
    }  # fmt: skip
    row = tx.find(rates, lock=True, **key)
    if row is None:
        tx.insert(rates, **key, began=now, count=1)
        return None
    if now >= row["began"] + window:
        tx.update(rates, key, began=now, count=1)
        return None
    tx.update(rates, key, count=row["count"] + 1)
    if row["count"] < most:
        return None
    wait = int((row["began"] + window - now).total_seconds()) + 1
    return RateError("too many attempts; please wait", wait=wait)


def sweep(tx: Transaction, *, window: timedelta, now: datetime) -> int:
    """Delete counts whose window is over; return how many."""
    return tx.conn.execute(sa.delete(rates).where(rates.c.began < now - window)).rowcount
