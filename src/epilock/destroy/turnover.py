"""Turnover: how many records came in and how many went, week by week; what everybody may know.

The same can be counted from the public log. A record comes on the day of its collection, once, wherever its event
moved it to. It goes when all parts of its bucket are certified as destroyed; what was erased one by one before
has no week here. That a row was not changed past this program is for ``epilock check`` to say.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.destroy.intent import DESTROY, intents
from epilock.standard.level import CHINA
from epilock.store.bucket import COLLECTION, DYING, LIVE, bucket_parts, buckets
from epilock.store.count import counts

WEEKS = 26
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week.

    Attributes:
        first: Its Monday (China).
        collected: Records of its days.
        destroyed: Records of buckets whose last part was certified in it, but those erased before.
    """

    first: date
    collected: int
    destroyed: int


def weeks(
    tx: Transaction, *, now: datetime, org: str | None = None, most: int = WEEKS
) -> Sequence[Week]:
    """Return the last ``most`` weeks, this one included, without those before anything came in.

    Args:
        tx: A transaction.
        now: The instant.
        org: Only its records; None for all organisations.
        most: How many weeks at most.
    """
    came: Counter[date] = Counter()
    went: Counter[date] = Counter()
    for row in tx.conn.execute(_flow(org)):
        if row.clock == COLLECTION:
            came[_monday(date.fromisoformat(row.day))] += row.total
        if row.gone is not None:
            went[_monday(row.gone.astimezone(CHINA).date())] += row.left
    if not came:
        return ()
    this = _monday(now.astimezone(CHINA).date())
    first = max(min(came), this - (most - 1) * _WEEK)
    span = range((this - first) // _WEEK + 1)
    return [
        Week(first=monday, collected=came[monday], destroyed=went[monday])
        for monday in (first + n * _WEEK for n in span)
    ]


def _flow(org: str | None) -> sa.Select[Any]:
    """Return for each bucket: its day, records, records not erased one by one, when its last part went."""
    b, c, p, i = buckets.c, counts.c, bucket_parts.c, intents.c
    number = (
        sa.select(
            c.org, c.bucket, sa.func.sum(c.records).label("total"),
            sa.func.sum(sa.case((c.parts == c.erased, 0), else_=c.records)).label("left"),
        )
        .group_by(c.org, c.bucket)
        .subquery()
    )  # fmt: skip
    certified = (
        sa.select(i.org, i.bucket, sa.func.max(i.done, type_=i.done.type).label("done"))
        .where(i.kind == DESTROY)
        .group_by(i.org, i.bucket)
        .subquery()
    )
    some_left = sa.exists().where(
        p.org == b.org, p.bucket == b.bucket, p.state.in_([LIVE, DYING])
    )  # fmt: skip
    chosen = (
        sa.select(
            b.day, b.clock, number.c.total, number.c.left,
            sa.case((some_left, None), else_=certified.c.done).label("gone"),
        )
        .join(number, sa.and_(number.c.org == b.org, number.c.bucket == b.bucket))
        .outerjoin(certified, sa.and_(certified.c.org == b.org, certified.c.bucket == b.bucket))
    )  # fmt: skip
    return chosen if org is None else chosen.where(b.org == org)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
