"""A table that is read row by row: what the readers of CSV, XLSX and Parquet have in common.

Rules kept in this file:
  1. A row's number is the one its reader sees in the file: of the line's record in CSV and XLSX, the
     header counted; from 1 in Parquet, which has no header row.
  2. Cells of a column that was not asked for are never handed out.
  3. What a table holds is streamed: of a million rows a few thousand are in memory.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from epilock.collect.design.field import DesignField

MAX_ROWS = 5_000_000

Row = tuple[
    int, list[str] | None
]  # number; cells of the wanted columns, None if the row is too wide


class Table(Protocol):
    """One table of one file.

    Attributes:
        kind: ``csv``, ``xlsx`` or ``parquet``.
        columns: Place of a column (from 0) to what its header asks.
    """

    @property
    def kind(self) -> str:
        """What the file is."""

    @property
    def columns(self) -> Mapping[int, DesignField]:
        """Its columns."""

    def rows(self, wanted: Sequence[int], after: int = 0) -> Iterator[Row]:
        """Yield the rows with a number above ``after``: the cells of ``wanted``, trimmed; blank rows not.

        Raises:
            FileFormatError: The file is broken at a row, which is named.
            TooLargeError: It has more than ``MAX_ROWS`` rows, or a cell is too long.
        """


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table is read from.

    Attributes:
        path: Of the file, if ``content`` is None.
        name: What messages call it.
        sheet: Name of the sheet in a workbook, or "" for the only one.
        content: The file's bytes, for a small one that is not on disk.
    """

    path: str
    name: str
    sheet: str = ""
    content: bytes | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """Return the file, from its beginning."""
        return io.BytesIO(self.content) if self.content is not None else Path(self.path).open("rb")

    def state(self) -> tuple[int, int]:
        """Return size and time of the last change, by which a change is noticed."""
        if self.content is not None:
            return len(self.content), 0
        about = Path(self.path).stat()
        return about.st_size, about.st_mtime_ns
