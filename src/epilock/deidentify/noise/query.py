"""Questions: what can be asked of a table, each with its public bounds, and how a question is written down. Pure.

All that stands in a question is public and was chosen without looking at the data: columns, bounds, steps,
categories. Numbers are whole or ``Decimal``; a float has no one spelling and is refused.

Rules kept in this file:
  1. A number is counted in whole steps (``step``: 1 for years, 0.1 for degrees) between ``lower`` and
     ``upper``, both of them multiples of the step. What lies beyond counts as the bound.
  2. A row without the value (null, NaN) is left out; with ``missing`` it counts as that value.
  3. ``where`` keeps the rows whose column has one of the listed values; a null has none of them.
  4. ``canonical`` writes equal questions as equal bytes; a change of what is answered changes the bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from epilock.errors import InputError

MICRO = 1_000_000  # micro-epsilon in an epsilon
MOST_EPSILON = 10 * MICRO  # of one question: beyond it the promise says nearly nothing
MOST_CONTRIBUTIONS = 1000  # rows of one person
MOST_STEPS = 2**31  # from 0 to either bound, so that no sum of 2**32 rows leaves 64 bits
MOST_CATEGORIES = 10_000
MOST_CANDIDATES = 10_000  # values that a quantile can have
OTHERS = "others"  # in an answer: what is in none of the categories
MOST_NAME = 200  # characters of a column's name or a category
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What every question has.

    Attributes:
        where: By column, the values of the rows that count, such as ``{"sex": ["F"]}``.
    """

    where: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what is declared.

        Raises:
            InputError: A name or list is empty or too long; values of a list are equal.
        """
        for column, values in self.where.items():
            _check_name(column, "a column in `where`")
            _check_list(values, f"`where` {column}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Query):
    """How many rows there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram(Query):
    """How many rows there are of each category; one more, ``others``, of none of them or of null.

    Attributes:
        column: Of text, whole numbers, dates or true and false.
        categories: All that are listed in the answer, such as ``["F", "M"]``; known beforehand, because
            a category that appears only where somebody has it would tell of that person.
    """

    column: str
    categories: Sequence[str]

    def __post_init__(self) -> None:
        """Check what is declared; errors as ``Query``."""
        Query.__post_init__(self)
        _check_name(self.column, "a column")
        _check_list(self.categories, "categories")
        if OTHERS in self.categories:
            raise InputError(
                f"categories: none may be named `{OTHERS}`; all that is not listed is that"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers(Query):
    """What every question about a column of numbers has (rule 1).

    Attributes:
        column: Of whole numbers, floats or decimals.
        lower, upper: Bounds, in the column's unit.
        step: The smallest difference that counts, in the column's unit.
        missing: What a row without the value counts as, a multiple of ``step`` within the bounds; None:
            it is left out.
    """

    column: str
    lower: int | Decimal
    upper: int | Decimal
    step: int | Decimal = 1
    missing: int | Decimal | None = None

    def __post_init__(self) -> None:
        """Check what is declared.

        Raises:
            InputError: A bound is a float, no multiple of the step, or too far from 0; the lower is not
                below the upper; or as ``Query``.
        """
        Query.__post_init__(self)
        _check_name(self.column, "a column")
        for name in ("lower", "upper", "step"):
            _check_number(getattr(self, name), name)
        if self.step <= 0:
            raise InputError("step must be above 0")
        if self.lower >= self.upper:
            raise InputError("lower must be below upper")
        if max(abs(self.low), abs(self.high)) > MOST_STEPS:
            raise InputError(f"a bound lies at most {MOST_STEPS} steps from 0; take a larger step")
        if self.missing is not None:
            _check_number(self.missing, "missing")
            if not self.lower <= self.missing <= self.upper:
                raise InputError("missing must lie within lower and upper")
            self.steps(self.missing, "missing")

    def steps(self, number: int | Decimal, name: str = "a number") -> int:
        """Return ``number`` in whole steps.

        Raises:
            InputError: It is no multiple of the step.
        """
        count, rest = divmod(Decimal(number), Decimal(self.step))
        if rest:
            raise InputError(f"{name} must be a multiple of step")
        return int(count)

    @property
    def low(self) -> int:
        """The lower bound in steps."""
        return self.steps(self.lower, "lower")

    @property
    def high(self) -> int:
        """The upper bound in steps."""
        return self.steps(self.upper, "upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Numbers):
    """The sum of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Numbers):
    """The mean of a column.

    Attributes:
        rows: About how many rows are expected, a public guess: the error that is stated beforehand
            rests on it, the answer does not.
    """

    rows: int

    def __post_init__(self) -> None:
        """Check what is declared; errors as ``Numbers``."""
        Numbers.__post_init__(self)
        if self.rows < 1:
            raise InputError("rows must be at least 1")

    @property
    def middle(self) -> int:
        """The middle of the bounds, in steps: what lies above it is added up, so that a row moves it least."""
        return (self.low + self.high) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile(Numbers):
    """The value below which a share of the rows lies; it is one of the steps from lower to upper.

    Attributes:
        share: Above 0 and below 1, at most four digits; the median is ``Decimal("0.5")``.
    """

    share: Decimal

    def __post_init__(self) -> None:
        """Check what is declared; errors as ``Numbers``."""
        Numbers.__post_init__(self)
        _check_number(self.share, "share")
        if not 0 < self.share < 1 or self.share != round(Decimal(self.share), 4):
            raise InputError("share must lie between 0 and 1 and have at most four digits")
        if self.high - self.low >= MOST_CANDIDATES:
            raise InputError(
                f"a quantile has at most {MOST_CANDIDATES} possible values; take a larger step"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question and what it may cost.

    Attributes:
        query: The question.
        epsilon: In micro-epsilon (1,000,000 is 1), for all rows of one person together.
        contributions: The most rows that one person has in the table. It is a promise of the data's
            keeper, not checked here: a person with more rows has a weaker promise.
    """

    query: Query
    epsilon: int
    contributions: int = 1

    def __post_init__(self) -> None:
        """Check what is declared.

        Raises:
            InputError: Epsilon or contributions are none or too many.
        """
        if not 1 <= self.epsilon <= MOST_EPSILON:
            raise InputError(f"epsilon is 1 to {MOST_EPSILON} micro-epsilon ({MICRO} is 1)")
        if not 1 <= self.contributions <= MOST_CONTRIBUTIONS:
            raise InputError(f"contributions are 1 to {MOST_CONTRIBUTIONS} rows")

    @property
    def sha256(self) -> str:
        """Hash of ``canonical``, in hex."""
        return hashlib.sha256(canonical(self)).hexdigest()


def canonical(request: Request) -> bytes:
    """Return the one spelling of a request: JSON with sorted keys, numbers of the query as decimal text."""
    query = request.query
    said = {name: _plain(getattr(query, name)) for name in _fields(query)}
    said["kind"] = type(query).__name__.lower()
    whole = {
        "contributions": request.contributions, "epsilon": request.epsilon, "query": said,
        "version": VERSION,
    }  # fmt: skip
    return msgspec.json.encode(whole, order="sorted")


def _fields(query: Query) -> list[str]:
    """Return what changes the answer: all fields but ``rows``, which changes only what is stated of it."""
    return [name for name in query.__dataclass_fields__ if name != "rows"]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {column: sorted(values) for column, values in value.items()}
    if isinstance(value, int | Decimal):
        return f"{Decimal(value).normalize():f}"
    return value


def _check_number(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InputError(
            f"{name} must be a whole number or a Decimal, not a {type(value).__name__}"
        )
    if not Decimal(value).is_finite():
        raise InputError(f"{name} must be finite")


def _check_name(value: str, what: str) -> None:
    if not 0 < len(value) <= MOST_NAME:
        raise InputError(f"{what} has 1 to {MOST_NAME} characters")


def _check_list(values: Sequence[str], what: str) -> None:
    if isinstance(values, str) or not 0 < len(values) <= MOST_CATEGORIES:
        raise InputError(f"{what}: a list of 1 to {MOST_CATEGORIES} values")
    if len(set(values)) != len(values):
        raise InputError(f"{what}: two values are equal")
    for value in values:
        _check_name(value, f"{what}: a value")
