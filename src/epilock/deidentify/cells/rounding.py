"""Rounding: every number of a table to a multiple of a base, so that lines still add up. Pure.

Controlled rounding (Cox 1987): each number goes to a multiple next to it, the nearer one as far as the totals
allow. Tables of one and two dimensions always have such a rounding; of three dimensions some have none, and
then single numbers go one multiple farther, as few as can be.

Rules kept in this file:
  1. Every line of the result adds up; a number that is a multiple already, and 0, stays where it can.
  2. It is the same for the same table, so that asking again tells nothing.
  3. A reader knows each number to less than the base on either side, and no better from one line alone. To
     base 3 or 5 that hides ones and twos, not what is under ``SMALLEST``: for that, ``protect``.
"""

from collections.abc import Mapping
from itertools import chain

from epilock.deidentify.cells.grid import Cell, Grid
from epilock.deidentify.cells.program import Equation, Program
from epilock.errors import InputError, StateError

MOST_BASE = 1000
_FARTHER = 100.0  # times the base: what a number that goes one multiple farther costs


def round_to(of: Grid, base: int) -> Mapping[Cell, int]:
    """Return every cell's count, rounded to a multiple of ``base``.

    Raises:
        InputError: The base is below 2 or above a thousand.
        StateError: The extra ``[privacy]`` is not installed, or the solver took too long.
    """
    if not 2 <= base <= MOST_BASE:  # noqa: PLR2004 - every number is a multiple of 1
        raise InputError(f"a base is 2 to {MOST_BASE}")
    cells = list(of.cells)
    place, size = {cell: i for i, cell in enumerate(cells)}, len(cells)
    floors = [of.counts[cell] // base for cell in cells]
    rests = [of.counts[cell] % base for cell in cells]
    equations: list[Equation] = []
    for summed, total in of.equations():
        signs = [*((place[cell], 1) for cell in summed), (place[total], -1)]
        # Three numbers a cell: one multiple up, another one up, one down.
        places = [p + k * size for k in range(3) for p, _ in signs]
        factors = [f * sign for f in (1, 1, -1) for _, sign in signs]
        equations.append((places, factors, -sum(sign * floors[p] for p, sign in signs)))
    program = Program(3 * size, equations)
    farther = [_FARTHER * base] * (2 * size)
    costs = [*(float(base - 2 * rest) for rest in rests), *farther]
    one_up = [int(rest > 0) for rest in rests]
    found = program.least(costs, [0] * (3 * size), [*one_up, *[0] * (2 * size)])
    if found is None:
        beyond = chain((int(floor + rest > 0) for floor, rest in zip(floors, rests, strict=True)),
                       (int(floor > 0) for floor in floors))  # fmt: skip
        found = program.least(costs, [0] * (3 * size), [*one_up, *beyond])
    if found is None:
        raise StateError(f"this table has no rounding to base {base} that adds up; join categories")
    return {
        cell: base * (floors[i] + found[i] + found[i + size] - found[i + 2 * size])
        for cell, i in place.items()
    }
