"""The optimal node of full-domain generalisation with suppression, found and proved.

Every node of the lattice is looked at or ruled out by a bound that holds for certain:
  * *over the limit*: rows that stay suppressed at a node above stay suppressed here (``model``);
  * *not better*: what it loses at least exceeds the best found (``metric``).
So the outcome is the optimum, and the tally is the proof: the states of all nodes add up to the lattice.

Order. Metrics that levels decide are searched from the top down: coarse nodes have few classes, and what
they suppress rules out whole cones below. Metrics of classes are searched from the height of the best node
found so far, for they are bounded from both sides. Roll-ups begin at a node below on a path that is shared (``Sources``).
The search space and predictive tagging follow Flash (Kohlmayer, Prasser et al. 2012) and Incognito
(LeFevre et al. 2005); bounds by rows that must go are our own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import BY_LEVELS, Facts, Metric, Shape
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.search import bound
from epilock.deidentify.search.lattice import Lattice, Nodes, Tally
from epilock.errors import UnattainableError

SAME = 1e-12  # relative: scores this near are ties
_BELOW = {
    Shape.SQUARES: 1,
    Shape.CLASSES: 0,
}  # levels below the best node; measured (performance.md)
SHARED_NODES = 64
SHARED_BYTES = 512 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The best node, and the proof that there is no better one.

    Attributes:
        levels: Level of each attribute.
        score: What it loses.
        suppressed: Rows suppressed.
        classes: Classes that are kept.
        ties: Other nodes with the same score, as levels.
        tally: What became of all nodes.
        seconds: How long the search took, its compiled loops loaded.
    """

    levels: tuple[int, ...]
    score: float
    suppressed: int
    classes: int
    ties: tuple[tuple[int, ...], ...]
    tally: Tally
    seconds: float


class Sources:
    """Roll-ups that others begin from: the first attributes on a node's levels, the others at 0.

    Attributes come in the order in which they merge most classes, so that sources are small.
    """

    def __init__(self, finest: Classes) -> None:
        heights = [h.height for h in finest.packing.hierarchies]
        merged = [
            len(finest.rolled_up([h if a == b else 0 for b, h in enumerate(heights)]))
            for a in range(len(heights))
        ]
        order = sorted(range(len(heights)), key=lambda a: merged[a])
        depth, many = 0, 1
        while depth < len(order) and many * (heights[order[depth]] + 1) <= SHARED_NODES:
            many *= heights[order[depth]] + 1
            depth += 1
        self._order = order[:depth]
        self._kept: dict[tuple[int, ...], Classes] = {(): finest}
        self._room = SHARED_BYTES
        self._heights = heights

    def at(self, levels: Nodes) -> Classes:
        """Return the classes at the node ``levels``."""
        return self._shared(tuple(int(levels[a]) for a in self._order)).rolled_up(levels)

    def _shared(self, prefix: tuple[int, ...]) -> Classes:
        while prefix and prefix[-1] == 0:
            prefix = prefix[:-1]
        found = self._kept.get(prefix)
        if found is None:
            levels = np.zeros(len(self._heights), np.int64)
            levels[self._order[: len(prefix)]] = prefix
            found = self._shared(prefix[:-1]).rolled_up(levels)
            if found.nbytes <= self._room:
                self._room -= found.nbytes
                self._kept[prefix] = found
        return found


def search(
    finest: Classes, judge: Judge, metric: Metric, *, limit: int, progress: Progress | None = None
) -> Optimum:
    """Return the node that loses least, among those that suppress ``limit`` rows at most.

    Args:
        finest: The classes at level 0 of each attribute.
        judge: The privacy models.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        progress: Is told from time to time how many nodes are settled, and how many there are.

    Raises:
        UnattainableError: No node suppresses so few; the message says how many the best would.
        TooLargeError: The lattice has too many nodes.
    """
    _load(finest, judge, metric)
    return _Search(finest, judge, metric, limit, progress).run()


def _load(finest: Classes, judge: Judge, metric: Metric) -> None:
    """Have the compiled loops ready before the clock starts: look at the top node of a few classes."""
    few = finest.first(2)
    fails, facts = judge.judge(few.rolled_up([h.height for h in few.packing.hierarchies]))
    metric.cost(few, fails[:1].repeat(len(few)), facts)
    lattice = Lattice([1], metric, least=1, by_size=True)
    lattice.next_place(np.arange(2), 0, 0, 0.0)
    lattice.bounds(np.arange(1))


