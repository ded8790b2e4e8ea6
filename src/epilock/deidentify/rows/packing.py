"""How the quasi-identifiers of a row become one key: a field of bits for each attribute, in words of 64.

Rules kept in this file:
  1. A field holds every code of its attribute on every level; it never crosses a word.
  2. The same fields serve all levels, so that a key is lifted by mask, look-up and or (``kernels``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.hierarchy import Hierarchy

WORD_BITS = 64
Word = npt.NDArray[np.uint64]
Keys = tuple[Word, ...]  # one array for each word
Levels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Packing:
    """The fields of a list of hierarchies; one item of each array for each attribute.

    Attributes:
        hierarchies: In the order of the attributes.
        words: Number of words of a key.
        word: Which word.
        shift: Lowest bit.
        mask: Ones of the field, at bit 0.
        first: ``first[a, old, new]`` is where the table that lifts attribute a begins in ``lut``.
        lut: All tables, one after the other.
    """

    hierarchies: tuple[Hierarchy, ...]
    words: int
    word: Levels
    shift: Word
    mask: Word
    first: Levels = field(repr=False)
    lut: Word = field(repr=False)

    @classmethod
    def of(cls, hierarchies: Sequence[Hierarchy]) -> "Packing":
        """Return the fields for ``hierarchies``, the first attribute in the lowest bits."""
        word, shift, mask = [], [], []
        at, words = 0, 1
        for each in hierarchies:
            bits = max(1, (each.size - 1).bit_length())
            if at + bits > WORD_BITS:
                at, words = 0, words + 1
            word.append(words - 1)
            shift.append(at)
            mask.append((1 << bits) - 1)
            at += bits
        most = max((each.height + 1 for each in hierarchies), default=1)
        first = np.zeros((len(hierarchies), most, most), np.int64)
        tables: list[npt.NDArray[np.int32]] = []
        end = 0
        for a, each in enumerate(hierarchies):
            for old in range(each.height + 1):
                for new in range(old + 1, each.height + 1):
                    first[a, old, new] = end
                    tables.append(each.lift(old, new))
                    end += len(tables[-1])
        lut = np.concatenate([*tables, np.empty(0, np.int32)]).astype(np.uint64)
        return cls(
            tuple(hierarchies), words, np.array(word, np.int64), np.array(shift, np.uint64),
            np.array(mask, np.uint64), first, lut,
        )  # fmt: skip

    def pack(self, codes: Sequence[npt.NDArray[np.int32]]) -> Keys:
        """Return the keys of rows whose codes are given attribute by attribute, on any one level each."""
        keys = tuple(np.zeros(len(codes[0]), np.uint64) for _ in range(self.words))
        for a, column in enumerate(codes):
            keys[self.word[a]][:] |= column.astype(np.uint64) << self.shift[a]
        return keys

    def codes(self, keys: Keys, a: int) -> npt.NDArray[np.int64]:
        """Return the codes of attribute ``a`` in ``keys``."""
        found: Levels = ((keys[self.word[a]] >> self.shift[a]) & self.mask[a]).astype(np.int64)
        return found

    def lift(self, keys: Keys, old: Levels, new: Levels) -> Keys:
        """Return ``keys`` of levels ``old`` as they are on levels ``new``."""
        lifted = tuple(np.empty_like(word) for word in keys)
        kernels.raise_levels(
            keys, old, new, self.word, self.shift, self.mask, self.lut, self.first, lifted
        )
        return lifted
