"""Mondrian: intervals that the data choose for ordered attributes, beside hierarchies for all others.

Rules kept in this file:
  1. An ordered attribute is cut where most nearly half of a class's rows are on each side. *Strict*: between two
     values. *Relaxed*: rows with the middle value may fall on both sides, as far as another attribute tells them
     apart; classes may then overlap.
  2. A class's form is ``[low-high]``: the least and the greatest value that it has, both included, written as
     they stand in the table; a single value stands as itself. Where a value of the column has a ``-`` in it,
     ``..`` stands between them.
  3. An interval's share is that of all values of the hierarchy between its ends; its level is the lowest on which
     all these look alike, the highest if none is.

Source: LeFevre, DeWitt, Ramakrishnan 2006.
"""

from collections.abc import Collection

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Floats, Metric
from epilock.deidentify.criteria.model import numeric_order
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns, Counted
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.search.local import mixed, outcome
from epilock.deidentify.search.local.cuts import Cutting
from epilock.deidentify.search.local.mixed import Forms, Mixed, Numbers
from epilock.deidentify.search.local.outcome import Outcome
from epilock.deidentify.search.local.prices import (
    SUPPRESSED,
    looks_of,
    prices_of,
    ranks_of,
    without_rows,
)
from epilock.errors import InputError


def recode(
    counted: Counted,
    columns: Columns,
    judge: Judge,
    metric: Metric,
    limit: int,
    *,
    ordered: Collection[str] | None = None,
    strict: bool = True,
) -> Outcome:
    """Return a release of multidimensional cuts.

    Args:
        counted: The table's finest classes.
        columns: What was counted.
        judge: The privacy models.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        ordered: Names of the attributes that are cut into intervals, by the order of their numbers or else that
            of their hierarchy's rows; None for those whose values are all numbers.
        strict: Whether rows with one value stay together; see rule 1.

    Raises:
        InputError: ``ordered`` names no quasi-identifier.
        UnattainableError: No release was found that suppresses so few.
    """
    finest = counted.classes
    names = {h.attribute for h in columns.quasi}
    if ordered is None:
        ordered = {h.attribute for h in columns.quasi if numeric_order(h.forms[0]) is not None}
    unknown = sorted(set(ordered) - names)
    if unknown:
        raise InputError(f"ordered names {', '.join(unknown)}, which is no quasi-identifier")
    prices = prices_of(metric, finest, ordered)

    def make(of_classes: Judge) -> Mixed:
        cutting = Cutting(finest, of_classes, prices, strict=strict)
        member = cutting.down_to(1)
        budget = max(0, limit - int(finest.counts[member < 0].sum()))
        # What can't be cut for a few rows is cut now, if the rest gains by it.
        cutting = Cutting(finest, of_classes, prices, member=member, strict=strict, budget=budget)
        member = cutting.down_to(1)
        return _mixed(finest, member, *looks_of(
            member, cutting.values, prices, int(member.max(initial=SUPPRESSED)) + 1
        ), ordered)  # fmt: skip

    return outcome.better(
        "mondrian", make, finest, columns, judge=judge, metric=metric, limit=limit
    )


def _mixed(
    finest: Classes, member: Numbers, low: Numbers, high: Numbers, ordered: Collection[str]
) -> Mixed:
    """Return the release of clusters that look like ``low`` and ``high``."""
    there = member >= 0
    levels = np.zeros((len(finest), low.shape[1]), np.int32)
    levels[there] = high[member[there]]
    kinds = np.array([h.attribute in ordered for h in finest.packing.hierarchies])
    levels[:, kinds] = 0
    trees = Mixed.of_levels(finest, mixed.all_forms(finest), levels, without_rows(finest, member))
    forms, of = list(trees.forms), trees.of
    for a in np.flatnonzero(kinds):
        h = finest.packing.hierarchies[a]
        ends, number = np.unique(
            np.stack([low[:, a], high[:, a]], axis=1), axis=0, return_inverse=True
        )
        singles = trees.forms[a].rows[: h.size]
        forms[a] = intervals(h, singles, ends)
        # The values themselves come first: a suppressed row's form is its value.
        of[there, a] = h.size + number.reshape(-1)[member[there]]
    return Mixed(finest, tuple(forms), of, trees.suppressed)


def intervals(h: Hierarchy, rows: Floats, ends: Numbers) -> Forms:
    """Return the values of ``h``, then the intervals with these ``ends`` (n, 2), ranks; both included.

    ``rows`` of the table have each value.
    """
    ranks = ranks_of(h)
    by_rank = np.argsort(ranks)
    singles = np.stack([ranks, ranks], axis=1)
    low, high = np.concatenate([singles, ends]).T
    before = np.concatenate([[0.0], np.cumsum(rows[by_rank])])
    level = np.full(len(low), h.height, np.int32)
    for each in range(h.height, -1, -1):
        changes = np.concatenate([[0], np.cumsum(np.diff(h.codes[each][by_rank]) != 0)])
        level[changes[high] == changes[low]] = each
    between = ".." if any("-" in value for value in h.forms[0]) else "-"
    value = [h.forms[0][v] for v in by_rank]
    texts = tuple(
        value[x] if x == y else f"[{value[x]}{between}{value[y]}]"
        for x, y in zip(low.tolist(), high.tolist(), strict=True)
    )
    return Forms(
        h.attribute, texts, (high - low + 1) / h.size, level, before[high + 1] - before[low]
    )
