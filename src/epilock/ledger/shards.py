"""Shards: the logs of one installation, one after the other; all but the last are sealed.

Each is a log of its own to the world: origin, keys, tree, tiles, checkpoints, receipts. A row of this
database names an entry by its *position*: how many entries of all these logs stand before it. A sealed log
never grows, so a position never changes its meaning, and rows of one log and the next are told apart and
put in order by one number. Within the first log position and index are the same.
"""

from datetime import datetime

from epilock.db import Transaction
from epilock.errors import NotFoundError
from epilock.ledger.log import Log


def all_of(log: Log) -> tuple[Log, ...]:
    """Return the logs of the installation whose newest is ``log``, the oldest first."""
    return (*log.earlier, log)


def numbered(log: Log, number: int) -> Log:
    """Return the log of a number, from 1 on.

    Raises:
        NotFoundError: There is none.
    """
    found = all_of(log)
    if not 1 <= number <= len(found):
        raise NotFoundError(f"this installation has no log number {number}")
    return found[number - 1]


def number(log: Log) -> int:
    """Return the number of ``log`` among those of its installation, from 1 on."""
    return len(log.earlier) + 1


def at(log: Log, position: int) -> tuple[Log, int]:
    """Return the log in which an entry stands, and its index there."""
    for each in reversed(all_of(log)):
        if position >= each.base:
            return each, position - each.base
    return log, position  # negative: the log refuses it


def entry_at(tx: Transaction, log: Log, position: int) -> bytes:
    """Return the entry at a position; see ``Log.entry``."""
    where, index = at(log, position)
    return where.entry(tx, index)


def proof_at(tx: Transaction, log: Log, position: int) -> str:
    """Return the ``.tlog-proof`` of the entry at a position, in its own log; see ``Log.proof``."""
    where, index = at(log, position)
    return where.proof(tx, index)


def position_of(tx: Transaction, log: Log, instant: datetime) -> int:
    """Return the position of the first entry that came at ``instant`` or later, or of the next to come."""
    for each in reversed(all_of(log)):
        size = each.size_before(tx, instant)
        if size:
            return each.base + size
    return 0


def entries_at(tx: Transaction, log: Log, first: int, count: int) -> list[bytes]:
    """Return up to ``count`` entries from the position ``first`` on, across the logs."""
    found: list[bytes] = []
    while len(found) < count:
        where, index = at(log, first + len(found))
        more = where.entries(tx, index, count - len(found))
        if not more:
            break
        found += more
    return found
