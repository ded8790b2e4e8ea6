"""Micro-aggregation: numbers are replaced by the mean or median of a group of at least k rows.

Rules kept in this file:
  1. Every group has k rows at least and 2k - 1 at most: nobody's number stands alone, and no group is larger
     than it must be.
  2. Distances are Euclidean, of columns brought to mean 0 and deviation 1, so that no unit weighs more.
  3. Nothing is drawn by lot; of equals the one with the smaller numbers goes first. So groups do not depend on
     the order of rows, but for rows that are equal in all columns.
  4. One column is grouped optimally (Hansen and Mukherjee 2003); several by MDAV (Domingo-Ferrer and
     Mateo-Sanz 2002): twice in turn, the row farthest from the mean and its k - 1 nearest become a group.

Time: one column n log n + n k; several about n^2 / k distances, so that rows are first divided along the widest
column into parts of ``PART`` rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.microaggregation import grouping
from epilock.deidentify.rows.counting import column_of, text_of
from epilock.errors import InputError

PART = 20_000
Statistic = Literal["mean", "median"]

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aggregated:
    """Columns after micro-aggregation.

    Attributes:
        columns: What stands instead of the numbers, column by column.
        groups: The group of each row, from 0.
        smallest, largest: Rows of the smallest and the largest group.
        lost: Share of the columns' variance that is gone (0: none; 1: all), in the units of rule 2.
    """

    columns: tuple[Floats, ...] = field(repr=False)
    groups: Groups = field(repr=False)
    smallest: int
    largest: int
    lost: float


def micro_aggregate(
    columns: Sequence[Floats], k: int, *, statistic: Statistic = "mean"
) -> Aggregated:
    """Return ``columns`` with each row's numbers replaced by those of its group.

    Args:
        columns: Numbers, one array for each column, all of one length.
        k: Rows of a group, at least.
        statistic: What of a group stands for its rows; of an even number of rows the median is the mean of
            the middle two.

    Raises:
        InputError: No column, columns of different lengths, a number is missing or infinite, k is below 2, or
            there are fewer than k rows.
    """
    table = _checked(columns, k)
    scaled = _scaled(table)
    groups = _one(scaled[:, 0], k) if table.shape[1] == 1 else _several(scaled, k)
    many = int(groups.max()) + 1
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=many)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    made = []
    for column in table.T:
        if statistic == "mean":
            of_group = np.add.reduceat(column[order], starts) / sizes
        else:
            by_size = np.lexsort([column, groups])
            low, high = starts + (sizes - 1) // 2, starts + sizes // 2
            of_group = (column[by_size[low]] + column[by_size[high]]) / 2
        made.append(of_group[groups])
    after = (np.stack(made, axis=1) - table.mean(axis=0)) / _deviation(table)
    whole = float(np.square(scaled).sum())
    lost = float(np.square(scaled - after).sum()) / whole if whole else 0.0
    return Aggregated(
        columns=tuple(made), groups=groups, smallest=int(sizes.min()), largest=int(sizes.max()),
        lost=lost,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class AggregatedTable:
    """Columns of a table after micro-aggregation, put into its batches.

    Attributes:
        names: Of the columns.
        aggregated: In the same order.
    """

    names: tuple[str, ...]
    aggregated: Aggregated

    def schema(self, table: pa.Schema) -> pa.Schema:
        """Return the schema of the batches: the columns become float64."""
        return pa.schema(
            [pa.field(f.name, pa.float64()) if f.name in self.names else f for f in table]
        )

    def recode(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return all rows of ``batch``, before which ``first_row`` rows of the table came."""
        rows = slice(first_row, first_row + batch.num_rows)
        made = dict(zip(self.names, self.aggregated.columns, strict=True))
        arrays = [
            pa.array(made[name][rows]) if name in made else batch.column(i)
            for i, name in enumerate(batch.schema.names)
        ]
        return pa.record_batch(arrays, schema=self.schema(batch.schema))


def micro_aggregate_table(
    table: pa.Table, names: Sequence[str], k: int, *, statistic: Statistic = "mean"
) -> AggregatedTable:
    """Return the columns ``names`` of ``table`` after micro-aggregation; see ``micro_aggregate``.

    Raises:
        InputError: As there; a column is missing, or a value of it is no number.
    """
    columns = [_numbers(column_of(table, name), name) for name in names]
    return AggregatedTable(tuple(names), micro_aggregate(columns, k, statistic=statistic))


def _numbers(column: pa.ChunkedArray, name: str) -> Floats:
    try:
        found: Floats = column.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:  # its message has the value in it
        row = next(i for i, v in enumerate(text_of(column.combine_chunks()).to_pylist(), 1) if not _is_number(v))  # fmt: skip
        raise InputError(f"row {row}, column {name}: the value is no number") from None
    return found


def _is_number(text: str) -> bool:
    try:
        pa.array([text]).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _checked(columns: Sequence[Floats], k: int) -> Floats:
    if not columns:
        raise InputError("micro-aggregation needs at least one column")
    if len({len(column) for column in columns}) != 1:
        raise InputError("micro-aggregation: all columns need the same number of rows")
    table = np.stack([np.asarray(column, float) for column in columns], axis=1)
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"row {row + 1}, numeric column {column + 1}: a number is missing or infinite; leave out such"
            " rows, or give a number"
        )
    if k < 2:  # noqa: PLR2004 - a group of one hides nobody
        raise InputError("micro-aggregation: k must be 2 or more")
    if len(table) < k:
        raise InputError(f"micro-aggregation: {len(table)} rows can't make a group of {k}")
    return table


def _deviation(table: Floats) -> Floats:
    deviation: Floats = table.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


def _scaled(table: Floats) -> Floats:
    scaled: Floats = (table - table.mean(axis=0)) / _deviation(table)
    return scaled


def _one(column: Floats, k: int) -> Groups:
    """Return the groups of least variance: consecutive in order, k to 2k - 1 rows each."""
    order = np.argsort(column, kind="stable")
    groups = np.empty(len(column), np.int64)
    groups[order] = grouping.consecutive(column[order], k)
    return groups


def _several(table: Floats, k: int) -> Groups:
    groups = np.empty(len(table), np.int64)
    many = 0
    # Rows in the order of their numbers: rule 3.
    parts = [np.lexsort(table.T[::-1])]
    while parts:
        rows = parts.pop()
        if len(rows) > max(PART, 2 * k):
            widest = int(np.argmax(np.ptp(table[rows], axis=0)))
            halves = np.argsort(table[rows, widest], kind="stable")
            middle = len(rows) // 2
            parts += [rows[np.sort(halves[middle:])], rows[np.sort(halves[:middle])]]
            continue
        found = grouping.farthest_and_nearest(np.ascontiguousarray(table[rows]), k)
        groups[rows] = many + found
        many += int(found.max()) + 1
    return groups
