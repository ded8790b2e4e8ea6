"""Rules for numbers: intervals, top and bottom coding, rounding, and ages in bands.

Arithmetic is exact (decimal texts, no floats). Intervals hold their lower end and not their upper one.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Literal

from epilock.deidentify.rules.rule import UnfitError, check_levels, check_order
from epilock.errors import InputError

OLDEST = 150  # years; more is no age
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_AGE = re.compile(r"([0-9]{1,3})(?:\.[0-9]+)?\s*(?:岁|周岁|years?|y)?")
_INFANT = re.compile(r"[0-9]{1,4}\s*(?:个月|月|天|日|周|months?|weeks?|days?)")


def number_of(value: str, *, whole: bool) -> Fraction:
    """Return the number that a text is.

    Raises:
        UnfitError: It is none.
    """
    if not (_WHOLE if whole else _DECIMAL).fullmatch(value):
        raise UnfitError(
            f"a {'whole ' if whole else ''}number such as {'39' if whole else '36.6'} is wanted"
        )
    return Fraction(value)


def text_of(number: Fraction | float) -> str:
    """Return a decimal number as text, without needless zeros."""
    exact = _exact(number)
    text = format(Decimal(exact.numerator) / Decimal(exact.denominator), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exact(number: Fraction | float) -> Fraction:
    return number if isinstance(number, Fraction) else Fraction(str(number))


@dataclass(frozen=True, slots=True)
class Interval:
    """Intervals of equal width, or between bounds.

    Attributes:
        widths: Level by level, each a multiple of the one before; or
        bounds: level by level a rising list; each level's bounds are among those of the level before.
        origin: Where an interval begins, with ``widths``.
        lowest: What is below becomes ``<lowest``, with ``widths``.
        highest: What is not below becomes ``>=highest``, with ``widths``.
        numbers: ``whole`` gives forms such as ``35-39``, ``decimal`` such as ``[36.5, 37)``.
    """

    kind: ClassVar[str] = "interval"
    listed: ClassVar[Sequence[str]] = ()
    widths: tuple[float, ...] = ()
    bounds: tuple[tuple[float, ...], ...] = ()
    origin: float = 0
    lowest: float | None = None
    highest: float | None = None
    numbers: Literal["whole", "decimal"] = "whole"

    def __post_init__(self) -> None:
        if bool(self.widths) == bool(self.bounds):
            raise InputError("give either widths or bounds, a list with an item for each level")
        if self.widths:
            self._check_widths()
        else:
            self._check_bounds()
        given = [*self.widths, *(b for level in self.bounds for b in level), self.origin]
        given += [each for each in (self.lowest, self.highest) if each is not None]
        if self.numbers == "whole" and any(_exact(each).denominator != 1 for each in given):
            raise InputError(
                'with numbers = "whole" all widths and bounds are whole; take "decimal"'
            )

    def _check_widths(self) -> None:
        check_order("widths", self.widths, rising=True)
        if self.widths[0] <= 0:
            raise InputError("widths must be above 0")
        for before, after in pairwise(self.widths):
            if (_exact(after) / _exact(before)).denominator != 1:
                raise InputError(
                    f"widths must each be a multiple of the one before, and {after} is none of {before}"
                )
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise InputError("lowest must be below highest")

    def _check_bounds(self) -> None:
        check_levels("bounds", self.bounds)
        if self.lowest is not None or self.highest is not None or self.origin:
            raise InputError(
                "origin, lowest and highest go with widths; bounds are open at both ends"
            )
        for bounds in self.bounds:
            check_order("bounds", bounds, rising=True)
        for before, after in pairwise(self.bounds):
            if not set(after) <= set(before):
                raise InputError("the bounds of a level must be among those of the level before")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the intervals that hold the value."""
        number = number_of(value, whole=self.numbers == "whole")
        if self.bounds:
            return tuple(self._between(number, bounds) for bounds in self.bounds)
        if self.lowest is not None and number < _exact(self.lowest):
            return (f"<{text_of(self.lowest)}",) * len(self.widths)
        if self.highest is not None and number >= _exact(self.highest):
            return (f">={text_of(self.highest)}",) * len(self.widths)
        return tuple(self._of_width(number, _exact(width)) for width in self.widths)

    def _between(self, number: Fraction, bounds: Sequence[float]) -> str:
        exact = [_exact(bound) for bound in bounds]
        if number < exact[0]:
            return f"<{text_of(exact[0])}"
        if number >= exact[-1]:
            return f">={text_of(exact[-1])}"
        place = next(i for i, bound in enumerate(exact) if number < bound)
        return self._label(exact[place - 1], exact[place])

    def _of_width(self, number: Fraction, width: Fraction) -> str:
        origin = _exact(self.origin)
        low = origin + math.floor((number - origin) / width) * width
        high = low + width
        if self.lowest is not None:
            low = max(low, _exact(self.lowest))
        if self.highest is not None:
            high = min(high, _exact(self.highest))
        return self._label(low, high)

    def _label(self, low: Fraction, high: Fraction) -> str:
        if self.numbers == "decimal":
            return f"[{text_of(low)}, {text_of(high)})"
        last = high - 1
        if last == low:
            return text_of(low)
        return f"{text_of(low)}{' to ' if low < 0 else '-'}{text_of(last)}"