class _Search:
    def __init__(
        self, finest: Classes, judge: Judge, metric: Metric, limit: int, progress: Progress | None
    ) -> None:
        heights = [h.height for h in finest.packing.hierarchies]
        self.began = time.perf_counter()
        self.judge, self.metric, self.limit, self.progress = judge, metric, limit, progress
        self.lattice = Lattice(heights, metric, least=judge.least, by_size=judge.by_size)
        self.sources = Sources(finest)
        self.best = np.inf
        self.found: list[tuple[float, int, Facts]] = []
        self.fewest: tuple[int, int] | None = None  # suppressed, node

    def run(self) -> Optimum:
        self._dive()
        if self.metric.name in BY_LEVELS:
            self._from_the_top()
        else:
            self._from_the_best()
        if not self.found:
            self._refuse()
        best = min(score for score, _, _ in self.found)
        ties = sorted(
            (node, score, facts) for score, node, facts in self.found if score <= best + same(best)
        )
        node, score, facts = ties[0]
        return Optimum(
            levels=self._levels(node), score=score, suppressed=facts.suppressed, classes=facts.kept,
            ties=tuple(self._levels(other) for other, _, _ in ties[1:]), tally=self.lattice.tally(),
            seconds=time.perf_counter() - self.began,
        )  # fmt: skip

    def _levels(self, node: int) -> tuple[int, ...]:
        return tuple(int(level) for level in self.lattice.levels(node))

    def _look(self, node: int) -> Facts:
        """Judge a node and learn from it."""
        classes = self.sources.at(self.lattice.levels(node))
        fails, facts = self.judge.judge(classes)
        if self.fewest is None or facts.suppressed < self.fewest[0]:
            self.fewest = facts.suppressed, node
        if facts.suppressed <= self.limit:
            score = self.metric.cost(classes, fails, facts)
            if score <= self.best + same(self.best):
                self.found.append((score, node, facts))
                self.best = min(self.best, score)
        self.lattice.learn(node, facts)
        return facts

    def _dive(self) -> None:
        """Find a good node soon: from the top down, the cheapest allowed neighbour each time."""
        lattice = self.lattice
        levels = lattice.sizes - 1
        facts = self._look(lattice.number(levels))
        while facts.suppressed <= self.limit:
            below = [a for a in range(len(levels)) if levels[a] > 0]
            nodes = np.array([lattice.number(levels) - lattice.strides[a] for a in below], np.int64)
            for node in nodes[np.argsort(lattice.bounds(nodes), kind="stable")]:
                if lattice.state[node] == bound.OPEN:
                    facts = self._look(int(node))
                    if facts.suppressed <= self.limit:
                        levels = lattice.levels(int(node))
                        break
            else:
                return

    def _from_the_top(self) -> None:
        nodes = np.arange(self.lattice.nodes)
        self._through(nodes[np.argsort(-self.lattice.sums(nodes), kind="stable")])

    def _from_the_best(self) -> None:
        """Look at nodes about as high as the best one, anew as that changes: better ones lie there, and bounds meet."""
        nodes = np.flatnonzero(self.lattice.state == bound.OPEN)
        while len(nodes):
            best = min(self.found)[1] if self.found else self.lattice.nodes - 1
            middle = int(self.lattice.levels(best).sum()) - _BELOW[self.metric.shape]
            away = np.abs(self.lattice.sums(nodes) - middle)
            order = nodes[np.argsort(away, kind="stable")]
            self._through(order, many=max(16, len(nodes) // 50))
            nodes = np.flatnonzero(self.lattice.state == bound.OPEN)

    def _through(self, order: Nodes, many: int | None = None) -> None:
        place, looked = 0, 0
        while looked != many:
            place = self.lattice.next_place(order, place, self.limit, self.best + same(self.best))
            if place == len(order):
                return
            self._look(int(order[place]))
            place, looked = place + 1, looked + 1
            if self.progress is not None and looked % 64 == 0:
                self.progress(int((self.lattice.state != bound.OPEN).sum()), self.lattice.nodes)

    def _refuse(self) -> None:
        suppressed, node = self.fewest or (self.metric.rows, 0)
        names = [h.attribute for h in self.metric.hierarchies]
        raise UnattainableError(
            refusal(names, self._levels(node), suppressed, self.limit, self.metric.rows)
        )


def refusal(
    names: Sequence[str], levels: Sequence[int], suppressed: int, limit: int, rows: int
) -> str:
    """Return why a limit can't be met, and what could: the node that suppresses fewest rows."""
    at = ", ".join(f"{name} {level}" for name, level in zip(names, levels, strict=True))
    return (
        f"no generalisation keeps the models with {limit} suppressed rows of {rows}; at {at} it"
        f" would be {suppressed} ({suppressed / rows:.4f}): allow that share, add levels to the hierarchies,"
        " or take weaker models"
    )


def same(score: float) -> float:
    """Return by how much scores may differ and still be ties."""
    return SAME * max(1.0, abs(score)) if np.isfinite(score) else 0.0
