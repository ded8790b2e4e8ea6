"""Columns: an Arrow table as the whole numbers that a question is about, each row by itself. Pure.

Rules kept in this file:
  1. Each row is kept, left out or turned into one number by itself alone: one person's rows change as
     many numbers as they are, whatever the others are.
  2. No value raises an error: types are looked at, values are not.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from epilock.deidentify.noise.query import Histogram, Mean, Numbers, Query
from epilock.errors import InputError

OTHERS = -1  # the number of a row that is in no category


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
_CATEGORIES = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean,
    pa.types.is_date, pa.types.is_null,
)  # fmt: skip


def check(query: Query, schema: pa.Schema) -> None:
    """Return if a table of this ``schema`` can be asked ``query``.

    Raises:
        InputError: It has no such column, or of another type; column and type are named.
    """
    wanted: list[tuple[str, Sequence[Callable[[pa.DataType], bool]], str]] = [
        (name, _CATEGORIES, "text, whole numbers or dates") for name in query.where
    ]
    if isinstance(query, Histogram):
        wanted.append((query.column, _CATEGORIES, "text, whole numbers or dates"))
    elif isinstance(query, Numbers):
        wanted.append((query.column, _NUMBERS, "numbers"))
    for name, fits, what in wanted:
        if schema.names.count(name) != 1:
            raise InputError(f"the table must have exactly one column {name}")
        kind = _plain(schema.field(name).type)
        if not any(fit(kind) for fit in fits):
            raise InputError(f"column {name} holds {kind}; this question wants {what}")


def numbers(query: Query, table: pa.Table) -> Any:
    """Return what ``query`` counts as a numpy array of 64-bit integers, one for each row that counts.

    Of a ``Histogram`` the category's place in the list, or ``OTHERS``; of ``Numbers`` whole steps within
    the bounds, of a ``Mean`` from their middle on; of a ``Count`` zeros.

    Raises:
        InputError: As ``check``.
    """
    check(query, table.schema)
    kept = pc.is_null(pa.chunked_array([pa.nulls(table.num_rows)]))  # every row
    for name, values in query.where.items():
        found = pc.is_in(_text(table.column(name)), pa.array(values, pa.string()))
        kept = pc.and_(kept, found)
    if isinstance(query, Histogram):
        places = pc.index_in(_text(table.column(query.column)), pa.array(query.categories))
        counted = pc.fill_null(places.cast(pa.int64()), OTHERS)
    elif isinstance(query, Numbers):
        counted = _steps(query, table.column(query.column))
        kept = pc.and_(kept, pc.is_valid(counted))
    else:
        counted = pa.chunked_array([pa.nulls(table.num_rows, pa.int64()).fill_null(0)])
    return counted.filter(kept).to_numpy().copy()  # OpenDP takes no array that is read-only


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as text: dates as 2026-03-14, whole numbers as digits, ``true`` and ``false``."""
    return column.cast(_plain(column.type)).cast(pa.string(), safe=False)


def _steps(query: Numbers, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in whole steps within the bounds; what is no number is null, or ``missing``."""
    value = column.cast(_plain(column.type)).cast(pa.float64(), safe=False)
    value = pc.if_else(pc.is_nan(value), pa.scalar(None, pa.float64()), value)
    value = pc.min_element_wise(value, pa.scalar(float(query.upper)), skip_nulls=False)
    value = pc.max_element_wise(value, pa.scalar(float(query.lower)), skip_nulls=False)
    steps = pc.round(pc.divide(value, float(query.step))).cast(pa.int64(), safe=False)
    if query.missing is not None:
        steps = pc.fill_null(steps, query.steps(query.missing))
    return pc.subtract(steps, query.middle) if isinstance(query, Mean) else steps
