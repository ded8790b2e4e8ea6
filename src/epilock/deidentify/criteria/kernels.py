"""The inner loops over classes at a node, compiled (numba): what a class fails, what a node costs.

Nothing here allocates per row but what it returns; all of it runs without Python's lock. Arrays are those of
``rows.kernels``; beside them:
  fails (n,) bool, the classes that a model refuses · must (n,) int64, the rows of a class that stay suppressed
  however its rows are told apart further.
"""

from typing import Any

import numpy as np
from numba import njit

_FAR = 12.0  # from here on the series of digamma and trigamma are exact to rounding
_EVEN = -100.0  # classes so even that alpha runs away: the likelihood grows without end


# -- what a class fails: each function marks ``fails`` and raises ``must``, a lower bound of the rows of the
# -- class that stay suppressed however its rows are told apart further (see ``model``)


@njit(cache=True, nogil=True)
def fail_small(sizes: Any, least: int, counts: Any, fails: Any, must: Any) -> None:
    """Fail classes whose ``sizes`` are below ``least``: all their rows stay suppressed."""
    for c in range(counts.shape[0]):
        if sizes[c] < least:
            fails[c] = True
            must[c] = counts[c]


@njit(cache=True, nogil=True)
def fail_presence(counts: Any, population: Any, low: float, high: float, fails: Any) -> None:
    """Fail classes whose share of the population lies outside ``low`` to ``high``.

    If it is a class without rows, nothing that is suppressed could mend it: all classes fail.
    """
    for c in range(counts.shape[0]):
        share = counts[c] / population[c]
        if share < low or share > high:
            fails[c] = True
            if counts[c] == 0:
                fails[:] = True
                return


@njit(cache=True, nogil=True)
def fail_distinct(starts: Any, least: int, counts: Any, fails: Any, must: Any) -> None:
    """Fail classes with fewer than ``least`` different sensitive values."""
    for c in range(counts.shape[0]):
        if starts[c + 1] - starts[c] < least:
            fails[c] = True
            must[c] = counts[c]


@njit(cache=True, nogil=True)
def _entropy(rows: Any, begin: int, end: int, cap: int) -> Any:
    """Return the entropy (nats) of the rows, none counted above ``cap``, and their number."""
    total = 0
    weighted = 0.0
    for j in range(begin, end):
        r = min(rows[j], cap)
        total += r
        weighted += r * np.log(r)
    return np.log(total) - weighted / total, total


@njit(cache=True, nogil=True)
def fail_entropy(
    starts: Any, rows: Any, least: float, slack: float, counts: Any, fails: Any, must: Any
) -> None:
    """Fail classes whose entropy of sensitive values is below ``least`` nats less ``slack``.

    What can be kept of a failing class is at most what a cap on its most frequent values leaves: of all
    choices of as many of its rows the capped one has the largest entropy (majorisation).
    """
    for c in range(counts.shape[0]):
        begin, end = starts[c], starts[c + 1]
        most = 0
        for j in range(begin, end):
            most = max(most, rows[j])
        if _entropy(rows, begin, end, most)[0] >= least - slack:
            continue
        fails[c] = True
        low, high = 0, most  # the largest cap that passes lies in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            if _entropy(rows, begin, end, middle)[0] >= least - slack:
                low = middle
            else:
                high = middle
        kept = 0
        if low > 0:
            # Between the caps ``low`` and ``low + 1`` some of the largest may keep one row more.
            for j in range(begin, end):
                kept += min(rows[j], low + 1)
            kept -= 1
        must[c] = max(must[c], counts[c] - kept)


