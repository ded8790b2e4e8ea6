"""Counting on a cluster: the same ``counting.keyed`` under Spark's ``mapInArrow``, for a province's table.

Only different combinations and their numbers come to the driver; what follows (the search) is the same.
Needs the extra ``spark``; the workers need this package. A row number in an error counts within the
partition in which the row lies.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from epilock.deidentify.rows.counting import Columns, Counted, collect, keyed


def count(frame: Any, columns: Columns, *, population: Any = None) -> Counted:
    """Return the different combinations of ``columns`` in a Spark ``frame``; as ``counting.count``.

    ``population`` is the frame of the population, or None. Errors of workers come as Spark's own, with
    the message of ours in them.
    """
    found = _grouped(frame, columns)
    if population is None:
        return collect(found, columns)
    return collect(found, columns, _grouped(population, Columns(columns.packing)))


def _grouped(frame: Any, columns: Columns) -> pa.Table:
    names = columns.schema.names
    types = ", ".join(
        f"{field.name} {'bigint' if pa.types.is_integer(field.type) else 'string'}"
        for field in columns.schema
    )
    wanted = [h.attribute for h in columns.quasi] + list(columns.sensitive)

    def keyed_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        row = 0
        for batch in batches:
            yield keyed(batch, columns, row)
            row += batch.num_rows

    counted = frame.select(*[f"`{name}`" for name in wanted]).mapInArrow(keyed_batches, types)
    found: pa.Table = counted.groupBy(*names).count().withColumnRenamed("count", "n").toArrow()
    return found
