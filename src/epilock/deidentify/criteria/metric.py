"""Quality metrics: what a node's release loses, and a lower bound of it before the node is looked at.

Formulas, N rows, s of them suppressed, n attributes, attribute a on level L(a) of height(a) with weight w (the
largest is 1, whatever was given; ARX weighs so too):
  * ``loss`` (ARX's Loss, factor 0.5): T = sum over kept classes of rows x share of the form, plus s;
    m = N / values of the hierarchy; x = max(0, (T - m) / (N - m)); prod (w x + 1)^(1/n) - 1.
  * ``precision`` (Sweeney 2002): sum of w ((N - s) L(a) / height(a) + s) / N, over n.
  * ``entropy`` (non-uniform; Gionis and Tassa 2009): sum of w times - sum over values of c log2(c / rows
    of its form in the whole table) - sum over suppressed rows' forms of c log2(c / s).
  * ``discernibility`` (Bayardo and Agrawal 2005): sum of count^2 over kept classes, plus N s.
  * ``average-class-size`` (LeFevre et al. 2006): N / (kept classes, and one more if s > 0).

Bounds. The first three have a part that only levels decide; it never falls from level to level, and s rows
more cost at least what the s cheapest would (``Terms``). The last two are bounded by what was seen at a
node below (classes only merge) and above (rows suppressed there stay suppressed).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria import kernels
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Levels
from epilock.errors import InputError

Name = Literal["loss", "precision", "entropy", "discernibility", "average-class-size"]
NAMES: tuple[Name, ...] = ("loss", "precision", "entropy", "discernibility", "average-class-size")
BY_LEVELS = frozenset({"loss", "precision", "entropy"})
Floats = npt.NDArray[np.float64]


class Shape(IntEnum):
    """How the terms of the attributes become one number."""

    GEOMETRIC = 0
    SUM = 1
    SQUARES = 2
    CLASSES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What each attribute costs on each level, by the number of rows suppressed.

    The term of attribute a on level l is ``base[a, l]`` plus a convex function of s, linear between the
    points ``rows[j], extra[j]`` for j from ``first[a, l]`` to ``first[a, l + 1]``.
    """

    base: Floats
    first: Counts
    rows: Counts = field(repr=False)
    extra: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric made ready for one table.

    Attributes:
        name: One of ``NAMES``.
        shape: How terms are combined.
        weights: For each attribute; the largest is 1, or 1/n for ``precision``, which is a mean.
        rows: N.
        floor: m of each attribute, for ``loss``.
        terms: For bounds.
    """

    name: Name
    shape: Shape
    weights: Floats
    rows: int
    floor: Floats
    terms: Terms
    _finest: Classes = field(repr=False)

    @property
    def hierarchies(self) -> tuple[Hierarchy, ...]:
        """The hierarchies of the attributes that are added up."""
        return self._finest.packing.hierarchies

    def cost(self, classes: Classes, fails: npt.NDArray[np.bool_], facts: "Facts") -> float:
        """Return what the release of ``classes`` without those that fail loses."""
        n, s = self.rows, facts.suppressed
        if self.shape is Shape.SQUARES:
            return facts.squares + float(n) * s
        if self.shape is Shape.CLASSES:
            return n / max(1, facts.kept + (s > 0))
        if self.name == "precision":
            heights = [h.height for h in classes.packing.hierarchies]
            share = np.array(
                [level / max(1, h) for level, h in zip(classes.levels, heights, strict=True)]
            )
            return self.of_terms(((n - s) * share + s) / n)
        if self.name == "loss":
            x = np.maximum(0.0, (self._kept(classes, fails) + s - self.floor) / self._range())
            return self.of_terms(x)
        lost = self._suppressed(classes, fails, s)
        return self.of_levels(classes.levels) + float(self.weights @ lost)

    def of_terms(self, terms: Floats) -> float:
        """Return the attributes' ``terms`` as one number; for metrics that add up attributes."""
        if self.shape is Shape.GEOMETRIC:
            return float(np.prod(self.weights * terms + 1) ** (1 / len(terms)) - 1)
        return float(self.weights @ terms)

    def of_levels(self, levels: Sequence[int] | Levels) -> float:
        """Return the part of a sum over attributes that only levels decide."""
        each = np.array([self.terms.base[a, level] for a, level in enumerate(levels)])
        return float(self.weights @ each)

    def _range(self) -> Floats:
        """Return the most that each attribute can lose; one that says the same of all rows loses nothing."""
        return np.where(self.floor < self.rows, self.rows - self.floor, np.inf)

    def _kept(self, classes: Classes, fails: npt.NDArray[np.bool_]) -> Floats:
        packing = classes.packing
        tables = [
            h.shares[level] for h, level in zip(packing.hierarchies, classes.levels, strict=True)
        ]
        first = np.cumsum([0, *map(len, tables[:-1])])
        sums: Floats = kernels.kept_shares(
            classes.keys, classes.counts, fails, packing.word, packing.shift, packing.mask,
            np.concatenate(tables), first,
        )  # fmt: skip
        return sums

    def _suppressed(self, classes: Classes, fails: npt.NDArray[np.bool_], s: int) -> Floats:
        packing = classes.packing
        sizes = [
            len(h.forms[level])
            for h, level in zip(packing.hierarchies, classes.levels, strict=True)
        ]
        first = np.cumsum([0, *sizes])
        found = kernels.suppressed_forms(
            classes.keys, classes.counts, fails, packing.word, packing.shift, packing.mask, first[:-1],
            first[-1],
        ).astype(float)  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(found > 0, -found * np.log2(found / max(1, s)), 0.0)
        return np.add.reduceat(each, first[:-1])


