"""Which node to look at next: nodes that can't be allowed, or can't be better, are passed by (numba).

Two tuples go together through all functions. ``asked``, what the search is about: shape of the metric, sizes
and strides of the lattice, the terms (base, first, rows, extra), weights, floor, rows of the table, least
size of a class, whether classes fail by size alone. ``learnt``, one array each with a place for each node:
rows that must go (must), and how far classes have merged (reach, big, small); arrays that the metric does not need have one place.
"""

from typing import Any

import numpy as np
from numba import njit

OPEN, CHECKED, OVER_LIMIT, NOT_BETTER = 0, 1, 2, 3
_GEOMETRIC, _SUM, _SQUARES = 0, 1, 2  # ``metric.Shape``


@njit(cache=True, nogil=True)
def _term(base: Any, first: Any, rows: Any, extra: Any, a: int, level: int, s: int) -> Any:
    """Return the cost of attribute ``a`` on a level with ``s`` rows suppressed, at least."""
    if s == 0:
        return base[a, level]
    begin, end = first[a, level], first[a, level + 1]
    low, high = begin, end - 1
    if s >= rows[high]:
        return base[a, level] + extra[high]
    while high - low > 1:
        middle = (low + high) // 2
        if rows[middle] <= s:
            low = middle
        else:
            high = middle
    share = (s - rows[low]) / (rows[high] - rows[low])
    return base[a, level] + extra[low] + share * (extra[high] - extra[low])


@njit(cache=True, nogil=True)
def lower_bound(node: int, asked: Any, learnt: Any) -> Any:
    """Return what the ``node`` loses at least."""
    shape, sizes, strides, base, first, rows, extra, weights, floor, n, least, by_size = asked
    must, reach, big, small = learnt
    s = must[node]
    if shape == _GEOMETRIC:
        total = 1.0
        for a in range(sizes.shape[0]):
            if n > floor[a]:
                level = (node // strides[a]) % sizes[a]
                term = _term(base, first, rows, extra, a, level, s)
                total *= weights[a] * max(0.0, (term - floor[a]) / (n - floor[a])) + 1
        return total ** (1 / sizes.shape[0]) - 1
    if shape == _SUM:
        total = 0.0
        for a in range(sizes.shape[0]):
            level = (node // strides[a]) % sizes[a]
            total += weights[a] * _term(base, first, rows, extra, a, level, s)
        return total
    if shape == _SQUARES:
        bound = max(reach[node], float(s) * n + float(n - s) * least)
        if by_size:  # rows that must go were in classes below ``least``, and counted as such
            bound = max(bound, reach[node] + float(s) * (n - least))
        return bound
    kept = (n - s) // least
    if big[node] >= 0:
        rest = small[node] - (s if by_size else 0)
        kept = min(kept, big[node] + max(0, rest) // least)
    return n / (kept + 1)


@njit(cache=True, nogil=True)
def next_node(
    order: Any, place: int, state: Any, limit: int, best: float, asked: Any, learnt: Any
) -> Any:
    """Return the place in ``order`` of the next node to look at; those passed by get their state."""
    must = learnt[0]
    while place < order.shape[0]:
        node = order[place]
        if state[node] == OPEN:
            if must[node] > limit:
                state[node] = OVER_LIMIT
            elif lower_bound(node, asked, learnt) > best:
                state[node] = NOT_BETTER
            else:
                return place
        place += 1
    return place


@njit(cache=True, nogil=True)
def bounds(nodes: Any, asked: Any, learnt: Any, out: Any) -> None:
    """Write the lower bound of each of ``nodes`` into ``out``."""
    for i in range(nodes.shape[0]):
        out[i] = lower_bound(nodes[i], asked, learnt)


@njit(cache=True, nogil=True)
def _step(at: Any, low: Any, high: Any, strides: Any, node: int) -> Any:
    """Move ``at`` to the next node of the box from ``low`` to ``high``; return its number, -1 behind the last."""
    a = at.shape[0] - 1
    while a >= 0:
        if at[a] < high[a]:
            at[a] += 1
            return node + strides[a]
        node -= strides[a] * (at[a] - low[a])
        at[a] = low[a]
        a -= 1
    return -1


@njit(cache=True, nogil=True)
def spread_down(levels: Any, strides: Any, must: Any, gone: int) -> None:
    """Note for all nodes below, and at, the one on ``levels`` that ``gone`` rows must go."""
    low = np.zeros_like(levels)
    at = low.copy()
    node = 0
    while node >= 0:
        must[node] = max(must[node], gone)
        node = _step(at, low, levels, strides, node)


@njit(cache=True, nogil=True)
def spread_up(
    levels: Any,
    tops: Any,
    strides: Any,
    least: int,
    reached: float,
    many: int,
    rest: int,
    learnt: Any,
) -> None:
    """Note for all nodes above, and at, the one on ``levels`` how far its classes have merged.

    ``reached``, ``many`` and ``rest`` are ``reach``, ``big`` and ``small`` of ``metric.Facts``.
    """
    _, reach, big, small = learnt
    at = levels.copy()
    node = (levels * strides).sum()
    while node >= 0:
        reach[node] = max(reach[node], reached)
        if big[node] < 0 or many + rest // least < big[node] + small[node] // least:
            big[node] = many
            small[node] = rest
        node = _step(at, levels, tops, strides, node)
