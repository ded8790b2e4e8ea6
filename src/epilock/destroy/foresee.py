"""What another level would do to the days of what is kept, told before it is confirmed.

A part's day depends on its name, on its bucket's circumstance, day and clock, and on the levels; on nothing else. So
living parts are counted in groups that share these, and each group's day is worked out once, however many
organisations there are.

Rules kept in this file:
  1. A part's day is ``standard.clock.due`` and nothing else; one that the standard does not know has none.
  2. What is counted here decides nothing: whoever destroys reads and proves each row (``run``).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.registry import emergency as emergencies
from epilock.standard import Standard
from epilock.standard.clock import due as due_of
from epilock.standard.level import CHINA, History, LevelChange
from epilock.store.bucket import LIVE, bucket_parts, buckets

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Living parts whose day would change, all alike.

    Attributes:
        circumstance, day, clock: Of their buckets.
        part: What they are called.
        parts: How many they are, over all organisations.
        now, then: When they are due by the levels as they are, and with the other one; None: not known yet.
        rule: The rule that would say so.
    """

    circumstance: str
    day: date
    clock: str
    part: str
    parts: int
    now: datetime | None
    then: datetime | None
    rule: str

    @property
    def last_now(self) -> date | None:
        """The last day by the levels as they are."""
        return _day_before(self.now)

    @property
    def last_then(self) -> date | None:
        """The last day with the other level."""
        return _day_before(self.then)


def foresee(
    tx: Transaction,
    standard: Standard,
    authority: str,
    emergency: str,
    level: str,
    *,
    now: datetime,
) -> list[Foreseen]:
    """Return what would change if ``level`` were set ``now``, what would go first at the top."""
    history = emergencies.history(tx, authority, emergency)
    would = _with(history, level, now)
    found = []
    groups = _groups(tx, standard, authority, emergency)
    for (circumstance, day, clock, part), parts in groups.items():
        before, after = (
            due_of(standard, circumstance=circumstance, part=part, day=day, clock=clock, history=levels)
            for levels in (history, would)
        )  # fmt: skip
        if before.at != after.at:
            found.append(
                Foreseen(
                    circumstance=circumstance, day=day, clock=clock, part=part, parts=parts, now=before.at,
                    then=after.at, rule=after.rule,
                )
            )  # fmt: skip
    return sorted(found, key=lambda f: (f.then or _NEVER, f.circumstance, f.day, f.clock, f.part))


def _day_before(due: datetime | None) -> date | None:
    return None if due is None else (due.astimezone(CHINA) - timedelta(days=1)).date()


def _with(history: History, level: str, now: datetime) -> History:
    """Return the levels with another from now on, or from right after the last change if that is to come."""
    last = history.changes[-1].at if history.changes else now
    return History((*history.changes, LevelChange(max(now, last + timedelta(seconds=1)), level)))


def _groups(
    tx: Transaction, standard: Standard, authority: str, emergency: str
) -> dict[tuple[str, date, str, str], int]:
    """Return by circumstance, day, clock and part how many parts are alive.

    Buckets with the same living parts are counted by the database, which sorts a fifth as many rows so.
    """
    b, p = buckets.c, bucket_parts.c
    known = {c: {part.name for part in standard.parts(c)} for c in standard.circumstances}
    alive = (
        sa.select(p.org, p.bucket, sa.func.aggregate_strings(p.part, ",").label("parts"))
        .where(p.state == LIVE)
        .group_by(p.org, p.bucket)
        .subquery()
    )
    alike = (b.circumstance, b.day, b.clock, alive.c.parts)
    query = (
        sa.select(*alike, sa.func.count())
        .join_from(buckets, alive, sa.and_(alive.c.org == b.org, alive.c.bucket == b.bucket))
        .where(b.authority == authority, b.emergency == emergency)
        .group_by(*alike)
    )
    found: Counter[tuple[str, date, str, str]] = Counter()
    for circumstance, day, clock, parts, number in tx.conn.execute(query):
        for part in known.get(circumstance, set()).intersection(parts.split(",")):
            found[circumstance, date.fromisoformat(day), clock, part] += number
    return found
