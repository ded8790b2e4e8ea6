"""Show: the sheet of any code of the standard, or of a rule that an answer named."""

from collections.abc import Iterable

from epilock.errors import InputError
from epilock.standard.circumstance_sheet import circumstance_lines
from epilock.standard.compiled import Standard
from epilock.standard.model import Category, Circumstance, Purpose, Source
from epilock.standard.rule_sheet import rule_sheet
from epilock.standard.sheet import (
    Line,
    Sheet,
    category_lines,
    find,
    purpose_lines,
    scale_lines,
    sheet,
    source_lines,
)


def show(standard: Standard, code: str, level: str = "") -> list[Sheet]:
    """Return the sheets of what is called ``code``: a row of a table, or a rule such as ``never/…``.

    Args:
        standard: The rules.
        code: As tables, answers, notices and ledger entries name it.
        level: If given, only what holds at this response level.

    Raises:
        InputError: Nothing is called so, or there is no such level.
    """
    if level and level not in standard.levels:
        raise InputError(
            f"no level {level!r} in the standard; there are {', '.join(standard.levels)}"
        )
    if "/" in code:
        return [rule_sheet(standard, code)]
    sheets = []
    for kind, row in find(standard, code):
        body: Iterable[Line]
        match row:
            case Circumstance():
                body = circumstance_lines(standard, row, level)
            case Category():
                body = category_lines(standard, row, level)
            case Purpose():
                body = purpose_lines(standard, row)
            case Source():
                body = source_lines(standard, row)
            case _:
                body = scale_lines(standard, kind, row, level)
        sheets.append(sheet(standard, kind, row, body))
    return sheets
