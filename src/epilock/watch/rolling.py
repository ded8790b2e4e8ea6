"""Rolling looks: what costs a scan is looked at for some seconds a round, and goes on in the next one.

A look goes through its subject piece by piece, and a *cursor* (plain values that JSON can hold) says where it
stopped. The looks take turns; each goes through to its end before the next begins, so that with few rows all
of them fit into one round, and with many each row is reached in hours: ``bench`` says how many a second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import sqlalchemy as sa

from epilock import inventory
from epilock.db import Transaction, metadata
from epilock.errors import EpilockError, ErasedError, TamperedError
from epilock.ledger import rows as ledger_rows
from epilock.ledger.check import Damage
from epilock.ledger.nodes import Nodes, stored_edge
from epilock.ledger.rows import Head
from epilock.ledger.tile import WIDTH
from epilock.ledger.tree import HASH_BYTES, leaf_row, row_root
from epilock.store import bucket as buckets
from epilock.store.bucket import DYING, LIVE, Bucket, bucket_parts
from epilock.store.check import rows
from epilock.store.keyrows import part_keys, seeds
from epilock.store.keys import KeyStore
from epilock.store.seal import Unsealer
from epilock.store.vault import parts
from epilock.watch import balance
from epilock.watch.heads import Heads

CHUNK = 2000  # rows read at once
BLOCKS = 16  # of 256 entries read at once
TILE = 8  # height of a full tile's root

Cursor = list[Any]
Step = tuple[list[Damage], Cursor | None]
"""What one piece found, and where the next begins; None at the end."""
More = Callable[[], bool]


class Look(Protocol):
    """One subject, looked at piece by piece."""

    name: str

    def step(self, cursor: Cursor | None) -> Step:
        """Look at one piece, from ``cursor`` on or from the beginning."""
        ...


@dataclass(slots=True)
class Entries:
    """The ledger's entries against its tree, and the rows that they speak of."""

    tx: Transaction
    heads: Heads
    name: str = "entries"
    _nodes: Nodes = field(default_factory=Nodes)

    def step(self, cursor: Cursor | None) -> Step:
        log, block = cursor or [0, 0]
        ordered = list(self.heads.values())
        if log >= len(ordered):
            return [], None
        head, base = ordered[log], sum(each.size for each in ordered[:log])
        first, end = block * WIDTH, min((block + BLOCKS) * WIDTH, ordered[log].size)
        found = list(self._piece(head, base, first, end))
        return found, [log, block + BLOCKS] if end < head.size else [log + 1, 0]

    def _piece(self, head: Head, base: int, first: int, end: int) -> Iterator[Damage]:
        said = ledger_rows.read_entries(self.tx, head.log, first, end)
        place = f"ledger_entries (log={head.log}, idx from {first} to {end - 1})"
        if len(said) != end - first:
            yield from balance.differ(place, len(said), end - first)
            return
        try:
            yield from self._proved(head, first, said)
        except EpilockError as error:
            yield Damage(place, str(error))
        yield from inventory.check_span(self.tx, base + first, said)

    def _proved(self, head: Head, first: int, said: Sequence[bytes]) -> Iterator[Damage]:
        reader = self._nodes.reader(self.tx, head)
        edge = stored_edge(self.tx, head.log, head.size)
        for start in range(0, len(said), WIDTH):
            some, block = said[start : start + WIDTH], (first + start) // WIDTH
            hashes = leaf_row(some)
            if len(some) == WIDTH:
                good = row_root(hashes) == reader(TILE, block)
            else:
                good = hashes == edge.rows[0][: len(some) * HASH_BYTES]
            if not good:
                last = block * WIDTH + len(some) - 1
                place = f"ledger_entries (log={head.log}, idx from {block * WIDTH} to {last})"
                yield Damage(place, "do not fit the tree")


@dataclass(slots=True)
class Counted:
    """The number of sealed rows of each living part, against what was counted when they came in and went."""

    tx: Transaction
    name: str = "counted"
    _wanted: Mapping[tuple[str, int, str], int] | None = None

    def step(self, cursor: Cursor | None) -> Step:
        p = bucket_parts.c
        key = sa.tuple_(p.org, p.bucket, p.part)
        query = sa.select(p.org, p.bucket, p.part).where(p.state.in_([LIVE, DYING]))
        if cursor:
            query = query.where(key > tuple(cursor))
        place = self.tx.conn.execute(query.order_by(p.org, p.bucket, p.part).limit(1)).first()
        if place is None:
            return [], None
        if self._wanted is None:
            self._wanted = balance.parts_counted(self.tx)
        org, bucket, part = place
        there = self.tx.query(
            "SELECT count(*) FROM parts WHERE org = ? AND bucket = ? AND part = ?",
            (org, bucket, part),
        )[0][0]
        name = rows.name(parts, place)
        return list(balance.differ(name, there, self._wanted.get((org, bucket, part), 0))), list(
            place
        )


