"""A good node of a lattice that is too large to be searched, and how far from the best it can be at most.

The lattice is never laid out: what is known is what was looked at. Three steps, each with a share of the looks:
  1. *Beam*: from the top down, level sum by level sum, the ``width`` best nodes are taken further.
  2. *Mutation*: levels of the best nodes are crossed and shifted by lot (``seed``), as a genetic search does.
  3. *Proof*: a node at which more rows than allowed must go refutes all below it. The allowed node that could
     lose least, by what is refuted so far, bounds the whole lattice from below; it is looked at, and
     what it refutes is widened upwards. So the bound rises, and where it meets the best the best is proved.

The bound never lies: it rests on the terms of ``metric`` and on ``must`` of ``model`` alone. The outcome is the
same for the same seed and looks; with ``most_seconds`` it depends on the machine.
Sources: genetic search over nodes (Iyengar 2002); the proof is a branch
and bound (Land, Doig 1960).
"""

import heapq
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Facts, Metric, Shape
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search import bound
from epilock.deidentify.search.optimum import Progress, Sources, refusal, same
from epilock.errors import UnattainableError

WIDTH = 8
LOOKS = 3000
MOST_STEPS = 20_000  # of the proof
ELITE = 12
NEVER = np.iinfo(np.int64).max

Node = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best node that was found.

    Attributes:
        levels: Level of each attribute.
        score: What it loses.
        suppressed: Rows suppressed.
        classes: Classes that are kept.
        bound: No allowed node of the lattice loses less.
        lattice: Number of nodes.
        checked: Number of nodes looked at.
        seed: By which it can be found again.
        seconds: How long the search took.
    """

    levels: Node
    score: float
    suppressed: int
    classes: int
    bound: float
    lattice: int
    checked: int
    seed: int
    seconds: float

    @property
    def optimal(self) -> bool:
        """Whether the bound proves that no node loses less."""
        return self.score <= self.bound + same(self.score)

    def recoding(self, finest: Classes, columns: Columns, judge: Judge, kept: tuple[str, ...] = ()) -> FullDomain:  # fmt: skip
        """Return what turns batches of the table into the release; ``kept`` columns pass unchanged."""
        node = finest.rolled_up(self.levels)
        return FullDomain.of(columns, node, judge.judge(node)[0], kept)


def search(
    finest: Classes,
    judge: Judge,
    metric: Metric,
    *,
    limit: int,
    seed: int = 0,
    width: int = WIDTH,
    looks: int = LOOKS,
    most_seconds: float | None = None,
    progress: Progress | None = None,
) -> Best:
    """Return the best node found among those that suppress ``limit`` rows at most.

    Args:
        finest: The classes at level 0 of each attribute.
        judge: The privacy models.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        seed: Of what is drawn by lot.
        width: Nodes that are taken from one level sum to the next.
        looks: Nodes to look at, at most.
        most_seconds: When to stop looking, whatever is left.
        progress: Is told from time to time how many looks are done, and how many there are.

    Raises:
        UnattainableError: No node that was looked at suppresses so few; the message says what the best would.
    """
    found = _Beam(
        finest,
        judge,
        metric,
        limit=limit,
        looks=looks,
        most_seconds=most_seconds,
        progress=progress,
    )
    found.beam(width, looks // 3)
    found.mutate(np.random.default_rng(seed), looks * 2 // 3)
    low = found.prove(looks)
    return found.outcome(low, seed)


class Known:
    """What was found at the nodes looked at, as arrays; those not yet filled bound nothing."""

    def __init__(self, looks: int, attributes: int) -> None:
        self.levels = np.full((looks, attributes), -1, np.int64)
        self.must = np.zeros(looks, np.int64)
        self.reach = np.zeros(looks)
        self.big = np.full(looks, -1, np.int64)
        self.small = np.zeros(looks, np.int64)
        self.classes = np.full(looks, NEVER)

    def add(self, place: int, node: Node, facts: Facts, least: int) -> None:
        """Note the ``facts`` of ``node``; ``least`` rows make a class that can be kept."""
        self.levels[place] = node
        self.must[place], self.reach[place] = facts.must, facts.reach
        self.big[place], self.small[place] = facts.big, facts.small
        self.classes[place] = facts.big + facts.small // least


class _Beam:
    def __init__(
        self, finest: Classes, judge: Judge, metric: Metric, *, limit: int, looks: int,
        most_seconds: float | None, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.began = time.perf_counter()
        self.until = math.inf if most_seconds is None else self.began + most_seconds
        self.judge, self.metric, self.limit = judge, metric, limit
        self.looks, self.progress = looks, progress
        self.sources = Sources(finest)
        self.heights = tuple(h.height for h in finest.packing.hierarchies)
        self.looked: dict[Node, Facts] = {}
        self.scores: dict[Node, float] = {}
        self.refuted: list[Node] = []
        self.known = Known(looks + 1, len(self.heights))
        self.best = math.inf
        self.surely = 0  # rows that stay suppressed at every node

    def beam(self, width: int, until: int) -> None:
        """Go down from the top with the ``width`` best nodes of each level sum."""
        facts = self._look(self.heights)
        self.surely = facts.must
        frontier = [self.heights]
        while frontier and self._may_look(until):
            below = {child for node in frontier for child in self._beside(node, -1)}
            below = {
                node for node in below if node not in self.looked and not self._is_refuted(node)
            }
            hopeful = sorted((self._least(node), node) for node in below)
            seen = []
            for low, node in hopeful[: 4 * width]:
                if low <= self.best + same(self.best) and self._may_look(until):
                    facts = self._look(node)
                    if facts.must <= self.limit:
                        seen.append(
                            (
                                max(0, facts.suppressed - self.limit),
                                self.scores.get(node, low),
                                node,
                            )
                        )
            frontier = [node for _, _, node in sorted(seen)[:width]]

    def mutate(self, lot: np.random.Generator, until: int) -> None:
        """Look at what comes from the best nodes by crossing and shifting."""
        idle = 0
        while self.scores and idle < 20 * ELITE and self._may_look(until):
            elite = sorted(self.scores, key=lambda node: (self.scores[node], node))[:ELITE]
            one, other = (elite[lot.integers(len(elite))] for _ in range(2))
            cross = lot.random(len(one)) < 0.5  # noqa: PLR2004 - each level from either parent
            shift = lot.integers(-1, 2, len(one)) * (lot.random(len(one)) < 2 / len(one))
            node = tuple(
                min(max(int(x if c else y) + int(s), 0), height)
                for x, y, c, s, height in zip(one, other, cross, shift, self.heights, strict=True)
            )
            idle += 1
            if node in self.looked or self._is_refuted(node) or self._least(node) > self.best:
                continue
            before = self.best
            self._look(node)
            idle = 0 if self.best < before else idle

    def prove(self, until: int) -> float:
        """Return what every allowed node of the lattice loses at least; the best may be found on the way."""
        bottom = (0,) * len(self.heights)
        queue = [(self._least_above(bottom), 0, bottom)]
        pushed, steps = {bottom}, 0
        while queue:
            low, _, node = queue[0]
            if low >= self.best - same(self.best):
                return self.best
            if steps == MOST_STEPS or time.perf_counter() > self.until:
                return low
            heapq.heappop(queue)
            steps += 1
            cover = next((r for r in self.refuted if _below(node, r)), None)
            if cover is None and node not in self.looked and self._least(node) < self.best:
                if not self._may_look(until):
                    return low
                if self._look(node).must > self.limit:
                    self._widen(node, until)
                    cover = next(r for r in self.refuted if _below(node, r))
            above = self._beside(node, 1) if cover is None else (
                _with(node, a, cover[a] + 1) for a in range(len(node)) if cover[a] < self.heights[a]
            )  # fmt: skip
            for other in above:
                if other not in pushed:
                    pushed.add(other)
                    heapq.heappush(queue, (self._least_above(other), -sum(other), other))
        return self.best

    def outcome(self, low: float, seed: int) -> Best:
        """Return the best node with the bound ``low``."""
        if not self.scores:
            node = min(self.looked, key=lambda n: (self.looked[n].suppressed, n))
            names = [h.attribute for h in self.metric.hierarchies]
            raise UnattainableError(
                refusal(names, node, self.looked[node].suppressed, self.limit, self.metric.rows)
            )
        node = min(self.scores, key=lambda n: (self.scores[n], n))
        facts = self.looked[node]
        return Best(
            levels=node, score=self.scores[node], suppressed=facts.suppressed, classes=facts.kept,
            bound=min(low, self.best), lattice=math.prod(h + 1 for h in self.heights),
            checked=len(self.looked), seed=seed, seconds=time.perf_counter() - self.began,
        )  # fmt: skip

    def _may_look(self, until: int) -> bool:
        return len(self.looked) < until and time.perf_counter() < self.until

    def _look(self, node: Node) -> Facts:
        classes = self.sources.at(np.array(node, np.int64))
        fails, facts = self.judge.judge(classes)
        self.known.add(len(self.looked), node, facts, self.judge.least)
        self.looked[node] = facts
        if facts.suppressed <= self.limit:
            self.scores[node] = self.metric.cost(classes, fails, facts)
            self.best = min(self.best, self.scores[node])
        if facts.must > self.limit:
            self.refuted = [r for r in self.refuted if not _below(r, node)] + [node]
        if self.progress is not None and len(self.looked) % 64 == 0:
            self.progress(len(self.looked), self.looks)
        return facts

    def _widen(self, node: Node, until: int) -> None:
        """Look above a refuted node for one that is refuted too, and with it all below."""
        for a, height in enumerate(self.heights):
            low, high = node[a], height + 1  # refuted at low; not, as far as is known, at high
            while high - low > 1:
                # The top first: often a whole attribute can be raised.
                middle = height if high > height else (low + high) // 2
                other = _with(node, a, middle)
                if not self._is_refuted(other):
                    if other not in self.looked and not self._may_look(until):
                        return
                    facts = self.looked.get(other) or self._look(other)
                    if facts.must <= self.limit:
                        high = middle
                        continue
                low = middle
            node = _with(node, a, low)

    def _is_refuted(self, node: Node) -> bool:
        return any(_below(node, r) for r in self.refuted)

    def _beside(self, node: Node, step: int) -> Iterable[Node]:
        for a, height in enumerate(self.heights):
            if 0 <= node[a] + step <= height:
                yield _with(node, a, node[a] + step)

    def _least(self, node: Node) -> float:
        """Return what ``node`` itself loses at least."""
        facts = self.looked.get(node)
        if facts is not None:
            return self.scores.get(node, math.inf)
        above = (self.known.levels >= node).all(axis=1)
        return self._bound(node, int(self.known.must[above].max(initial=self.surely)))

    def _least_above(self, node: Node) -> float:
        """Return what ``node`` and every one above it loses at least."""
        return self._bound(node, self.surely)

    def _bound(self, node: Node, must: int) -> float:
        """Return the bound of ``lattice`` at ``node``, seen as a lattice of one node."""
        metric, terms, d = self.metric, self.metric.terms, len(node)
        reach, big, small = 0.0, -1, 0
        if metric.shape in {Shape.SQUARES, Shape.CLASSES}:
            below = np.flatnonzero((self.known.levels <= node).all(axis=1))
            if len(below):
                reach = self.known.reach[below].max()
                fewest = below[self.known.classes[below].argmin()]
                big, small = self.known.big[fewest], self.known.small[fewest]
        at, ones, out = np.arange(d), np.ones(d, np.int64), np.empty(1)
        levels = np.array(node, np.int64)
        asked = (
            int(metric.shape), ones, ones, terms.base[at, levels][:, None],
            np.stack([terms.first[at, levels], terms.first[at, levels + 1]], axis=1), terms.rows, terms.extra,
            metric.weights, metric.floor, metric.rows, self.judge.least, self.judge.by_size,
        )  # fmt: skip
        learnt = np.array([must]), np.array([reach]), np.array([big]), np.array([small])
        bound.bounds(np.zeros(1, np.int64), asked, learnt, out)
        return float(out[0])


def _below(node: Node, other: Node) -> bool:
    """Return whether ``node`` is ``other`` or below it."""
    return all(x <= y for x, y in zip(node, other, strict=True))


def _with(node: Node, a: int, level: int) -> Node:
    return (*node[:a], level, *node[a + 1 :])
