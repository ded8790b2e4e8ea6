"""Rate limits: at most so many events of a kind in a window, counted in the database.

What is counted is a hash under an installation secret, so that the table holds no address, login or code. So
something that does not exist (a login, an organisation) is counted as what does, and nothing tells the two apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What is counted, and how long.

    Attributes:
        secret: Under which ``who`` is hashed.
        org: To which it belongs, or ``ANYWHERE``.
        kind: What happens.
        who: By whom, or to whom; any text.
        window: How long an event counts.
    """

    secret: bytes
    org: str
    kind: str
    who: str
    window: timedelta

    def add(self, tx: Transaction, *, most: int, now: datetime) -> RateError | None:
        """Count one event; return the error to raise, once the caller has committed, or None.

        Windows are fixed: the count begins anew ``window`` after its first event.
        """
        key = self._key()
        row = _held(tx, key, now)
        if now >= row["began"] + self.window or not row["count"]:
            tx.update(rates, key, began=now, count=1)
            return None
        tx.update(rates, key, count=row["count"] + 1)
        if row["count"] < most:
            return None
        wait = int((row["began"] + self.window - now).total_seconds()) + 1
        return RateError("too many attempts; please wait", wait=wait)

    def give_back(self, tx: Transaction, *, now: datetime) -> None:
        """Count one event less: it turned out not to be of the kind that is bounded."""
        row = _held(tx, self._key(), now)
        if row["count"] and now < row["began"] + self.window:
            tx.update(rates, self._key(), count=row["count"] - 1)

    def standing(self, tx: Transaction, *, now: datetime) -> tuple[int, datetime]:
        """Return how many events the window that is open holds, and when it began; nothing is counted."""
        return self._standing(tx.find(rates, **self._key()), now)

    def hold(self, tx: Transaction, *, now: datetime) -> tuple[int, datetime]:
        """Return what ``standing`` does of a count that begins anew with each event (``again``), and lock it.

        So attempts at one thing come one after the other, also where nothing was counted yet.
        """
        return self._standing(_held(tx, self._key(), now), now)

    def again(self, tx: Transaction, *, now: datetime) -> None:
        """Count one event more; the window begins anew with it."""
        key = self._key()
        before, _ = self._standing(_held(tx, key, now), now)
        tx.update(rates, key, began=now, count=before + 1)

    def forget(self, tx: Transaction) -> None:
        """Count from nothing again."""
        tx.delete(rates, **self._key())

    def _standing(self, row: Mapping[str, Any] | None, now: datetime) -> tuple[int, datetime]:
        if row is None or now >= row["began"] + self.window:
            return 0, now
        return row["count"], row["began"]

    def _key(self) -> dict[str, Any]:
        who = self.who.encode()
        hashed = blake2s(who, key=self.secret, digest_size=16, person=b"epi-rate").digest()
        return {"org": self.org, "kind": self.kind, "who": hashed}


def sweep(tx: Transaction, *, window: timedelta, now: datetime) -> int:
    """Delete counts whose window is over; return how many."""
    return tx.conn.execute(sa.delete(rates).where(rates.c.began < now - window)).rowcount


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
