"""From the top down: a table is cut, and its parts again, as long as every part passes.

Rules kept in this file:
  1. A cut goes along one attribute: a tree into the forms one level below, an ordered attribute in two. Of all
     attributes the one is taken by which the rows would lose least afterwards.
  2. Parts that fail are put together, or join the smallest part that passes, or are suppressed as far as the
     limit allows: whatever passes and loses least. A cut by which nothing is gained is undone.
  3. All clusters of a round are cut and judged at once, so that a round costs as much as a look at a node.

Source: multidimensional partitioning, Mondrian (LeFevre, DeWitt, Ramakrishnan 2006); rule 2 is our own.
"""

from dataclasses import dataclass

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Floats
from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.search.local import clusters, mixed
from epilock.deidentify.search.local.mixed import Flags, Numbers
from epilock.deidentify.search.local.prices import (
    SUPPRESSED,
    Prices,
    costs_of,
    fails_of,
    looks_of,
    numbered,
    sorted_by,
)

UNDONE = -2
SAME = 1e-9  # rounding: a cut that costs nothing is made


class Cutting:
    """Clusters of a table while they are cut. Numbers are given once: those cut further stay empty."""

    def __init__(
        self,
        finest: Classes,
        judge: Judge,
        prices: Prices,
        *,
        member: Numbers | None = None,
        strict: bool = True,
        budget: int = 0,
    ) -> None:
        """Begin with one cluster, or one for each form that trees have on their top levels.

        Args:
            finest: What is cut.
            judge: Of the models of classes.
            prices: What is saved.
            member: Clusters to begin with instead; all of them pass.
            strict: Whether rows with one value of an ordered attribute stay together.
            budget: Rows that may be suppressed.
        """
        self.finest, self.judge, self.prices, self.strict = finest, judge, prices, strict
        self.values, self.budget = mixed.values_of(finest), budget
        self.member = self._tops() if member is None else member.copy()
        many = int(self.member.max(initial=SUPPRESSED)) + 1
        if member is None:
            fails = fails_of(judge, finest, self.member, many)
            self.member[fails[self.member]] = SUPPRESSED
            self.budget -= int(finest.counts[self.member == SUPPRESSED].sum())
        self.barred = np.zeros((many, self.values.shape[1]), np.bool_)

    def _tops(self) -> Numbers:
        hierarchies = zip(self.finest.packing.hierarchies, self.prices.ordered, strict=True)
        tops = [
            np.zeros(h.size, np.int32) if ordered else h.codes[-1] for h, ordered in hierarchies
        ]
        keys = mixed.packed(
            [codes[self.values[:, a]] for a, codes in enumerate(tops)],
            [int(codes.max(initial=0)) + 1 for codes in tops],
        )
        member: Numbers = kernels.group(keys, self.finest.counts)[0]
        return member

    def down_to(self, most: int) -> Numbers:
        """Cut every cluster of more than ``most`` finest classes as far as it goes; return the clusters."""
        while True:
            there = self.member[self.member >= 0]
            sizes = np.bincount(there, minlength=len(self.barred))
            open_ = np.flatnonzero((sizes > most) & ~self.barred.all(axis=1))
            if not len(open_):
                break
            self._round(open_)
        found = np.full(len(self.member), SUPPRESSED, np.int32)
        found[self.member >= 0] = numbered(there, len(self.barred))[1]
        return found

    def _round(self, open_: Counts) -> None:
        """Try one cut of each open cluster."""
        place = np.full(len(self.barred) + 1, SUPPRESSED, np.int32)  # the last one is SUPPRESSED's
        place[open_] = np.arange(len(open_))
        local = place[self.member]
        members, starts = sorted_by(local, len(open_))
        low, high = looks_of(local, self.values, self.prices, len(open_))
        cut = np.empty(len(open_), np.int64)
        side = np.zeros(len(members), np.int64)
        clusters.choose_cuts(
            members, starts, self.finest.counts, self.values, low, high, *self.prices.tables,
            self.prices.ordered, self.barred[open_], self.strict, cut, side,
        )  # fmt: skip
        self.barred[open_[cut < 0]] = True
        going = cut[local[members]] >= 0
        if not going.any():
            return
        rows = np.add.reduceat(self.finest.counts[members], starts[:-1])
        before = rows * costs_of(low, high, self.prices)
        members = members[going]
        sides = int(side.max()) + 1
        different, part = np.unique(
            local[members].astype(np.int64) * sides + side[going], return_inverse=True
        )
        parts = Parts(members, part.astype(np.int32), different // sides, len(open_))
        chosen = self._best(parts, before)
        done = chosen != UNDONE
        undone = np.unique(local[members[~done]])
        self.barred[open_[undone], cut[undone]] = True
        kept = chosen >= 0
        fresh, dense = numbered(chosen[kept], len(different))
        self.member[members[kept]] = len(self.barred) + dense
        self.member[members[chosen == SUPPRESSED]] = SUPPRESSED
        self.barred = np.vstack(
            [self.barred, np.zeros((len(fresh), self.barred.shape[1]), np.bool_)]
        )

    def _best(self, parts: "Parts", before: Floats) -> Numbers:
        """Return the part of each member by the best way for its cluster (rule 2).

        ``before`` is what the rows of each cluster lose uncut.
        """
        rows = kernels.add_up(parts.of, self.finest.counts[parts.members], len(parts.whole))
        fails, _ = self._judged(parts, parts.themselves)
        best = before.copy()
        chosen = np.full(len(parts.members), UNDONE, np.int32)
        for way in (parts.together(fails), parts.joined(fails, rows), parts.without(fails)):
            bad, spent = self._judged(parts, way)
            lost = np.bincount(parts.whole[way < 0], rows[way < 0], parts.clusters).astype(np.int64)
            spent[lost > 0] += lost[lost > 0] * self.prices.alone
            better = spent < best + SAME * ((lost == 0) & (best == before))
            better[parts.whole[bad]] = False
            better &= parts.left(way) + (lost > 0) > 1
            for cluster in np.flatnonzero(better & (lost > 0)):
                better[cluster] = lost[cluster] <= self.budget
                self.budget -= int(lost[cluster]) if better[cluster] else 0
            best[better] = spent[better]
            mine = better[parts.whole[parts.of]]
            chosen[mine] = way[parts.of[mine]]
        return chosen

    def _judged(self, parts: "Parts", way: Numbers) -> tuple[Flags, Floats]:
        """Return which parts fail, and what the rows of each cluster lose, if parts go the ``way``."""
        of = way[parts.of]
        used, dense = numbered(of[of >= 0], len(way))
        member = np.full(len(self.finest), SUPPRESSED, np.int32)
        member[parts.members[of >= 0]] = dense
        fails = np.zeros(len(way), np.bool_)
        fails[used] = fails_of(self.judge, self.finest, member, len(used))
        low, high = looks_of(member, self.values, self.prices, len(used))
        counts = self.finest.counts[parts.members[of >= 0]]
        rows = kernels.add_up(dense, counts, len(used))
        spent = np.zeros(parts.clusters)
        np.add.at(spent, parts.whole[used], rows * costs_of(low, high, self.prices))
        return fails, spent


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What one round would make of the clusters it cuts. A *way* says what each part becomes a part of.

    Attributes:
        members: The finest classes concerned.
        of: The part of each of them.
        whole: The cluster of each part.
        clusters: Number of clusters.
    """

    members: Counts
    of: Numbers
    whole: Counts
    clusters: int

    @property
    def themselves(self) -> Numbers:
        """The way of parts that stay as they are."""
        return np.arange(len(self.whole), dtype=np.int32)

    def together(self, fails: Flags) -> Numbers:
        """The way where the failing parts of a cluster become one."""
        return self._into(fails, np.flatnonzero(fails)[::-1])

    def joined(self, fails: Flags, rows: Counts) -> Numbers:
        """The way where they become part of the smallest one that passes, if there is one."""
        passing = np.flatnonzero(~fails)
        return self._into(fails, passing[np.argsort(-rows[passing], kind="stable")])

    def without(self, fails: Flags) -> Numbers:
        """The way where they are suppressed."""
        return np.where(fails, SUPPRESSED, self.themselves).astype(np.int32)

    def left(self, way: Numbers) -> Counts:
        """Return how many parts each cluster has after ``way``."""
        return np.bincount(self.whole[way[way == self.themselves]], minlength=self.clusters)

    def _into(self, fails: Flags, order: Counts) -> Numbers:
        """Send failing parts into the last of their cluster's in ``order``."""
        last = np.full(self.clusters, UNDONE, np.int64)
        last[self.whole[order]] = order
        way = np.where(fails, last[self.whole], self.themselves)
        return np.where(way == UNDONE, self.themselves, way).astype(np.int32)
