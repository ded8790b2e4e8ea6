"""The complete nodes of a stored tree, each proved from the head's root down before it is given.

Rules kept in this file:
  1. What is kept in memory is believed only where it fits the head row: a right edge by its size *and*
     root, a full tile by the root that the tile above it has for it, or the edge. So a rollback or
     another process can never be mixed up.
  2. Whatever rows are missing on the way down to a node are read by one statement.
  3. Memory does not grow with the log. Tiles above the lowest have room of their own, for every proof
     asks for them: in a log of tens of millions only the lowest tile has to be read and hashed.
"""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from epilock.db import Transaction
from epilock.errors import IntegrityError
from epilock.ledger import rows
from epilock.ledger.edge import Edge
from epilock.ledger.rows import Head
from epilock.ledger.tile import HEIGHT, WIDTH, Tile, widths
from epilock.ledger.tree import HASH_BYTES, Reader, parents

MOST_EDGES = 4  # the newest states, for readers that are a commit or two behind
ROWS = tuple(HASH_BYTES * (2 * WIDTH - (2 * WIDTH >> height)) for height in range(HEIGHT))
"""Where the row of each height begins among the nodes of a full tile, in bytes."""

MOST_LOWEST, MOST_UPPER = 512, 1024  # full tiles with their inner nodes, 16 KB each

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was used last; threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, key: K) -> V | None:
        """Return what is kept under ``key``, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: K, value: V) -> None:
        """Keep a value; the one that was not used for longest makes room."""
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class Nodes:
    """The nodes of one log; threads may share it.

    Attributes:
        edges: Right edges by size and root.
        lowest: Full tiles of level 0 with the rows above them (``_with_inner``), by root.
        upper: Those of the levels above.
    """

    def __init__(self) -> None:
        self.edges: Recent[tuple[int, bytes], Edge] = Recent(MOST_EDGES)
        self.lowest: Recent[bytes, bytes] = Recent(MOST_LOWEST)
        self.upper: Recent[bytes, bytes] = Recent(MOST_UPPER)

    def remember(self, head: Head, edge: Edge) -> None:
        """Keep the right edge of ``head``."""
        self.edges.keep((head.size, head.root), edge)

    def edge(self, tx: Transaction, head: Head) -> Edge:
        """Return the right edge of ``head``, from memory if it fits, else from the rows.

        Raises:
            IntegrityError: The rows are not what was stored.
        """
        edge = self.edges.recall((head.size, head.root))
        if edge is None:
            edge = stored_edge(tx, head.log, head.size)
            if edge.root() != head.root:
                raise IntegrityError("ledger_tiles: the right edge does not have the head's root")
            self.remember(head, edge)
        return edge

    def reader(self, tx: Transaction, head: Head) -> Reader:
        """Return a reader of the tree of ``head``, for as long as the transaction is open.

        It raises ``IntegrityError`` where the rows are not what was stored.
        """
        return _Reading(self, tx, head).node


class _Reading:
    """Reads the nodes of one tree while a transaction is open."""

    def __init__(self, kept: Nodes, tx: Transaction, head: Head) -> None:
        self._kept = kept
        self._tx = tx
        self._log = head.log
        self._edge = kept.edge(tx, head)
        self._near: dict[tuple[int, int], bytes] = {}  # the full tiles that it has come by
        self._stored: dict[Tile, bytes] = {}  # rows that were read with the one above them

    def node(self, height: int, n: int) -> bytes:
        """Return the hash of the complete node ``(height, n)``; a ``Reader``."""
        level, inner = height // HEIGHT, height % HEIGHT
        number = n >> (HEIGHT - inner)
        nodes = self._near.get((level, number))
        if nodes is None:
            found = self._edge.find(height, n)
            if found is not None:
                return found
            nodes = self._tile(Tile(level, number))
        at = ROWS[inner] + HASH_BYTES * (n % (WIDTH >> inner))
        return nodes[at : at + HASH_BYTES]

    def _tile(self, tile: Tile, *below: Tile) -> bytes:
        """Return the nodes of a full tile; if it has to be read, those ``below`` are read with it."""
        root = self._edge.find(HEIGHT * (tile.level + 1), tile.n)
        if root is None:
            above = Tile(tile.level + 1, tile.n // WIDTH)
            nodes = self._near.get((above.level, above.n)) or self._tile(above, tile, *below)
            at = HASH_BYTES * (tile.n % WIDTH)
            root = nodes[at : at + HASH_BYTES]
        kept = self._kept.upper if tile.level else self._kept.lowest
        found = kept.recall(root)
        if found is None:
            if tile not in self._stored:
                wanted = (tile, *below)
                hashes = rows.read_tiles(self._tx, self._log, wanted)
                self._stored = dict(zip(wanted, hashes, strict=True))
            found = _with_inner(self._stored[tile])
            if found[-HASH_BYTES:] != root:
                raise IntegrityError(
                    f"ledger_tiles (level={tile.level}, n={tile.n}) is not what was stored"
                )
            kept.keep(root, found)
        self._near[tile.level, tile.n] = found
        return found


def stored_edge(tx: Transaction, log: int, size: int) -> Edge:
    """Return the right edge of a tree of ``size`` leaves from its tiles; nothing proves it yet.

    Raises:
        IntegrityError: A row is missing or cut off.
    """
    partial = [
        Tile(level, count // WIDTH, count % WIDTH) for level, count in widths(size) if count % WIDTH
    ]
    stored = dict(zip(partial, rows.read_tiles(tx, log, partial), strict=True))
    return Edge.load(size, stored.__getitem__)


def _with_inner(hashes: bytes) -> bytes:
    """Return the hashes of a full tile, then the rows of each height above them, up to its root."""
    made = [hashes]
    while len(made[-1]) > HASH_BYTES:
        made.append(parents(made[-1]))
    return b"".join(made)
