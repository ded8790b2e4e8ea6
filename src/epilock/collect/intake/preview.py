"""The preview: what an import would take, shown before anything is stored.

Rules kept in this file:
  1. A cell is shown as its shape: 9 for a digit, a or A for a letter, 字 for a Chinese character. So who
     looks sees whether a column is what it says, and learns nothing about anyone.
  2. Of a column that is left out nothing is shown, for nothing of it is read.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice

from epilock.collect.form import Form
from epilock.collect.intake.mapping import Column, ColumnMap
from epilock.collect.intake.rows import Checker
from epilock.collect.intake.table import Table

ROWS = 200
SHAPES = 3
_LONG = 24  # characters of a shape
_DIGIT, _UPPER, _LOWER = re.compile(r"\d"), re.compile(r"[A-Z]"), re.compile(r"[a-z]")
_OTHER = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPreview:
    """What the first rows say of one column.

    Attributes:
        column: The column and where it goes.
        good: Rows whose cell may be stored.
        bad: Codes of problems to how many rows have them.
        shapes: The commonest shapes of its cells.
    """

    column: Column
    good: int
    bad: Mapping[str, int]
    shapes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the first rows say.

    Attributes:
        kind: ``csv``, ``xlsx`` or ``parquet``.
        mapping: Where the columns go.
        columns: Each column.
        rows: How many rows were looked at.
        good: How many of them would be stored.
        wrong: Codes of problems that are not one column's, to how many rows have them.
    """

    kind: str
    mapping: ColumnMap
    columns: tuple[ColumnPreview, ...]
    rows: int
    good: int
    wrong: Mapping[str, int]


def preview(
    form: Form, table: Table, mapping: ColumnMap, *, issued: date, today: date, rows: int = ROWS
) -> Preview:
    """Return what the first ``rows`` rows say; nothing is stored.

    Raises:
        FileFormatError: The file is broken.
        TooLargeError: It is too large.
    """
    checker = Checker(form, mapping, issued)
    wrong: dict[str, Counter[str]] = {}
    shapes: dict[int, Counter[str]] = {place: Counter() for place in checker.wanted}
    looked = good = 0
    for _, cells in islice(table.rows(checker.wanted), rows):
        looked += 1
        found = checker.check(cells, today=today)
        if isinstance(found, list):
            for target, problem in found:
                wrong.setdefault(target, Counter())[problem] += 1
        else:
            good += 1
        for place, cell in zip(checker.wanted, cells or (), strict=False):
            shapes[place][shape(cell)] += 1
    targets = mapping.targets
    return Preview(
        kind=table.kind, mapping=mapping, rows=looked, good=good,
        columns=tuple(
            _column(c, looked, wrong.get(c.target, Counter()), shapes.get(c.place, Counter()))
            for c in mapping.columns
        ),
        wrong=dict(sum((found for t, found in wrong.items() if t not in targets), Counter())),
    )  # fmt: skip


def shape(cell: str) -> str:
    """Return what a cell looks like (rule 1)."""
    short = cell[:_LONG]
    for kind, sign in ((_DIGIT, "9"), (_UPPER, "A"), (_LOWER, "a"), (_OTHER, "字")):
        short = kind.sub(sign, short)
    return short + ("…" if len(cell) > _LONG else "")


def _column(
    column: Column, looked: int, wrong: Counter[str], shapes: Counter[str]
) -> ColumnPreview:
    taken = bool(column.target)
    return ColumnPreview(
        column=column, good=max(0, looked - sum(wrong.values())) if taken else 0, bad=dict(wrong),
        shapes=tuple(found for found, _ in shapes.most_common(SHAPES)),
    )  # fmt: skip
