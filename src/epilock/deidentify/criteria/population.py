"""Population uniqueness: how many rows of a sample are unique in the population, told from class sizes alone.

Nobody has the population's table; a model of how classes fill says how many of a sample's unique rows are
still unique among N people. Rules kept in this file:
  1. All of them say an expected number of population uniques over N: 0 if no row of the sample is unique.
  2. An estimator that finds no solution has no estimate. It is never taken for 0, and never replaced by
     another unless the rule of ``dankar`` says so.
  3. Same sizes, same estimate: nothing is drawn, no clock ends a search.

Sources, n rows in u classes, s(i) of them of size i, f = n / N:
  * ``pitman``: Hoshino 2001. Maximum likelihood of theta and alpha of Pitman's sampling formula; uniques are
    Gamma(theta + 1) / Gamma(theta + alpha) N^alpha.
  * ``zayatz``: Zayatz 1991. Bayes: a class of one is unique with the share that classes of one have among all
    that show one row when n of N are drawn (hypergeometric).
  * ``snb``: Chen and McNulty 1998. Classes of the population are K, sizes less 1 are negative binomial; K by
    Shlosser's estimator (Haas and Stokes 1998), alpha and beta so that s(1) and s(2) are as expected.
  * ``dankar``: Dankar, El Emam, Neisa and Roffey 2012: Pitman if f <= 0.1, else the lesser of Zayatz and SNB.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria import kernels
from epilock.deidentify.rows.classes import Counts
from epilock.errors import InputError

Estimator = Literal["dankar", "pitman", "zayatz", "snb"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
SMALL_FRACTION = 0.1  # Dankar et al. 2012, figure 6
MOST_HALVINGS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the estimators know.

    Attributes:
        sizes: The different class sizes, rising.
        many: Classes of each size.
        population: N.
    """

    sizes: Floats
    many: Floats
    population: int

    @classmethod
    def of(cls, sizes: Counts, population: int) -> "Sample":
        """Return the sample with classes of these ``sizes`` (each at least 1).

        Raises:
            InputError: The population is smaller than the sample.
        """
        different, many = np.unique(sizes, return_counts=True)
        sample = cls(different.astype(float), many.astype(float), population)
        if sample.rows > population:
            raise InputError(
                f"a population of {population:,} can't hold the {int(sample.rows):,} rows of the table; give"
                " the number of people from whom they are"
            )
        return sample

    @property
    def rows(self) -> float:
        """Rows of the sample: n."""
        return float(self.sizes @ self.many)

    @property
    def classes(self) -> float:
        """Classes of the sample: u."""
        return float(self.many.sum())

    @property
    def fraction(self) -> float:
        """The share of the population that is in the sample: f."""
        return self.rows / self.population

    def of_size(self, size: int) -> float:
        """Return how many classes have this size."""
        return float(self.many[self.sizes == size].sum())


def uniques(sizes: Counts, population: int, estimator: Estimator = "dankar") -> float:
    """Return the expected share of ``population`` that is unique, by ``estimator``.

    Args:
        sizes: Rows of each class of the sample, each at least 1.
        population: How many people there are.
        estimator: One of ``ESTIMATORS``.

    Raises:
        InputError: No such estimator, the population is smaller than the sample, or it has no estimate.
    """
    found = estimate(sizes, population, estimator)
    if found is None:
        raise InputError(
            f"the estimator {estimator} finds no solution for these classes; take zayatz, which always has"
            " one, or coarser levels"
        )
    return found


