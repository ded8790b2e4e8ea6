"""Codes instead of identifiers in the columns of a file, under a study's key; all else passes unchanged.

The columns with identifiers are in memory, for each distinct value is computed once and no two may share a
code (``pseudonym``); the other columns pass batch by batch. The output is written whole or not at all.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from epilock.deidentify.pseudonyms.pseudonym import KINDS, pseudonyms
from epilock.deidentify.table import Table, open_table
from epilock.deidentify.writing import check_output, written
from epilock.errors import FileFormatError, InputError


def pseudonymise_file(
    path: Path, columns: Mapping[str, str], out: Path, *, key: bytes, replace: bool = False
) -> int:
    """Write the table in ``path`` to ``out`` with codes in ``columns`` (name to kind); return its rows.

    Raises:
        InputError, FileFormatError, TooLargeError: The table can't be read, a column or kind is missing, or an
            identifier is too long; the column and the row are named.
        ConflictError: Two subjects got the same code; or the output is there and ``replace`` is not said.
    """
    check_output(out, path, replace=replace)
    table = open_table(path)
    for name, kind in columns.items():
        if table.schema.names.count(name) != 1:
            raise InputError(f"{path.name} has no column {name}")
        if kind not in KINDS:
            raise InputError(f"{kind} is no kind of identifier; there are {', '.join(KINDS)}")
    codes = {name: _codes(table, name, kind, key) for name, kind in columns.items()}
    schema = pa.schema([f.with_type(pa.string()) if f.name in columns else f for f in table.schema])
    rows = 0
    with written(out, schema, table, replace=replace) as writer:
        for batch in table.batches(table.schema.names):
            end = rows + batch.num_rows
            if any(len(each) < end for each in codes.values()):
                raise FileFormatError(f"{path.name} was changed while it was read; run it again")
            arrays = [
                codes[f.name].slice(rows, batch.num_rows) if f.name in columns else batch.column(i)
                for i, f in enumerate(schema)
            ]
            writer.write(pa.record_batch(arrays, schema=schema))
            rows = end
    return rows


def _codes(table: Table, name: str, kind: str, key: bytes) -> pa.Array:
    column = pa.chunked_array(
        [batch.column(0) for batch in table.batches([name])], table.schema.field(name).type
    )
    try:
        made = pseudonyms(key, kind, column, form=KINDS[kind])
    except InputError as error:
        raise InputError(f"column {name}: {error}") from None
    return pa.concat_arrays(made.chunks)