@dataclass(frozen=True, slots=True)
class Facts:
    """What is counted at a node; see ``kernels.facts``."""

    suppressed: int
    kept: int
    squares: float
    must: int
    reach: float
    big: int
    small: int


def prepare(name: str, finest: Classes, weights: Mapping[str, float] | None = None) -> Metric:
    """Return the metric ``name`` for the table whose finest classes are given.

    Args:
        name: One of ``NAMES``.
        finest: The classes at level 0 of each attribute.
        weights: Weight of an attribute, 1 if left out; only for the metrics that add up attributes.

    Raises:
        InputError: There is no such metric, a weight is negative or names no attribute, all are 0, or the
            metric knows no attributes.
    """
    if name not in NAMES:
        raise InputError(f"there is no metric {name!r}; there are {', '.join(NAMES)}")
    attributes = [h.attribute for h in finest.packing.hierarchies]
    given = check_weights(name, attributes, weights or {})
    hierarchies = finest.packing.hierarchies
    n = finest.rows
    floor = np.array([n / h.size for h in hierarchies])
    terms = _terms(name, finest)
    shape = {
        "loss": Shape.GEOMETRIC, "precision": Shape.SUM, "entropy": Shape.SUM,
        "discernibility": Shape.SQUARES,
    }.get(name, Shape.CLASSES)  # fmt: skip
    given = given / given.max()
    if name == "precision":
        given = given / len(given)
    return Metric(name, shape, given, n, floor, terms, finest)


def check_weights(name: str, attributes: Sequence[str], weights: Mapping[str, float]) -> Floats:
    """Return the weight of each attribute; raises as ``prepare`` does."""
    given = np.array([float(weights.get(a, 1)) for a in attributes])
    unknown = sorted(set(weights) - set(attributes))
    if unknown:
        raise InputError(f"weights name {', '.join(unknown)}, which is no quasi-identifier")
    if weights and name not in BY_LEVELS:
        raise InputError(f"the metric {name} counts classes, not attributes: it takes no weights")
    if not np.isfinite(given).all() or (given < 0).any() or not given.sum():
        raise InputError("weights are numbers of 0 and more, not all of them 0")
    return given


def _terms(name: str, finest: Classes) -> Terms:
    packing = finest.packing
    most = max(h.height + 1 for h in packing.hierarchies)
    base = np.zeros((len(packing.hierarchies), most))
    first = np.zeros((len(packing.hierarchies), most + 1), np.int64)
    points: list[tuple[Counts, Floats]] = []
    end = 0
    for a, hierarchy in enumerate(packing.hierarchies):
        values = packing.codes(finest.keys, a)
        rows: Floats = np.bincount(values, finest.counts, hierarchy.size).astype(float)
        for level in range(hierarchy.height + 1):
            base[a, level], extra = _term(name, hierarchy, level, rows)
            order = np.argsort(extra, kind="stable")
            order = order[rows[order] > 0]
            points.append((
                np.concatenate([[0], np.cumsum(rows[order])]).astype(np.int64),
                np.concatenate([[0.0], np.cumsum(rows[order] * extra[order])]),
            ))  # fmt: skip
            first[a, level] = end
            end += len(points[-1][0])
        first[a, hierarchy.height + 1 :] = end
    return Terms(
        base,
        first,
        np.concatenate([rows for rows, _ in points]),
        np.concatenate([e for _, e in points]),
    )


def _term(name: str, hierarchy: Hierarchy, level: int, rows: Floats) -> tuple[float, Floats]:
    """Return an attribute's cost on a level, and what one suppressed row of each value adds."""
    code, shares = hierarchy.codes[level], hierarchy.shares[level]
    nothing = np.zeros(len(rows))
    if name == "loss":
        return float(rows @ shares[code]), 1 - shares[code]
    if name == "precision":
        share = level / max(1, hierarchy.height)
        return share, nothing + (1 - share) / rows.sum()
    if name == "entropy":
        of_form = np.bincount(code, weights=rows)[code]
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(rows > 0, -rows * np.log2(rows / of_form), 0.0)
        return float(each.sum()), nothing
    return 0.0, nothing
