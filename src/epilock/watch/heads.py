"""Heads: no log is shorter than the one that was seen last, or another; no witness has seen more."""

from collections.abc import Iterator

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EpilockError
from epilock.ledger import rows, tree
from epilock.ledger.check import Damage
from epilock.ledger.nodes import Nodes
from epilock.ledger.rows import Head
from epilock.watch.memory import Memory

Heads = dict[str, Head]


def read(tx: Transaction) -> Heads:
    """Return the head of each log by origin, the oldest first, as they are stored."""
    c = rows.heads.c
    query = sa.select(c.origin, c.log, c.size, c.root).order_by(c.log)
    return {
        origin: Head(log, size, bytes(root)) for origin, log, size, root in tx.conn.execute(query)
    }


def check(tx: Transaction, found: Heads, memory: Memory) -> Iterator[Damage]:
    """Yield the logs that do not go on where they were when they were seen last."""
    for origin, (size, root) in memory.heads.items():
        head = found.get(origin)
        name = f"log {origin}"
        if head is None:
            yield Damage(name, "is gone")
        elif head.size < size:
            yield Damage(
                name,
                f"lacks entries that were seen ({size - head.size}): an older copy was put back",
            )
        else:
            yield from _continues(tx, name, head, size, bytes.fromhex(root))
    for origin, head in found.items():
        last = tx.conn.execute(
            sa.select(sa.func.max(rows.entries.c.idx)).where(rows.entries.c.log == head.log)
        ).scalar()
        if (-1 if last is None else last) != head.size - 1:
            yield Damage(f"log {origin}", "has another number of entries than its head says")


def _continues(tx: Transaction, name: str, head: Head, size: int, root: bytes) -> Iterator[Damage]:
    if size == 0:
        return
    try:
        now = tree.span_root(0, size, Nodes().reader(tx, head))
    except EpilockError as error:
        yield Damage(name, f"can't be compared with what was seen: {error}")
        return
    if now != root:
        yield Damage(name, f"has another root at size {size} than was seen: its history is another")
