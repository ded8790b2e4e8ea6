"""Paper: a page is keyed in within hours of its day, must be gone by a day, and somebody answers for that.

What is on paper no log can see. It shows that a page was there, and whether a person attested its end in time.
"""

from datetime import date, datetime, timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, begin, end, instant
from epilock.ledger.finding import Findings
from epilock.standard.text import Text

MEDIUM = "paper"


def _page(told: Told, index: int, said: e.PaperPage) -> None:
    point = told.point(index, said.point)
    name = f"{said.org}/{said.page}"
    if ("paper", name) in told.declared:
        told.bad("declared-twice", f"page {said.page}", index)
    told.declared.add(("paper", name))
    told.pages[name] = index, said
    if point is not None and MEDIUM not in point.said.media:
        told.bad("elsewhere", said.page, index, why=_NOT_ON_PAPER)
    if (periods := told.rules.paper(said)) is None:
        told.bad("standard-unknown", said.standard, index)
        return
    if periods.keyed_in_late(date.fromisoformat(said.written), instant(said.at)):
        told.bad("paper-late", said.page, index, hours=periods.enter // timedelta(hours=1))
    if begin(said.due) > end(said.at) + periods.destroy:
        told.bad("paper-due", said.page, index, days=periods.destroy.days)


def _destroyed(told: Told, index: int, said: e.PaperDestroyed) -> None:
    name = f"{said.org}/{said.page}"
    found = told.pages.pop(name, None)
    if found is None:
        told.bad("undeclared", f"page {said.page}", index)
    elif instant(said.at) >= end(found[1].due):
        told.bad("paper-overdue", said.page, found[0], due=found[1].due)


def list_overdue(told: Told, to: Findings, now: datetime) -> None:
    """Add the pages whose destruction nobody attested by their day."""
    for index, said in told.pages.values():
        if now >= end(said.due):
            to.add("paper-overdue", said.page, index, due=said.due)


_NOT_ON_PAPER = Text("采集点不用纸质登记", "its point does not write on paper")
READERS: Readers = {e.PaperPage: _page, e.PaperDestroyed: _destroyed}
