"""CSV as spreadsheets write it, streamed: UTF-8 with or without byte order mark, UTF-16, GB18030.

The encoding is tried on the whole file before a row is read, so that a file which changes its encoding
half-way stores nothing.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from epilock.collect.design.field import DesignField
from epilock.collect.design.header import read_columns
from epilock.collect.design.table import MARKS, SAMPLE, decoded, first_rows
from epilock.collect.intake.table import MAX_ROWS, Row, Source
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.stream import MAX_COLUMNS

CHUNK = 2**20
# The codec that takes the byte order mark for what it is.
_MARKED: dict[str, str] = {
    "utf-8": "utf-8-sig", "utf-16-le": "utf-16", "utf-16-be": "utf-16", "utf-32-le": "utf-32",
    "utf-32-be": "utf-32",
}  # fmt: skip
FALLBACK = ("gb18030",)  # an ASCII beginning fits it as well


class Delimited:
    """A CSV file; see ``table.Table``."""

    kind = "csv"

    def __init__(self, source: Source) -> None:
        """Find encoding, separator and header.

        Raises:
            FileFormatError: It is no text, in no known encoding, or has no header.
            TooLargeError: It has too many columns.
        """
        self._source = source
        with source.open() as stream:
            sample = stream.read(SAMPLE)
        encoding, text = decoded(sample, source.name)
        self._separator, rows = first_rows(text, source.name)
        found = read_columns(rows, source.name)
        self.columns: Mapping[int, DesignField] = found.fields
        if not self.columns:
            raise FileFormatError(f"{source.name}: it has no columns")
        self._data = found.data
        self._width = max((place for place, f in self.columns.items() if f.label), default=-1) + 1
        self._encoding = self._check(encoding, sample)

    def rows(self, wanted: Sequence[int], after: int = 0) -> Iterator[Row]:
        """Yield rows; see ``table.Table``."""
        source, data = self._source, max(self._data, after + 1)
        pick = itemgetter(*wanted) if len(wanted) > 1 else None
        least = max(wanted, default=-1) + 1
        number = 0
        with io.TextIOWrapper(source.open(), encoding=self._encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=self._separator)
            try:
                for number, cells in enumerate(reader, 1):
                    if number < data:
                        continue
                    if len(cells) > self._width and any(cells[self._width :]):
                        yield number, None
                        continue
                    if len(cells) < least:  # spreadsheets leave out empty cells at the end
                        cells.extend([""] * (least - len(cells)))
                    picked = list(pick(cells)) if pick else [cells[i] for i in wanted]
                    if any(picked):
                        yield number, picked
                    if number > MAX_ROWS:
                        raise TooLargeError(f"{source.name}: more than {MAX_ROWS} rows; divide it")
            except csv.Error as error:
                raise FileFormatError(
                    f"{source.name}: the row after {number} is no CSV: {error}"
                ) from None
            except UnicodeDecodeError:
                raise FileFormatError(
                    f"{source.name}: the row after {number} is in another encoding"
                ) from None

    def _check(self, encoding: str, sample: bytes) -> str:
        """Return the encoding that the whole file is in, byte order mark included."""
        if len(self.columns) > MAX_COLUMNS:
            raise TooLargeError(f"{self._source.name}: more than {MAX_COLUMNS} columns")
        marked = any(sample.startswith(mark) for mark, _ in MARKS)
        tries: list[str] = [encoding, *FALLBACK] if sample.isascii() else [encoding]
        for tried in tries:
            if self._fits(tried):
                return _MARKED.get(tried, tried) if marked else tried
        raise FileFormatError(
            f"{self._source.name}: its beginning is {encoding}, the rest is not; save it as CSV UTF-8"
        )

    def _fits(self, encoding: str) -> bool:
        decoder = codecs.getincrementaldecoder(encoding)()
        with self._source.open() as stream:
            try:
                while chunk := stream.read(CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return False
        return True
