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

    def node(self, height: int, n: int) -> bytes:
        """Return the hash of the complete node ``(height, n)``; a ``Reader``."""
        found = self._edge.find(height, n)
        if found is not None:
            return found
        level, inner = divmod(height, HEIGHT)
        name = (level, n >> (HEIGHT - inner))
        if name not in self._near:
            self._go_down_to(*name)
        return _node(self._near[name], inner, n)

    def _go_down_to(self, level: int, n: int) -> None:
        """Come by the full tile ``(level, n)``, and by those above it that prove it."""
        way = [Tile(level, n)]
        while (root := self._root_of(way[-1])) is None:
            way.append(Tile(way[-1].level + 1, way[-1].n // WIDTH))
        stored: list[bytes] = []  # of the tiles that are still on the way
        while way:
            kept = self._kept.upper if way[-1].level else self._kept.lowest
            nodes = kept.recall(root)
            if nodes is None:
                stored = stored or rows.read_tiles(self._tx, self._log, way)
                nodes = _with_inner(stored[len(way) - 1])
                if nodes[-HASH_BYTES:] != root:
                    name = f"level={way[-1].level}, n={way[-1].n}"
                    raise IntegrityError(f"ledger_tiles ({name}) is not what was stored")
                kept.keep(root, nodes)
            tile = way.pop()
            self._near[tile.level, tile.n] = nodes
            if way:
                root = _node(nodes, 0, way[-1].n)

    def _root_of(self, tile: Tile) -> bytes | None:
        """Return the root of a full tile, if the edge or a tile that was come by has it."""
        above = self._near.get((tile.level + 1, tile.n // WIDTH))
        if above is not None:
            return _node(above, 0, tile.n)
        return self._edge.find(HEIGHT * (tile.level + 1), tile.n)


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


def _node(nodes: bytes, inner: int, n: int) -> bytes:
    """Return the node ``n`` of its height, which is ``inner`` above the hashes of its full tile."""
    before = 2 * WIDTH - (2 * WIDTH >> inner)  # hashes of the heights below
    at = HASH_BYTES * (before + n % (WIDTH >> inner))
    return nodes[at : at + HASH_BYTES]
