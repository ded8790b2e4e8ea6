"""Local recoding along hierarchies: cut into blocks, join within them, move and cut again.

Steps (decision 19 says why these):
  1. ``cuts``: the table is cut into blocks of ``BLOCK`` finest classes, each of which passes.
  2. Each block is solved twice: cut as far as it goes, and joined from the bottom; the cheaper one stays.
  3. ``moves`` and ``cuts`` take turns until neither saves anything, ``TURNS`` times at most.
Time grows with finest classes x ``BLOCK``; nothing is drawn by lot.
"""

import itertools

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Floats, Metric
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns, Counted
from epilock.deidentify.search.local import mixed, outcome
from epilock.deidentify.search.local.cuts import Cutting
from epilock.deidentify.search.local.joins import joined
from epilock.deidentify.search.local.mixed import Mixed, Numbers
from epilock.deidentify.search.local.moves import moved
from epilock.deidentify.search.local.outcome import Outcome
from epilock.deidentify.search.local.prices import (
    SUPPRESSED,
    Prices,
    costs_of,
    looks_of,
    numbered,
    prices_of,
    without_rows,
)
from epilock.deidentify.search.optimum import Progress

BLOCK = 512
TURNS = 3
STAGES = 3 + 2 * TURNS


def recode(
    counted: Counted,
    columns: Columns,
    judge: Judge,
    metric: Metric,
    limit: int,
    *,
    progress: Progress | None = None,
) -> Outcome:
    """Return a release where each class has levels of its own.

    Args:
        counted: The table's finest classes.
        columns: What was counted.
        judge: The privacy models.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        progress: Is told after each stage how many are done, and how many there are; anew for each class size
            that a model of the whole release makes necessary.

    Raises:
        UnattainableError: No release was found that suppresses so few.
    """
    finest = counted.classes
    prices = prices_of(metric, finest)

    def make(of_classes: Judge) -> Mixed:
        member = clustered(finest, of_classes, prices, limit, progress)
        many = int(member.max(initial=SUPPRESSED)) + 1
        _, high = looks_of(member, mixed.values_of(finest), prices, many)
        levels = np.zeros((len(finest), len(columns.quasi)), np.int32)
        levels[member >= 0] = high[member[member >= 0]]
        return Mixed.of_levels(
            finest, mixed.all_forms(finest), levels, without_rows(finest, member)
        )

    return outcome.better("local", make, finest, columns, judge=judge, metric=metric, limit=limit)


def clustered(
    finest: Classes, judge: Judge, prices: Prices, limit: int, progress: Progress | None = None
) -> Numbers:
    """Return the cluster of each finest class, every one of which passes, or ``SUPPRESSED``."""
    stages = itertools.count(1)

    def tell() -> None:
        if progress is not None:
            progress(next(stages), STAGES)

    cutting = Cutting(finest, judge, prices, budget=0)
    blocks = cutting.down_to(BLOCK)
    tell()
    if (blocks < 0).all():
        return blocks
    budget = max(0, limit - _suppressed(finest, blocks))
    whole = joined(finest, judge, prices, blocks, budget=budget)
    tell()
    leaves = cutting.down_to(1)
    member = _cheaper(finest, prices, blocks, whole, leaves)
    tell()
    before = np.inf
    for _ in range(TURNS):
        member = moved(finest, judge, prices, member, blocks)
        tell()
        budget = max(0, limit - _suppressed(finest, member))
        member = Cutting(finest, judge, prices, member=member, budget=budget).down_to(1)
        tell()
        spent = _spent(finest, prices, member).sum()
        if not spent < before:
            break
        before = spent
    return member


def _suppressed(finest: Classes, member: Numbers) -> int:
    return int(finest.counts[member < 0].sum())


def _spent(finest: Classes, prices: Prices, member: Numbers) -> Floats:
    """Return what the rows of each finest class lose."""
    many = int(member.max(initial=SUPPRESSED)) + 1
    cost = costs_of(*looks_of(member, mixed.values_of(finest), prices, many), prices)
    lost = finest.counts > 0
    spent = np.zeros(len(finest))
    each = np.append(cost, prices.alone)[member]
    spent[lost] = finest.counts[lost] * each[lost]
    return spent


def _cheaper(
    finest: Classes, prices: Prices, blocks: Numbers, first: Numbers, second: Numbers
) -> Numbers:
    """Return the clusters of ``first`` in the blocks where they cost less, else those of ``second``."""
    inside = blocks >= 0
    many = int(blocks.max(initial=SUPPRESSED)) + 1
    one, two = (
        np.bincount(blocks[inside], _spent(finest, prices, member)[inside], many)
        for member in (first, second)
    )
    wins = one < two
    while True:  # a cluster over several blocks stays whole
        chosen = wins[blocks] & inside
        whole = np.zeros(int(first.max(initial=SUPPRESSED)) + 1, np.bool_)
        whole[first[chosen & (first >= 0)]] = True
        more = inside & (first >= 0)
        more[more] = whole[first[more]]
        if not (more & ~chosen).any():
            break
        wins[blocks[more]] = True
    member = np.where(chosen, first, np.where(second < 0, second, second + len(finest)))
    there = (member >= 0) & inside
    found = np.full(len(member), SUPPRESSED, np.int32)
    found[there] = numbered(member[there], 2 * len(member))[1]
    return found
