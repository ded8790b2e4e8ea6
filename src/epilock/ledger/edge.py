"""The right edge of a tree: all that is needed to grow it, and to prove what was added last.

An edge keeps, for each height, the complete nodes of the rightmost tile, so it holds a few hundred
hashes for a tree of any size. Edges are values: growing one returns another, and a thread that reads
one never sees it change.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from epilock.ledger.tile import HEIGHT, WIDTH, Tile, of_tree, widths
from epilock.ledger.tree import HASH_BYTES, fold, node_hash, parents

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree of ``size`` leaves.

    Attributes:
        size: Leaves of the tree.
        starts: For each height, the number of the first node that is kept.
        rows: For each height, the row of complete nodes from there on.
    """

    size: int = 0
    starts: tuple[int, ...] = ()
    rows: tuple[bytes, ...] = ()

    @classmethod
    def load(cls, size: int, read: Callable[[Tile], bytes]) -> "Edge":
        """Return the edge of a tree of ``size`` leaves from its partial tiles."""
        starts: list[int] = []
        rows: list[bytes] = []
        level = 0
        while count := size >> (HEIGHT * level):
            width = count % WIDTH
            row = read(Tile(level, count // WIDTH, width)) if width else b""
            for inner in range(HEIGHT):
                height = HEIGHT * level + inner
                if size >> height:
                    starts.append(_start(size, height))
                    rows.append(row)
                    row = parents(row)
            level += 1
        return cls(size, tuple(starts), tuple(rows))

    def trimmed(self) -> "Edge":
        """Return this edge without the nodes of tiles that are full."""
        starts = tuple(_start(self.size, height) for height in range(len(self.rows)))
        rows = tuple(
            row[HASH_BYTES * (start - had) :]
            for row, start, had in zip(self.rows, starts, self.starts, strict=True)
        )
        return Edge(self.size, starts, rows)

    def extended(self, leaves: bytes) -> "Edge":
        """Return the edge after ``leaves``, a row, were added.

        It keeps the nodes of every tile that the leaves touched, so that their tiles can be written
        and their paths given; ``trimmed`` drops them.
        """
        size = self.size + len(leaves) // HASH_BYTES
        old = self.trimmed()
        starts, rows, new = [], [], leaves
        for height in range(size.bit_length()):
            known = height < len(old.rows)
            start = old.starts[height] if known else 0
            row = old.rows[height] + new if known else new
            starts.append(start)
            rows.append(row)
            first, end = self.size >> (height + 1) << 1, size >> (height + 1) << 1
            new = parents(row[HASH_BYTES * (first - start) : HASH_BYTES * (end - start)])
        return Edge(size, tuple(starts), tuple(rows))

    def root(self) -> bytes:
        """Return the root of the tree."""
        return fold(
            row[-HASH_BYTES:] for height, row in enumerate(self.rows) if self.size >> height & 1
        )  # the last complete node of a height is on the way to the root where the size has a bit

    def find(self, height: int, n: int) -> bytes | None:
        """Return the hash of the complete node ``(height, n)`` if it is kept."""
        if height >= len(self.rows):
            return None
        at = HASH_BYTES * (n - self.starts[height])
        return self.rows[height][at : at + HASH_BYTES] or None if at >= 0 else None

    def node(self, height: int, n: int) -> bytes:
        """Return the hash of a node that is kept."""
        at = HASH_BYTES * (n - self.starts[height])
        return self.rows[height][at : at + HASH_BYTES]

    def tiles_since(self, since: int) -> list[tuple[Tile, bytes]]:
        """Return the tiles that a tree of ``since`` leaves, which this edge was grown from, has not."""
        found = []
        for tile in of_tree(self.size, since=since):
            height = HEIGHT * tile.level
            first = HASH_BYTES * (tile.n * WIDTH - self.starts[height])
            found.append((tile, self.rows[height][first : first + HASH_BYTES * tile.width]))
        return found

    def partial_tiles(self) -> list[tuple[Tile, bytes]]:
        """Return the tiles of the tree that are not full."""
        found = []
        for level, count in widths(self.size):
            width = count % WIDTH
            if width:
                hashes = self.rows[HEIGHT * level][-HASH_BYTES * width :]
                found.append((Tile(level, count // WIDTH, width), hashes))
        return found

    def paths(self, first: int) -> list[tuple[bytes, ...]]:
        """Return the inclusion paths of the leaves from ``first`` on, with which this edge grew."""
        end: tuple[bytes, ...] = ()
        return self._paths(first, end, lambda sibling, rest: (sibling, *rest))

    def path_texts(self, first: int) -> list[str]:
        """Return the same paths as text, one base64 hash a line."""
        return self._paths(
            first, "", lambda sibling, rest: f"{b64encode(sibling).decode()}\n{rest}"
        )

    def _paths(self, first: int, end: T, link: Callable[[bytes, T], T]) -> list[T]:
        """Build all paths from the root down, so that leaves share what they have in common."""
        if first >= self.size:
            return []
        tails = self._tails()
        above, above_first = [end], 0
        for height in range(len(tails) - 1, -1, -1):
            low, last = first >> height, (self.size - 1) >> height
            here = []
            for n in range(low, last + 1):
                rest, sibling = above[(n >> 1) - above_first], n ^ 1
                if sibling < last:
                    rest = link(self.node(height, sibling), rest)
                elif sibling == last:
                    rest = link(tails[height], rest)
                here.append(rest)
            above, above_first = here, low
        return above

    def _tails(self) -> list[bytes]:
        """Return for each height below the root the hash of the last node, complete or not."""
        tails: list[bytes] = []
        for height in range((self.size - 1).bit_length()):
            last = (self.size - 1) >> height
            if self.size & ((1 << height) - 1) == 0:
                tails.append(self.node(height, last))
            elif (self.size - 1) >> (height - 1) & 1:
                tails.append(node_hash(self.node(height - 1, 2 * last), tails[-1]))
            else:
                tails.append(tails[-1])
        return tails


def _start(size: int, height: int) -> int:
    """Return the first node at ``height`` of the tile that the next node of its level goes into."""
    level, inner = divmod(height, HEIGHT)
    return size >> (HEIGHT * (level + 1)) << (HEIGHT - inner)
