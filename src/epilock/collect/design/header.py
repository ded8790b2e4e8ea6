"""Headers: which row of a sheet names its columns, and what it names them.

Grass-roots sheets have a title over several columns, a line with the compiler's name, groups over
groups of columns, and sometimes no header at all: then the first line is somebody's data, and the
sheet is refused rather than that person repeated as a column.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from epilock.collect.design.field import DesignField
from epilock.collect.design.workbook import Rows
from epilock.errors import FileFormatError
from epilock.standard.label import guess, is_day

LOOK = 15  # filled rows among which the header is sought
FEW = 2  # cells; a header has more, unless the sheet has one column
WIDE = 0.5  # of the widest row: narrower rows above it are titles
LAYOUT = 3  # rows that name things: a form drawn with cells rather than a list
LABEL = 80  # characters of a cell that can be the label of an empty one

_VALUE = re.compile(
    r"[+-]?\d[\d,]*\.?\d*%?|\d{15}|\d{17}[\dXx]|\+?[\d ()-]{7,}|[^@\s]+@[^@\s]+\.[^@\s]+|"
    r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?(?:[ T].*)?|\d{1,2}:\d{2}(?::\d{2})?|\d{1,3}(?:\.\d{1,3}){3}|"
    r"[A-Z]{0,3}\d{6,}|\d{1,3}(?:\.\d)?\s?[℃°][CF]?|男|女|是|否|有|无|正常|阴性|阳性|绿码|绿|yes|no|male|female|y|n|true|false",
    re.IGNORECASE,
)  # fmt: skip
_DAY_CELL = re.compile(r"\d{1,4}[-/.年]\d{1,2}(?:[-/.月]\d{1,4})?日?|\d{1,2}[月日号]\d{0,2}日?")
_STATED = re.compile(r"[^:：]{1,12}[:：]\s*\S.*")  # 日期：2020-02-20
_BLANK_LINE = re.compile(r"[\s_＿:：]*$")


def _is_value(cell: str) -> bool:
    """Return whether ``cell`` is what someone fills in rather than what a column is called."""
    return bool(_VALUE.fullmatch(cell))


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a sheet and what can be said of it without understanding it."""

    number: int
    cells: Sequence[str]

    @property
    def filled(self) -> int:
        return sum(bool(c) for c in self.cells)

    @property
    def values(self) -> int:
        return sum(bool(c) and _is_value(c) and not _DAY_CELL.fullmatch(c) for c in self.cells)

    @property
    def known(self) -> int:
        return sum(bool(c) and guess(c).known for c in self.cells)

    @property
    def stated(self) -> int:
        return sum(bool(_STATED.fullmatch(c)) for c in self.cells)


