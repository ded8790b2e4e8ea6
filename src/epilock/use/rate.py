"""Rate limits: at most so many events of a kind in a window, counted in the database.

What is counted is a hash under an installation secret, so that the table holds no address, login or code. So
something that does not exist (a login, an organisation) is counted as what does, and nothing tells the two apart.
"""

from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.errors import ConflictError, RateError

ANYWHERE = ""  # the organisation of what may belong to none: an address, a login that was typed

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
    key = _key(secret, org, kind, who)
    row = _held(tx, key, now)
    if now >= row["began"] + window or not row["count"]:
        tx.update(rates, key, began=now, count=1)
        return None
    tx.update(rates, key, count=row["count"] + 1)
    if row["count"] < most:
        return None
    wait = int((row["began"] + window - now).total_seconds()) + 1
    return RateError("too many attempts; please wait", wait=wait)


def standing(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    kind: str,
    who: str,
    window: timedelta,
    now: datetime,
) -> tuple[int, datetime]:
    """Return how many events the window that is open holds, and when it began; nothing is counted."""
    row = tx.find(rates, **_key(secret, org, kind, who))
    if row is None or now >= row["began"] + window:
        return 0, now
    return row["count"], row["began"]


def hold(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    kind: str,
    who: str,
    window: timedelta,
    now: datetime,
) -> tuple[int, datetime]:
    """Return what ``standing`` does of a count that begins anew with each event (``again``), and lock it.

    So attempts at one thing come one after the other, also where nothing was counted yet.
    """
    row = _held(tx, _key(secret, org, kind, who), now)
    return (0, now) if now >= row["began"] + window else (row["count"], row["began"])


def again(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    kind: str,
    who: str,
    window: timedelta,
    now: datetime,
) -> None:
    """Count one event more; the window begins anew with it."""
    key = _key(secret, org, kind, who)
    row = _held(tx, key, now)
    before = 0 if now >= row["began"] + window else row["count"]
    tx.update(rates, key, began=now, count=before + 1)


def forget(tx: Transaction, *, secret: bytes, org: str, kind: str, who: str) -> None:
    """Count from nothing again."""
    tx.delete(rates, **_key(secret, org, kind, who))


def sweep(tx: Transaction, *, window: timedelta, now: datetime) -> int:
    """Delete counts whose window is over; return how many."""
    return tx.conn.execute(sa.delete(rates).where(rates.c.began < now - window)).rowcount


def _key(secret: bytes, org: str, kind: str, who: str) -> dict[str, Any]:
    hashed = blake2s(who.encode(), key=secret, digest_size=16, person=b"epi-rate").digest()
    return {"org": org, "kind": kind, "who": hashed}


def _held(tx: Transaction, key: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the row of ``key``, locked; it is made where there was none.

    Two that make it at once are one after the other: the second finds what the first committed.
    """
    row = tx.find(rates, lock=True, **key)
    if row is None:
        try:
            tx.insert(rates, **key, began=now, count=0)
        except ConflictError:
            return tx.get(rates, lock=True, **key)
        return {**key, "began": now, "count": 0}
    return row
