"""The tables of the ledger and plain access to their rows.

Heads and checkpoints are sealed rows; entries and tiles are plain, for the tree proves them.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, microseconds, sealed_table
from epilock.errors import ConflictError, IntegrityError, TamperedError
from epilock.ledger.tile import HEIGHT, WIDTH, Tile
from epilock.ledger.tree import EMPTY_ROOT, HASH_BYTES

heads = sealed_table(
    "ledger_head",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("origin", sa.String(255), nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary(HASH_BYTES), nullable=False),
)

entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

tiles = sa.Table(
    "ledger_tiles",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

checkpoints = sealed_table(
    "ledger_checkpoints",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary(HASH_BYTES), nullable=False),
    sa.Column("at", Instant, nullable=False),
)

MOST_TRIES = 5
FIND_HEAD = "SELECT log, size, root, mac FROM ledger_head WHERE origin = ?"
UPDATE_HEAD = "UPDATE ledger_head SET size = ?, root = ?, mac = ? WHERE log = ?"
READ_TILE = "SELECT level, n, hashes FROM ledger_tiles WHERE log = ? AND level = ? AND n = ?"
READ_ENTRIES = (
    "SELECT entry FROM ledger_entries WHERE log = ? AND idx >= ? AND idx < ? ORDER BY idx"
)
UPDATE_TILE = "UPDATE ledger_tiles SET hashes = ? WHERE log = ? AND level = ? AND n = ?"


@dataclass(frozen=True, slots=True)
class Head:
    """The state of one log.

    Attributes:
        log: Number of the log in this database.
        size: Number of entries.
        root: Root of the tree over them.
    """

    log: int
    size: int
    root: bytes


def find_head(tx: Transaction, origin: str, *, lock: bool = False) -> Head | None:
    """Return the head of the log ``origin``, or None if nothing was ever appended to it.

    Raises:
        TamperedError: The row was changed past this program.
    """
    postgres = tx.conn.dialect.name == "postgresql"  # SQLite has locked the whole database already
    found = tx.query(FIND_HEAD + (" FOR UPDATE" if lock and postgres else ""), (origin,))
    if not found:
        return None
    log, size, root, mac = found[0]
    if not hmac.compare_digest(tx.mac(heads, [log, origin, size, root]), mac):
        raise TamperedError(f"ledger_head (log={log}) was changed past this program")
    return Head(log, size, root)


def all_logs(tx: Transaction) -> list[tuple[str, int]]:
    """Return origin and size of each log in this database, the oldest first, as they are stored."""
    query = sa.select(heads.c.origin, heads.c.size).order_by(heads.c.log)
    return [(origin, size) for origin, size in tx.conn.execute(query)]


def lock_head(tx: Transaction, origin: str) -> Head:
    """Return the head of the log ``origin``, locked until the transaction ends; made if missing."""
    for _ in range(MOST_TRIES):
        head = find_head(tx, origin, lock=True)
        if head is not None:
            return head
        last = tx.conn.execute(sa.select(sa.func.max(heads.c.log))).scalar()
        try:
            tx.insert(heads, log=(last or 0) + 1, origin=origin, size=0, root=EMPTY_ROOT)
        except ConflictError:
            continue  # another process made it, or took the number, in this very moment
    raise ConflictError("the ledger's head row could not be made; try again")


def put_head(tx: Transaction, origin: str, head: Head) -> None:
    """Write the head of the log ``origin``."""
    mac = tx.mac(heads, [head.log, origin, head.size, head.root])
    tx.run(UPDATE_HEAD, (head.size, head.root, mac, head.log))


def put_checkpoint(tx: Transaction, head: Head, now: datetime) -> None:
    """Write the unsigned checkpoint of ``head``."""
    tx.bulk(checkpoints, [(head.log, head.size, head.root, microseconds(now))])


def size_before(tx: Transaction, head: Head, instant: datetime) -> int:
    """Return how many entries the log of ``head`` had before ``instant``, by its checkpoints, without reading all.

    Each look halves where the one can be that is sought, for checkpoints are in order of time as they are of size but
    for moments: one states when its transaction began, which may have waited behind later ones, and by the machine's
    clock. Where those of some moments are out of order and ``instant`` is among them, the answer is the size at one of
    them.
    """
    c, least, most = checkpoints.c, 0, head.size
    while least < most:
        middle = (least + most) // 2
        found = tx.all(checkpoints, c.log == head.log, c.size > middle, order_by=[c.size], limit=1)
        if found and found[0]["at"] < instant:
            least = found[0]["size"]
        else:
            most = middle
    return least


def put_entries(tx: Transaction, log: int, first: int, data: Sequence[bytes]) -> None:
    """Write entries, the first of them with the index ``first``."""
    tx.bulk(entries, [(log, index, each) for index, each in enumerate(data, first)])


def put_tiles(tx: Transaction, log: int, since: int, changed: Sequence[tuple[Tile, bytes]]) -> None:
    """Write the tiles that changed when a tree of ``since`` leaves grew.

    Raises:
        IntegrityError: A partial tile that was there is gone.
    """
    new = []
    for tile, hashes in changed:
        before = (since >> (HEIGHT * tile.level)) - WIDTH * tile.n
        if before <= 0:
            new.append((log, tile.level, tile.n, hashes))
            continue
        if tx.run(UPDATE_TILE, (hashes, log, tile.level, tile.n)) != 1:
            raise IntegrityError(f"ledger_tiles (level={tile.level}, n={tile.n}) is missing")
    tx.bulk(tiles, new)


def read_tiles(tx: Transaction, log: int, wanted: Sequence[Tile]) -> list[bytes]:
    """Return the hashes of the ``wanted`` tiles, of each as many as it is wide, by one statement.

    Raises:
        IntegrityError: A row is missing, or holds fewer, or a piece of one.
    """
    if not wanted:
        return []
    text = " UNION ALL ".join([READ_TILE] * len(wanted))  # SQLite would scan for a list of pairs
    names = [name for tile in wanted for name in (log, tile.level, tile.n)]
    found = {(level, n): hashes for level, n, hashes in tx.query(text, names)}
    return [_hashes(tile, found.get((tile.level, tile.n))) for tile in wanted]


def _hashes(tile: Tile, stored: object) -> bytes:
    end = tile.width * HASH_BYTES
    if not isinstance(stored, bytes) or len(stored) % HASH_BYTES or len(stored) < end:
        raise IntegrityError(f"ledger_tiles (level={tile.level}, n={tile.n}) is missing or cut off")
    return stored[:end]


def read_entries(tx: Transaction, log: int, first: int, end: int) -> list[bytes]:
    """Return the entries ``first`` to ``end - 1`` that are there, in order."""
    return [bytes(each) for (each,) in tx.query(READ_ENTRIES, (log, first, end))]
