"""A sheet of an XLSX workbook whose header says what its columns are; its texts are trimmed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from epilock.collect.design.field import DesignField
from epilock.collect.design.header import read_columns
from epilock.collect.intake.table import MAX_ROWS, Row, Source
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.archive import Archive
from epilock.sheets.stream import MAX_ELEMENTS, MAX_UNPACKED, Cells, read_contents

HEAD = 200  # rows among which the header is sought


class Workbook:
    """One sheet of a workbook; see ``table.Table``."""

    kind = "xlsx"

    def __init__(self, source: Source) -> None:
        """Find the sheet and its header.

        Raises:
            FileFormatError: It is no workbook, broken, encrypted, has several sheets with lists and none
                was named, or the sheet has no header.
            TooLargeError: It unpacks to too much.
        """
        self._source = source
        with self._opened() as archive:
            self._contents = read_contents(archive)
            self._part, self.columns, self._data = self._choose(archive)

    def rows(self, wanted: Sequence[int], after: int = 0) -> Iterator[Row]:
        """Yield rows; see ``table.Table``."""
        width = max(self.columns) + 1
        data = max(self._data, after + 1)
        with self._opened() as archive:
            for number, cells in self._stream(archive, self._part):
                if number < data:
                    continue
                if number > MAX_ROWS:
                    raise TooLargeError(f"{self._source.name}: more than {MAX_ROWS} rows")
                if any(place >= width for place in cells):
                    yield number, None
                    continue
                picked = [cells.get(place, "") for place in wanted]
                if any(picked):
                    yield number, picked

    @contextmanager
    def _opened(self) -> Iterator[Archive]:
        with self._source.open() as stream:
            yield Archive(stream, self._source.name, elements=MAX_ELEMENTS, unpacked=MAX_UNPACKED)

    def _choose(self, archive: Archive) -> tuple[str, Mapping[int, DesignField], int]:
        """Return part, columns and first row of data of the sheet."""
        name, named = self._source.name, self._source.sheet
        found = []
        for title, part in self._contents.sheets:
            if named and title != named:
                continue
            head: list[list[str]] = []
            for number, cells in self._stream(archive, part):
                if number > HEAD:
                    break
                head += [[] for _ in range(number - len(head) - 1)]
                head.append([cells.get(i, "") for i in range(max(cells, default=-1) + 1)])
            columns = read_columns(head, name, title) if any(map(any, head)) else None
            if columns is not None and columns.fields:
                found.append((part, columns.fields, columns.data))
        if not found:
            raise FileFormatError(
                f"{name}: it has no sheet {'of that name ' if named else ''}with data"
            )
        if len(found) > 1:
            raise FileFormatError(
                f"{name}: {len(found)} sheets have data; say which one by its name"
            )
        return found[0]

    def _stream(self, archive: Archive, part: str) -> Iterator[tuple[int, Cells]]:
        for number, cells in self._contents.rows(archive, part):
            trimmed = {place: text.strip() for place, text in cells.items()}
            yield number, {place: text for place, text in trimmed.items() if text}
