"""The audit: what a reader of a published table can compute of each hidden cell, exactly. Pure.

The reader knows the shown numbers, every total's equation, and that no hidden cell is 0 (a 0 is always
shown). Of each hidden cell remain the values of all whole tables that fit: from ``low`` to ``high``.

Rule kept in this file: a small cell (1 to 9) is safe if it could be ``SMALLEST`` or more, and has
``SMALLEST`` possible values at least.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from epilock.deidentify.cells.grid import Cell, Grid
from epilock.deidentify.cells.line import SMALLEST, is_small
from epilock.deidentify.cells.program import Equation, Program
from epilock.errors import InputError, RefusedError, StateError


@dataclass(frozen=True, slots=True)
class Interval:
    """What a hidden cell can be, both ends included."""

    low: int
    high: int

    def is_safe(self, smallest: int = SMALLEST) -> bool:
        """Tell whether a small cell with this interval is safe (see the module)."""
        return self.high >= smallest and self.high - self.low >= smallest - 1


def intervals(
    of: Grid, hidden: Collection[Cell], wanted: Collection[Cell] | None = None
) -> Mapping[Cell, Interval]:
    """Return what a reader can compute of the hidden cells, or of those ``wanted``.

    Raises:
        InputError: A hidden cell is 0.
        StateError: The extra ``[privacy]`` is not installed, or the solver took too long.
    """
    if any(of.counts[cell] == 0 for cell in hidden):
        raise InputError("a cell that is 0 is always shown: whoever hides it gives the others away")
    order = sorted(hidden)
    place = {cell: i for i, cell in enumerate(order)}
    equations: list[Equation] = []
    for summed, total in of.equations():
        unknown = [(place[c], 1) for c in summed if c in place]
        known = sum(of.counts[c] for c in summed if c not in place)
        if total in place:
            unknown.append((place[total], -1))
        else:
            known -= of.counts[total]
        if unknown:
            equations.append(([p for p, _ in unknown], [f for _, f in unknown], -known))
    program = Program(len(order), equations)
    lower, upper = [1] * len(order), [most(of)] * len(order)
    found = {}
    for cell in sorted(hidden if wanted is None else wanted):
        ends = []
        for sign in (1.0, -1.0):
            costs = [0.0] * len(order)
            costs[place[cell]] = sign
            solution = program.least(costs, lower, upper)
            if solution is None:
                raise StateError("the solver found no table that fits, and there is one")
            ends.append(solution[place[cell]])
        found[cell] = Interval(*ends)
    return found


def audit(of: Grid, hidden: Collection[Cell], *, smallest: int = SMALLEST) -> None:
    """Return if a table with these cells hidden may be published.

    Raises:
        RefusedError: A small cell, or a total, is shown; or a reader can compute one too closely. The cells
            are named, at most five.
        InputError, StateError: As ``intervals``.
    """
    small = [cell for cell in of.cells if is_small(of.counts[cell], smallest)]
    bad = [cell for cell in small if cell not in hidden]
    if not bad and small:
        found = intervals(of, hidden, small)
        bad = [cell for cell in small if not found[cell].is_safe(smallest)]
    if bad:
        names = "; ".join(", ".join(of.name(cell).values()) for cell in bad[:5])
        raise RefusedError(
            f"{len(bad)} small cells can be read or computed: {names}",
            rule="small-cells",
            allowed="hide more cells, or join categories",
        )


def most(of: Grid) -> int:
    """Return where the search for the largest possible value of a cell ends; beyond it nothing is gained."""
    return 2 * max(of.counts.values()) + 2 * SMALLEST
