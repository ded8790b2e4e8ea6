"""The check of a stored log against itself: every row is made anew, and those that differ are named.

Three things say the same: the entries, the tiles made from them, and the hash of each full tile in the
tile above it; at the right edge the head's root takes the place of the tile above. Where two of them
agree against the third, the third is named; where none agree, all are. Heads and checkpoints are
sealed rows besides. What a whole older database would hide, ``Log.check_at_start`` finds.

Memory does not grow with the log: one tile a level is held at a time.
"""

import hmac
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.ledger import rows
from epilock.ledger.edge import Edge
from epilock.ledger.rows import Head
from epilock.ledger.tile import WIDTH, split, widths
from epilock.ledger.tree import HASH_BYTES, leaf_hash, root

Hashes = list[bytes | None]
"""Hashes of a tile; None where nothing is stored."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One row that is not what was stored.

    Attributes:
        row: Table and key, such as ``ledger_entries (log=1, idx=90117)``.
        problem: What is wrong with it.
    """

    row: str
    problem: str


def check(tx: Transaction, origin: str) -> Iterator[Damage]:
    """Yield each row of the log ``origin`` that is not what was stored, and rows of no log at all."""
    head, sealed = None, True
    for log, name, size, root_, mac in _raw(
        tx, "SELECT log, origin, size, root, mac FROM ledger_head"
    ):
        good = _is_sealed(tx, rows.heads, [log, name, size, root_], mac)
        if name == origin:
            head, sealed = Head(log, size, root_), good
        if not good:
            yield Damage(f"ledger_head (log={log})", "was changed past this program")
    yield from _strays(tx)
    if head is not None and not sealed:
        head = _last_checkpoint(tx, head.log)
    if head is not None:
        yield from _Check(tx, head).run()


