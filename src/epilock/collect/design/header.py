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
from epilock.standard.label import is_day, is_known

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
        return sum(bool(c) and is_known(c) for c in self.cells)

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
    if fields := _layout(filled, header, sheet) or _questions(filled, header, sheet):
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
    """Return one field a column; rows above and below the header that name groups go with it."""
    at = filled.index(header)
    first, last = _block(filled, at)
    block, data = filled[first : last + 1], filled[last + 1 :]
    width = max(len(r.cells) for r in filled)
    own = [_padded(r, width) for r in block]
    spread = [_spread(cells) for cells in own]
    fields: dict[int, DesignField] = {}
    for n in range(width):
        low = next((k for k in reversed(range(len(block))) if own[k][n]), None)
        if low is None and not any(n < len(r.cells) and r.cells[n] for r in data):
            continue
        label = "" if low is None else own[low][n]
        above = [] if low is None else [spread[k][n] for k in range(low)]
        group = " > ".join(dict.fromkeys(g for g in above if g and g != label))
        context = group or (title if label and is_day(label) else "")
        number = header.number if low is None else block[low].number
        place = f"{sheet}!{_letters(n + 1)}{number}" if sheet else f"column {n + 1}"
        fields[n] = DesignField(
            field=label or f"({place})", label=label, context=context, place=place
        )
    return Columns(fields, block[-1].number + 1)


def _block(filled: list[_Row], at: int) -> tuple[int, int]:
    """Return the first and last index of the rows that name columns together with ``filled[at]``."""
    first = last = at
    while first and _is_group_row(filled[first - 1], filled[first]):
        first -= 1
    while last + 1 < len(filled) and _is_lower_header(filled[first : last + 1], filled[last + 1]):
        last += 1
    return first, last


def _is_group_row(above: _Row, row: _Row) -> bool:
    """Return whether ``above`` names groups over the columns of ``row``, rather than the sheet."""
    return (
        above.number == row.number - 1
        and above.filled >= FEW
        and not above.stated
        and not above.values
    )


def _is_lower_header(block: Sequence[_Row], below: _Row) -> bool:
    """Return whether ``below`` names the columns that a group of ``block`` spans, and no others.

    A row of data fills the columns that have a name; a lower header fills those of groups alone.
    """
    if below.number != block[-1].number + 1 or below.values or not below.filled:
        return False
    width = max(len(r.cells) for r in (*block, below))
    named = [any(names) for names in zip(*(_padded(r, width) for r in block), strict=True)]
    lower = _padded(below, width)
    grouped, leader = set(), -1
    for n in range(width):
        leader = n if named[n] else leader
        if not named[n] and lower[n] and leader >= 0:
            grouped |= {leader, n}
    above = _padded(block[-1], width)
    return bool(grouped) and all(
        not lower[n] or n in grouped or lower[n] == above[n] for n in range(width)
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
            if cell and not _is_value(cell) and len(cell) <= LABEL and (is_known(cell) or empty):
                place = f"{sheet}!{_letters(n + 1)}{row.number}" if sheet else f"line {row.number}"
                fields.append(DesignField(field=cell, label=cell, place=place))
    return fields


def _questions(filled: list[_Row], header: _Row, sheet: str) -> list[DesignField]:
    """Return a field for each row of a sheet of one column whose rows are questions; nothing if it is a list.

    Of a list of one column the rows below its name are answers, of which few are ever known as questions.
    """
    rows = [r for r in filled if r.number >= header.number]
    below = rows[1:]
    if any(len(r.cells) > 1 and any(r.cells[1:]) for r in rows) or not any(r.known for r in below):
        return []
    if any(r.values for r in below):
        return []
    return [
        DesignField(
            field=r.cells[0], label=r.cells[0],
            place=f"{sheet}!A{r.number}" if sheet else f"line {r.number}",
        )
        for r in rows
    ]  # fmt: skip


def _last(cells: Sequence[str]) -> int:
    return max((i for i, c in enumerate(cells) if c), default=-1)
