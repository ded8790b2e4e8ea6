"""Counting: rows come in as Arrow batches, different combinations and their counts go out.

Rules kept in this file:
  1. One pass, batch by batch: the rows themselves are never held. ``keyed`` is a pure function of a batch,
     so that the same code runs here under DuckDB and on a cluster (``spark``).
  2. A value that its hierarchy does not know ends the pass with row and column, never with the value.
  3. The outcome does not depend on the order of rows, batches or threads: combinations come out sorted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes, Counts, Histogram
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Keys, Packing
from epilock.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Which columns are counted.

    Attributes:
        packing: How the quasi-identifiers become a key.
        sensitive: Names of the sensitive attributes.
    """

    packing: Packing
    sensitive: tuple[str, ...] = ()

    @property
    def quasi(self) -> tuple[Hierarchy, ...]:
        """The hierarchies of the quasi-identifiers."""
        return self.packing.hierarchies

    @property
    def schema(self) -> pa.Schema:
        """The schema of ``keyed`` batches; a key's bits are a signed number, which clusters know too."""
        return pa.schema(
            [(f"key{w}", pa.int64()) for w in range(self.packing.words)]
            + [(f"sensitive{i}", pa.string()) for i in range(len(self.sensitive))]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What was counted.

    Attributes:
        classes: The finest classes, at level 0 of each attribute.
        values: For each sensitive attribute its different values, sorted; their places are the codes.
    """

    classes: Classes
    values: tuple[tuple[str, ...], ...]


def text_of(column: pa.Array) -> pa.Array:
    """Return a column as text, the form in which hierarchies know its values; nothing becomes ''."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    return pc.fill_null(column, "")


def codes_of(column: pa.Array, hierarchy: Hierarchy, first_row: int) -> npt.NDArray[np.int32]:
    """Return the codes of a column's values on level 0.

    Raises:
        InputError: A value is not in the hierarchy; the message names row (from 1) and column.
    """
    encoded = text_of(column).dictionary_encode()
    number_of = hierarchy.number_of
    table = np.array([number_of.get(v, -1) for v in encoded.dictionary.to_pylist()], np.int32)
    codes = table[encoded.indices.to_numpy()] if len(table) else np.empty(0, np.int32)
    wrong = np.flatnonzero(codes < 0)
    if len(wrong):
        row = int(wrong[0])
        what = "nothing is given, and that" if text_of(column)[row].as_py() == "" else "the value"
        raise InputError(
            f"row {first_row + row + 1}, column {hierarchy.attribute}: {what} is missing from the hierarchy"
            " of this column; add a row for it to the hierarchy, or correct the table"
        )
    return codes


def keyed(batch: pa.RecordBatch, columns: Columns, first_row: int) -> pa.RecordBatch:
    """Return keys and sensitive values of a batch's rows; ``first_row`` rows came before it.

    Raises:
        InputError: A column is missing, or a value is not in its hierarchy.
    """
    codes = [
        codes_of(column_of(batch, h.attribute), h, first_row) for h in columns.quasi
    ]  # fmt: skip
    keys = columns.packing.pack(codes) if codes else (np.zeros(batch.num_rows, np.uint64),)
    arrays = [pa.array(word.view(np.int64)) for word in keys]
    arrays += [text_of(column_of(batch, name)) for name in columns.sensitive]
    return pa.record_batch(arrays, schema=columns.schema)


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return the column ``name``.

    Raises:
        InputError: There is none, or more than one.
    """
    if batch.schema.names.count(name) != 1:
        raise InputError(
            f"the table has {batch.schema.names.count(name)} columns named {name}; it needs exactly one"
        )
    return batch.column(name)


def count(
    batches: Iterable[pa.RecordBatch],
    columns: Columns,
    *,
    population: Iterable[pa.RecordBatch] | None = None,
) -> Counted:
    """Return the different combinations of ``columns`` in ``batches`` and how many rows have each.

    ``population`` are the rows of the population from which the table's rows are (k-map, delta
    presence); each of the table's rows is among them.

    Raises:
        InputError: A column is missing, a value is not in its hierarchy, or the table has a combination
            more often than the population.
    """
    found = _grouped(batches, columns)
    if population is None:
        return collect(found, columns)
    try:
        wide = _grouped(population, Columns(columns.packing))
    except InputError as error:
        raise InputError(f"population, {error}") from None
    return collect(found, columns, wide)


def collect(found: pa.Table, columns: Columns, population: pa.Table | None = None) -> Counted:
    """Return what a table of different keys, sensitive values and their ``n`` says.

    Raises:
        InputError: The table has a combination more often than the population.
    """
    keys, rows = _keys(found, columns.packing.words), found["n"].to_numpy().astype(np.int64)
    sensitive = [_sorted_codes(found[f"sensitive{i}"]) for i in range(len(columns.sensitive))]
    order = np.lexsort([*(codes for codes, _ in sensitive), *keys])
    keys, rows = tuple(word[order] for word in keys), rows[order]
    many = np.empty(0, np.int64)
    if population is not None:
        more = _keys(population, columns.packing.words)
        keys = tuple(np.concatenate(both) for both in zip(keys, more, strict=True))
        many = population["n"].to_numpy().astype(np.int64)
    member, firsts, counts = kernels.group(keys, _beside(rows, many * 0))
    different = tuple(word[firsts] for word in keys)
    in_population = None
    if population is not None:
        in_population = kernels.add_up(member, _beside(rows * 0, many), len(counts))
        _check_among(counts, in_population)
    starts = np.arange(len(rows) + 1)
    histograms = tuple(
        Histogram(len(values), starts, codes[order].astype(np.int32), rows).merged(
            member[: len(rows)], len(counts)
        )
        for codes, values in sensitive
    )
    levels = np.zeros(len(columns.quasi), np.int64)
    classes = Classes(columns.packing, levels, different, counts, in_population, histograms)
    return Counted(classes, tuple(values for _, values in sensitive))


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the process's database, which holds nothing and writes nothing; threads take cursors of it."""
    return duckdb.connect(":memory:", config={"temp_directory": ""})


