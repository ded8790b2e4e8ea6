"""Columns: an Arrow table as the whole numbers that a question is about, each row by itself. Pure.

Rules kept in this file:
  1. Each row is kept, left out or turned into one number by itself alone: one person's rows change as
     many numbers as they are, whatever the others are.
  2. No value raises an error: types are looked at, values are not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from epilock.deidentify.noise.query import Histogram, Mean, Numbers, Query
from epilock.errors import InputError

OTHERS = -1  # the number of a row that is in no category


def numbers(query: Query, table: pa.Table) -> Any:
    """Return what ``query`` counts as a numpy array of 64-bit integers, one for each row that counts.

    Of a ``Histogram`` the category's place in the list, or ``OTHERS``; of ``Numbers`` whole steps within
    the bounds, of a ``Mean`` from their middle on; of a ``Count`` zeros.

    Raises:
        InputError: The table has no such column, or it holds something else; column and type are named.
    """
    names = [*query.where, *([query.column] if isinstance(query, Histogram | Numbers) else ())]
    columns = {name: _column(table, name) for name in names}
    kept = _matching(columns, query.where, table.num_rows)
    if isinstance(query, Histogram):
        found = pc.index_in(_text(columns[query.column], query.column), pa.array(query.categories))
        found = pc.fill_null(found.cast(pa.int64()), OTHERS)
    elif isinstance(query, Numbers):
        found = _steps(query, columns[query.column])
        if query.missing is None:
            kept = pc.and_(kept, pc.is_valid(found))
        else:
            found = pc.fill_null(found, query.steps(query.missing))
        if isinstance(query, Mean):
            found = pc.subtract(found, query.middle)
    else:
        found = pa.chunked_array([pa.nulls(table.num_rows, pa.int64()).fill_null(0)])
    return found.filter(kept).to_numpy().copy()  # OpenDP takes no array that is read-only


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if table.schema.names.count(name) != 1:
        raise InputError(f"the table must have exactly one column {name}")
    return table.column(name)


def _matching(
    columns: Mapping[str, pa.ChunkedArray], where: Mapping[str, Sequence[str]], rows: int
) -> pa.ChunkedArray:
    """Return for each row whether it counts; never null."""
    kept = pc.is_null(pa.chunked_array([pa.nulls(rows)]))  # every row
    for name, values in where.items():
        found = pc.is_in(_text(columns[name], name), pa.array(values, pa.string()))
        kept = pc.and_(kept, found)
    return kept


def _text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a column as text: dates as 2026-03-14, whole numbers as digits, ``true`` and ``false``."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    fits = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean,
        pa.types.is_date, pa.types.is_null,
    )  # fmt: skip
    if not any(fit(kind) for fit in fits):
        raise InputError(f"column {name} holds {kind}; categories are text, whole numbers or dates")
    return column.cast(kind).cast(pa.string(), safe=False)


def _steps(query: Numbers, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in whole steps within the bounds; what is no number is null."""
    kind = column.type
    fits = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not any(fit(kind) for fit in fits):
        raise InputError(
            f"column {query.column} holds {kind}; a {type(query).__name__} wants numbers"
        )
    value = column.cast(pa.float64(), safe=False)
    value = pc.if_else(pc.is_nan(value), pa.scalar(None, pa.float64()), value)
    lower, upper = float(query.lower), float(query.upper)
    value = pc.min_element_wise(value, pa.scalar(upper), skip_nulls=False)
    value = pc.max_element_wise(value, pa.scalar(lower), skip_nulls=False)
    steps = pc.round(pc.divide(value, float(query.step)))
    return steps.cast(pa.int64(), safe=False)
