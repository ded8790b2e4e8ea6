"""From side to side: finest classes move from their cluster to another one where that loses less.

Rules kept in this file:
  1. In a round every finest class looks for the cluster of its block that it would cost least to join; moves
     are made in order of what they save, and no cluster takes part in two.
  2. All that changed is judged; a move after which one of the two fails is taken back. So every cluster passes
     after every round, and the rows lose less.
"""

import numpy as np

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.search.local import clusters, mixed
from epilock.deidentify.search.local.mixed import Numbers
from epilock.deidentify.search.local.prices import (
    Prices,
    costs_of,
    fails_of,
    looks_of,
    nearest,
    sorted_by,
)

MOST_ROUNDS = 30
LEAST = 1e-9  # rounding: less is not saved


def moved(
    finest: Classes, judge: Judge, prices: Prices, member: Numbers, blocks: Numbers
) -> Numbers:
    """Return the clusters after all moves that save something.

    Args:
        finest: What is moved.
        judge: Of the models; only those of classes count here.
        prices: What is saved; all attributes are trees.
        member: The cluster of each finest class; every cluster passes.
        blocks: The block of each finest class.
    """
    member = member.copy()
    many = int(member.max(initial=-1)) + 1
    values = mixed.values_of(finest)
    own_cost = costs_of(values, np.zeros_like(values), prices)
    rows = np.concatenate([np.zeros(many, np.int64), finest.counts])
    partner = np.full(many + len(finest), -1, np.int64)
    more = np.full(many + len(finest), np.inf)
    stale = np.ones(many, np.bool_)  # clusters that changed in the last round
    barred = np.zeros(len(finest), np.bool_)
    for _ in range(MOST_ROUNDS):
        members, starts = sorted_by(member, many)
        low, high = looks_of(member, values, prices, many)
        cost = costs_of(low, high, prices)
        rows[:many] = kernels.add_up(member[members], finest.counts[members], many)
        gain = np.zeros(len(finest))
        clusters.removals(members, starts, finest.counts, values, *prices.tables, gain)
        gain -= finest.counts * own_cost
        who = members[(gain[members] > LEAST) & ~barred[members]]
        who = who[rows[member[who]] - finest.counts[who] >= judge.least]
        new = who[stale[member[who]] | stale[partner[many + who]]]
        block = np.concatenate([blocks[members[starts[:-1]]], blocks]).astype(np.int64)
        order, block_starts = sorted_by(block[:many], int(blocks.max(initial=-1)) + 1)
        nearest(
            many + new, np.concatenate([np.arange(many), member]), block,
            block_starts, order,
            np.vstack([low, values]), np.vstack([high, np.zeros_like(values)]), rows,
            np.concatenate([cost, own_cost]), *prices.tables, partner, more,
        )  # fmt: skip
        saved = gain[who] - more[many + who]
        best = who[np.argsort(-saved, kind="stable")][: int((saved > LEAST).sum())]
        stale[:] = False
        moving = best[clusters.take_apart(member[best], partner[many + best], stale)]
        if not len(moving):
            break
        here, there = member[moving], partner[many + moving].astype(np.int32)
        member[moving] = there
        fails = fails_of(judge, finest, member, many)
        back = fails[here] | fails[there]
        member[moving[back]] = here[back]
        barred[moving[back]] = True
    return member