@dataclass(slots=True)
class Seeds:
    """The number of seeds of each part's key, against what the row of the key says."""

    tx: Transaction  # of the key database
    name: str = "seeds"

    def step(self, cursor: Cursor | None) -> Step:
        c, s = part_keys.c, seeds.c
        query = sa.select(c.org, c.bucket, c.part, c.seeds)
        if cursor:
            query = query.where(sa.tuple_(c.org, c.bucket, c.part) > tuple(cursor))
        row = self.tx.conn.execute(query.order_by(c.org, c.bucket, c.part).limit(1)).first()
        if row is None:
            return [], None
        where = (s.org == row.org, s.bucket == row.bucket, s.part == row.part)
        there = self.tx.conn.execute(sa.select(sa.func.count()).select_from(seeds).where(*where))
        place = [row.org, row.bucket, row.part]
        return list(balance.differ(rows.name(seeds, place), there.scalar_one(), row.seeds)), place


@dataclass(slots=True)
class Sealed:
    """The MAC of each row of each sealed table."""

    tx: Transaction
    name: str = "rows"

    def step(self, cursor: Cursor | None) -> Step:
        tables = [t for t in metadata.sorted_tables if "mac" in t.columns]
        names = [str(table.name) for table in tables]
        at = names.index(cursor[0]) if cursor and cursor[0] in names else 0
        table, after = tables[at], cursor[1:] if cursor else []
        key = list(table.primary_key.columns)
        where = [sa.tuple_(*key) > tuple(after)] if after else []
        found = list(rows.stream(self.tx, table, *where, limit=CHUNK))
        bad = [
            Damage(rows.name(table, row), "was changed past this program")
            for row in found
            if not rows.is_sealed(self.tx, table, row)
        ]
        if len(found) == CHUNK:
            names_ = [column.name for column in table.columns]
            last = [found[-1][names_.index(column.name)] for column in key]
            return bad, [str(table.name), *last]
        return bad, [names[at + 1]] if at + 1 < len(names) else None


@dataclass(slots=True)
class Opened:
    """Whether each sealed part still opens; what was erased meanwhile does not, and is left to ``epilock check``."""

    tx: Transaction
    keys: KeyStore
    name: str = "opened"
    _bucket: tuple[Bucket, str, Unsealer] | None = None

    def step(self, cursor: Cursor | None) -> Step:
        p, c = bucket_parts.c, parts.c
        org, bucket, part, after = cursor or ["", 0, "", -1]
        query = sa.select(p.org, p.bucket, p.part).where(
            p.state == LIVE, sa.tuple_(p.org, p.bucket, p.part) >= (org, bucket, part)
        )
        places = self.tx.conn.execute(query.order_by(p.org, p.bucket, p.part).limit(2)).all()
        if not places:
            return [], None
        org, bucket, part = places[0]
        after = after if cursor and tuple(cursor[:3]) == tuple(places[0]) else -1
        where = (c.org == org, c.bucket == bucket, c.part == part, c.n > after)
        found = list(rows.stream(self.tx, parts, *where, limit=CHUNK))
        bad = list(self._open(org, bucket, part, found))
        if len(found) == CHUNK:
            return bad, [org, bucket, part, found[-1][3]]
        return bad, [*places[1], -1] if len(places) > 1 else None

    def _open(
        self, org: str, bucket: int, part: str, found: Sequence[rows.Row]
    ) -> Iterator[Damage]:
        try:
            unsealer = self._unsealer(org, bucket, part)
        except EpilockError:
            return  # ``keys`` and ``rows`` name it
        for row in found:
            try:
                unsealer.open(*row[3:])
            except ErasedError:
                continue
            except (TamperedError, TypeError):  # TypeError: it is no bytes any more
                yield Damage(rows.name(parts, row), "is not what was sealed")

    def _unsealer(self, org: str, bucket: int, part: str) -> Unsealer:
        kept = self._bucket
        if kept is None or (kept[0].org, kept[0].id, kept[1]) != (org, bucket, part):
            place = buckets.load(self.tx, org, bucket)
            cover = self.keys.cover(org, place.name, part)
            kept = self._bucket = (
                place,
                part,
                Unsealer(place, part, cover, suite=self.keys.suite_of(place.org)),
            )
        return kept[2]


def roll(
    looks: Sequence[Look], cursors: dict[str, Cursor], begin: str, more: More
) -> tuple[list[Damage], str]:
    """Look on from where the last round stopped, each look at most once to its end.

    Args:
        looks: In their order.
        cursors: Where each stopped; kept up to date.
        begin: Name of the look that is under way, or "".
        more: Tells whether there is time for another piece.

    Returns:
        What was found, and the name of the look that is under way now.
    """
    names = [look.name for look in looks]
    at = names.index(begin) if begin in names else 0
    turns = [*looks[at:], *looks[:at]]
    found: list[Damage] = []
    for look, following in pairwise([*turns, turns[0]]):
        cursor = cursors.pop(look.name, None)
        while True:
            if not more():
                if cursor is not None:
                    cursors[look.name] = cursor
                return found, look.name
            damages, cursor = look.step(cursor)
            found += damages
            if cursor is None:
                break
        begin = following.name
    return found, begin
