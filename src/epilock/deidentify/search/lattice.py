"""The lattice of nodes: one level for each attribute; what was learnt at a node, spread to those it rules out.

A node has a number: its levels written in a mixed radix, the first attribute the slowest. Rules:
  1. Rows that stay suppressed whatever is told apart (``must``) count for all nodes below.
  2. How far classes have merged (``reach``, ``big``, ``small``) counts for all nodes above.
  3. A node is looked at, over the limit, or can't be better: each has one state, and they add up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria.metric import Facts, Metric, Shape
from epilock.deidentify.search import bound
from epilock.errors import TooLargeError

MOST_NODES = 1 << 25

Nodes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the nodes.

    Attributes:
        lattice: All of them.
        checked: Looked at.
        over_limit: Passed by: more rows than allowed stay suppressed there.
        not_better: Passed by: they lose more than the best at least.
    """

    lattice: int
    checked: int
    over_limit: int
    not_better: int


class Lattice:
    """All nodes of a search and what is known of them."""

    def __init__(
        self, heights: Sequence[int], metric: Metric, *, least: int, by_size: bool
    ) -> None:
        """Make the lattice of attributes with these ``heights``.

        Args:
            heights: Highest level of each attribute.
            metric: What is minimised.
            least: Rows that a class needs at least to be kept.
            by_size: Whether a class fails by its number of rows alone.

        Raises:
            TooLargeError: More than 2**25 nodes.
        """
        self.sizes = np.array(heights, np.int64) + 1
        self.nodes = int(np.prod(self.sizes, dtype=object))
        if self.nodes > MOST_NODES:
            raise TooLargeError(
                f"the lattice has {self.nodes:,} nodes, and up to {MOST_NODES:,} can be searched for the"
                ' optimum; take fewer attributes or levels, or search = "beam"'
            )
        self.strides = np.ones(len(self.sizes), np.int64)
        self.strides[:-1] = np.cumprod(self.sizes[::-1])[::-1][1:]
        self.state = np.zeros(self.nodes, np.uint8)
        self._must = np.zeros(self.nodes, np.int64)
        wide = metric.shape in {Shape.SQUARES, Shape.CLASSES}
        many = self.nodes if wide else 1
        self._reach = np.zeros(many)
        self._big = np.full(many, -1, np.int64)
        self._small = np.zeros(many, np.int64)
        self._wide = wide
        self._least = least
        terms = metric.terms
        self._asked = (
            int(metric.shape), self.sizes, self.strides, terms.base, terms.first, terms.rows, terms.extra,
            metric.weights, metric.floor, metric.rows, least, by_size,
        )  # fmt: skip
        self._learnt = self._must, self._reach, self._big, self._small

    def levels(self, node: int) -> Nodes:
        """Return the level of each attribute at ``node``."""
        return (node // self.strides) % self.sizes

    def number(self, levels: Sequence[int] | Nodes) -> int:
        """Return the number of the node with these ``levels``."""
        return int(np.asarray(levels) @ self.strides)

    def sums(self, nodes: Nodes) -> Nodes:
        """Return the sum of levels of each of ``nodes``."""
        total = np.zeros(len(nodes), np.int64)
        for stride, size in zip(self.strides, self.sizes, strict=True):
            total += (nodes // stride) % size
        return total

    def learn(self, node: int, facts: Facts) -> None:
        """Note what was found at ``node``, for itself and the nodes that it rules out."""
        self.state[node] = bound.CHECKED
        levels = self.levels(node)
        bound.spread_down(levels, self.strides, self._must, facts.must)
        if self._wide:
            bound.spread_up(
                levels, self.sizes - 1, self.strides, self._least, facts.reach, facts.big, facts.small,
                self._learnt,
            )  # fmt: skip

    def next_place(self, order: Nodes, place: int, limit: int, best: float) -> int:
        """Return the place in ``order``, from ``place`` on, of the next node to look at, or its length."""
        return int(
            bound.next_node(order, place, self.state, limit, best, self._asked, self._learnt)
        )

    def bounds(self, nodes: Nodes) -> npt.NDArray[np.float64]:
        """Return what each of ``nodes`` loses at least."""
        out = np.empty(len(nodes))
        bound.bounds(nodes, self._asked, self._learnt, out)
        return out

    def tally(self) -> Tally:
        """Return what became of the nodes."""
        many = np.bincount(self.state, minlength=4)
        return Tally(
            self.nodes,
            int(many[bound.CHECKED]),
            int(many[bound.OVER_LIMIT]),
            int(many[bound.NOT_BETTER]),
        )
