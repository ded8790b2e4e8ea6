"""Utility: what can still be read off a release, beside what the table said.

Nothing of the engine is asked: only both tables, and which forms cover which values (``covers``). Rules:
  1. A reader who knows nothing else spreads each row of a form evenly over the values that it covers. What is
     compared with the table's distribution is that spread.
  2. Rows left out count in the measures as lost; distributions and dependencies are of the rows there are.
  3. Results are plain dataclasses of numbers, texts and tuples; ``dataclasses.asdict`` is their JSON form.

Sources: loss, discernibility, average class size (``metric``) · Cramer's V without its bias (Bergsma 2013).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.evaluation.covers import Codes, Matcher, Rows, Same
from epilock.errors import InputError

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """A table in numbers.

    Attributes:
        rows: How many it has.
        suppressed: How many of the table before are left out.
        classes: Different rows of its quasi-identifiers.
        loss: The metric ``loss``: 0 for the table as it was, towards 1 if all is ``*``.
        discernibility: The metric of that name.
        average_class_size: The metric of that name.
    """

    rows: int
    suppressed: int
    classes: int
    loss: float
    discernibility: float
    average_class_size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One value or form, and the share of rows that has it."""

    label: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A distribution of numbers; ``quantiles`` are those of ``QUANTILES``."""

    mean: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One column before and after.

    Attributes:
        column: Its name.
        before: Its values, the most frequent first.
        after: Its forms, the most frequent first.
        distance: Total variation: half the sum of differences between the table's distribution and the
            release's spread over values; 0 is the same, 1 has nothing in common.
        numbers_before: Of a column of numbers only; else None.
        numbers_after: The same of the spread.
    """

    column: str
    before: tuple[Bar, ...]
    after: tuple[Bar, ...]
    distance: float
    numbers_before: Numbers | None
    numbers_after: Numbers | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """How much two columns depend on each other: Cramer's V, 0 not at all, 1 fully."""

    columns: tuple[str, str]
    before: float
    after: float


def measures(
    before: pa.Table | Rows,
    after: pa.Table | Rows,
    columns: Sequence[str],
    matchers: Mapping[str, Matcher],
    *,
    domains: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Measures, Measures]:
    """Return the measures of the table and of the release.

    Args:
        before: The table as it was, or its different rows.
        after: The release: rows of ``before``, some left out; or its different rows.
        columns: The quasi-identifiers.
        matchers: What forms of a column cover; a column that is not named was released as it is.
        domains: All values that a column could have, such as those of its hierarchy; without them those
            that it has in the table.

    Raises:
        InputError: The release has more rows than the table; a column is missing, a value or form unknown.
    """
    names = tuple(columns)
    raw, forms = Rows.of(before, names), Rows.of(after, names)
    n, kept = raw.total, forms.total
    if kept > n:
        raise InputError(f"the release has {kept:,} rows, the table only {n:,}")
    gone = n - kept
    factors = []
    for a, name in enumerate(names):
        domain = tuple((domains or {}).get(name, raw.values[a]))
        _, form = matchers.get(name, Same()).covers(domain, forms.values[a])
        share = np.bincount(form, minlength=len(forms.values[a])) / max(1, len(domain))
        total = float(forms.rows @ share[forms.codes[a]]) + gone
        floor = n / max(1, len(domain))
        factors.append(max(0.0, (total - floor) / (n - floor)) + 1 if n > floor else 1.0)
    loss = math.prod(factors) ** (1 / max(1, len(factors))) - 1
    return (
        Measures(
            rows=n, suppressed=0, classes=len(raw.rows), loss=0.0,
            discernibility=_squares(raw), average_class_size=n / max(1, len(raw.rows)),
        ),
        Measures(
            rows=kept, suppressed=gone, classes=len(forms.rows), loss=loss,
            discernibility=_squares(forms) + float(n) * gone,
            average_class_size=n / max(1, len(forms.rows) + (gone > 0)),
        ),
    )  # fmt: skip


def _squares(rows: Rows) -> float:
    counts = rows.rows.astype(float)
    return float(counts @ counts)


