"""Parquet files, streamed by row group; only the wanted columns are read from the file at all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from epilock.collect.design.field import DesignField
from epilock.collect.intake.table import MAX_ROWS, Row, Source
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.stream import MAX_CELL, MAX_COLUMNS

STEP = 4096  # rows that are in memory at a time, besides the pages of a row group
MAX_GROUP = 2**30  # bytes of one row group, unpacked


class Parquet:
    """A Parquet file; see ``table.Table``."""

    kind = "parquet"

    def __init__(self, source: Source) -> None:
        """Read its footer.

        Raises:
            FileFormatError: It is broken or encrypted, or has no columns of text or numbers.
            TooLargeError: It has too many rows or columns, or a row group is too large.
        """
        self._source = source
        with self._mended(), source.open() as stream, pq.ParquetFile(stream) as file:
            about = file.metadata
            self._names = list(file.schema_arrow.names)
            kinds = list(file.schema_arrow.types)
            largest = max(
                (about.row_group(i).total_byte_size for i in range(about.num_row_groups)), default=0
            )
        if about.num_rows > MAX_ROWS or len(self._names) > MAX_COLUMNS:
            raise TooLargeError(
                f"{source.name}: {about.num_rows} rows and {len(self._names)} columns; "
                f"at most {MAX_ROWS} and {MAX_COLUMNS}"
            )
        if largest > MAX_GROUP:
            raise TooLargeError(f"{source.name}: a row group of over {MAX_GROUP // 2**20} MB")
        self.columns: Mapping[int, DesignField] = {
            place: DesignField(field=name, label=name, place=f"column {place + 1}")
            for place, (name, kind) in enumerate(zip(self._names, kinds, strict=True))
            if _is_plain(kind) and name.strip()
        }
        if not self.columns or len(set(self._names)) < len(self._names):
            raise FileFormatError(
                f"{source.name}: columns need names of their own, and text, numbers or dates in them"
            )

    def rows(self, wanted: Sequence[int], after: int = 0) -> Iterator[Row]:
        """Yield rows; see ``table.Table``."""
        names = [self._names[place] for place in wanted]
        with self._mended(), self._source.open() as stream, pq.ParquetFile(stream) as file:
            groups, number = self._groups_after(file, after)
            for batch in file.iter_batches(STEP, row_groups=groups, columns=names):
                columns = [batch.column(name).to_pylist() for name in names]
                for values in zip(*columns, strict=True):
                    number += 1
                    if number <= after:
                        continue
                    cells = [self._text(value, number) for value in values]
                    if any(cells):
                        yield number, cells

    def _groups_after(self, file: pq.ParquetFile, after: int) -> tuple[list[int], int]:
        """Return the row groups with rows above ``after``, and the number of rows before them."""
        before = 0
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if before + rows > after:
                return list(range(group, file.metadata.num_row_groups)), before
            before += rows
        return [], before

    def _text(self, value: Any, number: int) -> str:
        text = _text(value)
        if len(text) > MAX_CELL:
            raise TooLargeError(f"{self._source.name}: a cell of row {number} is too long")
        return text

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn every way a file can be broken into one error."""
        name = self._source.name
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
            if "encrypt" in str(error).lower() or "decrypt" in str(error).lower():
                raise FileFormatError(f"{name}: encrypted; save it without a key") from None
            raise FileFormatError(f"{name}: corrupt Parquet ({type(error).__name__})") from None


def _is_plain(kind: pa.DataType) -> bool:
    """Return whether a column's values are single texts, numbers, dates or truths."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer,
            pa.types.is_floating, pa.types.is_decimal, pa.types.is_date, pa.types.is_timestamp,
            pa.types.is_boolean,
        )
    )  # fmt: skip


def _text(value: Any) -> str:
    """Return a value as someone would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, float | Decimal):
        return _number(value)
    return str(value).strip()


def _number(value: float | Decimal) -> str:
    """Return 13900000000.0 as 13900000000; one that is no number is an empty cell."""
    if value != value:  # noqa: PLR0124 - true of NaN alone
        return ""
    plain = format(Decimal(f"{value:.15g}"), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
