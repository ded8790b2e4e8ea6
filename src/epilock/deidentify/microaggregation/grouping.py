"""The loops of micro-aggregation, compiled (numba): groups of rows that are near each other."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def consecutive(column: Any, k: int) -> Any:
    """Return the groups of least variance of a sorted ``column``, each of k to 2k - 1 rows.

    The shortest path over the ends of groups (Hansen, Mukherjee 2003); of equal paths the one with the shorter
    last group.
    """
    n = column.shape[0]
    total = np.zeros(n + 1)
    square = np.zeros(n + 1)
    for i in range(n):
        total[i + 1] = total[i] + column[i]
        square[i + 1] = square[i] + column[i] * column[i]
    least = np.full(n + 1, np.inf)
    begin = np.zeros(n + 1, np.int64)
    least[0] = 0.0
    for end in range(k, n + 1):
        for size in range(k, min(2 * k - 1, end) + 1):
            start = end - size
            if least[start] == np.inf:
                continue
            s = total[end] - total[start]
            cost = least[start] + max(0.0, square[end] - square[start] - s * s / size)
            if cost < least[end]:
                least[end], begin[end] = cost, start
    groups = np.empty(n, np.int64)
    end, many = n, 0
    while end > 0:
        groups[begin[end] : end] = many
        many += 1
        end = begin[end]
    return many - 1 - groups


@njit(cache=True, nogil=True)
def _away(table: Any, row: int, point: Any) -> Any:
    away = 0.0
    for a in range(table.shape[1]):
        away += (table[row, a] - point[a]) ** 2
    return away


@njit(cache=True, nogil=True)
def _take(table: Any, left: Any, many: int, centre: Any, k: int, group: int, groups: Any) -> Any:
    """Make the ``k`` rows nearest to the point ``centre`` the ``group``; return how many rows are left."""
    away = np.empty(many)
    for i in range(many):
        away[i] = _away(table, left[i], centre)
    order = np.argsort(away, kind="mergesort")
    for i in range(k):
        groups[left[order[i]]] = group
    kept = 0
    for i in range(many):
        if groups[left[i]] < 0:
            left[kept] = left[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _farthest(table: Any, left: Any, many: int, point: Any) -> Any:
    best, found = -1.0, left[0]
    for i in range(many):
        away = _away(table, left[i], point)
        if away > best:
            best, found = away, left[i]
    return found


@njit(cache=True, nogil=True)
def _mean(table: Any, left: Any, many: int) -> Any:
    mean = np.zeros(table.shape[1])
    for i in range(many):
        for a in range(table.shape[1]):
            mean[a] += table[left[i], a]
    return mean / many


@njit(cache=True, nogil=True)
def farthest_and_nearest(table: Any, k: int) -> Any:
    """Return the MDAV groups of the rows of ``table`` (n, columns), each of k to 2k - 1 rows.

    With 3k rows and more: r, the row farthest from the mean, and its k - 1 nearest; then s, of the rows left
    the one farthest from r, and its. With 2k to 3k - 1 rows one such group, and the rest is the last.
    """
    n = table.shape[0]
    groups = np.full(n, -1, np.int64)
    left = np.arange(n)
    many, group = n, 0
    while many >= 3 * k:
        r = _farthest(table, left, many, _mean(table, left, many))
        many = _take(table, left, many, table[r], k, group, groups)
        s = _farthest(table, left, many, table[r])
        many = _take(table, left, many, table[s], k, group + 1, groups)
        group += 2
    if many >= 2 * k:
        r = _farthest(table, left, many, _mean(table, left, many))
        many = _take(table, left, many, table[r], k, group, groups)
        group += 1
    for i in range(many):
        groups[left[i]] = group
    return groups
