"""Mechanisms: OpenDP's measurement for a question, what it costs and how far off it is likely to be. Pure.

============  ====================================================  ===========================
question      noise                                                 error is stated in
============  ====================================================  ===========================
count         discrete Laplace on the number                        rows
histogram     discrete Laplace on each number                       rows, each and all together
sum           values clamped, discrete Laplace on the sum           the column's unit
mean          half the epsilon for the sum of what each value is    the column's unit, supposing
              above the middle of the bounds, half for the number   a number of rows
quantile      the best of the candidates after noise (permute and   rows: how far its rank is
              flip, McKenna and Sheldon 2020)                       from the wanted one
============  ====================================================  ===========================

Rules kept in this file:
  1. What is charged is the request's epsilon. OpenDP's map of exactly the measurement that is run is never
     above it, and less than one micro-epsilon below: the noise is the least that the map allows.
  2. Nothing here sees data.

Source: Ghosh, Roughgarden and Sundararajan 2012 (discrete Laplace); Smith 2011 (quantiles).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import Any

from epilock.deidentify.noise.query import (
    MICRO,
    Count,
    Histogram,
    Mean,
    Quantile,
    Query,
    Request,
    Sum,
)
from epilock.errors import StateError

CONFIDENCE = Decimal("0.95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One measurement, ready to run.

    Attributes:
        measure: OpenDP's measurement: takes the array of ``column.numbers``.
        scales: Scale of the noise of each part: of a mean the sum's and the number's.
    """

    measure: Any
    scales: tuple[float, ...]


@cache
def opendp() -> Any:
    """Return the library, loaded on first use.

    Raises:
        StateError: The extra ``[privacy]`` is not installed.
    """
    try:
        library = import_module("opendp.prelude")
    except ModuleNotFoundError:
        raise StateError(
            "for answers with noise, install the extra: pip install 'epilock[privacy]'"
        ) from None
    library.enable_features(
        "contrib"
    )  # proofs that OpenDP's own committee has not vetted to the end
    return library


def mechanism(request: Request) -> Mechanism:
    """Return the measurement that answers ``request``; its map is at most the request's epsilon (rule 1)."""
    most = math.nextafter(
        request.epsilon / MICRO, 0
    )  # never above, however the quotient was rounded
    if Fraction(request.epsilon / MICRO) <= Fraction(request.epsilon, MICRO):
        most = request.epsilon / MICRO
    measure, scales = _build(request.query, request.contributions, most)
    return Mechanism(measure=measure, scales=scales)


def within(scale: float, miss: float) -> int:
    """Return what discrete Laplace noise of ``scale`` stays within, but for a chance of ``miss``."""
    return math.floor(float(opendp().discrete_laplacian_scale_to_accuracy(scale, miss)))


def _build(query: Query, contributions: int, most: float) -> tuple[Any, tuple[float, ...]]:
    """Return the measurement of a question and the scales of its noise."""
    dp = opendp()
    count = _rows() >> dp.t.then_count(TO="i64")
    match query:
        case Count():
            return _laplace(count, contributions, most)
        case Histogram():
            places = list(range(len(query.categories)))
            counts = dp.t.then_count_by_categories(places, null_category=True, TOA="i64")
            return _laplace(_rows() >> counts, contributions, most)
        case Sum():
            return _laplace(_clamped_sum(query.low, query.high), contributions, most)
        case Mean():
            above = _clamped_sum(query.low - query.middle, query.high - query.middle)
            sum_, (wide,) = _laplace(above, contributions, most / 2)
            number, (narrow,) = _laplace(count, contributions, most / 2)
            return dp.c.make_composition([sum_, number]), (wide, narrow)
        case Quantile():
            return _best(query, contributions, most)
        case _:
            raise TypeError(f"{type(query).__name__} has no mechanism")


def _best(query: Quantile, contributions: int, most: float) -> tuple[Any, tuple[float, ...]]:
    """Return the choice of a candidate; its map does not depend on them, so two are enough to search with."""
    dp = opendp()
    candidates = list(range(query.low, query.high + 1))

    def make(scale: float, among: list[int]) -> Any:
        share = float(query.share)
        return dp.m.make_private_quantile(*_rows(), dp.max_divergence(), among, share, scale)

    scale = _smallest(lambda scale: make(scale, candidates[:2]), contributions, most)
    return make(scale, candidates), (scale,)


def _rows() -> tuple[Any, Any]:
    """Return the space that all questions begin with: numbers of rows, one person's rows more or less."""
    dp = opendp()
    return dp.vector_domain(dp.atom_domain(T="i64")), dp.symmetric_distance()


def _clamped_sum(low: int, high: int) -> Any:
    dp = opendp()
    return _rows() >> dp.t.then_clamp((low, high)) >> dp.t.then_sum()


def _laplace(made: Any, contributions: int, most: float) -> tuple[Any, tuple[float, ...]]:
    """Return a transformation with the least discrete Laplace noise that ``most`` epsilon allows."""
    dp = opendp()

    def make(scale: float) -> Any:
        return made >> dp.m.then_laplace(scale=scale)

    scale = _smallest(make, contributions, most)
    return make(scale), (scale,)


def _smallest(make: Callable[[float], Any], contributions: int, most: float) -> float:
    return float(opendp().binary_search_param(make, d_in=contributions, d_out=most, T=float))
