"""Protection: which cells of a table are hidden, so that no small one can be read or computed. Pure.

Small cells (1 to 9), totals too, are hidden: primary suppression. A line shows what a single hidden cell in it
is, so others are hidden with it: complementary suppression. For each small cell a second table is looked for
that agrees with everything shown, in which that cell is larger by ``SMALLEST`` - 1: the *witness* that a
reader who cannot tell the two apart cannot tell that it is small. Where there is none, the cells that the
least change of the table touches are hidden too (the linear relaxation of Kelly, Golden and Assad 1992);
a change costs as much as the cell's count, so that few persons' numbers are lost.

Then every complementary cell, the largest first, is shown again if the witnesses can do without it.

Rules kept in this file:
  1. Each small cell has a witness, made of whole numbers that were checked by adding them up. Of three
     dimensions the cheapest change may not be whole; then it is the cheapest box (hypercube method,
     Repsilber 1994), which always is.
  2. A 0 is shown: everybody may know where nobody can be. So a hidden cell is at least 1.
  3. It is the same for the same table: there is no chance in it.

It is not the least that could be hidden (that is a hard problem, Fischetti and Salazar-González 2000), and it
looks at one table alone; what several tables tell together is what noise is for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from math import inf

import pyarrow as pa

from epilock.deidentify.cells.audit import most
from epilock.deidentify.cells.grid import Cell, Grid, as_table
from epilock.deidentify.cells.line import SMALLEST, is_small
from epilock.deidentify.cells.program import Equation, Program
from epilock.errors import InputError, RefusedError

_FREE = (
    1e-3  # what a change of a hidden cell costs: nearly nothing, so that no more change than needed
)

Witness = Mapping[Cell, int]
"""By cell, how much it differs from the true table; cells that do not differ are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A table as it may be published.

    Attributes:
        of: The true counts.
        small: Cells hidden because they are small.
        complementary: Cells hidden so that the small ones can't be computed.
        witnesses: For each small cell another table that agrees with all that is shown.
    """

    of: Grid
    small: frozenset[Cell]
    complementary: frozenset[Cell]
    witnesses: Mapping[Cell, Witness]

    @property
    def shown(self) -> dict[Cell, int | None]:
        """Every cell's count, or None where it is hidden."""
        hidden = self.small | self.complementary
        return {cell: None if cell in hidden else self.of.counts[cell] for cell in self.of.cells}

    @property
    def table(self) -> pa.Table:
        """The table, one row a cell."""
        return as_table(self.of, self.shown)


def protect(of: Grid, *, smallest: int = SMALLEST) -> Protected:
    """Return ``of`` with its small cells hidden, and what would give them away.

    Raises:
        InputError: ``smallest`` is below 2.
        RefusedError: Nothing that could be hidden protects a small cell.
        StateError: The extra ``[privacy]`` is not installed, or the solver took too long.
    """
    if smallest < 2:  # noqa: PLR2004 - below it no number is small
        raise InputError("the smallest number that is shown must be 2 at least")
    small = sorted(
        (cell for cell in of.cells if is_small(of.counts[cell], smallest)),
        key=lambda cell: (of.counts[cell], cell),
    )
    if not small:
        return Protected(of=of, small=frozenset(), complementary=frozenset(), witnesses={})
    moves = _Moves(of, smallest)
    hidden = set(small)
    witnesses: dict[Cell, Witness] = {}
    for cell in small:
        found = moves.raise_(cell, hidden, also=True)
        if found is None:
            raise RefusedError(
                "this table has no way to hide its small cells", rule="small-cells",
                allowed="join categories, or publish totals only",
            )  # fmt: skip
        witnesses[cell] = found
        hidden.update(found)
    for cell in sorted(hidden.difference(small), key=lambda c: (-of.counts[c], c)):
        fewer = hidden - {cell}
        again = _without(moves, witnesses, cell, fewer)
        if again is not None:
            hidden = fewer
            witnesses |= again
    return Protected(
        of=of, small=frozenset(small), complementary=frozenset(hidden.difference(small)),
        witnesses=witnesses,
    )  # fmt: skip