def _grouped(batches: Iterable[pa.RecordBatch], columns: Columns) -> pa.Table:
    """Return each different row of ``keyed`` and its number ``n``, counted by DuckDB."""
    stopped: list[InputError] = []

    def keyed_batches() -> Iterator[pa.RecordBatch]:
        row = 0
        try:
            for batch in batches:
                yield keyed(batch, columns, row)
                row += batch.num_rows
        except InputError as error:  # DuckDB would tell it as an error of its own
            stopped.append(error)

    names = columns.schema.names
    with _database().cursor() as connection:
        rows = pa.RecordBatchReader.from_batches(columns.schema, keyed_batches())
        connection.register("rows", rows)
        found = connection.sql(
            f"SELECT {', '.join(names)}, count(*)::BIGINT AS n FROM rows GROUP BY ALL"
        ).to_arrow_table()
    if stopped:
        raise stopped[0]
    return found


def _keys(found: pa.Table, words: int) -> Keys:
    return tuple(found[f"key{w}"].to_numpy().view(np.uint64) for w in range(words))


def _beside(first: Counts, second: Counts) -> Counts:
    return np.concatenate([first, second])


def _sorted_codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    encoded = column.combine_chunks().dictionary_encode()
    values: Sequence[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda i: values[i])
    code = np.empty(len(values), np.int64)
    code[order] = np.arange(len(values))
    return code[encoded.indices.to_numpy()], tuple(values[i] for i in order)


def _check_among(counts: Counts, population: Counts) -> None:
    over = int((counts > population).sum())
    if over:
        raise InputError(
            f"{over} combinations are more frequent in the table than in the population; the population"
            " must hold every row of the table"
        )
