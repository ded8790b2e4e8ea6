"""What was collected and what was destroyed, week by week: how an organisation keeps up.

A record counts as destroyed in the week in which the last part of its bucket was certified; what was erased
one by one before that is not in it. It counts once, on the day of its collection, wherever its event moved
it to.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from epilock.db import Transaction
from epilock.destroy import intent as intents
from epilock.standard.level import CHINA, midnight
from epilock.store import bucket as buckets
from epilock.store import count
from epilock.store.bucket import COLLECTION

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week of an organisation.

    Attributes:
        first: Its Monday.
        collected: Records that came in.
        destroyed: Records that went with their bucket.
    """

    first: date
    collected: int
    destroyed: int


def weekly(tx: Transaction, org: str, *, today: date, weeks: int = 12) -> list[Week]:
    """Return the last ``weeks`` weeks, that of ``today`` last.

    Raises:
        TamperedError: A row was changed past this program.
    """
    mondays = [_monday(today) - _WEEK * ago for ago in reversed(range(weeks))]
    collected = _collected(tx, org, mondays[0])
    destroyed = _destroyed(tx, org, mondays[0])
    return [Week(first=day, collected=collected[day], destroyed=destroyed[day]) for day in mondays]


def _collected(tx: Transaction, org: str, first: date) -> Counter[date]:
    c = buckets.buckets.c
    rows = tx.all(buckets.buckets, c.org == org, c.day >= first.isoformat(), c.clock == COLLECTION)
    held = count.of_all(tx, org, [row["bucket"] for row in rows])
    found: Counter[date] = Counter()
    for row in rows:
        found[_monday(date.fromisoformat(row["day"]))] += held[row["bucket"]].collected
    return found


def _destroyed(tx: Transaction, org: str, first: date) -> Counter[date]:
    c = intents.intents.c
    rows = tx.all(
        intents.intents, c.org == org, c.kind == intents.DESTROY, c.done >= midnight(first),
        order_by=[c.done],
    )  # fmt: skip
    last = {row["bucket"]: row["done"] for row in rows}
    gone = buckets.gone(tx, org, last)
    held = count.of_all(tx, org, gone)
    found: Counter[date] = Counter()
    for bucket in gone:
        found[_monday(last[bucket].astimezone(CHINA).date())] += held[bucket].left
    return found


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
