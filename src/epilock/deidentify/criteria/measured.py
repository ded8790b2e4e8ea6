"""What the models come to in a release: the smallest class, the largest distance, …, computed once more.

Written from the definitions, in numpy and apart from the kernels that judged: so it also checks them. What
a model needs (a population, its attribute) is there: the judge has refused otherwise.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria import model, population
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.model import Model, Sensitive
from epilock.deidentify.rows.classes import Classes

Counts = npt.NDArray[np.int64]
Fails = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    """One model and what it comes to.

    Attributes:
        model: The model.
        what: What was measured, such as ``smallest class``.
        value: The value; None for an empty release, of which nothing can be measured.
    """

    model: Model
    what: str
    value: float | None


def measure(judge: Judge, released: Classes, fails: Fails) -> tuple[Measured, ...]:
    """Return what each model of ``judge`` comes to in the classes that are kept."""
    kept = np.flatnonzero(~fails & (released.counts > 0))
    bound: list[tuple[Model, Sensitive | None]] = [
        *judge.class_models, *((each, None) for each in judge.release_models),
    ]  # fmt: skip
    found = []
    for each, sensitive in bound:
        what, take = MEASURES[each.kind]
        found.append(
            Measured(
                each, what, _plain(take(each, released, kept, sensitive)) if len(kept) else None
            )
        )
    return tuple(found)


def _plain(number: Any) -> float:
    return int(number) if isinstance(number, int | np.integer) else float(number)


def _histograms(
    released: Classes, kept: Counts, sensitive: Sensitive | None
) -> Iterator[tuple[Counts, Counts]]:
    """Yield codes and rows of the sensitive values of each kept class."""
    histogram = released.histograms[cast("Sensitive", sensitive).index]
    for place in kept:
        part = slice(histogram.starts[place], histogram.starts[place + 1])
        yield histogram.values[part].astype(np.int64), histogram.rows[part]


def _entropy(rows: Counts) -> float:
    share = rows / rows.sum()
    return math.exp(-float((share * np.log(share)).sum()))


def _recursive(rows: Counts, l: int) -> float:  # noqa: E741 - the model's own letter
    falling = np.sort(rows)[::-1]
    tail = int(falling[l - 1 :].sum())
    return float(falling[0]) / tail if tail else math.inf


def _distance(each: model.TCloseness, values: Counts, rows: Counts, known: Sensitive) -> float:
    size = len(known.frequencies)
    surplus = np.bincount(values, rows, size) / rows.sum() - known.frequencies
    if each.distance == "equal":
        return float(np.abs(surplus).sum() / 2)
    if each.distance == "ordered":
        in_order = np.empty(size)
        in_order[known.order] = surplus
        return float(np.abs(np.cumsum(in_order)).sum() / max(1, size - 1))
    sums = [np.abs(np.bincount(groups, surplus)).sum() for groups in known.groups]
    return float(sum(sums) / (2 * len(known.groups)))


def _population(released: Classes, kept: Counts) -> Counts:
    return cast("Counts", released.population)[kept]


def _risk(each: Any, released: Classes, kept: Counts, _: Sensitive | None) -> float:
    sizes = released.counts[kept] if each.adversary == "prosecutor" else _population(released, kept)
    return 1 / int(sizes.min())


def _closeness(each: Any, released: Classes, kept: Counts, known: Sensitive | None) -> float:
    attribute = cast("Sensitive", known)
    return max(_distance(each, v, r, attribute) for v, r in _histograms(released, kept, known))


def _smallest(of: Callable[[Any, Counts], float]) -> "Measure":
    """Return the measure that is the least of ``of`` over all classes, of model and rows."""
    return lambda each, released, kept, known: min(
        of(each, rows) for _, rows in _histograms(released, kept, known)
    )


Measure = Callable[[Any, Classes, Counts, Sensitive | None], float]
MEASURES: dict[str, tuple[str, Measure]] = {
    "k-anonymity": ("smallest class", lambda _, c, kept, __: c.counts[kept].min()),
    "k-map": ("smallest class in the population", lambda _, c, kept, __: _population(c, kept).min()),
    "strict-risk": ("highest risk", _risk),
    "distinct-l-diversity": ("fewest different values", _smallest(lambda _, rows: len(rows))),
    "entropy-l-diversity": ("smallest exp(entropy)", _smallest(lambda _, rows: _entropy(rows))),
    "recursive-l-diversity": (
        "largest r1 / (r_l + ... + r_m)",
        lambda each, c, kept, known: max(
            _recursive(rows, each.l) for _, rows in _histograms(c, kept, known)
        ),
    ),
    "t-closeness": ("largest distance", _closeness),
    "delta-presence": (
        "highest belief", lambda _, c, kept, __: (c.counts[kept] / _population(c, kept)).max(),
    ),
    "average-risk": (
        "average risk", lambda _, c, kept, __: len(kept) / int(c.counts[kept].sum()),
    ),
    "population-uniqueness": (
        "estimated share of unique persons",
        lambda each, c, kept, __: population.uniques(c.counts[kept], each.population, each.estimator),
    ),
}  # fmt: skip
