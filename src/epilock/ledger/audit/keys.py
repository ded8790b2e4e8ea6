"""The keys of the log itself, as its entries announce and end them, and its seal."""

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told


def _key(told: Told, index: int, said: e.LogKey) -> None:
    if said.key in told.keys:
        told.bad("declared-twice", f"key {said.key}", index)
    told.keys[said.key] = index


def _ended(told: Told, index: int, said: e.LogKeyEnded) -> None:
    if said.key in told.keys_ended:
        told.bad("declared-twice", f"key {said.key}", index)
    told.keys_ended[said.key] = index


def _sealed(told: Told, index: int, said: e.LogSealed) -> None:
    told.sealed, told.successor = index, said.successor


READERS: Readers = {e.LogKey: _key, e.LogKeyEnded: _ended, e.LogSealed: _sealed}
