"""Grids: counts by one to three dimensions, with every total. Pure.

A cell is named by one place in each dimension; the place after the last category is the total. So a table of
2 x 3 has 3 x 4 cells, and each line of them, with its total, is an *equation*: what is summed, less the total,
is 0. A reader knows all equations.

Rules kept in this file:
  1. Categories are public and given beforehand: one that nobody has is a 0, and a value that is none of them
     is an error that names its row and not the value.
  2. Totals are computed here and never taken from outside.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import pyarrow as pa

from epilock.errors import InputError

TOTAL = "total"
MOST_DIMENSIONS = 3
MOST_CELLS = 20_000  # totals included
Cell = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Counts with all their totals.

    Attributes:
        dimensions: By name, its categories in order.
        counts: Count of every cell, totals included.
    """

    dimensions: Mapping[str, Sequence[str]]
    counts: Mapping[Cell, int]

    @property
    def cells(self) -> Iterator[Cell]:
        """Every cell, in order."""
        return product(*(range(len(categories) + 1) for categories in self.dimensions.values()))

    def equations(self) -> Iterator[tuple[list[Cell], Cell]]:
        """Yield each line: the cells that are summed, and their total."""
        sizes = [len(categories) for categories in self.dimensions.values()]
        for along, size in enumerate(sizes):
            others = [range(1) if k == along else range(n + 1) for k, n in enumerate(sizes)]
            for place in product(*others):
                line = [(*place[:along], i, *place[along + 1 :]) for i in range(size + 1)]
                yield line[:-1], line[-1]

    def name(self, cell: Cell) -> dict[str, str]:
        """Return the category of a cell in each dimension, or ``total``."""
        return {
            dimension: [*categories, TOTAL][place]
            for place, (dimension, categories) in zip(cell, self.dimensions.items(), strict=True)
        }


def grid(dimensions: Mapping[str, Sequence[str]], inner: Mapping[Cell, int]) -> Grid:
    """Return the grid of the ``inner`` counts (cells without a total; one that is missing is 0).

    Raises:
        InputError: There are no dimensions, too many, or too many cells; two categories are equal; a cell
            is outside, or a count negative.
    """
    check_dimensions(dimensions)
    sizes = [len(categories) for categories in dimensions.values()]
    counts: Counter[Cell] = Counter()
    for cell, count in inner.items():
        if len(cell) != len(sizes) or not all(0 <= i < n for i, n in zip(cell, sizes, strict=True)):
            raise InputError(f"the cell {cell} lies outside the table")
        if count < 0:
            raise InputError(f"the count of cell {cell} is negative")
        for totals in product((False, True), repeat=len(sizes)):
            place = zip(cell, sizes, totals, strict=True)
            counts[tuple(n if total else i for i, n, total in place)] += count
    every = product(*(range(n + 1) for n in sizes))
    return Grid(dimensions=dict(dimensions), counts={cell: counts[cell] for cell in every})


def count(table: pa.Table, dimensions: Mapping[str, Sequence[str]]) -> Grid:
    """Return how many rows of ``table`` there are in each cell; a dimension is a column.

    Raises:
        InputError: As ``grid``; a column is missing; a row has a value that is no category.
    """
    check_dimensions(dimensions)
    for name in dimensions:
        if table.schema.names.count(name) != 1:
            raise InputError(f"the table must have exactly one column {name}")
    places = {
        name: {category: i for i, category in enumerate(categories)}
        for name, categories in dimensions.items()
    }
    columns = [table.column(name).cast(pa.string()).to_pylist() for name in dimensions]
    rows = Counter(zip(*columns, strict=True))
    inner: dict[Cell, int] = {}
    for values, number in rows.items():
        for name, value, column in zip(dimensions, values, columns, strict=True):
            if value not in places[name]:
                raise InputError(
                    f"row {column.index(value) + 1}: column {name} holds what is none of its categories"
                )
        cell = tuple(places[n][v] for n, v in zip(dimensions, values, strict=True))
        inner[cell] = number
    return grid(dimensions, inner)


def as_table(of: Grid, shown: Mapping[Cell, int | None]) -> pa.Table:
    """Return a table as it may be published: a column for each dimension, and ``count``, null where hidden."""
    names = [of.name(cell) for cell in of.cells]
    columns = {name: pa.array([n[name] for n in names], pa.string()) for name in of.dimensions}
    counts = pa.array([shown[cell] for cell in of.cells], pa.int64())
    return pa.table({**columns, "count": counts})


def check_dimensions(dimensions: Mapping[str, Sequence[str]]) -> None:
    """Return if a table can have these dimensions.

    Raises:
        InputError: There are none, too many, or too many cells; or names or categories are equal or taken.
    """
    if not 1 <= len(dimensions) <= MOST_DIMENSIONS:
        raise InputError(f"a table has 1 to {MOST_DIMENSIONS} dimensions")
    for name, categories in dimensions.items():
        if not categories or len(set(categories)) != len(categories) or TOTAL in categories:
            raise InputError(f"{name} needs categories that differ, and none named `{TOTAL}`")
    if "count" in dimensions:
        raise InputError("no dimension may be named `count`")
    cells = prod(len(categories) + 1 for categories in dimensions.values())
    if cells > MOST_CELLS:
        raise InputError(f"a table has at most {MOST_CELLS} cells with its totals, not {cells}")
