"""Programs: the smallest (or largest) sum of whole numbers that fit equations, by HiGHS.

A program is given its equations once; costs and bounds change from question to question, and each begins
where the last ended. Equations of tables of one and two dimensions always have whole corners (Hoffman and
Kruskal 1956): there the linear program is enough. Of three dimensions, numbers are asked to be whole where
they did not come out so.

Rule kept in this file: what is returned satisfies every equation and bound exactly, in whole numbers.
"""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from epilock.errors import StateError

MOST_SECONDS = 60  # for one question
NEARLY = 1e-5
Equation = tuple[Sequence[int], Sequence[int], int]
"""Places of the numbers, their factors, and what the sum must be."""


@cache
def _highs() -> Any:
    """Return the solver, loaded on first use.

    Raises:
        StateError: The extra ``[privacy]`` is not installed.
    """
    try:
        return import_module("highspy")
    except ModuleNotFoundError:
        raise StateError(
            "to protect tables of counts, install the extra: pip install 'epilock[privacy]'"
        ) from None


def _quiet() -> Any:
    """Return a solver that prints nothing, its banner neither, which it prints before options can be set."""
    library = _highs()

    class Quiet(library.Highs):  # type: ignore[misc,name-defined]  # loaded on first use
        def enableCallbacks(self) -> None:  # noqa: N802 - its name there
            self.setOptionValue("output_flag", False)  # noqa: FBT003 - its way there
            super().enableCallbacks()

    return Quiet()


class Program:
    """Equations of ``size`` whole numbers.

    Raises:
        StateError: The extra ``[privacy]`` is not installed.
    """

    def __init__(self, size: int, equations: Sequence[Equation]) -> None:
        self._lib = _highs()
        self._size = size
        self._equations = equations
        model = self._lib.HighsLp()
        model.num_col_, model.num_row_ = size, len(equations)
        model.col_cost_ = [0.0] * size
        model.col_lower_ = [0.0] * size
        model.col_upper_ = [0.0] * size
        model.row_lower_ = model.row_upper_ = [float(total) for _, _, total in equations]
        model.a_matrix_.format_ = self._lib.MatrixFormat.kRowwise
        starts = [0]
        for places, _, _ in equations:
            starts.append(starts[-1] + len(places))
        model.a_matrix_.start_ = starts
        model.a_matrix_.index_ = [place for places, _, _ in equations for place in places]
        model.a_matrix_.value_ = [float(f) for _, factors, _ in equations for f in factors]
        self._solver = _quiet()
        for name, value in (
            ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.9),
        ):  # fmt: skip
            self._solver.setOptionValue(name, value)
        self._solver.passModel(model)

    def least(
        self, costs: Sequence[float], lower: Sequence[int], upper: Sequence[int]
    ) -> list[int] | None:
        """Return the numbers within the bounds whose sum of costs is least; None if none fit.

        Raises:
            StateError: The solver found no answer in time.
        """
        numpy = import_module("numpy")
        found, whole = self.corner(costs, lower, upper)
        if found is None or whole:
            return found
        places = numpy.arange(self._size, dtype=numpy.int32)
        kinds = self._lib.HighsVarType
        for kind in (kinds.kInteger, kinds.kContinuous):
            self._solver.changeColsIntegrality(self._size, places, numpy.full(self._size, kind))
            if kind == kinds.kInteger:
                found, _ = self._run()
        if found is not None and not self._fits(found, lower, upper):
            raise StateError("the solver gave numbers that do not add up")
        return found

    def corner(
        self, costs: Sequence[float], lower: Sequence[int], upper: Sequence[int]
    ) -> tuple[list[int] | None, bool]:
        """Return as ``least``, quickly, and whether it is an answer: the numbers were whole by themselves.

        Raises:
            StateError: As ``least``.
        """
        numpy = import_module("numpy")
        places = numpy.arange(self._size, dtype=numpy.int32)
        self._solver.changeColsCost(self._size, places, numpy.array(costs, dtype=float))
        self._solver.changeColsBounds(
            self._size, places, numpy.array(lower, dtype=float), numpy.array(upper, dtype=float)
        )
        found, whole = self._run()
        return found, found is None or (whole and self._fits(found, lower, upper))

    def _run(self) -> tuple[list[int] | None, bool]:
        """Return the numbers, rounded, and whether they were whole; None if there are none."""
        limit = self._solver.getRunTime() + MOST_SECONDS  # its clock goes on from run to run
        self._solver.setOptionValue("time_limit", limit)
        self._solver.run()
        status, kinds = self._solver.getModelStatus(), self._lib.HighsModelStatus
        if status in {kinds.kInfeasible, kinds.kUnboundedOrInfeasible}:
            return None, True
        if status != kinds.kOptimal:
            raise StateError("the table is too large or too tangled to be protected in time")
        values = self._solver.getSolution().col_value
        found = [round(value) for value in values]
        return found, all(abs(n - value) < NEARLY for n, value in zip(found, values, strict=True))

    def _fits(self, found: Sequence[int], lower: Sequence[int], upper: Sequence[int]) -> bool:
        """Tell whether rounding broke nothing."""
        if not all(a <= n <= b for a, n, b in zip(lower, found, upper, strict=True)):
            return False
        return all(
            sum(factor * found[place] for place, factor in zip(places, factors, strict=True))
            == total
            for places, factors, total in self._equations
        )
