"""The geometry of a report's charts: numbers in, coordinates out; the template draws them as SVG.

A chart is 420 units wide, so that its letters are legible on a telephone; positions and lengths are whole
units. Nothing here is a colour: that is the style sheet's.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from epilock.deidentify.reports.distribution import Distribution
from epilock.deidentify.reports.frontier import Point

WIDTH = 420
HEIGHT = 250
LEFT, RIGHT, TOP, BOTTOM = 46, 28, 24, 44
BAR_FORM, BAR_VALUE = 34, 24
MOST_FORMS, MOST_VALUES = 16, 6
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of the frontier, where it stands and whether its label goes above."""

    x: int
    y: int
    point: Point
    above: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the vertical axis."""

    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Frontier:
    """The plot of risk against utility.

    Attributes:
        dots: The points that were reached, by rising k.
        ticks: Of the vertical axis.
        line: The dots as the points of a polyline.
    """

    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its kind (``form``, ``forms`` left, ``value``, ``rest`` of values), label, rows, place and length."""

    kind: str
    label: str
    many: int
    rows: int
    y: int
    length: int


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of one column, and how high they are together."""

    bars: tuple[Bar, ...]
    height: int


def frontier(points: Sequence[Point]) -> Frontier | None:
    """Return the plot of the points that were reached, by the logarithm of k; None for fewer than two."""
    there = [(each, each.score) for each in points if each.score is not None]
    if len(there) < 2:  # noqa: PLR2004 - one point is no line
        return None
    low, high = math.log(there[0][0].k), math.log(there[-1][0].k)
    top = max(score for _, score in there)
    step = _step(top)
    ceiling = step * max(1, math.ceil(top / step - 1e-9))
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def y(score: float) -> int:
        return round(HEIGHT - BOTTOM - up * score / ceiling)

    dots = tuple(
        Dot(
            round(LEFT + 8 + (across - 8) * (math.log(each.k) - low) / (high - low)), y(score), each,
            above=i % 2 == 0,
        )
        for i, (each, score) in enumerate(there)
    )  # fmt: skip
    many = round(ceiling / step)
    ticks = tuple(Tick(y(step * i), f"{step * i:.4g}") for i in range(many + 1))
    return Frontier(dots, ticks, " ".join(f"{dot.x},{dot.y}" for dot in dots))


def _step(top: float) -> float:
    """Return a round step that divides 0 to ``top`` into about four."""
    if top <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(top / 4))
    return next(step * power for step in _STEPS if step * power * 4 >= top * 0.999)


def bars(found: Distribution) -> Bars:
    """Return the bars of a column: each form, and below it what its rows said before."""
    longest = max([1, *(each.rows for each in found.forms), found.rows])
    y = 0
    made = []
    for kind, label, many, rows in _lines(found):
        made.append(Bar(kind, label, many, rows, y, max(1, round((WIDTH - 8) * rows / longest))))
        y += BAR_FORM if kind in {"form", "forms"} else BAR_VALUE
    return Bars(tuple(made), y)


def _lines(found: Distribution) -> Iterator[tuple[str, str, int, int]]:
    for each in found.forms[:MOST_FORMS]:
        yield "form", each.form, 1, each.rows
        if each.before is None or not each.changed:
            continue
        cells = each.before.cells
        for value, rows in cells[:MOST_VALUES]:
            yield "value", value, 1, rows
        rest = cells[MOST_VALUES:]
        many = len(rest) + each.before.hidden
        if many:
            yield "rest", "", many, sum(rows for _, rows in rest) + each.before.rows
    others = found.forms[MOST_FORMS:]
    many = len(others) + found.hidden
    if many:
        yield "forms", "", many, sum(each.rows for each in others) + found.rows
