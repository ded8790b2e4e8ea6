"""Rows: one line of a list, held to the checks of the form, or the codes of what is wrong with it.

Rules kept in this file:
  1. A problem is a field and a code; a cell never leaves in it.
  2. A consent that is not written down is none: a cell that says neither yes nor a mark is no act.
  3. Who signed before the notice was issued signed something else (PIPL 14, 17).
"""

from collections.abc import Sequence
from datetime import date

from epilock.collect.answer import EMPTY, Problem, check_past_date, fold
from epilock.collect.form import Form, Plain
from epilock.collect.intake.mapping import ACT, SIGNED, ColumnMap
from epilock.errors import ConsentError, FieldsError

YES = frozenset({
    "是", "有", "同意", "已同意", "已知悉", "yes", "y", "true", "1", "agree", "agreed", "√", "✓", "✔",
})  # fmt: skip
MISSHAPEN = "too-many-cells"
NOT_AUTHORISED = "not-authorised"
BEFORE_NOTICE = "signed-before-notice"

Wrong = tuple[str, str]  # field or target, code
Good = tuple[Plain, int, int]  # answers, age group, bits of acts


class Checker:
    """Checks rows of one mapping against one form.

    Attributes:
        wanted: Places of the columns that are read, in the order in which ``check`` takes cells.
    """

    def __init__(self, form: Form, mapping: ColumnMap, issued: date) -> None:
        """Compile; ``issued`` is the day in China on which the notice was issued."""
        targets = mapping.targets
        self._form = form
        self._issued = issued
        self._afterwards = mapping.afterwards
        self._fields = tuple(t for t in targets if t in form.by_id)
        self._acts = tuple(t for t in targets if t.startswith(ACT))
        self._signed = SIGNED in targets
        order = (*self._fields, *self._acts, *((SIGNED,) if self._signed else ()))
        self.wanted = tuple(targets[t] for t in order)

    def check(self, cells: Sequence[str] | None, *, today: date) -> Good | list[Wrong]:
        """Return what may be sealed of a row, or what is wrong with it."""
        if cells is None:
            return [("-", MISSHAPEN)]
        wrong: list[Wrong] = []
        if self._signed and not self._afterwards:
            wrong = self._check_signed(cells[-1], today)
        given = [
            act.removeprefix(ACT)
            for act, cell in zip(self._acts, cells[len(self._fields) :], strict=False)
            if fold(cell).casefold() in YES
        ]
        answers = dict(zip(self._fields, cells, strict=False))
        try:
            found = self._form.check_row(answers, given, afterwards=self._afterwards, today=today)
        except FieldsError as error:
            return [*((p.field, p.code) for p in error.problems), *wrong]
        except ConsentError as error:
            return [*((act, NOT_AUTHORISED) for act in error.missing), *wrong]
        return wrong or found

    def _check_signed(self, cell: str, today: date) -> list[Wrong]:
        day = check_past_date(cell, today=today) if cell else EMPTY
        if isinstance(day, Problem):
            return [(SIGNED, day.code)]
        return [(SIGNED, BEFORE_NOTICE)] if day < self._issued.isoformat() else []
