"""Brute force, written from the definitions: nothing of the engine's own but its inputs.

A case is small enough that every node of its lattice can be judged in plain Python, row by row.
"""

import itertools
import math
from collections import Counter, defaultdict
from fractions import Fraction


def nodes(hierarchies):
    """All nodes: a level for each hierarchy (rows of value and forms)."""
    return itertools.product(*(range(len(h[0])) for h in hierarchies))


def form(hierarchy, value, level):
    return next(row[level] for row in hierarchy if row[0] == value)


def classes_at(rows, hierarchies, node):
    """Class (tuple of forms) -> the numbers of its rows."""
    found = defaultdict(list)
    for number, row in enumerate(rows):
        key = tuple(form(h, row[a], node[a]) for a, h in enumerate(hierarchies))
        found[key].append(number)
    return found


def distance(kind, p, q, values, hierarchy):
    if kind == "equal":
        return sum(abs(p[v] - q[v]) for v in values) / 2
    if kind == "ordered":
        total, running = Fraction(0), Fraction(0)
        for v in sorted(values, key=float):
            running += p[v] - q[v]
            total += abs(running)
        return total / max(1, len(values) - 1)
    # Li et al. 2007, section 3.3.3: cost of each inner node, height of a leaf is 0.
    height = len(hierarchy[0]) - 1
    total = Fraction(0)
    for level in range(1, height + 1):
        inner = defaultdict(lambda: defaultdict(Fraction))
        for row in hierarchy:
            if row[0] in values:
                inner[row[level]][row[level - 1]] += p[row[0]] - q[row[0]]
        for children in inner.values():
            more = sum(e for e in children.values() if e > 0)
            less = -sum(e for e in children.values() if e < 0)
            total += Fraction(level, height) * min(more, less)
    return total


def passes(model, members, sensitive, sensitive_hierarchy, population):  # noqa: PLR0911 - one way out for each model
    """Whether one class satisfies one class model, given as a dict like the configuration's."""
    kind = model["kind"]
    n = len(members)
    if kind == "k-anonymity":
        return n >= model["k"]
    if kind == "strict-risk":
        return Fraction(1, n) <= Fraction(model["threshold"]).limit_denominator(1000)
    if kind == "k-map":
        return population >= model["k"]
    if kind == "delta-presence":
        return model["low"] - 1e-9 <= n / population <= model["high"] + 1e-9
    counts = Counter(sensitive[i] for i in members)
    if kind == "distinct-l-diversity":
        return len(counts) >= model["l"]
    if kind == "entropy-l-diversity":
        entropy = -sum(c / n * math.log(c / n) for c in counts.values())
        return entropy >= math.log(model["l"]) - 1e-9
    if kind == "recursive-l-diversity":
        r = sorted(counts.values(), reverse=True)
        return len(r) >= model["l"] and r[0] < model["c"] * sum(r[model["l"] - 1 :])
    assert kind == "t-closeness"
    whole = Counter(sensitive)
    q = {v: Fraction(c, len(sensitive)) for v, c in whole.items()}
    p = {v: Fraction(counts[v], n) for v in whole}
    return distance(model["distance"], p, q, set(whole), sensitive_hierarchy) <= model["t"] + 1e-9


def zayatz(sizes, people):
    """Zayatz's estimate with exact numbers: (share of ones) x (they are seen) / (one row of any is seen)."""
    n, u = sum(sizes), len(sizes)
    single = sum(m == 1 for m in sizes)

    def one_of(m):
        return Fraction(m * math.comb(people - m, n - 1), math.comb(people, n))

    if not single:
        return Fraction(0)
    chance = sum(one_of(m) for m in sizes) / u
    return single * (Fraction(single, u) * one_of(1) / chance) / n


def holds(model, sizes):
    """Whether a release with classes of these sizes satisfies one release model."""
    if model["kind"] == "average-risk":
        return len(sizes) <= model["threshold"] * sum(sizes) + 1e-9
    assert (model["kind"], model["estimator"]) == ("population-uniqueness", "zayatz")
    return zayatz(sizes, model["population"]) <= model["threshold"] + 1e-9


