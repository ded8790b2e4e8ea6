"""Privacy models: what a class, or a whole release, must satisfy.

Each model judges the classes of a node. A class that fails one is suppressed. Rules kept in this file:
  1. Every class model here is kept by merging classes that pass. So what of a failing class could be
     kept however its rows are told apart further is bounded (``must``), and nodes below are ruled out.
  2. A model says from which size on a class can pass at all (``least``).
  3. Models of a whole release (``ReleaseModel``) come last: the smallest classes go, one by one, until
     the release satisfies it; an empty release satisfies all.

Sources: k-anonymity (Sweeney 2002) · k-map (Sweeney 2001) · l-diversity (Machanavajjhala, Kifer, Gehrke,
Venkitasubramaniam 2007) · t-closeness (Li, Li, Venkatasubramanian 2007) · delta-presence (Nergiz, Atzori,
Clifton 2007) · prosecutor, journalist and marketer risk (El Emam 2013) · population uniqueness
(``population``).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria import kernels
from epilock.deidentify.criteria import population as people
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Keys
from epilock.errors import InputError

SLACK = 1e-9  # a class exactly at a threshold passes whatever the rounding of shares
ROUNDING = 1e-12  # the same of sums of logarithms and of distances; truly lower ones of a million rows are further off
Fails = npt.NDArray[np.bool_]
Distance = Literal["equal", "ordered", "hierarchical"]
Adversary = Literal["prosecutor", "journalist"]


@dataclass(frozen=True, slots=True, eq=False)
class Sensitive:
    """One sensitive attribute of the table that is judged.

    Attributes:
        index: Which of the classes' histograms.
        frequencies: Share of each value in the whole table.
        groups: Shape (levels, values): each value's group on the levels below the root; one level of
            values each for itself if it has no hierarchy.
        order: Each value's place in the attribute's order, or None if it has none.
    """

    index: int
    frequencies: npt.NDArray[np.float64]
    groups: npt.NDArray[np.int64]
    order: npt.NDArray[np.int32] | None


def sensitive_of(
    index: int, name: str, values: Sequence[str], rows: Counts, hierarchy: Hierarchy | None
) -> Sensitive:
    """Return the sensitive attribute ``name`` with its ``values`` and their ``rows`` in the table.

    Its order is that of numbers if all values are numbers, else that of the hierarchy's rows.

    Raises:
        InputError: The hierarchy lacks a value, or does not end in one form for all.
    """
    frequencies = rows / max(1, rows.sum())
    if hierarchy is None:
        return Sensitive(index, frequencies, np.arange(len(values))[None, :], numeric_order(values))
    missing = sum(value not in hierarchy.number_of for value in values)
    if missing:
        raise InputError(f"{missing} values of column {name} are missing from its hierarchy")
    if len(hierarchy.forms[-1]) != 1:
        raise InputError(
            f"the hierarchy of the sensitive column {name} must end in one form for all values"
        )
    codes = np.array([hierarchy.number_of[value] for value in values])
    groups = np.stack([hierarchy.codes[level][codes] for level in range(hierarchy.height)])
    numeric = numeric_order(values)
    order = numeric if numeric is not None else _ranks(codes)
    return Sensitive(index, frequencies, _dense(groups), order)


def _dense(groups: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return np.stack([np.unique(level, return_inverse=True)[1] for level in groups]).astype(np.int64)


def numeric_order(values: Sequence[str]) -> npt.NDArray[np.int32] | None:
    """Return each value's place in the order of numbers, or None if not all are numbers."""
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return None
    return _ranks(numbers) if np.isfinite(numbers).all() else None


