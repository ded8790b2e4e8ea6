"""Imports: whether the persons of a list could be told afterwards, and whether they were (PIPL 18)."""

from datetime import datetime, timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, ToldImport
from epilock.ledger.finding import Findings
from epilock.standard.text import Text

PROMPT = timedelta(days=7)  # after the emergency's end; the law says "promptly", the number is ours
LAWFUL = frozenset({"law", "emergency"})
STORED = Text("导入", "imported")
LETTERS = Text("制作告知书", "letters made")
TOLD = Text("已告知", "told")


def _import(told: Told, index: int, said: e.Import) -> None:
    point = told.point(index, said.point)
    if said.import_id in told.imports:
        told.bad("declared-twice", said.import_id, index)
        return
    told.imports[said.import_id] = ToldImport(said, index)
    if point is None:
        return
    if said.notice not in point.notices:
        told.bad("undeclared", f"notice {said.notice}", index)
    if said.afterwards and point.said.basis not in LAWFUL:
        told.bad("import-without-notice", said.import_id, index)


def _completed(told: Told, index: int, said: e.ImportCompleted) -> None:
    found = _find(told, index, said.import_id)
    if found is not None and found.stored is not None:
        told.bad("declared-twice", said.import_id, index)
    elif found is not None:
        found.stored = said.stored


def _notices(told: Told, index: int, said: e.ImportNotices) -> None:
    found = _find(told, index, said.import_id)
    if found is not None:
        _check_count(told, index, found, said.records, LETTERS)


def _told(told: Told, index: int, said: e.ImportTold) -> None:
    found = _find(told, index, said.import_id)
    if found is not None:
        found.told += said.records
        _check_count(told, index, found, found.told, TOLD)


def _find(told: Told, index: int, import_id: str) -> ToldImport | None:
    found = told.imports.get(import_id)
    if found is None:
        told.bad("undeclared", f"import {import_id}", index)
    return found


def _check_count(told: Told, index: int, found: ToldImport, count: int, what: Text) -> None:
    if found.stored is not None and count > found.stored:
        told.bad(
            "import-counts",
            found.said.import_id,
            index,
            what=what,
            stated=count,
            found=found.stored,
        )


def list_untold(told: Told, to: Findings, now: datetime) -> None:
    """Add the imports whose persons were not told promptly after the emergency's end."""
    for found in told.imports.values():
        point = told.points.get(found.said.point)
        left = (found.stored or 0) - found.told
        if not found.said.afterwards or point is None or left <= 0:
            continue
        ended = told.history(point.said.authority, point.said.emergency).ended_at()
        if ended is not None and now >= ended + PROMPT:
            to.add("untold", found.said.import_id, found.index, left=left, count=found.stored)


READERS: Readers = {
    e.Import: _import,
    e.ImportCompleted: _completed,
    e.ImportNotices: _notices,
    e.ImportTold: _told,
}