@njit(cache=True, nogil=True)
def fail_recursive(
    starts: Any,
    rows: Any,
    times: float,
    l: int,
    counts: Any,
    fails: Any,
    must: Any,
) -> None:
    """Fail classes where r1 < ``times`` * (r_l + ... + r_m) does not hold (r in falling order)."""
    for c in range(counts.shape[0]):
        begin, end = starts[c], starts[c + 1]
        if end - begin < l:
            fails[c] = True
            must[c] = counts[c]
            continue
        order = np.sort(rows[begin:end])[::-1]
        tail = 0
        for j in range(l - 1, order.shape[0]):
            tail += order[j]
        if order[0] < times * tail:
            continue
        fails[c] = True
        # Whatever subset passes, its tail is at most this tail and none of its values exceeds the cap.
        cap = np.int64(np.ceil(times * tail)) - 1
        kept = 0
        for j in range(order.shape[0]):
            kept += min(order[j], cap)
        must[c] = max(must[c], counts[c] - max(kept, 0))


EQUAL, ORDERED, HIERARCHICAL = 0, 1, 2


@njit(cache=True, nogil=True)
def fail_distance(
    kind: int, starts: Any, values: Any, rows: Any, q: Any, groups: Any, most: float, slack: float,
    counts: Any, fails: Any, must: Any,
) -> None:  # fmt: skip
    """Fail classes whose distribution is farther than ``most`` from ``q`` (earth mover's distance).

    ``groups`` (levels, size) holds for a hierarchical distance each value's group on each level below
    the root. Sources: Li, Li, Venkatasubramanian 2007. The witness ``f`` of Kantorovich's dual gives the
    bound: whatever rows of the class are kept, their mean of f is at most E_q f + ``most``; so rows with
    the largest f go until it is.
    """
    size = q.shape[0]
    p = np.zeros(size)
    f = np.zeros(size)
    levels = groups.shape[0]
    extra = np.zeros(size)
    for c in range(counts.shape[0]):
        n = 0
        for j in range(starts[c], starts[c + 1]):
            n += rows[j]
        if n == 0:
            continue
        distance = 0.0
        if kind == EQUAL:
            for j in range(starts[c], starts[c + 1]):
                more = rows[j] / n - q[values[j]]
                if more > 0:
                    distance += more
        elif kind == ORDERED:
            for j in range(starts[c], starts[c + 1]):
                p[values[j]] = rows[j] / n
            running = 0.0
            for v in range(size):
                running += p[v] - q[v]
                distance += abs(running)
            distance /= max(1, size - 1)
        else:
            for j in range(starts[c], starts[c + 1]):
                p[values[j]] = rows[j] / n
            for level in range(levels):
                for v in range(size):
                    extra[groups[level, v]] += p[v] - q[v]
                for v in range(size):
                    distance += abs(extra[groups[level, v]])
                    extra[groups[level, v]] = 0.0
            distance /= 2 * levels
        if distance > most + slack:
            fails[c] = True
            _witness(kind, starts[c], starts[c + 1], values, rows, n, q, groups, p, f, extra)
            bound = most + slack
            for v in range(size):
                bound += q[v] * f[v]
            gone = _removed(starts[c], starts[c + 1], values, rows, f, bound)
            must[c] = max(must[c], gone)
        if kind != EQUAL:
            for j in range(starts[c], starts[c + 1]):
                p[values[j]] = 0.0


@njit(cache=True, nogil=True)
def _witness(
    kind: int, begin: int, end: int, values: Any, rows: Any, n: int, q: Any, groups: Any, p: Any,
    f: Any, extra: Any,
) -> None:  # fmt: skip
    size = q.shape[0]
    if kind == EQUAL:
        for v in range(size):
            f[v] = 0.0
        for j in range(begin, end):
            if rows[j] / n > q[values[j]]:
                f[values[j]] = 1.0
    elif kind == ORDERED:
        running = 0.0
        for v in range(size):
            running += p[v] - q[v]
            f[v] = np.sign(running) if v < size - 1 else 0.0
        ahead = 0.0
        for v in range(size - 1, -1, -1):
            ahead += f[v]
            f[v] = ahead / max(1, size - 1)
    else:
        for v in range(size):
            f[v] = 0.0
        for level in range(groups.shape[0]):
            for v in range(size):
                extra[groups[level, v]] += p[v] - q[v]
            for v in range(size):
                f[v] += np.sign(extra[groups[level, v]]) / (2 * groups.shape[0])
            for v in range(size):
                extra[groups[level, v]] = 0.0