def distributions(
    before: pa.Table, after: pa.Table, columns: Sequence[str], matchers: Mapping[str, Matcher]
) -> tuple[Distribution, ...]:
    """Return each of ``columns`` before and after; arguments are those of ``measures``.

    Raises:
        InputError: A column is missing, a value or form is unknown, or a form covers no value of the table.
    """
    found = []
    for name in columns:
        raw, forms = Rows.of(before, [name]), Rows.of(after, [name])
        values, shapes = raw.values[0], forms.values[0]
        own, released = _by_value(raw), _by_value(forms)
        spread = Spread.of(name, matchers.get(name, Same()), values, shapes).over(released)
        number = _numbers_of(values)
        p, q = own / max(1.0, own.sum()), spread / max(1.0, spread.sum())
        found.append(
            Distribution(
                column=name, before=_bars(values, own), after=_bars(shapes, released),
                distance=float(np.abs(p - q).sum() / 2),
                numbers_before=None if number is None else _summary(number, own),
                numbers_after=None if number is None else _summary(number, spread),
            )
        )  # fmt: skip
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Spread:
    """How rows of forms are spread over the values of one column: each evenly over those it covers.

    Attributes:
        value: Place of the value, for each pair of a form and a value that it covers.
        form: Place of the form.
        weight: What of a row of the form the value gets.
        values: How many values there are.
    """

    value: Codes
    form: Codes
    weight: Floats
    values: int

    @classmethod
    def of(
        cls, column: str, matcher: Matcher, values: Sequence[str], forms: Sequence[str]
    ) -> "Spread":
        """Return the spread of ``forms`` over ``values``.

        Raises:
            InputError: A form covers none of the values.
        """
        value, form = matcher.covers(values, forms)
        many = np.bincount(form, minlength=len(forms))
        if (many == 0).any():
            raise InputError(
                f"{int((many == 0).sum())} forms of the release's column {column} cover no value of the"
                " table; the release is not of this table, or its matcher is wrong"
            )
        return cls(value, form, 1 / many[form], len(values))

    def over(self, rows: Floats) -> Floats:
        """Return the rows that each value gets when each form has ``rows``."""
        return np.bincount(self.value, self.weight * rows[self.form], self.values).astype(float)


def dependencies(
    before: pa.Table, after: pa.Table, columns: Sequence[str]
) -> tuple[Dependency, ...]:
    """Return the dependency of each two of ``columns``, among values before and among forms after.

    Raises:
        InputError: A column is missing.
    """
    names = tuple(columns)
    raw, forms = Rows.of(before, names), Rows.of(after, names)
    return tuple(
        Dependency(
            columns=(names[a], names[b]), before=_cramer(raw, a, b), after=_cramer(forms, a, b)
        )
        for a, b in itertools.combinations(range(len(names)), 2)
    )


def _by_value(rows: Rows) -> Floats:
    """Return how many rows have each value of the only column."""
    return np.bincount(rows.codes[0], rows.rows, len(rows.values[0])).astype(float)


def _bars(labels: Sequence[str], rows: Floats) -> tuple[Bar, ...]:
    order = sorted(range(len(labels)), key=lambda at: (-rows[at], labels[at]))
    return tuple(Bar(label=labels[at], share=float(rows[at] / rows.sum())) for at in order)


def _numbers_of(values: Sequence[str]) -> Floats | None:
    """Return the values as numbers, or None if they are not all finite numbers."""
    try:
        found = np.array([float(value) for value in values])
    except ValueError:
        return None
    return found if len(found) and np.isfinite(found).all() else None


def _summary(number: Floats, rows: Floats) -> Numbers | None:
    """Return mean and quantiles of numbers that ``rows`` rows have: the least with that share at or below."""
    total = rows.sum()
    if not total:
        return None
    order = np.argsort(number, kind="stable")
    below = np.cumsum(rows[order]) / total
    places = np.searchsorted(below, np.array(QUANTILES) - 1e-12)
    return Numbers(
        mean=float(number @ rows / total),
        quantiles=tuple(float(number[order[min(at, len(order) - 1)]]) for at in places),
    )


def _cramer(rows: Rows, a: int, b: int) -> float:
    """Return Cramer's V of two columns, its bias taken off; 0 where one of them has one value only."""
    both, _ = rows.of_columns([a, b])
    n = both.total
    if n < 2:  # noqa: PLR2004 - one row depends on nothing
        return 0.0
    sides = [
        np.bincount(codes, both.rows, len(values))
        for codes, values in zip(both.codes, both.values, strict=True)
    ]
    r, c = (int((side > 0).sum()) for side in sides)
    expected = sides[0][both.codes[0]] * sides[1][both.codes[1]]
    square = float((both.rows.astype(float) ** 2 / expected).sum()) - 1
    square = max(0.0, square - (r - 1) * (c - 1) / (n - 1))
    least = min(side - (side - 1) ** 2 / (n - 1) for side in (r, c)) - 1
    return math.sqrt(min(1.0, square / least)) if least > 0 else 0.0