@dataclass(frozen=True, slots=True)
class Coding:
    """Top and bottom coding: what is rare at the ends is taken together, the rest stays as it is.

    Attributes:
        lowest: Level by level; what is below becomes ``<lowest``. It rises.
        highest: Level by level; what is not below becomes ``>=highest``. It falls.
    """

    kind: ClassVar[str] = "coding"
    listed: ClassVar[Sequence[str]] = ()
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.lowest and not self.highest:
            raise InputError("give lowest, highest or both, a list with a number for each level")
        if self.lowest:
            check_order("lowest", self.lowest, rising=True)
        if self.highest:
            check_order("highest", self.highest, rising=False)
        if self.lowest and self.highest:
            if len(self.lowest) != len(self.highest):
                raise InputError("lowest and highest need the same number of levels")
            if self.lowest[-1] > self.highest[-1]:
                raise InputError("lowest must not pass highest")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the value, or the end that it is in."""
        number = number_of(value, whole=False)
        levels = range(max(len(self.lowest), len(self.highest)))
        return tuple(self._form(value, number, level) for level in levels)

    def _form(self, value: str, number: Fraction, level: int) -> str:
        if self.lowest and number < _exact(self.lowest[level]):
            return f"<{text_of(self.lowest[level])}"
        if self.highest and number >= _exact(self.highest[level]):
            return f">={text_of(self.highest[level])}"
        return value


@dataclass(frozen=True, slots=True)
class Rounding:
    """Rounding to a multiple, halves up.

    Each level rounds what the level below gave (46 → 50 → 100): rounding the value itself would tell
    apart on a higher level what a lower one has merged.

    Attributes:
        to: Level by level, rising.
    """

    kind: ClassVar[str] = "rounding"
    listed: ClassVar[Sequence[str]] = ()
    to: tuple[float, ...]

    def __post_init__(self) -> None:
        check_order("to", self.to, rising=True)
        if self.to[0] <= 0:
            raise InputError("to: one rounds to numbers above 0")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the value rounded more and more."""
        number = number_of(value, whole=False)
        found = []
        for each in self.to:
            step = _exact(each)
            number = math.floor(number / step + Fraction(1, 2)) * step
            found.append(text_of(number))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Age:
    """Ages in bands; written as ``39``, ``39岁`` or, below a year, ``7个月``.

    Attributes:
        bands: Width in years, level by level; each a multiple of the one before.
        highest: From this age on all are one band (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): 90).
    """

    kind: ClassVar[str] = "age"
    listed: ClassVar[Sequence[str]] = ()
    bands: tuple[int, ...] = (5, 10, 20)
    highest: int = 90

    def __post_init__(self) -> None:
        _bands(self.bands, self.highest)

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the bands that hold the age."""
        found = _AGE.fullmatch(value)
        if found is None and not _INFANT.fullmatch(value):
            raise UnfitError("an age such as 39, 39岁 or 7个月 is wanted")
        years = int(found[1]) if found else 0
        if years > OLDEST:
            raise UnfitError(f"an age is at most {OLDEST} years")
        return _bands(self.bands, self.highest).forms(str(years))


@lru_cache(maxsize=64)
def _bands(widths: tuple[int, ...], highest: int) -> Interval:
    if highest <= 0:
        raise InputError("highest must be above 0")
    return Interval(widths=widths, highest=highest)
