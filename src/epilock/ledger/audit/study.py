"""Studies: a key that is announced to be destroyed is shown to be, and none is that was not announced."""

from datetime import datetime, timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, instant
from epilock.ledger.finding import Findings


def _study(told: Told, index: int, said: e.Study) -> None:
    name = f"{said.org}/{said.study}"
    if said.stage == "opened":
        if ("study", name) in told.declared:
            told.bad("declared-twice", f"study {said.study}", index)
        told.declared.add(("study", name))
        return
    told.needs(index, "study", name)
    if said.stage == "ending":
        told.ending[name] = index, said
    elif told.ending.pop(name, None) is None:
        told.bad("undeclared", f"end of study {said.study}", index)


def list_unfinished(told: Told, to: Findings, now: datetime, grace: timedelta) -> None:
    """Add the studies whose end was announced and is not shown to be done in time."""
    for index, said in told.ending.values():
        if now - instant(said.at) >= grace:
            to.add("study-unfinished", said.study, index)


READERS: Readers = {e.Study: _study}