def estimate(sizes: Counts, population: int, estimator: Estimator = "dankar") -> float | None:
    """Return what ``uniques`` returns, or None where the estimator has no estimate.

    Raises:
        InputError: No such estimator, or the population is smaller than the sample.
    """
    sample = Sample.of(sizes, population)
    if estimator not in ESTIMATORS:
        raise InputError(f"there is no estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
    if not sample.of_size(1):
        return 0.0
    if estimator == "zayatz":
        return zayatz(sample)
    if estimator == "pitman" or (estimator == "dankar" and sample.fraction <= SMALL_FRACTION):
        return pitman(sample)
    if estimator == "snb":
        return snb(sample)
    found = snb(sample)
    return zayatz(sample) if found is None else min(found, zayatz(sample))


def zayatz(sample: Sample) -> float:
    """Return Zayatz's estimate.

    That one row of a class of m is drawn has the chance m f prod (N - n - i) / (N - 1 - i), i < m - 1.
    """
    n, people, f = sample.rows, float(sample.population), sample.fraction
    longest = int(min(sample.sizes[-1], 1000 / f + 2))  # beyond, the product is under exp(-999)
    i = np.arange(longest - 1, dtype=float)
    with np.errstate(divide="ignore"):
        steps = np.log1p(-np.minimum(1.0, (n - 1) / (people - 1 - i)))
    chance = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
    short = sample.sizes <= longest
    sizes = sample.sizes[short]
    one = sample.many[short] * sizes * f * chance[sizes.astype(np.int64) - 1]
    single = sample.of_size(1)
    return float(single * (single * f) / one.sum() / n)


def snb(sample: Sample) -> float | None:
    """Return the estimate of the slide negative binomial model, or None if it has no solution."""
    if sample.rows >= sample.population:
        return sample.of_size(1) / sample.population
    found = _slide(sample)
    if found is None:
        return None
    many, alpha, beta = found
    share = float(many * beta**alpha / sample.population)
    return share if 0 < share <= 1 else None


def _slide(sample: Sample) -> tuple[float, float, float] | None:
    """Return K, alpha and beta of the slide negative binomial model, or None if it has no solution.

    Of Chen and McNulty's equations, with z = 1 - f, q = 1 - beta, x = qz / (1 - qz) and y = alpha x, the
    second over the first is ``2 z s(2) / (f s(1)) = y (2 + x + y) / (1 + y)``: it gives y for each x. The
    first is then ``s(1) / (K f) = (1 + y) (1 - x f / z)^(y / x)``, and falls with x in 0 < x < z / f, so that
    halving finds the one solution or shows that there is none.
    """
    f, single, double = sample.fraction, sample.of_size(1), sample.of_size(2)
    z = 1 - f
    many = _shlosser(sample)
    ratio = 2 * z * double / (f * single)
    if not ratio > 0:
        return None

    def height(x: float) -> tuple[float, float]:
        b = 2 + x - ratio
        root = math.sqrt(b * b + 4 * ratio)
        y = 2 * ratio / (b + root) if b > 0 else (root - b) / 2
        slope = math.log1p(-x * f / z) / x if x > 0 else -f / z
        return math.log1p(y) + y * slope, y

    wanted = math.log(single / (many * f))
    low, high = 0.0, z / f
    if not wanted < height(low)[0]:
        return None
    for _ in range(MOST_HALVINGS):
        x = (low + high) / 2
        if x in {low, high}:
            break
        low, high = (x, high) if height(x)[0] > wanted else (low, x)
    if low <= 0:
        return None
    return many, height(low)[1] / low, (z - low * f) / ((1 + low) * z)


def _shlosser(sample: Sample) -> float:
    """Return the number of classes in the population: D(Sh3) of Haas and Stokes 1998."""
    f, sizes, many = sample.fraction, sample.sizes, sample.many
    square = f * f
    none = np.exp(sizes * math.log1p(-f))
    first = float(many @ (sizes * square * np.exp((sizes - 1) * math.log1p(-square))))
    second = float(many @ (np.exp(sizes * math.log1p(-square)) - none))
    third = float(many @ none)
    fourth = float(many @ (sizes * f * none / (1 - f)))
    return sample.classes + sample.of_size(1) * first / second * (third / fourth) ** 2


def pitman(sample: Sample) -> float | None:
    """Return the estimate of Pitman's model, or None if no likelihood is largest with theta >= 0.

    An expected number of uniques above N is no estimate either.
    """
    found = _most_likely(sample)
    if found is None:
        return None
    theta, alpha = found
    share = math.exp(
        min(
            700.0,
            math.lgamma(theta + 1)
            - math.lgamma(theta + alpha)
            + (alpha - 1) * math.log(sample.population),
        )
    )
    return share if 0 < share <= 1 else None


def _most_likely(sample: Sample) -> tuple[float, float] | None:
    """Return theta and alpha where the likelihood is largest."""
    if sample.classes >= sample.rows:
        return None  # all are unique: alpha runs to 1
    for start in _starts(sample):
        theta, alpha, found = kernels.most_likely_pitman(
            sample.sizes, sample.many, sample.classes, sample.rows, *start
        )
        if found:
            return theta, alpha
    return None


def _starts(sample: Sample) -> list[tuple[float, float]]:
    """Return where to begin: Hoshino 2001, equations 20 and 21, if the model is defined there; and elsewhere."""
    n, u, single = sample.rows, sample.classes, sample.of_size(1)
    starts = [(max(1.0, u / 10), 0.5), (10.0, 0.1)]
    c = single * (single - 1) / max(1.0, sample.of_size(2))
    below = 2 * single * u + single * c - n * c
    if below:
        theta = (n * u * c - single * (n - 1) * (2 * u + c)) / below
        alpha = (theta * (single - n) + (n - 1) * single) / (n * u)
        if alpha < 1 and theta >= 0 and theta + alpha > 0 and theta + (u - 1) * alpha > 0:
            starts.insert(0, (theta, alpha))
    return starts
