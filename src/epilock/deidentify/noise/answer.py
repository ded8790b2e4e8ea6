"""Answers: how far off one will be, then the answer itself. Pure but for the noise.

``preview`` takes no table. ``answer`` reads the table once. Nothing else looks at data.

Rules kept in this file:
  1. An error is stated for a confidence of 95 %: of twenty answers about one lies farther off.
  2. What is stated after the answer rests on the answer alone, never on the data again.
  3. Numbers leave as they were drawn: a count can be below 0. Whoever adds up many of them gets the right
     sum; whoever shows one may show 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from epilock.deidentify.noise.column import numbers
from epilock.deidentify.noise.mechanism import CONFIDENCE, Mechanism, mechanism, within
from epilock.deidentify.noise.query import (
    MOST_EPSILON,
    OTHERS,
    Histogram,
    Mean,
    Numbers,
    Quantile,
    Query,
    Request,
)
from epilock.errors import InputError

MISS = float(1 - CONFIDENCE)
Value = Decimal | Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How far off an answer is likely to be.

    Attributes:
        within: The true number lies at most this far away, with 95 %: in rows, or in the column's unit.
        of: ``value``: of the answer itself; ``rank``: of a quantile, its place among the rows.
        together: Of a histogram: all categories at once lie within it, with 95 %; else None.
    """

    within: Decimal
    of: str = "value"
    together: Decimal | None = None

    def __str__(self) -> str:
        """Return it as people read it, such as ``±12 at 95 %``."""
        rows = " rows of its rank" if self.of == "rank" else ""
        return f"±{self.within:,f}{rows} at {CONFIDENCE:.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What may leave.

    Attributes:
        value: The number; of a histogram one for each category and ``others``.
        epsilon: What it cost, in micro-epsilon.
        accuracy: How far off it is likely to be.
    """

    value: Value
    epsilon: int
    accuracy: Accuracy


def preview(request: Request) -> Accuracy:
    """Return how far off the answer will be, without data; what it will cost is the request's epsilon.

    Raises:
        StateError: The extra ``[privacy]`` is not installed.
    """
    return _accuracy(request.query, mechanism(request))


def answer(request: Request, table: pa.Table) -> Answer:
    """Return the answer; each call draws new noise and costs its epsilon again.

    Call it only after the charge has committed (``budget``).

    Raises:
        InputError: The table lacks a column, or it holds something else.
        StateError: The extra ``[privacy]`` is not installed.
    """
    made = mechanism(request)
    drawn = made.measure(numbers(request.query, table))
    value, accuracy = _read(request.query, made, drawn)
    return Answer(value=value, epsilon=request.epsilon, accuracy=accuracy)


def epsilon_for(query: Query, limit: Decimal, *, contributions: int = 1) -> int:
    """Return the least epsilon, in micro-epsilon, with which ``query`` is answered within ``limit``.

    Raises:
        InputError: No epsilon that can be asked for is enough.
    """

    def fits(epsilon: int) -> bool:
        request = Request(query=query, epsilon=epsilon, contributions=contributions)
        return preview(request).within <= limit

    if not fits(MOST_EPSILON):
        raise InputError(f"no epsilon up to {MOST_EPSILON} micro-epsilon gives an error that small")
    low, high = 0, MOST_EPSILON
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def as_json(said: Answer) -> dict[str, Any]:
    """Return an answer as it is kept: numbers as text, so that none is rounded."""
    value = said.value
    shown = {k: str(n) for k, n in value.items()} if isinstance(value, Mapping) else f"{value:f}"
    together = said.accuracy.together
    return {
        "value": shown, "epsilon": said.epsilon, "within": f"{said.accuracy.within:f}",
        "of": said.accuracy.of, "together": None if together is None else f"{together:f}",
    }  # fmt: skip


def from_json(kept: Mapping[str, Any]) -> Answer:
    """Return the answer that ``as_json`` wrote."""
    value, together = kept["value"], kept["together"]
    return Answer(
        value={k: int(n) for k, n in value.items()} if isinstance(value, dict) else Decimal(value),
        epsilon=kept["epsilon"],
        accuracy=Accuracy(
            within=Decimal(kept["within"]), of=kept["of"],
            together=None if together is None else Decimal(together),
        ),
    )  # fmt: skip


def _accuracy(query: Query, made: Mechanism) -> Accuracy:
    """Return the error as it is stated beforehand."""
    match query:
        case Quantile():
            return _rank(query, made)
        case Mean():
            return _of_mean(query, made, query.rows, query.high - query.middle)
        case Histogram():
            cells = len(query.categories) + 1
            together = within(made.scales[0], MISS / cells)
            return Accuracy(
                within=Decimal(within(made.scales[0], MISS)), together=Decimal(together)
            )
        case _:
            steps = within(made.scales[0], MISS)
            return Accuracy(
                within=_value(query, steps) if isinstance(query, Numbers) else Decimal(steps)
            )


def _read(query: Query, made: Mechanism, drawn: Any) -> tuple[Value, Accuracy]:
    """Return what OpenDP drew as a value, with its error."""
    match query:
        case Histogram():
            names = [*query.categories, OTHERS]
            return dict(zip(names, drawn, strict=True)), _accuracy(query, made)
        case Mean():
            return _mean(query, made, drawn)
        case Numbers():
            return _value(query, drawn), _accuracy(query, made)
        case _:
            return Decimal(drawn), _accuracy(query, made)


def _mean(query: Mean, made: Mechanism, drawn: Sequence[int]) -> tuple[Decimal, Accuracy]:
    """Return the quotient, within the bounds, to a thousandth of a step; the error rests on what was drawn."""
    above, number = drawn
    quotient = Decimal(above) / max(number, 1)
    lowest, highest = query.low - query.middle, query.high - query.middle
    quotient = round(min(max(quotient, Decimal(lowest)), Decimal(highest)), 3)
    return _value(query, query.middle + quotient), _of_mean(query, made, number, abs(quotient))


def _of_mean(query: Mean, made: Mechanism, number: int, reach: int | Decimal) -> Accuracy:
    """Return how far a mean is off where ``number`` rows were counted and it lies ``reach`` from the middle.

    With the sum off by at most a and the number by at most b, each but for half the chance, the quotient
    is off by at most (a + reach b) / (number - b); and never by more than the bounds are apart.
    """
    a, b = (within(scale, MISS / 2) for scale in made.scales)
    widest = Decimal(query.high - query.low)
    if number <= b:
        return Accuracy(within=_value(query, widest))
    off = (Decimal(a) + reach * b) / (number - b)
    rounded = (
        Decimal(math.ceil(off * 1000) + 1) / 1000
    )  # the quotient itself was rounded, within the bounds
    return Accuracy(within=_value(query, min(rounded, widest)))


def _rank(query: Quantile, made: Mechanism) -> Accuracy:
    """Return how many rows farther from the wanted rank than the best candidate's an answer may lie.

    One of k candidates whose rank is worse by t wins with a chance of at most k exp(-t / scale).
    """
    candidates = query.high - query.low + 1
    return Accuracy(
        within=Decimal(math.ceil(made.scales[0] * math.log(candidates / MISS))), of="rank"
    )


def _value(query: Numbers, steps: int | Decimal) -> Decimal:
    return Decimal(steps) * Decimal(query.step)