class _Check:
    """One pass over the rows of one log."""

    def __init__(self, tx: Transaction, head: Head) -> None:
        self.tx = tx
        self.head = head
        self.open: dict[int, Hashes] = {}  # by level, what the tile that is not yet full must hold
        self.edge: Edge | None = (
            Edge()
        )  # None once a leaf is lost: no root can be made from there on

    def run(self) -> Iterator[Damage]:
        yield from self._surplus()
        full = self.head.size // WIDTH
        for n in range(full):
            made = self._leaves(n * WIDTH, (n + 1) * WIDTH)
            settled = yield from self._settle(0, n, made)
            yield from self._checkpoints(n * WIDTH, settled)
        self.open[0] = self._leaves(full * WIDTH, self.head.size)
        settled = yield from self._right_edge()
        yield from self._checkpoints(full * WIDTH, settled)

    def _settle(self, level: int, n: int, made: Hashes) -> Generator[Damage, None, Hashes]:
        """Judge a full tile by what was made anew, what is stored and what stands above it.

        Returns the hashes to go on with.
        """
        stored = self._stored(level, n, WIDTH)
        above = self._stored(level + 1, n // WIDTH, n % WIDTH + 1, exact=False)[-1]
        settled = made
        if made != stored or None in made:
            if above is not None and _root(stored) == above:
                settled = stored
                yield from self._blame_below(level, n, made, stored)
            else:
                yield self._damage_of_tile(level, n)
                if _root(made) != above:
                    yield from self._blame_below(level, n, made, stored)
                    settled = _merged(made, stored)
        higher = self.open.setdefault(level + 1, [])
        higher.append(_root(settled) or above)
        if len(higher) == WIDTH:
            self.open[level + 1] = []
            yield from self._settle(level + 1, n // WIDTH, higher)
        return settled

    def _right_edge(self) -> Generator[Damage, None, Hashes]:
        """Judge the partial tiles by the head's root; return the leaves to go on with."""
        levels = [(level, count // WIDTH, count % WIDTH) for level, count in widths(self.head.size)]
        made = [self.open.get(level, []) for level, _, _ in levels]
        stored = [self._stored(level, n, width) for level, n, width in levels]
        for choice in product((made, stored), repeat=len(levels)):
            settled = [side[i] for i, side in enumerate(choice)]
            if self._edge_root(settled) == self.head.root:
                break
        else:
            settled = [_merged(m, s) for m, s in zip(made, stored, strict=True)]
            yield Damage(self._name("ledger_head"), "has a root that entries and tiles do not have")
        for (level, n, _), ours, theirs, good in zip(levels, made, stored, settled, strict=True):
            if theirs != good:
                yield self._damage_of_tile(level, n)
            if ours != good or None in ours:
                yield from self._blame_below(level, n, ours, good)
        return settled[0] if settled else []

    def _checkpoints(self, first: int, leaves: Hashes) -> Iterator[Damage]:
        """Check the checkpoints of the sizes that end with one of ``leaves``, from ``first`` on."""
        end = first + len(leaves)
        found = _raw(
            self.tx,
            "SELECT log, size, root, at, mac FROM ledger_checkpoints"
            " WHERE log = :log AND size > :first AND size <= :end ORDER BY size",
            log=self.head.log,
            first=first,
            end=end,
        )
        last = first
        for log, last, stated, at, mac in found:
            name = self._name("ledger_checkpoints", size=last)
            if not _is_sealed(self.tx, rows.checkpoints, [log, last, stated, at], mac):
                yield Damage(name, "was changed past this program")
            self._grow(leaves[: last - first], first)
            if self.edge is not None and self.edge.root() != stated:
                yield Damage(name, "has a root that the entries do not have")
        self._grow(leaves, first)
        if end == self.head.size and last != end:
            yield Damage(self._name("ledger_checkpoints", size=end), "is missing")

    def _grow(self, leaves: Hashes, first: int) -> None:
        """Grow the edge up to the end of ``leaves``, which begin at ``first``."""
        if self.edge is None:
            return
        new = [leaf for leaf in leaves[self.edge.size - first :] if leaf is not None]
        if len(new) != len(leaves[self.edge.size - first :]):
            self.edge = None
        elif new:
            self.edge = self.edge.extended(b"".join(new))

    def _surplus(self) -> Iterator[Damage]:
        """Yield the rows that a log of this size has not."""
        log, size = self.head.log, self.head.size
        text = "is beyond the head's size"
        query = "SELECT idx FROM ledger_entries WHERE log = :log AND idx NOT BETWEEN 0 AND :last"
        for (index,) in _raw(self.tx, query, log=log, last=size - 1):
            yield Damage(self._name("ledger_entries", idx=index), text)
        query = (
            "SELECT size FROM ledger_checkpoints WHERE log = :log AND size NOT BETWEEN 1 AND :size"
        )
        for (of,) in _raw(self.tx, query, log=log, size=size):
            yield Damage(self._name("ledger_checkpoints", size=of), text)
        counts = dict(widths(size))
        query = "SELECT DISTINCT level FROM ledger_tiles WHERE log = :log"
        for (level,) in list(_raw(self.tx, query, log=log)):
            last = -(-counts.get(level, 0) // WIDTH) - 1
            query = (
                "SELECT n FROM ledger_tiles"
                " WHERE log = :log AND level = :level AND n NOT BETWEEN 0 AND :last"
            )
            for (n,) in _raw(self.tx, query, log=log, level=level, last=last):
                yield Damage(self._name("ledger_tiles", level=level, n=n), text)

    def _leaves(self, first: int, end: int) -> Hashes:
        """Return the leaf hashes of the entries ``first`` to ``end - 1``, made anew."""
        query = "SELECT idx, entry FROM ledger_entries WHERE log = :log AND idx >= :first AND idx < :end"
        made: Hashes = [None] * (end - first)
        for index, data in _raw(self.tx, query, log=self.head.log, first=first, end=end):
            made[index - first] = leaf_hash(data) if isinstance(data, bytes) else bytes(HASH_BYTES)
        return made

    def _stored(self, level: int, n: int, width: int, *, exact: bool = True) -> Hashes:
        """Return the first ``width`` hashes of a tile as they are stored, None for what is not.

        If it holds more, and it should be ``exact``, its last hash does not count.
        """
        query = "SELECT hashes FROM ledger_tiles WHERE log = :log AND level = :level AND n = :n"
        found = _raw(self.tx, query, log=self.head.log, level=level, n=n).scalar()
        data = found if isinstance(found, bytes) else b""
        whole = split(data[: min(len(data) // HASH_BYTES, width) * HASH_BYTES])
        if exact and len(data) > width * HASH_BYTES:
            whole.pop()
        return [*whole, *[None] * (width - len(whole))]

    def _edge_root(self, levels: Sequence[Hashes]) -> bytes | None:
        """Return the root that partial tiles with these hashes have."""
        known = {level: hashes for level, hashes in enumerate(levels) if None not in hashes}
        if len(known) != len(levels):
            return None
        edge = Edge.load(self.head.size, lambda tile: b"".join(h for h in known[tile.level] if h))
        return edge.root()

    def _blame_below(self, level: int, n: int, made: Hashes, good: Hashes) -> Iterator[Damage]:
        """Yield the rows from which ``made`` was made, where it is not what it should be."""
        for at, (ours, right) in enumerate(zip(made, good, strict=True), n * WIDTH):
            if ours is None and level == 0:
                yield Damage(self._name("ledger_entries", idx=at), "is missing")
            elif ours != right and level == 0:
                yield Damage(self._name("ledger_entries", idx=at), "is not what was stored")
            elif ours != right:
                yield self._damage_of_tile(level - 1, at)

    def _damage_of_tile(self, level: int, n: int) -> Damage:
        return Damage(self._name("ledger_tiles", level=level, n=n), "is not what was stored")

    def _name(self, table: str, **key: int) -> str:
        named = "".join(f", {name}={value}" for name, value in key.items())
        return f"{table} (log={self.head.log}{named})"


def _root(hashes: Hashes) -> bytes | None:
    whole = [each for each in hashes if each is not None]
    return root(whole) if len(whole) == len(hashes) else None


def _merged(first: Hashes, second: Hashes) -> Hashes:
    return [a or b for a, b in zip(first, second, strict=True)]


def _raw(tx: Transaction, query: str, **values: object) -> Any:
    """Run ``query``; its values come as the database has them, for a flipped byte can change a type."""
    return tx.conn.execute(sa.text(query), values)


def _is_sealed(tx: Transaction, table: sa.Table, values: Sequence[object], mac: object) -> bool:
    """Tell whether the seal ``mac`` fits the stored ``values`` of a row."""
    return isinstance(mac, bytes) and hmac.compare_digest(tx.mac(table, values), mac)


def _last_checkpoint(tx: Transaction, log: int) -> Head | None:
    """Return the state that the largest sealed checkpoint tells, for a head that cannot be believed."""
    query = "SELECT log, size, root, at, mac FROM ledger_checkpoints WHERE log = :log ORDER BY size DESC"
    for *values, mac in _raw(tx, query, log=log):
        if _is_sealed(tx, rows.checkpoints, values, mac):
            return Head(*values[:3])
    return None


def _strays(tx: Transaction) -> Iterator[Damage]:
    """Yield the log numbers that rows carry and no head has."""
    known = set(_raw(tx, "SELECT log FROM ledger_head").scalars())
    for table in ("ledger_entries", "ledger_tiles", "ledger_checkpoints"):
        log = _raw(tx, f"SELECT min(log) FROM {table}").scalar()
        while log is not None:
            if log not in known:
                yield Damage(f"{table} (log={log})", "belongs to no log")
            log = _raw(tx, f"SELECT min(log) FROM {table} WHERE log > :log", log=log).scalar()
