"""Sets of record numbers that take a bit each, so that a monitor can hold those of millions of records."""

from collections.abc import Iterable

BLOCK_BITS = 12  # a lease's 4,096 numbers: they are given out block by block
BLOCK = 1 << BLOCK_BITS


class Numbers:
    """A set of numbers from 0 on; sparse by blocks, and a block is only as long as it must be.

    Attributes:
        blocks: Bits of each block of 4,096 numbers, the lowest first.
    """

    __slots__ = ("_count", "blocks")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.blocks: dict[int, bytearray] = {}
        self._count = 0
        for each in numbers:
            self.add(each)

    def add(self, n: int) -> bool:
        """Add ``n``; return False if it was there."""
        block = self.blocks.setdefault(n >> BLOCK_BITS, bytearray())
        byte, bit = (n & (BLOCK - 1)) >> 3, 1 << (n & 7)
        if byte >= len(block):
            block.extend(bytes(byte + 1 - len(block)))
        elif block[byte] & bit:
            return False
        block[byte] |= bit
        self._count += 1
        return True

    def __contains__(self, n: int) -> bool:
        block = self.blocks.get(n >> BLOCK_BITS, b"")
        byte = (n & (BLOCK - 1)) >> 3
        return byte < len(block) and bool(block[byte] >> (n & 7) & 1)

    def __len__(self) -> int:
        return self._count

    def first(self) -> int:
        """Return the smallest number of a set that is not empty."""
        block = min(number for number, bits in self.blocks.items() if any(bits))
        bits = int.from_bytes(self.blocks[block], "little")
        return (block << BLOCK_BITS) + (bits & -bits).bit_length() - 1

    def last(self) -> int:
        """Return the largest number of a set that is not empty."""
        block = max(number for number, bits in self.blocks.items() if any(bits))
        bits = int.from_bytes(self.blocks[block], "little")
        return (block << BLOCK_BITS) + bits.bit_length() - 1

    def count_in_all(self, others: Iterable["Numbers"]) -> int:
        """Return how many numbers of this set are in each of ``others`` too."""
        sets = list(others)
        total = 0
        for number, block in self.blocks.items():
            bits = int.from_bytes(block, "little")
            for other in sets:
                bits &= int.from_bytes(other.blocks.get(number, b""), "little")
            total += bits.bit_count()
        return total
