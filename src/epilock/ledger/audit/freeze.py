"""Freezes: destruction waits because something went around the program, until two persons lift that."""

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told
from epilock.ledger.finding import Findings


def _freeze(told: Told, index: int, said: e.Freeze) -> None:
    told.freezes[said.freeze] = index, said


def _lifted(told: Told, index: int, said: e.FreezeLifted) -> None:
    if told.freezes.pop(said.freeze, None) is None:
        told.bad("undeclared", f"freeze {said.freeze}", index)
    if said.by == said.approved_by:
        told.bad("freeze-self-lifted", said.freeze, index)


def list_frozen(told: Told, to: Findings) -> None:
    """Add the freezes that nobody has lifted."""
    for index, said in told.freezes.values():
        to.add("frozen", said.freeze, index, count=said.findings)


READERS: Readers = {e.Freeze: _freeze, e.FreezeLifted: _lifted}