def read_header(rows: Rows, name: str, sheet: str = "") -> tuple[list[DesignField], str]:
    """Return the columns of a sheet and its title.

    Args:
        rows: Its first rows.
        name: Of the file, for messages.
        sheet: Of the sheet in a workbook, or "".

    Raises:
        FileFormatError: Its first row is data: there is no header.
    """
    where = f"{name}, sheet {sheet[:31]!r}" if sheet else name
    filled = [_Row(n, cells) for n, cells in enumerate(rows, 1) if any(cells)]
    if not filled:
        return [], ""
    header = _choose(filled, where)
    titles = [r for r in filled if r.number < header.number]
    title = next((c for r in titles for c in r.cells if c and not _STATED.fullmatch(c)), "")
    if fields := _layout(filled, header, sheet):
        return fields, title
    return list(_columns(filled, header, title, sheet).fields.values()), title


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a list.

    Attributes:
        fields: Place in a row (from 0) to what the column asks; columns without name and cell are left out.
        data: Number (from 1) of the first row of data.
    """

    fields: dict[int, DesignField]
    data: int


def read_columns(rows: Rows, name: str, sheet: str = "") -> Columns:
    """Return where the columns of a list stand and where its data begins; raises as ``read_header``."""
    where = f"{name}, sheet {sheet[:31]!r}" if sheet else name
    filled = [_Row(n, cells) for n, cells in enumerate(rows, 1) if any(cells)]
    if not filled:
        return Columns({}, 1)
    return _columns(filled, _choose(filled, where), "", sheet)


def _choose(filled: list[_Row], where: str) -> _Row:
    """Return the row that names the columns: text only, as wide as the sheet, best understood."""
    widest = max(r.filled for r in filled[:LOOK])
    above = []
    for row in filled[:LOOK]:
        if row.values and row.filled >= min(FEW, widest):
            break
        if row.values == 0:
            above.append(row)
    candidates = [r for r in above if r.filled >= max(WIDE * widest, min(FEW, widest))]
    candidates = candidates or [r for r in above if r.filled >= FEW and r.known]
    if not candidates:
        raise FileFormatError(
            f"{where}: no header row; the first line looks like data. Put a line with the names of the "
            "columns first"
        )
    best = max(candidates, key=lambda r: (r.known - r.stated, -r.number))
    clear = (
        best.known > best.filled * WIDE and best.known > candidates[0].known + candidates[0].stated
    )
    return best if clear or candidates[0].stated else candidates[0]


def _columns(filled: list[_Row], header: _Row, title: str, sheet: str) -> Columns:
    """Return one field a column; a second header row under a group names its columns."""
    at = filled.index(header)
    below = filled[at + 1] if at + 1 < len(filled) else None
    above = filled[at - 1] if at else None
    width = max(len(r.cells) for r in filled)
    names = _padded(header, width)
    groups = [""] * width
    if below is not None and _is_second_header(header, below, width):
        groups = _spread(names)
        lower = _padded(below, width)
        groups = [g if low and g != low else "" for g, low in zip(groups, lower, strict=True)]
        names = [low or up for up, low in zip(names, lower, strict=True)]
        at += 1
    elif above is not None and above.filled >= FEW and not above.stated:
        groups = _spread(_padded(above, width))
    data = filled[at + 1 :]
    fields: dict[int, DesignField] = {}
    for n, (label, group) in enumerate(zip(names, groups, strict=True)):
        if not label and not any(n < len(r.cells) and r.cells[n] for r in data):
            continue
        context = group or (title if label and is_day(label) else "")
        place = f"{sheet}!{_letters(n + 1)}{header.number}" if sheet else f"column {n + 1}"
        fields[n] = DesignField(
            field=label or f"({place})", label=label, context=context, place=place
        )
    return Columns(fields, filled[at].number + 1)


def _is_second_header(header: _Row, below: _Row, width: int) -> bool:
    """Return whether ``below`` names the columns that ``header`` leaves open, and leaves others."""
    if below.number != header.number + 1 or below.values or not below.filled:
        return False
    upper, lower = _padded(header, width), _padded(below, width)
    open_ = [i for i in range(width) if not upper[i] and lower[i]]
    closed = [i for i in range(width) if upper[i] and not lower[i]]
    return (
        bool(open_) and bool(closed) and all(upper[i] or lower[i] for i in range(len(header.cells)))
    )


def _spread(names: Sequence[str]) -> list[str]:
    """Return ``names`` with each gap filled from the left, as merged cells show them."""
    spread, last = [], ""
    for name in names:
        last = name or last
        spread.append(last)
    return spread


def _padded(row: _Row, width: int) -> list[str]:
    return [*row.cells, *[""] * (width - len(row.cells))]


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _layout(filled: list[_Row], header: _Row, sheet: str) -> list[DesignField]:
    """Return the labels of a form drawn with cells ("姓名 | | 性别 | |"), or nothing if it is a list."""
    rows = [r for r in filled if r.number >= header.number]
    gaps = "" in header.cells[: _last(header.cells) + 1]
    named = [r for r in rows if r.known]
    if not gaps or len(named) < LAYOUT or header.known == header.filled == len(header.cells):
        return []
    if (
        any(r.values > r.known for r in rows)
        or len({c for r in named for c in r.cells if c}) < LAYOUT
    ):
        return []
    fields = []
    for row in rows:
        for n, cell in enumerate(row.cells):
            empty = (
                n + 1 >= len(row.cells)
                or not row.cells[n + 1]
                or bool(_BLANK_LINE.fullmatch(row.cells[n + 1]))
            )
            if cell and not _is_value(cell) and len(cell) <= LABEL and (guess(cell).known or empty):
                place = f"{sheet}!{_letters(n + 1)}{row.number}" if sheet else f"line {row.number}"
                fields.append(DesignField(field=cell, label=cell, place=place))
    return fields


def _last(cells: Sequence[str]) -> int:
    return max((i for i, c in enumerate(cells) if c), default=-1)
