"""Which node to look at next: nodes that can't be allowed, or can't be better, are passed by (numba)."""

from typing import Any

from numba import njit

OPEN, CHECKED, OVER_LIMIT, NOT_BETTER = 0, 1, 2, 3
_GEOMETRIC, _SUM, _SQUARES = 0, 1, 2  # ``metric.Shape``


@njit(cache=True, nogil=True)
def _term(base: Any, first: Any, rows: Any, extra: Any, a: int, level: int, s: int) -> Any:
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
def lower_bound(
    node: int, s: int, shape: int, sizes: Any, strides: Any, base: Any, first: Any, rows: Any,
    extra: Any, weights: Any, floor: Any, n: int, reach: Any, big: Any, small: Any, least: int,
    by_size: bool,
) -> Any:  # fmt: skip
    """Return what the node loses at least, if ``s`` of its rows at least are suppressed."""
    if shape <= _SUM:
        total = 1.0 if shape == _GEOMETRIC else 0.0
        alike = shape == _GEOMETRIC and weights.min() == weights.max()  # one root instead of many
        for a in range(sizes.shape[0]):
            level = (node // strides[a]) % sizes[a]
            term = _term(base, first, rows, extra, a, level, s)
            if shape == _SUM:
                total += weights[a] * term
            elif n > floor[a]:
                factor = max(0.0, (term - floor[a]) / (n - floor[a])) + 1
                total *= factor if alike else factor ** weights[a]
        if alike:
            total **= weights[0]
        return total - 1 if shape == _GEOMETRIC else total
    if shape == _SQUARES:
        bound = max(reach[node], float(s) * n + float(n - s) * least)
        if by_size:
            bound = max(bound, reach[node] + float(s) * (n - least))
        return bound
    kept = (n - s) // least
    if big[node] >= 0:
        rest = small[node] - (s if by_size else 0)
        kept = min(kept, big[node] + max(0, rest) // least)
    return n / (kept + 1)


@njit(cache=True, nogil=True)
def next_node(
    order: Any, place: int, state: Any, must: Any, limit: int, best: float, shape: int, sizes: Any,
    strides: Any, base: Any, first: Any, rows: Any, extra: Any, weights: Any, floor: Any, n: int,
    reach: Any, big: Any, small: Any, least: int, by_size: bool,
) -> Any:  # fmt: skip
    """Return the place in ``order`` of the next node to look at; those passed by get their state."""
    while place < order.shape[0]:
        node = order[place]
        if state[node] == OPEN:
            if must[node] > limit:
                state[node] = OVER_LIMIT
            elif (
                lower_bound(
                    node, must[node], shape, sizes, strides, base, first, rows, extra, weights, floor,
                    n, reach, big, small, least, by_size,
                )
                > best
            ):  # fmt: skip
                state[node] = NOT_BETTER
            else:
                return place
        place += 1
    return place


@njit(cache=True, nogil=True)
def bounds(
    nodes: Any, must: Any, shape: int, sizes: Any, strides: Any, base: Any, first: Any, rows: Any,
    extra: Any, weights: Any, floor: Any, n: int, reach: Any, big: Any, small: Any, least: int,
    by_size: bool, out: Any,
) -> None:  # fmt: skip
    """Write the lower bound of each of ``nodes`` into ``out``."""
    for i in range(nodes.shape[0]):
        out[i] = lower_bound(
            nodes[i], must[nodes[i]], shape, sizes, strides, base, first, rows, extra, weights, floor,
            n, reach, big, small, least, by_size,
        )  # fmt: skip
