"""Recodings: how the rows of a table become rows of a release, batch by batch.

Rules kept in this file:
  1. A suppressed row is left out: no trace of it but its number in the report.
  2. A column passes only if it is named: quasi-identifiers generalised, the ``kept`` ones as they are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns, codes_of, column_of
from epilock.deidentify.rows.packing import Keys, Levels

Flags = npt.NDArray[np.bool_]


class Recoding(Protocol):
    """What turns batches of the table into batches of the release."""

    def schema(self, table: pa.Schema) -> pa.Schema:
        """Return the schema of the release of a table with this schema."""
        ...

    def recode(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the rows of the release; ``first_row`` rows of the table came before ``batch``.

        Raises:
            InputError: A value is not in its hierarchy; the message names row and column.
        """
        ...


def schema_of(table: pa.Schema, columns: Columns, kept: Collection[str]) -> pa.Schema:
    """Return the schema of a release: columns in the table's order, quasi-identifiers as text."""
    quasi = {h.attribute for h in columns.quasi}
    return pa.schema(
        [
            pa.field(each.name, pa.string()) if each.name in quasi else each
            for each in table
            if each.name in quasi or each.name in kept
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class FullDomain:
    """Every row generalised to one node; rows of suppressed classes left out.

    Attributes:
        columns: The quasi-identifiers and how they are packed.
        levels: The node.
        suppressed: Keys of the suppressed classes at the node.
        kept: Names of the columns that pass unchanged.
    """

    columns: Columns
    levels: Levels
    suppressed: Keys = field(repr=False)
    kept: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, columns: Columns, node: Classes, fails: Flags, kept: Sequence[str] = ()
    ) -> "FullDomain":
        """Return the recoding to a ``node`` whose classes ``fails`` are suppressed."""
        return cls(columns, node.levels, tuple(word[fails] for word in node.keys), tuple(kept))

    def schema(self, table: pa.Schema) -> pa.Schema:
        """Return the schema of the release; see ``schema_of``."""
        return schema_of(table, self.columns, self.kept)

    def recode(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the rows of the release; see ``Recoding``."""
        schema = self.schema(batch.schema)
        packing = self.columns.packing
        codes = [codes_of(column_of(batch, h.attribute), h, first_row) for h in self.columns.quasi]
        lifted = [
            h.codes[level][code]
            for h, level, code in zip(self.columns.quasi, self.levels, codes, strict=True)
        ]
        stays = ~kernels.are_among(packing.pack(lifted), self.suppressed)
        made = {
            h.attribute: pa.DictionaryArray.from_arrays(
                pa.array(code[stays]), pa.array(h.forms[level], pa.string())
            ).dictionary_decode()
            for h, level, code in zip(self.columns.quasi, self.levels, lifted, strict=True)
        }
        mask = pa.array(stays)
        arrays = [
            made[name] if name in made else column_of(batch, name).filter(mask)
            for name in schema.names
        ]
        return pa.record_batch(arrays, schema=schema)
