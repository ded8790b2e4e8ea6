"""What a row loses by a form, as tables for compiled loops; and clusters as arrays.

Rules kept in this file:
  1. Prices add up: over rows and attributes they are the metric, or (``loss``, whose attributes multiply) follow
     it closely. What a release really loses is told by ``Mixed.cost`` alone.
  2. A cluster is a number, given to each finest class (*member*); ``SUPPRESSED`` are those left out.
  3. A level above the top, with one form and without price, stands on each tree: what has no form in common is
     never joined.
"""

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import BY_LEVELS, Floats, Metric
from epilock.deidentify.criteria.model import KAnonymity, numeric_order
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.search.local import clusters, mixed
from epilock.deidentify.search.local.mixed import Flags, Numbers

SUPPRESSED = -1
NO_FORM = np.inf
WORTH_A_THREAD = 500  # clusters that look for a partner
SHARES = 8  # of work for each core: blocks differ


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """The tables of ``clusters``: what a row loses by each form, and by suppression.

    Attributes:
        code, price, first, sizes, ordered: See ``clusters``.
        alone: What a suppressed row loses.
    """

    code: Numbers = field(repr=False)
    price: Floats = field(repr=False)
    first: Counts
    sizes: Counts
    ordered: Flags
    alone: float

    @property
    def tables(self) -> tuple[Numbers, Floats, Counts, Counts]:
        """All but the kind of each attribute."""
        return self.code, self.price, self.first, self.sizes


def prices_of(metric: Metric, finest: Classes, ordered: Collection[str] = ()) -> Prices:
    """Return what forms cost by ``metric``; those of classes are served by the shares of ``loss``.

    Args:
        metric: What is minimised.
        finest: The classes at level 0 of each attribute.
        ordered: Names of the attributes that are cut by order; all others are trees.
    """
    values = mixed.values_of(finest)
    codes: list[npt.NDArray[np.integer]] = []
    prices: list[Floats] = []
    alone = 0.0
    for a, h in enumerate(finest.packing.hierarchies):
        rows = np.bincount(values[:, a], finest.counts, h.size).astype(float)
        if h.attribute in ordered:
            codes.append(ranks_of(h))
            price, most = _interval(metric.name, h, rows)
        else:
            codes.append(np.concatenate([*h.codes, np.zeros(h.size, np.int32)]))
            table, most = _tree(metric.name, h, rows)
            price = np.concatenate([table.ravel(), np.full(h.size, NO_FORM)])
        prices.append(metric.weights[a] * price)
        alone += float(metric.weights[a]) * most
    if metric.name not in BY_LEVELS:
        alone = np.inf  # a class more is never worse than rows suppressed
    return Prices(
        np.concatenate(codes).astype(np.int32), np.concatenate(prices),
        np.cumsum([0, *map(len, codes[:-1])]),
        np.array([h.size for h in finest.packing.hierarchies], np.int64),
        np.array([h.attribute in ordered for h in finest.packing.hierarchies]), alone,
    )  # fmt: skip


def _tree(name: str, h: Hierarchy, rows: Floats) -> tuple[Floats, float]:
    """Return the price of each value's form on each level, and that of a suppressed row."""
    if name == "precision":
        share = np.arange(h.height + 1) / max(1, h.height)
        return np.repeat(share[:, None], h.size, axis=1), 1.0
    if name == "entropy":
        of_form = [np.bincount(code, rows)[code] for code in h.codes]
        return np.log2(np.maximum(1.0, np.stack(of_form))), _bits(rows)
    shares = np.stack([share[code] for share, code in zip(h.shares, h.codes, strict=True)])
    return (shares - 1 / h.size) / max(1 - 1 / h.size, 1 / h.size), 1.0


def _interval(name: str, h: Hierarchy, rows: Floats) -> tuple[Floats, float]:
    """Return the price of an interval by its number of values, and that of a suppressed row."""
    if name == "entropy":  # as if all values were equally frequent
        widths = rows.sum() * np.arange(1, h.size + 1) / h.size
        return np.log2(np.maximum(1.0, widths)), _bits(rows)
    return np.arange(h.size) / max(1, h.size - 1), 1.0


def _bits(rows: Floats) -> float:
    return float(np.log2(max(1.0, rows.sum())))


def ranks_of(h: Hierarchy) -> Numbers:
    """Return each value's place in the order: that of numbers, or else that of the hierarchy's rows."""
    ranks = numeric_order(h.forms[0])
    return np.arange(h.size, dtype=np.int32) if ranks is None else ranks


def of_classes(judge: Judge, size: int) -> Judge:
    """Return ``judge`` without its models of a whole release, and with ``size`` rows as a class's least."""
    models = judge.class_models
    if size > judge.least or not models:
        models = (*models, (KAnonymity(size), None))
    return replace(judge, class_models=models, release_models=(), least=max(size, judge.least))


def fails_of(judge: Judge, finest: Classes, member: Numbers, many: int) -> Flags:
    """Return which of ``many`` clusters of ``finest`` classes fail a model; those in none are left out."""
    among = member >= 0
    if not among.all():
        finest, member = mixed.only(finest, among), member[among]
    classes = mixed.merged(finest, member, many, (np.arange(many, dtype=np.uint64),))
    fails, _ = judge.judge(classes)
    return fails


def looks_of(
    member: Numbers, values: Numbers, prices: Prices, many: int
) -> tuple[Numbers, Numbers]:
    """Return ``low`` and ``high`` of each of ``many`` clusters; see ``clusters``."""
    members, starts = sorted_by(member, many)
    low = np.empty((many, values.shape[1]), np.int32)
    high = np.empty_like(low)
    clusters.looks(
        members, starts, values, prices.code, prices.first, prices.sizes, prices.ordered, low, high
    )
    return low, high


def costs_of(low: Numbers, high: Numbers, prices: Prices) -> Floats:
    """Return what a row loses in each cluster that looks so."""
    found: Floats = clusters.costs(
        low, high, prices.price, prices.first, prices.sizes, prices.ordered
    )
    return found


def without_rows(finest: Classes, member: Numbers) -> Flags:
    """Return which finest classes are left out: suppressed, or in a cluster that has no row of the table."""
    there = member >= 0
    rows = np.bincount(member[there], finest.counts[there], int(member.max(initial=SUPPRESSED)) + 1)
    return np.append(rows == 0, True)[member]  # the last one is SUPPRESSED's


def sorted_by(member: npt.NDArray[np.integer], many: int) -> tuple[Counts, Counts]:
    """Return the finest classes in the order of their clusters, and where each cluster begins."""
    members, starts = clusters.sort(member, many)
    return members, starts


def numbered(member: npt.NDArray[np.integer], many: int) -> tuple[Counts, Numbers]:
    """Return which of ``many`` numbers ``member`` uses, and ``member`` numbered anew without gaps."""
    used = np.flatnonzero(np.bincount(member, minlength=many))
    places = np.zeros(many, np.int32)
    places[used] = np.arange(len(used))
    return used, places[member]


def nearest(who: npt.NDArray[np.integer], *given: npt.NDArray[np.generic]) -> None:
    """Call ``clusters.nearest`` for shares of ``who``, one on each core."""
    cores = os.cpu_count() or 1
    if len(who) < WORTH_A_THREAD * cores:
        clusters.nearest(who, *given)
        return
    with ThreadPoolExecutor(cores) as threads:
        shares = np.array_split(who, SHARES * cores)
        for each in [threads.submit(clusters.nearest, share, *given) for share in shares]:
            each.result()