@njit(cache=True, nogil=True)
def _removed(begin: int, end: int, values: Any, rows: Any, f: Any, bound: float) -> Any:
    """Return how many rows must go so that the mean of ``f`` over the rest is at most ``bound``."""
    many = end - begin
    heights = np.empty(many)
    total = 0.0
    n = 0
    for j in range(many):
        heights[j] = f[values[begin + j]]
        total += heights[j] * rows[begin + j]
        n += rows[begin + j]
    gone = 0
    order = np.argsort(heights)
    for j in range(many - 1, -1, -1):
        over = total - bound * (n - gone)
        if over <= 1e-9 * n:
            break
        h, r = heights[order[j]], rows[begin + order[j]]
        if h <= bound:
            break
        need = np.int64(np.ceil(over / (h - bound) - 1e-9))
        taken = min(need, r)
        gone += taken
        total -= h * taken
    return gone


# -- what a node costs


@njit(cache=True, nogil=True)
def facts(counts: Any, fails: Any, must: Any, least: int) -> Any:
    """Return suppressed rows, kept classes, their squares, rows that must go, and what bounds ancestors.

    The last three bound what may still be reached by generalising on: sum of count * max(count, least)
    over all classes; classes of ``least`` rows and more; rows in smaller ones.
    """
    suppressed, kept, big, small, gone = 0, 0, 0, 0, 0
    squares, reach = 0.0, 0.0
    for c in range(counts.shape[0]):
        n = counts[c]
        gone += must[c]
        reach += float(n) * max(n, least)
        if n >= least:
            big += 1
        else:
            small += n
        if fails[c]:
            suppressed += n
        elif n > 0:
            kept += 1
            squares += float(n) * n
    return suppressed, kept, squares, gone, reach, big, small


@njit(cache=True, nogil=True)
def kept_shares(
    keys: Any, counts: Any, fails: Any, word: Any, shift: Any, mask: Any, shares: Any, first: Any
) -> Any:
    """Return for each attribute the sum over kept classes of rows times share of their form.

    ``shares[first[a] + code]`` is the share of a form at the node's level of attribute a.
    """
    sums = np.zeros(word.shape[0])
    for c in range(counts.shape[0]):
        if not fails[c]:
            for a in range(word.shape[0]):
                code = np.int64((keys[word[a]][c] >> shift[a]) & mask[a])
                sums[a] += counts[c] * shares[first[a] + code]
    return sums


@njit(cache=True, nogil=True)
def suppressed_forms(
    keys: Any, counts: Any, fails: Any, word: Any, shift: Any, mask: Any, first: Any, size: int
) -> Any:
    """Return how many suppressed rows have each form: form ``code`` of attribute a at ``first[a] + code``."""
    found = np.zeros(size, np.int64)
    for c in range(counts.shape[0]):
        if fails[c]:
            for a in range(word.shape[0]):
                code = np.int64((keys[word[a]][c] >> shift[a]) & mask[a])
                found[first[a] + code] += counts[c]
    return found


@njit(cache=True, nogil=True)
def _digamma(x: float) -> Any:
    """Return the derivative of ln Gamma for x > 0 (Abramowitz and Stegun 6.3.5 and 6.3.18)."""
    below = 0.0
    while x < _FAR:
        below += 1 / x
        x += 1
    v = 1 / (x * x)
    series = v * (1 / 12 - v * (1 / 120 - v * (1 / 252 - v * (1 / 240 - v / 132))))
    return np.log(x) - 0.5 / x - series - below


@njit(cache=True, nogil=True)
def _trigamma(x: float) -> Any:
    """Return the second derivative of ln Gamma for x > 0 (Abramowitz and Stegun 6.4.6 and 6.4.12)."""
    below = 0.0
    while x < _FAR:
        below += 1 / (x * x)
        x += 1
    v = 1 / (x * x)
    series = (1 + v * (1 / 6 - v * (1 / 30 - v * (1 / 42 - v * (1 / 30 - v * 5 / 66))))) / x
    return series + 0.5 * v + below


