"""Tiles (c2sp.org/tlog-tiles): the tree cut into files of at most 256 hashes, and their names.

A tile ``(level, n)`` holds the complete nodes of height ``8 * level``, from ``256 * n`` on. A full tile
never changes; a partial one is named with its width. An entry bundle holds the entries of a level-0
tile, each after its length in two bytes, big-endian.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from epilock.errors import NotFoundError, ProofError
from epilock.ledger.tree import HASH_BYTES

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1  # the "level" of an entry bundle
MOST_LEVEL = 63
PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<n>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<w>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Name of one tile or entry bundle.

    Attributes:
        level: 0 to 63, or ``ENTRIES``.
        n: Place within its level.
        width: Hashes or entries in it, 1 to 256; 256 is full.
    """

    level: int
    n: int
    width: int = WIDTH

    def path(self) -> str:
        """Return the path below the log's prefix, such as ``tile/0/x001/234.p/5``."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        number = f"{self.n % 1000:03d}"
        rest = self.n // 1000
        while rest:
            number = f"x{rest % 1000:03d}/{number}"
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{number}{partial}"

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """Return the tile that ``path`` names.

        Raises:
            NotFoundError: No tile is so named; each has one spelling.
        """
        match = PATH.fullmatch(path)
        if match is not None:
            level = ENTRIES if match["level"] == "entries" else int(match["level"])
            n = int(match["n"].replace("x", "").replace("/", ""))
            tile = cls(level, n, int(match["w"] or WIDTH))
            if level <= MOST_LEVEL and tile.path() == path:
                return tile
        raise NotFoundError("no tile is so named; see c2sp.org/tlog-tiles")


def widths(size: int) -> Iterable[tuple[int, int]]:
    """Yield ``(level, nodes)`` for each level that a tree of ``size`` leaves has tiles of."""
    level = 0
    while size >> (HEIGHT * level):
        yield level, size >> (HEIGHT * level)
        level += 1


def of_tree(size: int, *, since: int = 0) -> Iterable[Tile]:
    """Yield the hash tiles of a tree of ``size`` leaves that a tree of ``since`` has not, in order."""
    for level, count in widths(size):
        first = (since >> (HEIGHT * level)) // WIDTH
        for n in range(first, -(-count // WIDTH)):
            width = min(WIDTH, count - n * WIDTH)
            if n * WIDTH + width > since >> (HEIGHT * level):
                yield Tile(level, n, width)


def bundles_of(size: int, *, since: int = 0) -> Iterable[Tile]:
    """Yield the entry bundles of ``size`` entries that hold an entry from ``since`` on, in order."""
    for n in range(since // WIDTH, -(-size // WIDTH)):
        yield Tile(ENTRIES, n, min(WIDTH, size - n * WIDTH))


def pack(entries: Iterable[bytes]) -> bytes:
    """Return the bundle of ``entries``."""
    return b"".join(part for each in entries for part in (len(each).to_bytes(2), each))


def unpack(bundle: bytes, width: int) -> list[bytes]:
    """Return the ``width`` entries of a bundle.

    Raises:
        ProofError: It holds fewer, more, or a piece of one.
    """
    entries: list[bytes] = []
    at = 0
    with suppress(IndexError):  # it ends before a length
        for _ in range(width):
            first = at + 2
            at = first + (bundle[at] << 8 | bundle[at + 1])
            entries.append(bundle[first:at])
    if at != len(bundle) or len(entries) != width:
        raise ProofError(
            f"an entry bundle must hold exactly {width} entries, each after its length"
        )
    return entries


def split(hashes: bytes) -> list[bytes]:
    """Return the hashes of a tile's bytes.

    Raises:
        ProofError: They are not whole hashes.
    """
    if len(hashes) % HASH_BYTES:
        raise ProofError("a tile holds whole hashes of 32 bytes")
    return [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]
