"""A published tree that is proved while it is read: each tile by the tile above it, up to a signed root.

The partial tiles of a tree are its right edge and together have its root; a full tile has the hash that
stands for it in the tile above. So from the checkpoint down every tile is known to be right the moment
it is read, and with it every bundle of entries; nobody who reads ten million entries learns at their
end that they were false.
"""

from collections import OrderedDict

from epilock.errors import NotFoundError, ProofError
from epilock.ledger import tile as tiles
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.edge import Edge
from epilock.ledger.source import LogSource
from epilock.ledger.tile import ENTRIES, HEIGHT, WIDTH, Tile
from epilock.ledger.tree import HASH_BYTES, leaf_row, row_root

MOST_TILES = 16  # of 256 hashes; a path from a leaf to the root takes eight at most


class ProvedTree:
    """The tree of one checkpoint, read from a source that nobody trusts.

    Attributes:
        said: The checkpoint.
        edge: Its right edge, proved.
    """

    def __init__(self, source: LogSource, said: Checkpoint) -> None:
        """Read the right edge.

        Raises:
            ProofError: The partial tiles do not have the checkpoint's root.
            NotFoundError, InputError, TooLargeError: A file can't be read.
        """
        self._source = source
        self.said = said
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self.edge = Edge.load(said.size, self._read)
        if self.edge.root() != said.root:
            raise ProofError("the tiles of the right edge do not have the checkpoint's root")

    def tile(self, level: int, n: int) -> bytes:
        """Return the hashes of the tile ``(level, n)`` as far as this tree fills it.

        Raises:
            ProofError: They are not those that the tile above proves.
            NotFoundError, InputError, TooLargeError: A file can't be read.
        """
        found = self._kept.get((level, n))
        if found is not None:
            self._kept.move_to_end((level, n))
            return found
        width = self.width(level, n)
        if width < WIDTH:
            height = HEIGHT * level
            found = self.edge.rows[height][: HASH_BYTES * width]
        else:
            found = self._read(Tile(level, n))
            if row_root(found) != self._above(level, n):
                raise ProofError(f"{Tile(level, n).path()} is not what the tile above it proves")
        self._kept[level, n] = found
        if len(self._kept) > MOST_TILES:
            self._kept.popitem(last=False)
        return found

    def entries(self, n: int) -> list[bytes]:
        """Return the entries of the bundle ``n`` as far as this tree fills it.

        Raises:
            ProofError: Its entries do not have the hashes of their tile.
            NotFoundError, InputError, TooLargeError: A file can't be read.
        """
        entries = self._entries(Tile(ENTRIES, n, self.width(0, n)))
        self.check_bundle(n, entries)
        return entries

    def check_bundle(self, n: int, entries: list[bytes]) -> None:
        """Return if ``entries`` are those of the bundle ``n``.

        Raises:
            ProofError: They are not.
        """
        if leaf_row(entries) != self.tile(0, n):
            raise ProofError(f"{Tile(ENTRIES, n).path()} does not hold what its tile proves")

    def width(self, level: int, n: int) -> int:
        """Return how many hashes of the tile ``(level, n)`` this tree fills."""
        return min(WIDTH, (self.said.size >> (HEIGHT * level)) - n * WIDTH)

    def node(self, height: int, n: int) -> bytes:
        """Return the hash of the complete node ``(height, n)``, proved; a ``tree.Reader``."""
        level, inner = divmod(height, HEIGHT)
        number, at = divmod(n << inner, WIDTH)
        return row_root(
            self.tile(level, number)[HASH_BYTES * at : HASH_BYTES * (at + (1 << inner))]
        )

    def _above(self, level: int, n: int) -> bytes:
        """Return the hash that stands for the full tile ``(level, n)`` one level up."""
        number, at = divmod(n, WIDTH)
        return self.tile(level + 1, number)[HASH_BYTES * at : HASH_BYTES * (at + 1)]

    def _read(self, wanted: Tile) -> bytes:
        """Return the hashes of a tile; a full one serves where the partial one is gone."""
        try:
            data = self._source.read(wanted.path())
        except NotFoundError:
            if wanted.width == WIDTH:
                raise
            data = self._source.read(Tile(wanted.level, wanted.n).path())
            data = data[: wanted.width * HASH_BYTES]
        if len(data) != wanted.width * HASH_BYTES:
            raise ProofError(f"{wanted.path()} does not hold {wanted.width} hashes")
        return data

    def _entries(self, wanted: Tile) -> list[bytes]:
        try:
            return tiles.unpack(self._source.read(wanted.path()), wanted.width)
        except NotFoundError:
            if wanted.width == WIDTH:
                raise
            full = self._source.read(Tile(ENTRIES, wanted.n).path())
            return tiles.unpack(full, WIDTH)[: wanted.width]