@njit(cache=True, nogil=True)
def _pitman_slopes(sizes: Any, many: Any, u: float, n: float, theta: float, alpha: float) -> Any:
    """Return first and second derivatives of the logarithm of Pitman's sampling formula.

    It is sum ln(theta + i alpha), i < u, less sum ln(theta + i), i < n, plus for each class of size j
    sum ln(i - alpha), i < j. Where closed forms would lose their digits terms are added up.
    """
    a0 = a1 = b0 = b1 = b2 = 0.0  # sums of i^k / (theta + i alpha)^1 and ^2
    if abs(alpha) * u <= 1e-3 * theta:
        for i in range(1, int(u)):
            one = 1 / (theta + i * alpha)
            a0 += one
            a1 += i * one
            b0 += one * one
            b1 += i * one * one
            b2 += (i * one) * (i * one)
    else:
        t = theta / abs(alpha)
        low, high = (t + 1, t + u) if alpha > 0 else (t - u + 1, t)
        a0 = (_digamma(high) - _digamma(low)) / abs(alpha)
        b0 = (_trigamma(low) - _trigamma(high)) / (alpha * alpha)
        a1 = (u - 1 - theta * a0) / alpha
        b1 = (a0 - theta * b0) / alpha
        b2 = (a1 - theta * b1) / alpha
    first, second = _digamma(1 - alpha), _trigamma(1 - alpha)
    within, beyond = 0.0, 0.0
    for s in range(sizes.shape[0]):
        if sizes[s] > 1:
            within += many[s] * (_digamma(sizes[s] - alpha) - first)
            beyond += many[s] * (second - _trigamma(sizes[s] - alpha))
    return (
        a0 - (_digamma(theta + n) - _digamma(theta + 1)),
        a1 - within,
        _trigamma(theta + 1) - _trigamma(theta + n) - b0,
        -b1,
        -b2 - beyond,
    )


@njit(cache=True, nogil=True)
def most_likely_pitman(
    sizes: Any, many: Any, u: float, n: float, theta: float, alpha: float
) -> Any:
    """Return theta and alpha at which the likelihood is largest, and whether they were found.

    Newton's method from the ``theta`` and ``alpha`` given. Where the likelihood has no top there its curve is
    bent until it has, so that each step leads uphill; a step is halved until it stays where the model is
    defined and does not go too far beyond the top; if alpha runs away nothing is found. ``many[s]`` classes have ``sizes[s]`` rows, u and n are
    all classes and rows.
    """
    d0, d1, h00, h01, h11 = _pitman_slopes(sizes, many, u, n, theta, alpha)
    for _ in range(200):
        middle, half = (h00 + h11) / 2, np.hypot((h00 - h11) / 2, h01)
        steepest = max(abs(middle + half), abs(middle - half))
        bend = 0.0
        if middle + half > -1e-12 * steepest:
            bend = middle + half + 1e-3 * steepest
        g00, g11 = h00 - bend, h11 - bend
        whole = g00 * g11 - h01 * h01
        s0, s1 = (h01 * d1 - g11 * d0) / whole, (h01 * d0 - g00 * d1) / whole
        if abs(s0) <= 1e-11 * (1 + abs(theta)) and abs(s1) <= 1e-11 * (1 + abs(alpha)):
            return theta, alpha, True
        found = False
        for _ in range(200):
            t, a = theta + s0, alpha + s1
            if a < 1 and t >= 0 and t + a > 0 and t + (u - 1) * a > 0:
                climb = s0 * d0 + s1 * d1
                e0, e1, k00, k01, k11 = _pitman_slopes(sizes, many, u, n, t, a)
                if s0 * e0 + s1 * e1 >= -0.9 * climb:
                    found = True
                    break
            s0, s1 = s0 / 2, s1 / 2
        if not found:
            return theta, alpha, False
        theta, alpha, d0, d1, h00, h01, h11 = t, a, e0, e1, k00, k01, k11
        if alpha < _EVEN:
            break
    return theta, alpha, False