def _ranks(keys: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    ranks = np.empty(len(keys), np.int32)
    ranks[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    return ranks


class ClassModel(Protocol):
    """A model that each class must satisfy by itself."""

    kind: ClassVar[str]

    @property
    def attribute(self) -> str | None:
        """The sensitive attribute that it is about, if any."""
        ...

    @property
    def least(self) -> int:
        """The smallest number of rows with which a class can pass."""
        ...

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        """Mark the classes that fail, and raise the bounds of what stays suppressed of them."""
        ...


class ReleaseModel(ABC):
    """A model that the kept classes must satisfy together."""

    kind: ClassVar[str]

    @abstractmethod
    def holds(self, sizes: Counts) -> bool:
        """Return whether a release whose classes have these ``sizes`` satisfies it."""


Model = ClassModel | ReleaseModel


@dataclass(frozen=True, slots=True)
class KAnonymity:
    """Each class has at least ``k`` rows: the prosecutor's risk is at most 1/k."""

    kind: ClassVar[str] = "k-anonymity"
    attribute: ClassVar[None] = None
    k: int

    def __post_init__(self) -> None:
        _check_at_least(self.kind, "k", self.k, 1)

    @property
    def least(self) -> int:
        return self.k

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        kernels.fail_small(classes.counts, self.k, classes.counts, fails, must)


@dataclass(frozen=True, slots=True)
class KMap:
    """Each class has at least ``k`` rows in the population: the journalist's risk is at most 1/k."""

    kind: ClassVar[str] = "k-map"
    attribute: ClassVar[None] = None
    least: ClassVar[int] = 1
    k: int

    def __post_init__(self) -> None:
        _check_at_least(self.kind, "k", self.k, 1)

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        kernels.fail_small(_population(self.kind, classes), self.k, classes.counts, fails, must)


@dataclass(frozen=True, slots=True)
class StrictRisk:
    """Nobody's risk of being identified exceeds ``threshold``, by the adversary named."""

    kind: ClassVar[str] = "strict-risk"
    attribute: ClassVar[None] = None
    threshold: float
    adversary: Adversary = "prosecutor"

    def __post_init__(self) -> None:
        _check_share(self.kind, "threshold", self.threshold, positive=True)

    @property
    def size(self) -> int:
        """The class size that keeps the risk: the least n with 1/n <= threshold."""
        return math.ceil(1 / self.threshold - SLACK)

    @property
    def least(self) -> int:
        return self.size if self.adversary == "prosecutor" else 1

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        prosecutor = self.adversary == "prosecutor"
        sizes = classes.counts if prosecutor else _population(self.kind, classes)
        kernels.fail_small(sizes, self.size, classes.counts, fails, must)


@dataclass(frozen=True, slots=True)
class DeltaPresence:
    """That a person of the population is in the table is believed with ``low`` to ``high``.

    With ``low`` above 0 this holds for everybody: a node at which a class of the population has no row at all
    has no release, for of its people it is known that they are not in the table.
    """

    kind: ClassVar[str] = "delta-presence"
    attribute: ClassVar[None] = None
    least: ClassVar[int] = 1
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_share(self.kind, "low", self.low)
        _check_share(self.kind, "high", self.high)
        if self.high < self.low:
            raise InputError(f"{self.kind}: high must not be below low")

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        kernels.fail_presence(
            classes.counts,
            _population(self.kind, classes),
            self.low - SLACK,
            self.high + SLACK,
            fails,
        )


@dataclass(frozen=True, slots=True)
class DistinctLDiversity:
    """Each class has at least ``l`` different values of ``attribute``."""

    kind: ClassVar[str] = "distinct-l-diversity"
    attribute: str
    l: int  # noqa: E741 - the model's own letter

    def __post_init__(self) -> None:
        _check_at_least(self.kind, "l", self.l, 1)

    @property
    def least(self) -> int:
        return self.l

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        histogram = classes.histograms[_needed(sensitive).index]
        kernels.fail_distinct(histogram.starts, self.l, classes.counts, fails, must)


@dataclass(frozen=True, slots=True)
class EntropyLDiversity:
    """The entropy of ``attribute`` in each class is at least ln ``l``."""

    kind: ClassVar[str] = "entropy-l-diversity"
    attribute: str
    l: float  # noqa: E741 - same

    def __post_init__(self) -> None:
        _check_at_least(self.kind, "l", self.l, 1)

    @property
    def least(self) -> int:
        return math.ceil(self.l - SLACK)

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        histogram = classes.histograms[_needed(sensitive).index]
        kernels.fail_entropy(
            histogram.starts,
            histogram.rows,
            math.log(self.l),
            ROUNDING,
            classes.counts,
            fails,
            must,
        )


@dataclass(frozen=True, slots=True)
class RecursiveLDiversity:
    """In each class r1 < ``c`` (r_l + ... + r_m), r the frequencies of ``attribute`` in falling order."""

    kind: ClassVar[str] = "recursive-l-diversity"
    attribute: str
    c: float
    l: int  # noqa: E741 - same

    def __post_init__(self) -> None:
        _check_at_least(self.kind, "l", self.l, 1)
        if not (math.isfinite(self.c) and self.c > 0):
            raise InputError(f"{self.kind}: c must be a number above 0")

    @property
    def least(self) -> int:
        return self.l

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        histogram = classes.histograms[_needed(sensitive).index]
        kernels.fail_recursive(
            histogram.starts, histogram.rows, self.c, self.l, classes.counts, fails, must
        )


@dataclass(frozen=True, slots=True)
class TCloseness:
    """The distribution of ``attribute`` in each class is within ``t`` of the whole table's."""

    kind: ClassVar[str] = "t-closeness"
    least: ClassVar[int] = 1
    attribute: str
    t: float
    distance: Distance = "equal"

    def __post_init__(self) -> None:
        _check_share(self.kind, "t", self.t)

    def judge(
        self, classes: Classes, sensitive: Sensitive | None, fails: Fails, must: Counts
    ) -> None:
        known = _needed(sensitive)
        histogram = classes.histograms[known.index]
        values, q, groups = histogram.values, known.frequencies, known.groups
        kind = kernels.EQUAL
        if self.distance == "hierarchical":
            kind = kernels.HIERARCHICAL
        elif self.distance == "ordered":
            if known.order is None:
                raise InputError(
                    f"t-closeness: the ordered distance of {self.attribute} needs an order: numbers, or a"
                    " hierarchy whose rows are in order"
                )
            kind = kernels.ORDERED
            values = known.order[values]
            q = np.empty_like(known.frequencies)
            q[known.order] = known.frequencies
        kernels.fail_distance(
            kind, histogram.starts, values, histogram.rows, q, groups, self.t, ROUNDING, classes.counts,
            fails, must,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AverageRisk(ReleaseModel):
    """The average risk over the released rows, classes / rows, is at most ``threshold`` (marketer)."""

    kind: ClassVar[str] = "average-risk"
    threshold: float

    def __post_init__(self) -> None:
        _check_share(self.kind, "threshold", self.threshold, positive=True)

    def holds(self, sizes: Counts) -> bool:
        return len(sizes) <= self.threshold * int(sizes.sum()) + SLACK


@dataclass(frozen=True, slots=True)
class PopulationUniqueness(ReleaseModel):
    """The share of ``population`` that is unique, as ``estimator`` says, is at most ``threshold``.

    A release with unique rows for which the estimator finds no solution does not satisfy it.
    """

    kind: ClassVar[str] = "population-uniqueness"
    threshold: float
    population: int
    estimator: people.Estimator = "dankar"

    def __post_init__(self) -> None:
        _check_share(self.kind, "threshold", self.threshold)
        _check_at_least(self.kind, "population", self.population, 1)
        if self.estimator not in people.ESTIMATORS:
            raise InputError(
                f"{self.kind}: estimator must be one of {', '.join(people.ESTIMATORS)}"
            )

    def holds(self, sizes: Counts) -> bool:
        found = people.estimate(sizes, self.population, self.estimator)
        return found is not None and found <= self.threshold + SLACK


def judge_release(models: Sequence[ReleaseModel], classes: Classes, fails: Fails) -> None:
    """Mark as failing as many of the smallest kept classes as the ``models`` need.

    Of classes of one size the more general one goes first, for least is lost by it; of these the smaller key.
    """
    kept = np.flatnonzero(~fails & (classes.counts > 0))
    keys = tuple(word[kept] for word in classes.keys)
    order = kept[np.lexsort([*keys, -_generality(classes, keys), classes.counts[kept]])]
    sizes = classes.counts[order]
    for model in models:
        low, high = 0, len(order)  # the least number of classes to go; an empty release holds
        if model.holds(sizes):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if model.holds(sizes[middle:]):
                high = middle
            else:
                low = middle
        fails[order[:high]] = True
        order, sizes = order[high:], sizes[high:]


def _generality(classes: Classes, keys: Keys) -> npt.NDArray[np.float64]:
    """Return for each of ``keys`` how general its forms are, added up: 0 is a value, 1 a form that stands for all."""
    packing, total = classes.packing, np.zeros(len(keys[0]))
    for a, (hierarchy, level) in enumerate(zip(packing.hierarchies, classes.levels, strict=True)):
        if hierarchy.size > 1:
            share = hierarchy.shares[level][packing.codes(keys, a)]
            total += (share - 1 / hierarchy.size) / (1 - 1 / hierarchy.size)
    return total.round(9)  # rounding, not the order of additions, says what is alike


def _population(kind: str, classes: Classes) -> Counts:
    if classes.population is None:
        raise InputError(f"{kind} needs a population: a table that holds every row of this one")
    return classes.population


def _needed(sensitive: Sensitive | None) -> Sensitive:
    if sensitive is None:  # the search gives each model its attribute
        raise InputError("a model of a sensitive attribute needs that attribute")
    return sensitive


def _check_at_least(kind: str, name: str, value: float, least: float) -> None:
    if not (math.isfinite(value) and value >= least):
        raise InputError(f"{kind}: {name} must be {least} or more")


def _check_share(kind: str, name: str, value: float, *, positive: bool = False) -> None:
    if not (0 <= value <= 1) or (positive and not value):
        raise InputError(
            f"{kind}: {name} must be {'more than 0, and at most' if positive else '0 to'} 1"
        )
