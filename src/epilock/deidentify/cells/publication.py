"""A table of counts from a file, fit to be published: counted, then protected or rounded, then written.

In comes a table of persons, one row each, or of counts that were made elsewhere (``count`` names their column);
out goes one row for each cell, totals included, with ``count`` empty where it is hidden.

Rules kept in this file:
  1. The categories are declared, never taken from the table (``grid``, rule 1).
  2. The output is written whole or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from epilock.deidentify import declared
from epilock.deidentify.cells.grid import Cell, Grid, as_table, check_dimensions, count, grid
from epilock.deidentify.cells.line import SMALLEST
from epilock.deidentify.cells.protect import protect
from epilock.deidentify.cells.rounding import MOST_BASE, round_to
from epilock.deidentify.declared import made
from epilock.deidentify.rows.counting import text_of
from epilock.deidentify.table import Table, open_table
from epilock.deidentify.writing import check_output, written
from epilock.errors import InputError

MOST_COUNT = 10**12
MOST_ROWS = 10_000_000  # of a table that is counted; its columns are in memory then


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be published.

    Attributes:
        dimensions: By column, its categories in the order of the output.
        count: Column of the counts; None: each row of the table counts as one.
        method: ``suppress``: small cells are hidden; ``round``: all are rounded.
        smallest: The smallest number that is shown (``suppress``).
        base: To a multiple of what is rounded (``round``).
    """

    dimensions: Mapping[str, Sequence[str]]
    count: str | None = None
    method: Literal["suppress", "round"] = "suppress"
    smallest: int = SMALLEST
    base: int = 5

    def __post_init__(self) -> None:
        """Check what is declared.

        Raises:
            InputError: Dimensions, the smallest number or the base are outside their bounds.
        """
        check_dimensions(self.dimensions)
        if self.count in self.dimensions:
            raise InputError(f"count names {self.count}, which is a dimension")
        if not 2 <= self.smallest <= MOST_COUNT:  # noqa: PLR2004 - below it no number is small
            raise InputError(f"smallest must be 2 to {MOST_COUNT}")
        if not 2 <= self.base <= MOST_BASE:  # noqa: PLR2004 - every number is a multiple of 1
            raise InputError(f"base must be 2 to {MOST_BASE}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What left.

    Attributes:
        cells: Cells of the table, totals included.
        small: Hidden because they are small.
        complementary: Hidden so that those can't be computed.
        farthest: The most that a number was changed by rounding; 0 if none was.
    """

    cells: int
    small: int
    complementary: int
    farthest: int

    def to_json(self) -> dict[str, int]:
        """Return it as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def read(path: Path) -> Wanted:
    """Return what the TOML file ``path`` asks for.

    Raises:
        InputError, FileFormatError, TooLargeError: As ``declared.read``; or a key is unknown, missing or wrong.
    """
    return parse(declared.read(path))


def parse(given: Mapping[str, Any]) -> Wanted:
    """Return what the table ``given`` asks for.

    Raises:
        InputError: A key is unknown, missing or wrong; the message names it.
    """
    return made(Wanted, given, "table")


def publish_file(path: Path, wanted: Wanted, out: Path, *, replace: bool = False) -> Published:
    """Write the table of counts of the table in ``path`` to ``out``; tell what is hidden.

    Raises:
        InputError, FileFormatError, TooLargeError: The table can't be read, a column is missing, a row has a value
            that is no category or a count that is none; the row is named.
        RefusedError: Nothing that could be hidden protects a small cell; nothing is written.
        StateError: The extra ``[privacy]`` is not installed, or the solver took too long.
        ConflictError: The output is there and ``replace`` is not said.
    """
    check_output(out, path, replace=replace)
    table = open_table(path)
    of = _counted(table, wanted)
    shown: Mapping[Cell, int | None]
    if wanted.method == "round":
        shown = rounded = round_to(of, wanted.base)
        farthest = max(abs(rounded[cell] - of.counts[cell]) for cell in of.cells)
        told = Published(cells=len(of.counts), small=0, complementary=0, farthest=farthest)
    else:
        found = protect(of, smallest=wanted.smallest)
        shown = found.shown
        told = Published(
            cells=len(of.counts), small=len(found.small), complementary=len(found.complementary),
            farthest=0,
        )  # fmt: skip
    made_table = as_table(of, shown)
    with written(out, made_table.schema, table, replace=replace) as writer:
        for batch in made_table.to_batches():
            writer.write(batch)
    return told


def _counted(table: Table, wanted: Wanted) -> Grid:
    names = [*wanted.dimensions, *([] if wanted.count is None else [wanted.count])]
    for name in names:
        if name not in table.schema.names:
            raise InputError(f"the table has no column {name}")
    batches = []
    for batch in table.batches(names):
        batches.append(batch)
        if sum(b.num_rows for b in batches) > MOST_ROWS:
            raise InputError(
                f"a table of more than {MOST_ROWS:,} rows; count it first, and name `count`"
            )
    schema = pa.schema([f for f in table.schema if f.name in names])
    rows = pa.Table.from_batches(batches, schema)
    if wanted.count is None:
        return count(rows, wanted.dimensions)
    return grid(wanted.dimensions, _inner(rows, wanted.dimensions, wanted.count))


def _inner(rows: pa.Table, dimensions: Mapping[str, Sequence[str]], counts: str) -> dict[Cell, int]:
    """Return the counts of a table that was counted elsewhere; a cell that has several rows is their sum."""
    places = {name: {c: i for i, c in enumerate(known)} for name, known in dimensions.items()}
    texts = [_texts(rows, name) for name in (*dimensions, counts)]
    inner: dict[Cell, int] = {}
    for row, (*values, number) in enumerate(zip(*texts, strict=True), 1):
        for name, each in zip(dimensions, values, strict=True):
            if each not in places[name]:
                raise InputError(f"row {row}: column {name} holds what is none of its categories")
        text = number.strip()
        if not (text.isascii() and text.isdigit()) or int(text[:20]) > MOST_COUNT:
            raise InputError(f"row {row}: column {counts} must be a whole number from 0 on")
        cell = tuple(places[n][v] for n, v in zip(dimensions, values, strict=True))
        inner[cell] = inner.get(cell, 0) + int(text)
    return inner


def _texts(rows: pa.Table, name: str) -> list[str]:
    return [t for chunk in rows.column(name).chunks for t in text_of(chunk).to_pylist()]
