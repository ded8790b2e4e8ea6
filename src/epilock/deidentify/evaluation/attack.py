"""Linkage: whom an adversary with true values in hand finds in a release, whichever of the columns are known.

Nothing of the engine is asked: only the table before, the table after, and which forms cover which values
(``covers``). Rules kept in this file:
  1. An adversary who knows some columns of a person takes all rows of the release that fit for the person's;
     with m of them each guess is right with 1 / m (prosecutor: that the person is in the release is known).
  2. What was not looked at is said: subsets of columns beyond the limit are drawn, by seed, and counted.
  3. Results are plain dataclasses of numbers, texts and tuples; ``dataclasses.asdict`` is their JSON form.

Source: prosecutor and journalist risk (El Emam 2013). What is learnt of whom is found: ``inference``.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from epilock.deidentify.evaluation.covers import Fit, Flags, Matcher, Rows, rows_of, targets
from epilock.deidentify.rows.classes import Counts
from epilock.errors import InputError

MOST_SUBSETS = 5_000
SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What an adversary achieves against ``rows`` people.

    Attributes:
        rows: How many people.
        highest: The greatest chance to be found of any of them.
        average: The share that guesses for all would find.
        above: Share of them whose chance is above the threshold.
        unique: How many of them fit one row only.
    """

    rows: int
    highest: float
    average: float
    above: float
    unique: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The risk when these columns of a person are known.

    Attributes:
        columns: Which.
        before: Had the table been released as it was.
        after: The release; against those whose rows are in it.
        journalist: The release, when somebody of the population is looked for; None without a population.
    """

    columns: tuple[str, ...]
    before: Risk
    after: Risk
    journalist: Risk | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How many of the subsets of one size were looked at; fewer than all were drawn at random."""

    size: int
    subsets: int
    looked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """What adversaries find who know different columns.

    Attributes:
        threshold: Above which chance a person counts as at risk.
        known: For each subset looked at; by size, then in the order of the columns; all columns are the last.
        looked: For each size.
    """

    threshold: float
    known: tuple[Known, ...]
    looked: tuple[Looked, ...]

    def worst(self, size: int) -> Known:
        """Return the subset of ``size`` columns with the highest risk, of equals the highest average.

        Raises:
            InputError: None of this size was looked at.
        """
        found = [each for each in self.known if len(each.columns) == size]
        if not found:
            raise InputError(f"no subset of {size} columns was looked at")
        return max(found, key=lambda each: (each.after.highest, each.after.average))


def linkage(
    before: pa.Table | Rows,
    after: pa.Table | Rows,
    columns: Sequence[str],
    matchers: Mapping[str, Matcher],
    *,
    threshold: float,
    most_known: int = 3,
    population: pa.Table | None = None,
    released: Flags | None = None,
    most_subsets: int = MOST_SUBSETS,
    seed: int = 0,
) -> Linkage:
    """Return the risk for each subset of ``columns`` up to ``most_known``, and for all of them.

    Args:
        before: The table as it was, or its different rows (``covers.Gathering``), which is as exact.
        after: The release, or its different rows: no row but of ``before``, in any order.
        columns: The quasi-identifiers.
        matchers: What forms of a column cover; a column that is not named was released as it is.
        threshold: Chance above which a person is at risk.
        most_known: How many columns an adversary knows, besides the one who knows all.
        population: Everybody whom the release may be about, with true values.
        released: For each row of ``before`` whether it is in the release. Without it these are the rows that
            fit some row of the release on all columns; that is exact unless a left-out row looks like a kept
            one.
        most_subsets: Beyond them subsets are drawn.
        seed: Of the draw.

    Raises:
        InputError: A column is missing, a value or form is unknown, or rows fit nothing in the release.
    """
    names = tuple(columns)
    there, forms = Rows.of(before, names), Rows.of(after, names)
    people = there if released is None else Rows.of(rows_of(before, released), names)
    found, _ = targets(people, forms, matchers, sure=released is not None)
    everybody = None
    if population is not None:
        everybody = Fit.of(Rows.of(population, names), forms, matchers)
        if (everybody.covered == 0).any():
            raise InputError(
                "rows of the release fit nobody in the population; it must hold everybody the release is about"
            )
    known = []
    subsets, looked = choose(len(names), most_known, most_subsets, seed)
    for places in subsets:
        raw, _ = there.of_columns(places)
        fit, _ = found.of_columns(places)
        journalist = None
        if everybody is not None:
            wide, _ = everybody.of_columns(places)
            journalist = _risk(wide.covered, wide.release.rows, threshold)
        known.append(
            Known(
                columns=raw.columns, before=_risk(raw.rows, raw.rows, threshold),
                after=_risk(fit.matches, fit.people.rows, threshold), journalist=journalist,
            )
        )  # fmt: skip
    return Linkage(threshold=threshold, known=tuple(known), looked=looked)


def choose(
    columns: int, most_known: int, most_subsets: int, seed: int
) -> tuple[list[tuple[int, ...]], tuple[Looked, ...]]:
    """Return the subsets of columns that are looked at, each size complete while the limit lasts.

    Where it does not, subsets of that size are drawn at random without repetition. All columns come last.
    """
    rng = np.random.default_rng(seed)
    subsets: list[tuple[int, ...]] = []
    looked: list[Looked] = []
    sizes = range(1, min(most_known, columns - 1) + 1)
    for size in sizes:
        many = math.comb(columns, size)
        room = max(1, (most_subsets - len(subsets)) // (len(sizes) - size + 1))
        if many <= room:
            subsets += itertools.combinations(range(columns), size)
        else:
            drawn: set[tuple[int, ...]] = set()
            while len(drawn) < room:
                drawn.add(tuple(sorted(rng.choice(columns, size, replace=False).tolist())))
            subsets += sorted(drawn)
        looked.append(Looked(size=size, subsets=many, looked_at=min(many, room)))
    subsets.append(tuple(range(columns)))
    looked.append(Looked(size=columns, subsets=1, looked_at=1))
    return subsets, tuple(looked)


def _risk(matches: Counts, rows: Counts, threshold: float) -> Risk:
    """Return the risk of ``rows`` people each, who fit ``matches`` rows."""
    many = int(rows.sum())
    if not many:
        return Risk(rows=0, highest=0.0, average=0.0, above=0.0, unique=0)
    chance = 1 / matches
    return Risk(
        rows=many, highest=float(chance.max()), average=float(rows @ chance) / many,
        above=float(rows[chance > threshold + SLACK].sum()) / many,
        unique=int(rows[matches == 1].sum()),
    )  # fmt: skip
