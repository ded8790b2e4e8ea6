"""From the bottom up: finest classes are joined, within blocks, until every cluster passes.

Rules kept in this file:
  1. A cluster that fails is joined with the cluster of its block by which the rows of both lose least more.
     In a round each cluster is joined once, the cheapest joins first; then all are judged again.
  2. A failing cluster whose rows lose less by suppression is given up, while the limit allows.
  3. One that is left alone in its block looks for a partner in the whole table.

Source: agglomerative k-anonymity (Gionis, Tassa 2009), here within blocks, so that time grows with rows.
"""

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.search.local import clusters, mixed
from epilock.deidentify.search.local.mixed import Numbers
from epilock.deidentify.search.local.prices import (
    SUPPRESSED,
    Prices,
    costs_of,
    fails_of,
    nearest,
    sorted_by,
)


def joined(
    finest: Classes, judge: Judge, prices: Prices, blocks: Numbers, *, budget: int = 0
) -> Numbers:
    """Return the cluster of each finest class, ``SUPPRESSED`` for those given up.

    Args:
        finest: What is joined.
        judge: Of the models; only those of classes count here.
        prices: What a join costs; all attributes are trees.
        blocks: The block of each finest class, or ``SUPPRESSED``.
        budget: Rows that may be given up.
    """
    low = mixed.values_of(finest)
    high = np.zeros_like(low)
    rows = finest.counts.copy()
    cost = costs_of(low, high, prices)
    many = len(finest)
    itself = np.arange(many)
    into = itself.copy()
    block = blocks.astype(np.int64)
    given_up = blocks == SUPPRESSED
    partner = np.full(many, -1, np.int64)
    more = np.full(many, np.inf)
    stale = np.ones(many, np.bool_)
    while True:
        alive = np.flatnonzero((into == itself) & ~given_up)
        member = np.where(given_up[into], SUPPRESSED, np.searchsorted(alive, into)).astype(np.int32)
        fails = fails_of(judge, finest, member, len(alive))
        failing = alive[fails & (rows[alive] > 0)]
        if not len(failing):
            return member
        new = failing[stale[failing] | stale[partner[failing]]]
        open_block = np.full(many, SUPPRESSED)
        open_block[alive] = block[alive]
        order, starts = sorted_by(open_block, int(block.max()) + 1)
        nearest(
            new, itself, block, starts, order, low, high, rows, cost, *prices.tables, partner, more
        )
        alone = failing[partner[failing] < 0]
        if len(alone):
            everywhere = np.zeros(many, np.int64)
            nearest(
                alone,
                itself,
                everywhere,
                np.array([0, len(alive)]),
                alive,
                low,
                high,
                rows,
                cost,
                *prices.tables,
                partner,
                more,
            )
        stale[:] = False
        best = failing[np.argsort(more[failing], kind="stable")]
        budget -= clusters.join(
            best,
            partner,
            more,
            low,
            high,
            rows,
            cost,
            into,
            given_up,
            prices.alone,
            budget,
            *prices.tables,
            stale,
        )
        if not stale.any():
            given_up[failing] = True
        while (into[into] != into).any():
            into = into[into]
