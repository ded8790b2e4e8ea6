"""The right edge of a tree: all that is needed to grow it, and to prove what was added last.

An edge keeps, for each height, the complete nodes of the rightmost tile, so it holds a few hundred
hashes for a tree of any size. Edges are values: growing one returns another, and a thread that reads
one never sees it change.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from epilock.ledger.tile import HEIGHT, WIDTH, Tile, of_tree, widths
from epilock.ledger.tree import fold, node_hash, parents

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree of ``size`` leaves.

    Attributes:
        size: Leaves of the tree.
        starts: For each height, the number of the first node that is kept.
        nodes: For each height, the complete nodes from there on; never changed once made.
    """

    size: int = 0
    starts: tuple[int, ...] = ()
    nodes: tuple[list[bytes], ...] = ()

    @classmethod
    def load(cls, size: int, read: Callable[[Tile], Sequence[bytes]]) -> "Edge":
        """Return the edge of a tree of ``size`` leaves from its partial tiles."""
        starts: list[int] = []
        nodes: list[list[bytes]] = []
        level = 0
        while count := size >> (HEIGHT * level):
            width = count % WIDTH
            row = list(read(Tile(level, count // WIDTH, width))) if width else []
            for inner in range(HEIGHT):
                height = HEIGHT * level + inner
                if size >> height:
                    starts.append(_start(size, height))
                    nodes.append(row)
                    row = parents(row)
            level += 1
        return cls(size, tuple(starts), tuple(nodes))

    def trimmed(self) -> "Edge":
        """Return this edge without the nodes of tiles that are full."""
        starts = tuple(_start(self.size, height) for height in range(len(self.nodes)))
        nodes = tuple(
            row[start - had :]
            for row, start, had in zip(self.nodes, starts, self.starts, strict=True)
        )
        return Edge(self.size, starts, nodes)

    def extended(self, leaves: Sequence[bytes]) -> "Edge":
        """Return the edge after ``leaves`` (leaf hashes) were added.

        It keeps the nodes of every tile that the leaves touched, so that their tiles can be written
        and their paths given; ``trimmed`` drops them.
        """
        size = self.size + len(leaves)
        old = self.trimmed()
        starts, nodes = [], []
        new = list(leaves)
        for height in range(size.bit_length()):
            known = height < len(old.nodes)
            start = old.starts[height] if known else 0
            row = old.nodes[height] + new if known else new
            starts.append(start)
            nodes.append(row)
            first, end = self.size >> (height + 1) << 1, size >> (height + 1) << 1
            new = parents(row[first - start : end - start])
        return Edge(size, tuple(starts), tuple(nodes))

    def root(self) -> bytes:
        """Return the root of the tree."""
        return fold(
            row[-1] for height, row in enumerate(self.nodes) if self.size >> height & 1
        )  # the last complete node of a height is on the way to the root where the size has a bit

    def has(self, height: int, n: int) -> bool:
        """Tell whether the complete node ``(height, n)`` is kept."""
        return height < len(self.nodes) and 0 <= n - self.starts[height] < len(self.nodes[height])

    def node(self, height: int, n: int) -> bytes:
        """Return a node for which ``has`` is true."""
        return self.nodes[height][n - self.starts[height]]

    def tiles_since(self, since: int) -> list[tuple[Tile, bytes]]:
        """Return the tiles that a tree of ``since`` leaves, which this edge was grown from, has not."""
        found = []
        for tile in of_tree(self.size, since=since):
            height = HEIGHT * tile.level
            first = tile.n * WIDTH - self.starts[height]
            hashes = self.nodes[height][first : first + tile.width]
            found.append((tile, b"".join(hashes)))
        return found

    def partial_tiles(self) -> list[tuple[Tile, bytes]]:
        """Return the tiles of the tree that are not full."""
        found = []
        for level, count in widths(self.size):
            if count % WIDTH:
                row = self.nodes[HEIGHT * level]
                found.append(
                    (Tile(level, count // WIDTH, count % WIDTH), b"".join(row[-(count % WIDTH) :]))
                )
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
