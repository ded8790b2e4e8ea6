"""What did people see: how often each notice version was shown, given, refused or left.

Counts only; who saw what is not known here. Shown and refused are counted in memory and flushed to
the database; given is counted where the record is stored, in its transaction. Once a day what has
been counted since the last time is committed to the ledger as a ``notice-counts`` entry (design:
"what did people see" has an answer). Left = shown and neither given nor refused.

A crash loses at most what was counted in memory since the last flush: a number of pages shown,
never a record.
"""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.ledger import entry
from epilock.ledger.log import Log

KINDS = ("shown", "given", "refused")

tallies = sealed_table(
    "tallies",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("point", sa.String(40), primary_key=True),
    sa.Column("notice", sa.String(64), primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("given", sa.Integer, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
)

notice_totals = sealed_table(
    "notice_totals",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("point", sa.String(40), primary_key=True),
    sa.Column("notice", sa.String(64), primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Column("shown", sa.BigInteger, nullable=False),
    sa.Column("given", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("left", sa.BigInteger, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
)
"""What the ledger's ``notice-counts`` entries add up to, and the latest of them; for the console to read."""

Key = tuple[str, str, str]  # organisation, point, notice (hex)


class Tally:
    """Counts in memory, safe to use from any thread; ``flush`` moves them into the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Key, str]] = Counter()

    def count(self, key: Key, kind: str, times: int = 1) -> None:
        """Count one event; ``kind`` is one of ``KINDS``."""
        with self._lock:
            self._counts[key, kind] += times

    def take(self) -> dict[Key, dict[str, int]]:
        """Return what was counted since the last time and begin anew."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        taken: dict[Key, dict[str, int]] = {}
        for (key, kind), times in counts.items():
            taken.setdefault(key, {})[kind] = times
        return taken

    def give_back(self, taken: dict[Key, dict[str, int]]) -> None:
        """Count ``taken`` again, after the transaction that was to keep it failed."""
        for key, kinds in taken.items():
            for kind, times in kinds.items():
                self.count(key, kind, times)


def keep(tx: Transaction, taken: dict[Key, dict[str, int]], *, now: datetime) -> None:
    """Add ``taken`` to the database."""
    for (org, point, notice), kinds in taken.items():
        key = {"org": org, "point": point, "notice": notice}
        row = tx.find(tallies, lock=True, **key)
        if row is None:
            tx.insert(tallies, **key, since=now, **{k: kinds.get(k, 0) for k in KINDS})
        else:
            tx.update(tallies, key, **{k: row[k] + kinds.get(k, 0) for k in KINDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What was counted of one notice since the last ``notice-counts`` entry."""

    notice: str
    since: datetime
    shown: int
    given: int
    refused: int

    @property
    def left(self) -> int:
        """Shown, and neither given nor refused."""
        return max(0, self.shown - self.given - self.refused)


def of_point(tx: Transaction, org: str, point: str) -> list[Count]:
    """Return the counts of a point's notices since they were last committed to the ledger."""
    rows = tx.all(
        tallies, tallies.c.org == org, tallies.c.point == point, order_by=[tallies.c.since]
    )
    return [Count(**{k: r[k] for k in ("notice", "since", *KINDS)}) for r in rows]


def commit_counts(tx: Transaction, log: Log, *, standard_ref: str, now: datetime) -> int:
    """Write one ``notice-counts`` entry for each notice that was counted, and begin anew; return how many."""
    log.append(tx, [], now=now)  # the head first: a batch of records locks it before it counts
    entries, counted = [], []
    for row in tx.all(tallies, order_by=[tallies.c.org, tallies.c.point, tallies.c.notice]):
        counts = {k: row[k] for k in KINDS}
        if any(counts.values()):
            left = max(0, row["shown"] - row["given"] - row["refused"])
            said = entry.NoticeCounts(
                org=row["org"], standard=standard_ref, at=entry.stamp(now), point=row["point"],
                notice=row["notice"], since=entry.stamp(row["since"]), until=entry.stamp(now),
                left=left, **counts,
            )  # fmt: skip
            entries.append(entry.encode(said))
            counted.append(said)
        key = {k: row[k] for k in ("org", "point", "notice")}
        tx.update(tallies, key, since=now, shown=0, given=0, refused=0)
    if entries:
        first = log.base + log.append(tx, entries, now=now).first
        for number, said in enumerate(counted):
            _add_up(tx, said, first + number, now=now)
    return len(entries)


def totals(tx: Transaction, org: str, point: str) -> dict[str, dict[str, Any]]:
    """Return what has been committed to the ledger so far, by the hash of each notice of ``point``."""
    c = notice_totals.c
    return {row["notice"]: row for row in tx.all(notice_totals, c.org == org, c.point == point)}


def so_far(tx: Transaction, org: str, point: str | None = None) -> dict[str, dict[str, int]]:
    """Return how often notices were shown, given and refused since each point opened, by point and kind.

    Of one point, or of all points of ``org``; a point of which nothing was counted is left out.
    """
    found: dict[str, dict[str, int]] = {}
    for table in (tallies, notice_totals):
        own = [table.c.org == org] + ([table.c.point == point] if point else [])
        for row in tx.all(table, *own):
            counts = found.setdefault(row["point"], dict.fromkeys(KINDS, 0))
            for kind in KINDS:
                counts[kind] += row[kind]
    return found


def _add_up(tx: Transaction, said: entry.NoticeCounts, index: int, *, now: datetime) -> None:
    key = {"org": said.org, "point": said.point, "notice": said.notice}
    counts = {"shown": said.shown, "given": said.given, "refused": said.refused, "left": said.left}
    row = tx.find(notice_totals, lock=True, **key)
    if row is None:
        tx.insert(notice_totals, **key, until=now, entry_index=index, **counts)
        return
    sums = {kind: row[kind] + count for kind, count in counts.items()}
    tx.update(notice_totals, key, until=now, entry_index=index, **sums)
