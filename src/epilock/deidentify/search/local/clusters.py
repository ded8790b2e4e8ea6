"""The loops of recodings that are not full-domain, compiled (numba): clusters are cut, and joined.

A *cluster* is a set of finest classes. Arrays, used alike by all functions:
  values (n, d) int32, each finest class's value of each attribute · counts (n,) int64 · ``members`` are the
  finest classes sorted by cluster, those of the c-th at ``starts[c]:starts[c + 1]``.
An attribute is a *tree* (its hierarchy) or *ordered* (its values have ranks). What a cluster looks like in it
are two numbers: of a tree ``low`` is the value of one member, ``high`` the lowest level on which all members
look alike; of an ordered one they are the least and the greatest rank.
Tables of a tree, for level l and value v at ``first[a] + l * sizes[a] + v``: ``code`` is the number of its
form on the level, ``price`` what a row loses by it. Of an ordered attribute ``price[first[a] + w]`` is what a
row loses by an interval of w + 1 values, ``code[first[a] + v]`` the rank of value v.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sort(member: Any, many: int) -> Any:
    """Return the finest classes in the order of the clusters that ``member`` gives them, and ``starts``.

    Those with a negative cluster are left out.
    """
    starts = np.zeros(many + 1, np.int64)
    for i in range(member.shape[0]):
        if member[i] >= 0:
            starts[member[i] + 1] += 1
    for c in range(many):
        starts[c + 1] += starts[c]
    place = starts[:-1].copy()
    members = np.empty(starts[many], np.int64)
    for i in range(member.shape[0]):
        if member[i] >= 0:
            members[place[member[i]]] = i
            place[member[i]] += 1
    return members, starts


@njit(cache=True, nogil=True)
def looks(
    members: Any, starts: Any, values: Any, code: Any, first: Any, sizes: Any, ordered: Any,
    low: Any, high: Any,
) -> None:  # fmt: skip
    """Write what each cluster looks like into ``low`` and ``high``, both (clusters, d)."""
    for c in range(starts.shape[0] - 1):
        for a in range(values.shape[1]):
            v = values[members[starts[c]], a]
            if ordered[a]:
                least = most = code[first[a] + v]
                for m in range(starts[c], starts[c + 1]):
                    rank = code[first[a] + values[members[m], a]]
                    least, most = min(least, rank), max(most, rank)
                low[c, a], high[c, a] = least, most
            else:
                level = 0
                at = first[a]
                for m in range(starts[c], starts[c + 1]):
                    other = values[members[m], a]
                    while code[at + v] != code[at + other]:
                        level += 1
                        at += sizes[a]
                low[c, a], high[c, a] = v, level


@njit(cache=True, nogil=True)
def _price(a: int, low: int, high: int, price: Any, first: Any, sizes: Any, ordered: Any) -> Any:
    if ordered[a]:
        return price[first[a] + high - low]
    return price[first[a] + high * sizes[a] + low]


@njit(cache=True, nogil=True)
def costs(low: Any, high: Any, price: Any, first: Any, sizes: Any, ordered: Any) -> Any:
    """Return what a row of each cluster loses."""
    found = np.zeros(low.shape[0])
    for c in range(low.shape[0]):
        for a in range(low.shape[1]):
            found[c] += _price(a, low[c, a], high[c, a], price, first, sizes, ordered)
    return found


@njit(cache=True, nogil=True)
def choose_cuts(
    members: Any, starts: Any, counts: Any, values: Any, low: Any, high: Any, code: Any, price: Any,
    first: Any, sizes: Any, ordered: Any, barred: Any, strict: bool, cut: Any, part: Any,
) -> None:  # fmt: skip
    """Choose for each cluster the attribute whose cut gains most, and say in which part each member falls.

    A tree is cut into the forms one level below the cluster's; an ordered attribute in two, where most nearly
    half of the rows are on each side: between two values if ``strict``, else between any two finest classes.
    ``barred`` (clusters, d) are attributes not to be cut. ``cut`` (clusters,) is the attribute, or -1 if
    there is none; ``part`` (n,), by the place in ``members``: the form's number, or 0 and 1.
    """
    side = np.empty(members.shape[0], np.int32)
    for c in range(starts.shape[0] - 1):
        begin, end = starts[c], starts[c + 1]
        cut[c], gain = -1, 0.0
        for a in range(values.shape[1]):
            if barred[c, a] or (high[c, a] == low[c, a] if ordered[a] else high[c, a] == 0):
                continue
            before = _price(a, low[c, a], high[c, a], price, first, sizes, ordered)
            less = 0.0
            if ordered[a]:
                _halve(begin, end, members, counts, values, a, code, first, strict, side)
                least = np.array([high[c, a], high[c, a]])
                most = np.array([low[c, a], low[c, a]])
                rows = np.zeros(2, np.int64)
                for m in range(begin, end):
                    rank = code[first[a] + values[members[m], a]]
                    s = side[m]
                    least[s], most[s] = min(least[s], rank), max(most[s], rank)
                    rows[s] += counts[members[m]]
                for s in range(2):
                    less += rows[s] * (before - price[first[a] + max(0, most[s] - least[s])])
            else:
                at = first[a] + (high[c, a] - 1) * sizes[a]
                for m in range(begin, end):
                    v = values[members[m], a]
                    side[m] = code[at + v]
                    less += counts[members[m]] * (before - price[at + v])
            if cut[c] < 0 or less > gain:
                cut[c], gain = a, less
                part[begin:end] = side[begin:end]


@njit(cache=True, nogil=True)
def _halve(
    begin: int, end: int, members: Any, counts: Any, values: Any, a: int, code: Any, first: Any,
    strict: bool, side: Any,
) -> None:  # fmt: skip
    many = end - begin
    ranks = np.empty(many, np.int64)
    total = 0
    for i in range(many):
        ranks[i] = code[first[a] + values[members[begin + i], a]]
        total += counts[members[begin + i]]
    order = np.argsort(ranks, kind="mergesort")
    best, nearest, below = 0, np.int64(-1), 0
    for i in range(1, many):
        below += counts[members[begin + order[i - 1]]]
        if strict and ranks[order[i]] == ranks[order[i - 1]]:
            continue
        away = abs(2 * below - total)
        if nearest < 0 or away < nearest:
            best, nearest = i, away
    for i in range(many):
        side[begin + order[i]] = 0 if i < best else 1


@njit(cache=True, nogil=True)
def nearest(
    who: Any, own: Any, block: Any, starts: Any, alive: Any, low: Any, high: Any, rows: Any,
    cost: Any, code: Any, price: Any, first: Any, sizes: Any, partner: Any, more: Any,
) -> None:  # fmt: skip
    """Find for each cluster in ``who`` the one of its block whose join with it costs least more.

    Trees only. The clusters of block b are ``alive[starts[b]:starts[b + 1]]``; ``own[i]`` is not for i.
    ``partner`` is -1 for one that is alone; ``more`` is what the rows of both lose more. Of equals the first
    one is taken.
    """
    d = low.shape[1]
    for w in range(who.shape[0]):
        i = who[w]
        best, found = np.inf, -1
        for t in range(starts[block[i]], starts[block[i] + 1]):
            j = alive[t]
            if j == own[i]:
                continue
            n = rows[i] + rows[j]
            before = rows[i] * cost[i] + rows[j] * cost[j]
            most = (best + before) / n if n else np.inf
            joined = 0.0
            for a in range(d):
                v, other = low[i, a], low[j, a]
                level = max(high[i, a], high[j, a])
                at = first[a] + level * sizes[a]
                while code[at + v] != code[at + other]:
                    at += sizes[a]
                joined += price[at + v]
                if joined >= most:
                    break
            if joined < most and n * joined - before < best:
                best, found = n * joined - before, j
        partner[i], more[i] = found, best


@njit(cache=True, nogil=True)
def join(
    order: Any, partner: Any, more: Any, low: Any, high: Any, rows: Any, cost: Any, into: Any,
    given_up: Any, alone: float, budget: int, code: Any, price: Any, first: Any, sizes: Any,
    stale: Any,
) -> Any:  # fmt: skip
    """Join the clusters in ``order`` with their partners, each cluster once; return rows given up.

    A cluster for whose rows suppression (``alone`` a row) costs less than the join is given up, as long as
    ``budget`` rows last. ``into[j]`` becomes i where j is now a part of i; ``stale`` marks what changed.
    """
    spent = 0
    for i in order:
        j = partner[i]
        if stale[i] or (j >= 0 and stale[j]):
            continue
        if rows[i] * (alone - cost[i]) < more[i] and spent + rows[i] <= budget:
            given_up[i] = True
            stale[i] = True
            spent += rows[i]
            continue
        if j < 0:
            continue
        joined = 0.0
        for a in range(low.shape[1]):
            v, other = low[i, a], low[j, a]
            level = max(high[i, a], high[j, a])
            at = first[a] + level * sizes[a]
            while code[at + v] != code[at + other]:
                level += 1
                at += sizes[a]
            high[i, a] = level
            joined += price[at + v]
        cost[i] = joined
        rows[i] += rows[j]
        into[j] = i
        stale[i] = stale[j] = True
    return spent


@njit(cache=True, nogil=True)
def removals(
    members: Any, starts: Any, counts: Any, values: Any, code: Any, price: Any, first: Any,
    sizes: Any, gain: Any,
) -> None:  # fmt: skip
    """Write what the other rows of a cluster lose less without each of its members into ``gain`` (n,).

    Trees only. Members of clusters of one get 0.
    """
    most = 0
    for c in range(starts.shape[0] - 1):
        most = max(most, starts[c + 1] - starts[c])
    ahead = np.zeros(most + 1, np.int64)
    behind = np.zeros(most + 1, np.int64)
    without = np.zeros(most)
    for c in range(starts.shape[0] - 1):
        begin, many = starts[c], starts[c + 1] - starts[c]
        if many == 1:
            continue
        whole, total = 0.0, 0
        without[:many] = 0.0
        for a in range(values.shape[1]):
            at, size = first[a], sizes[a]
            head = values[members[begin], a]
            tail = values[members[begin + many - 1], a]
            ahead[0] = ahead[1] = behind[many] = behind[many - 1] = 0
            for m in range(
                1, many
            ):  # ahead[m]: level of the first m members, behind[m]: of those from m on
                v, level = values[members[begin + m], a], ahead[m]
                while code[at + level * size + v] != code[at + level * size + head]:
                    level += 1
                ahead[m + 1] = level
                v, level = values[members[begin + many - 1 - m], a], behind[many - m]
                while code[at + level * size + v] != code[at + level * size + tail]:
                    level += 1
                behind[many - 1 - m] = level
            whole += price[at + ahead[many] * size + head]
            for m in range(many):
                if m == 0:
                    without[m] += price[at + behind[1] * size + tail]
                elif m == many - 1:
                    without[m] += price[at + ahead[many - 1] * size + head]
                else:
                    level = max(ahead[m], behind[m + 1])
                    while code[at + level * size + head] != code[at + level * size + tail]:
                        level += 1
                    without[m] += price[at + level * size + head]
        for m in range(many):
            total += counts[members[begin + m]]
        for m in range(many):
            i = members[begin + m]
            gain[i] = total * whole - (total - counts[i]) * without[m]


@njit(cache=True, nogil=True)
def take_apart(here: Any, there: Any, touched: Any) -> Any:
    """Return which of the pairs ``here[i], there[i]``, in this order, meet no cluster touched before."""
    taken = np.zeros(here.shape[0], np.bool_)
    for i in range(here.shape[0]):
        if not touched[here[i]] and not touched[there[i]]:
            touched[here[i]] = touched[there[i]] = True
            taken[i] = True
    return taken
