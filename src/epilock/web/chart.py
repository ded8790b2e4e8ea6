"""The geometry of the chart of weeks: numbers in, whole units out; ``chart.html`` draws it as SVG.

Colours are the style sheet's, words the page's. The numbers stand in a table beside it, for who can't see it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from epilock.destroy.turnover import Week

WIDTH, HEIGHT = 420, 200  # so that its letters are legible on a telephone
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 12, 30
_STEPS = (1, 2, 5, 10)
_TICKS = 4  # at most, above zero
_LABELS = 4  # weeks that are named, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One week: its two bars side by side, each ``height`` units high and standing on the ground line."""

    week: Week
    x: int
    collected: int
    destroyed: int
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the scale."""

    y: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The chart.

    Attributes:
        columns: From the first week to this one.
        ticks: From zero up.
        bar: Width of a bar.
        ground: Where bars stand.
        width, height, left: Of the picture, and where its scale ends.
    """

    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    bar: int
    ground: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def of_weeks(weeks: Sequence[Week]) -> Chart | None:
    """Return the chart of ``weeks``; None if there are none."""
    if not weeks:
        return None
    step = _step(max(max(w.collected, w.destroyed) for w in weeks))
    top = step * max(1, math.ceil(max(max(w.collected, w.destroyed) for w in weeks) / step))
    ground = HEIGHT - BOTTOM
    full = ground - TOP
    slot = (WIDTH - LEFT - RIGHT) / max(4, len(weeks))
    bar = max(2, min(28, int(slot * 0.4)))
    every = math.ceil(len(weeks) / _LABELS)

    def high(value: int) -> int:
        return 0 if not value else max(1, round(full * value / top))

    return Chart(
        columns=tuple(
            Column(
                week=w, x=round(LEFT + slot * (n + 0.5)), collected=high(w.collected),
                destroyed=high(w.destroyed), named=n % every == 0,
            )
            for n, w in enumerate(weeks)
        ),
        ticks=tuple(
            Tick(y=ground - round(full * value / top), value=value)
            for value in range(0, top + 1, step)
        ),
        bar=bar, ground=ground,
    )  # fmt: skip


def _step(most: int) -> int:
    """Return the distance of the scale's lines, 1, 2 or 5 times a power of ten."""
    power = 1
    while power * _STEPS[-1] * _TICKS < most:
        power *= 10
    return power * next(step for step in _STEPS if step * power * _TICKS >= most)
