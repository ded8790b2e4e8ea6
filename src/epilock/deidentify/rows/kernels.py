"""The inner loops over rows and classes, compiled (numba): grouping, roll-ups, histograms.

A *class* is a set of rows that look alike at a node. Its key is the packed codes of its quasi-identifiers:
each attribute has a field of bits in one of the key's words (``packing``), so that a roll-up is mask, look-up
and or. Keys are a tuple of arrays, one for each word: the compiler makes a loop of its own for each width.
Nothing here allocates per row but what it returns; all of it runs without Python's lock, so that two nodes can
be looked at on two cores.

Arrays, used alike by all functions:
  keys, a tuple of (n,) uint64 · counts (n,) int64, rows of a class · codes of an attribute are
  ``(keys[word[a]][i] >> shift[a]) & mask[a]`` · a histogram of the classes' sensitive values is in CSR form:
  values[starts[i]:starts[i + 1]] and their rows in the same places.
"""

from typing import Any

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Fibonacci hashing (Knuth 6.4)


@njit(cache=True, nogil=True)
def group(keys: Any, counts: Any) -> Any:
    """Group equal ``keys``; return each row's class, each class's first row, and its added ``counts``.

    Classes are numbered in the order in which they first appear. Open addressing, at most half full.
    """
    n = keys[0].shape[0]
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    last = (1 << bits) - 1
    high = np.uint64(64 - bits)
    table = np.full(1 << bits, -1, np.int32)
    classes = np.empty(n, np.int32)
    firsts = np.empty(n, np.int32)
    added = np.zeros(n, np.int64)
    many = 0
    for i in range(n):
        mixed = keys[0][i] * _GOLDEN
        for w in range(1, len(keys)):
            mixed = (mixed ^ (mixed >> np.uint64(29)) ^ keys[w][i]) * _GOLDEN
        place = np.int64(mixed >> high)
        c = table[place]
        while c >= 0:
            first = firsts[c]
            same = True
            for w in range(len(keys)):
                same = same and keys[w][first] == keys[w][i]
            if same:
                break
            place = (place + 1) & last
            c = table[place]
        if c < 0:
            c = many
            table[place] = many
            firsts[many] = i
            many += 1
        added[c] += counts[i]
        classes[i] = c
    return classes, firsts[:many], added[:many]


@njit(cache=True, nogil=True)
def places_among(keys: Any, known: Any) -> Any:
    """Return for each of ``keys`` its place among the different keys ``known``, or -1."""
    n, many = keys[0].shape[0], known[0].shape[0]
    bits = 4
    while (1 << bits) < 2 * many:
        bits += 1
    last = (1 << bits) - 1
    high = np.uint64(64 - bits)
    table = np.full(1 << bits, -1, np.int32)
    found = np.full(n, -1, np.int32)
    for i in range(-many, n):  # the known ones take their places first
        mixed = np.uint64(0)
        for w in range(len(keys)):
            word = keys[w][i] if i >= 0 else known[w][i + many]
            mixed = (mixed ^ (mixed >> np.uint64(29)) ^ word) * _GOLDEN
        place = np.int64(mixed >> high)
        c = table[place]
        while c >= 0:
            same = i >= 0
            for w in range(len(keys)):
                same = same and known[w][c] == keys[w][i]
            if same:
                found[i] = c
                break
            place = (place + 1) & last
            c = table[place]
        if i < 0:
            table[place] = i + many
    return found


def are_among(keys: Any, known: Any) -> Any:
    """Return for each of ``keys`` whether it is one of the different keys ``known``."""
    return places_among(keys, known) >= 0


@njit(cache=True, nogil=True)
def raise_levels(
    keys: Any,
    old: Any,
    new: Any,
    word: Any,
    shift: Any,
    mask: Any,
    lut: Any,
    first: Any,
    lifted: Any,
) -> None:
    """Write ``keys`` into ``lifted`` with each attribute's code lifted from level ``old[a]`` to ``new[a]``.

    ``first[a, l, m]`` is where the look-up table of attribute a from level l to m begins in ``lut``.
    """
    n = keys[0].shape[0]
    keep = np.full(len(keys), ~np.uint64(0), np.uint64)
    for a in range(old.shape[0]):
        if old[a] != new[a]:
            keep[word[a]] &= ~(mask[a] << shift[a])
    for w in range(len(keys)):
        kept = keep[w]
        for i in range(n):
            lifted[w][i] = keys[w][i] & kept
    for a in range(old.shape[0]):
        if old[a] != new[a]:
            here, there, low, ones = keys[word[a]], lifted[word[a]], shift[a], mask[a]
            table = lut[first[a, old[a], new[a]] :]
            for i in range(n):
                there[i] |= table[(here[i] >> low) & ones] << low


@njit(cache=True, nogil=True)
def roll_up(
    keys: Any, counts: Any, old: Any, new: Any, word: Any, shift: Any, mask: Any, lut: Any, first: Any,
    lifted: Any, found: Any,
) -> Any:  # fmt: skip
    """Lift ``keys`` (see ``raise_levels``) and group them; return members and counts of the classes.

    ``lifted`` and ``found`` have room for all keys; the classes' own are the first ones of ``found``.
    """
    raise_levels(keys, old, new, word, shift, mask, lut, first, lifted)
    member, firsts, added = group(lifted, counts)
    for w in range(len(lifted)):
        here, there = lifted[w], found[w]
        for c in range(firsts.shape[0]):
            there[c] = here[firsts[c]]
    return member, added


@njit(cache=True, nogil=True)
def add_up(classes: Any, counts: Any, many: int) -> Any:
    """Return the sums of ``counts`` for each of ``many`` classes."""
    added = np.zeros(many, np.int64)
    for i in range(classes.shape[0]):
        added[classes[i]] += counts[i]
    return added


@njit(cache=True, nogil=True)
def merge_histograms(
    classes: Any, many: int, starts: Any, values: Any, rows: Any, size: int
) -> Any:
    """Return the CSR histograms of ``many`` classes into which the old ones merge (``classes``).

    ``size`` is the number of different sensitive values. Each class's values come out in rising order
    of first appearance, each once.
    """
    space = np.zeros(many + 1, np.int64)
    for i in range(classes.shape[0]):
        space[classes[i] + 1] += starts[i + 1] - starts[i]
    for c in range(many):
        space[c + 1] += space[c]
    place = space[:-1].copy()
    laid_values = np.empty(values.shape[0], np.int32)
    laid_rows = np.empty(values.shape[0], np.int64)
    for i in range(classes.shape[0]):
        at = place[classes[i]]
        for j in range(starts[i], starts[i + 1]):
            laid_values[at] = values[j]
            laid_rows[at] = rows[j]
            at += 1
        place[classes[i]] = at
    seen = np.full(size, -1, np.int64)
    out = np.zeros(many + 1, np.int64)
    end = 0
    for c in range(many):
        begin = end
        for j in range(space[c], space[c + 1]):
            v = laid_values[j]
            if seen[v] >= begin:
                laid_rows[seen[v]] += laid_rows[j]
            else:
                seen[v] = end
                laid_values[end] = v
                laid_rows[end] = laid_rows[j]
                end += 1
        out[c + 1] = end
    return out, laid_values[:end], laid_rows[:end]