RELEASE = {"average-risk", "population-uniqueness"}


def suppressed_at(
    rows, hierarchies, node, models, *, sensitive, sensitive_hierarchy, population_rows
):
    """The kept classes and the numbers of suppressed rows."""
    found = classes_at(rows, hierarchies, node)
    wide = classes_at(population_rows, hierarchies, node) if population_rows else {}
    kept, gone = {}, []
    for key, members in found.items():
        good = all(
            passes(m, members, sensitive, sensitive_hierarchy, len(wide.get(key, ())))
            for m in models
            if m["kind"] not in RELEASE
        )
        if good:
            kept[key] = members
        else:
            gone += members
    absent = any(key not in found for key in wide)
    if absent and any(m["kind"] == "delta-presence" and m["low"] > 1e-9 for m in models):
        return {}, list(
            range(len(rows))
        )  # of these people it is known that they are not in the table
    for m in models:
        if m["kind"] in RELEASE:
            while kept and not holds(m, [len(members) for members in kept.values()]):
                least = min(len(members) for members in kept.values())
                # Which of the smallest goes first is a tie; callers compare only what is the same for all.
                key = next(k for k, members in kept.items() if len(members) == least)
                gone += kept.pop(key)
    return kept, gone


def cost(metric, rows, hierarchies, node, *, kept, gone, weights=None):
    n, s = len(rows), len(gone)
    w = [1.0] * len(hierarchies) if weights is None else [each / max(weights) for each in weights]
    if metric == "discernibility":
        return sum(len(m) ** 2 for m in kept.values()) + n * s
    if metric == "average-class-size":
        return n / max(1, len(kept) + (s > 0))
    if metric == "precision":
        each = []
        for level, h in zip(node, hierarchies, strict=True):
            share = level / max(1, len(h[0]) - 1)
            each.append(((n - s) * share + s) / n)
        return sum(a * b for a, b in zip(w, each, strict=True)) / len(w)
    if metric == "loss":
        total = 1.0
        for a, h in enumerate(hierarchies):
            share = Counter(row[node[a]] for row in h)
            t = sum(len(m) * share[key[a]] / len(h) for key, m in kept.items()) + s
            m = n / len(h)
            x = max(0.0, (t - m) / (n - m)) if n > m else 0.0
            total *= w[a] * x + 1
        return total ** (1 / len(w)) - 1
    assert metric == "entropy"
    total = 0.0
    for a, h in enumerate(hierarchies):
        whole = Counter(form(h, row[a], node[a]) for row in rows)
        values = Counter(row[a] for row in rows)
        part = -sum(c * math.log2(c / whole[form(h, v, node[a])]) for v, c in values.items())
        lost = Counter(form(h, rows[i][a], node[a]) for i in gone)
        part -= sum(c * math.log2(c / s) for c in lost.values())
        total += w[a] * part
    return total


def optimum(rows, hierarchies, models, metric, *, limit, sensitive=None, sensitive_hierarchy=None,
            population_rows=None, weights=None):  # fmt: skip
    """The least cost over all nodes that suppress ``limit`` rows at most, and the nodes that have it."""
    best, where = math.inf, []
    for node in nodes(hierarchies):
        kept, gone = suppressed_at(
            rows, hierarchies, node, models, sensitive=sensitive,
            sensitive_hierarchy=sensitive_hierarchy, population_rows=population_rows,
        )  # fmt: skip
        if len(gone) > limit:
            continue
        found = cost(metric, rows, hierarchies, node, kept=kept, gone=gone, weights=weights)
        if found < best - 1e-9 * max(1.0, abs(best)) or math.isinf(best):
            best, where = found, [(node, len(gone), len(kept))]
        elif found <= best + 1e-9 * max(1.0, abs(best)):
            where.append((node, len(gone), len(kept)))
    return best, where
