"""One line of counts: which numbers may leave, so that no small number can be read or computed. Pure.

A cell under ``SMALLEST`` is hidden (standard, ``situation-monitoring``). So that it cannot be computed:

  1. What is hidden is one line, ``others``, without its values: at least two values, and never small itself.
     The next smallest are hidden with it until that holds (complementary suppression).
  2. A cell that differs by less than ``SMALLEST`` from the same cell of a table that left earlier, about
     overlapping days, is hidden too: the difference would be a small number; so is ``others``.
  3. Where nothing is left that may be shown, or the total itself differs so little, no number is shown.

It bounds what one learns by subtracting tables; it does not make it nothing. That is what noise is for
(``epilock.deidentify.noise``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SMALLEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it may leave.

    Attributes:
        cells: Count by value.
        others: Sum of the values that are hidden; 0 if there are none, None if it is hidden too.
    """

    cells: Mapping[str, int]
    others: int | None

    @property
    def total(self) -> int | None:
        """Sum of all, or None if it is hidden."""
        return None if self.others is None else sum(self.cells.values()) + self.others


def is_small(number: int, smallest: int = SMALLEST) -> bool:
    """Tell whether a number other than 0 is too small to leave."""
    return 0 < abs(number) < smallest


def suppress(counts: Mapping[str, int], earlier: Sequence[Table] = ()) -> Table:
    """Return what of ``counts`` may leave, after the ``earlier`` tables about overlapping days."""
    shown = {value: n for value, n in counts.items() if n}
    total = sum(shown.values())
    if any(table.total is not None and is_small(total - table.total) for table in earlier):
        return Table(cells={}, others=None)
    hidden = {
        value
        for value, n in shown.items()
        if is_small(n)
        or any(value in table.cells and is_small(n - table.cells[value]) for table in earlier)
    }
    ranked = sorted(shown, key=lambda value: (shown[value], value))
    others = sum(shown[value] for value in hidden)
    while hidden and _tells(hidden, others, earlier):
        following = next((value for value in ranked if value not in hidden), None)
        if following is None:
            return Table(cells={}, others=None)
        hidden.add(following)
        others += shown[following]
    return Table(cells={v: n for v, n in shown.items() if v not in hidden}, others=others)


def _tells(hidden: set[str], others: int, earlier: Sequence[Table]) -> bool:
    """Tell whether the sum of what is hidden would tell a small number."""
    if len(hidden) == 1 or is_small(others):
        return True
    return any(table.others is not None and is_small(others - table.others) for table in earlier)