def _without(
    moves: "_Moves", witnesses: Mapping[Cell, Witness], cell: Cell, hidden: Collection[Cell]
) -> dict[Cell, Witness] | None:
    """Return new witnesses for those in which ``cell`` differs; None if there is one that can't be had."""
    again: dict[Cell, Witness] = {}
    for small, witness in witnesses.items():
        if cell in witness:
            found = moves.raise_(small, hidden, also=False)
            if found is None:
                return None
            again[small] = found
    return again


class _Moves:
    """Looks for tables that differ from the true one: each cell that is not 0 can go up or down."""

    def __init__(self, of: Grid, smallest: int) -> None:
        self._of, self._need, self._most = of, smallest - 1, most(of)
        self._cells = [cell for cell in of.cells if of.counts[cell]]
        self._size = len(self._cells)
        self._place = {cell: i for i, cell in enumerate(self._cells)}
        self._program = Program(2 * self._size, [*self._equations()])

    def _equations(self) -> Collection[Equation]:
        made: list[Equation] = []
        for summed, total in self._of.equations():
            signs = [(self._place[c], 1) for c in summed if c in self._place]
            if not signs:
                continue  # all are 0, and so is their total
            signs.append((self._place[total], -1))
            places = [p for p, _ in signs] + [p + self._size for p, _ in signs]
            factors = [sign for _, sign in signs] + [-sign for _, sign in signs]
            made.append((places, factors, 0))
        return made

    def raise_(self, cell: Cell, hidden: Collection[Cell], *, also: bool) -> Witness | None:
        """Return the cheapest table in which ``cell`` is larger by what is needed, or None.

        Only ``hidden`` cells differ in it; with ``also`` others may too, at their price.
        """
        counts = self._of.counts
        free = [cell in hidden for cell in self._cells]
        costs = [_FREE if f else float(counts[c]) for f, c in zip(free, self._cells, strict=True)]
        open_ = [also or f for f in free]
        up = [self._most if o else 0 for o in open_]
        down = [counts[c] - 1 if o else 0 for o, c in zip(open_, self._cells, strict=True)]
        lower = [0] * (2 * self._size)
        place = self._place[cell]
        lower[place] = up[place] = self._need
        down[place] = 0
        found, whole = self._program.corner(costs * 2, lower, up + down)
        if found is not None and not whole:
            cube = self._cube(cell, hidden, also=also)
            if cube is not None or not also:
                return cube
            found = self._program.least(costs * 2, lower, up + down)
        if found is None:
            return None
        change = {c: found[i] - found[i + self._size] for c, i in self._place.items()}
        return {c: by for c, by in change.items() if by}

    def _cube(self, cell: Cell, hidden: Collection[Cell], *, also: bool) -> Witness | None:
        """Return the cheapest change of the corners of a box, of which ``cell`` is one, or None.

        In each dimension the opposite corner is another category, which changes by as much the other way, or
        the total, which changes the same way: so every line still adds up. It is whole by itself, where a
        table of three dimensions has no whole corner that is cheap.
        """
        counts = self._of.counts
        lengths = [len(categories) for categories in self._of.dimensions.values()]
        best: tuple[float, Witness] | None = None
        ends = [[i for i in range(n + 1) if i != at] for n, at in zip(lengths, cell, strict=True)]
        if any(at == n for at, n in zip(cell, lengths, strict=True)):
            return None  # of a total the program is asked
        for opposite in product(*ends):
            change: Witness = {}
            cost = 0.0
            for far in product((False, True), repeat=len(cell)):
                corner = tuple(o if f else c for c, o, f in zip(cell, opposite, far, strict=True))
                flips = sum(f and o < n for o, n, f in zip(opposite, lengths, far, strict=True))
                by = -self._need if flips % 2 else self._need
                if not counts[corner] or counts[corner] + by < 1:
                    break
                if corner not in hidden:
                    cost += counts[corner] if also else inf
                    if best is not None and cost >= best[0]:
                        break
                change = {**change, corner: by}
            else:
                if cost < inf and (best is None or cost < best[0]):
                    best = cost, change
        return None if best is None else best[1]
