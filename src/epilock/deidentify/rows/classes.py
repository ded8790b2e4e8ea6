"""Classes: the rows of a table that look alike at a node, counted; and how a coarser node's are rolled up.

Rules kept in this file:
  1. Work is on different combinations, never on rows: the finest classes are counted once (``counting``).
  2. The classes of a node are rolled up from those of any node below it, the same whichever it was.
  3. Rows of a population (``population``) are counted beside the table's own, which are among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.packing import Keys, Levels, Packing

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often each sensitive value occurs in each class (CSR: the i-th class has ``starts[i]:starts[i+1]``).

    Attributes:
        size: Number of different values in the whole table.
        starts: Where each class begins, and the end.
        values: Codes of the values.
        rows: How many rows have them.
    """

    size: int
    starts: Counts
    values: npt.NDArray[np.int32]
    rows: Counts

    def merged(self, classes: npt.NDArray[np.int32], many: int) -> "Histogram":
        """Return the histogram of ``many`` classes; ``classes`` says into which each of these goes."""
        found = kernels.merge_histograms(
            classes, many, self.starts, self.values, self.rows, self.size
        )
        return Histogram(self.size, *found)

    def first(self, many: int) -> "Histogram":
        """Return the histogram of the first ``many`` classes."""
        end = self.starts[many]
        return Histogram(self.size, self.starts[: many + 1], self.values[:end], self.rows[:end])

    def table(self) -> Counts:
        """Return how many rows of all classes have each value."""
        return np.bincount(self.values, weights=self.rows, minlength=self.size).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The classes at one node.

    Attributes:
        packing: How keys are made.
        levels: The node: each attribute's level.
        keys: One of each class.
        counts: Rows of each class; 0 for one that only the population has.
        population: Rows of the population in each class, or None without one.
        histograms: For each sensitive attribute.
    """

    packing: Packing
    levels: Levels
    keys: Keys = field(repr=False)
    counts: Counts = field(repr=False)
    population: Counts | None = field(repr=False, default=None)
    histograms: tuple[Histogram, ...] = field(repr=False, default=())

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def rows(self) -> int:
        """The number of rows of the table."""
        return int(self.counts.sum())

    def first(self, many: int) -> "Classes":
        """Return the first ``many`` classes, or all of them."""
        many = min(many, len(self))
        return Classes(
            self.packing, self.levels, tuple(word[:many] for word in self.keys), self.counts[:many],
            None if self.population is None else self.population[:many],
            tuple(each.first(many) for each in self.histograms),
        )  # fmt: skip

    def rolled_up(self, levels: Sequence[int] | Levels) -> "Classes":
        """Return the classes at the node ``levels``, none of which may be below this node's."""
        new = np.asarray(levels, np.int64)
        packing = self.packing
        lifted, found = (tuple(np.empty_like(word) for word in self.keys) for _ in range(2))
        member, counts = kernels.roll_up(
            self.keys, self.counts, self.levels, new, packing.word, packing.shift, packing.mask, packing.lut,
            packing.first, lifted, found,
        )  # fmt: skip
        many = len(counts)
        keys = tuple(word[:many].copy() for word in found)  # what is left of the room is given back
        population = (
            None if self.population is None else kernels.add_up(member, self.population, many)
        )
        return Classes(
            self.packing, new, keys, counts, population,
            tuple(each.merged(member, many) for each in self.histograms),
        )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        arrays: list[npt.NDArray[np.generic]] = [*self.keys, self.counts]
        arrays += [] if self.population is None else [self.population]
        for each in self.histograms:
            arrays += [each.starts, each.values, each.rows]
        return sum(each.nbytes for each in arrays)
