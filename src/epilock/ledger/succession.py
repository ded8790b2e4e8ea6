"""Changes of a log's keys, and its end: each is an entry of the log, and signed by what it changes.

1. ``rotate``: a new key is announced. From that tree on both sign, for as long as those who verify
   need to learn it: witnesses add it, policies list it, monitors read it in the log itself.
2. ``retire``: the old key ends with an entry that both have signed.
3. ``seal``: the log is complete. Its last checkpoint is what mirrors, witnesses and receipts keep; no key
   signs a larger tree.
"""

from datetime import datetime

from epilock.db import Transaction
from epilock.errors import NotFoundError, StateError
from epilock.ledger import entry, keyring
from epilock.ledger.keyring import SigningKey
from epilock.ledger.log import Log


def rotate(tx: Transaction, log: Log, *, standard_ref: str, now: datetime) -> str:
    """Announce a new key; return it as a vkey.

    Raises:
        StateError: There are two keys in use already: end the old one first.
        ClosedError: The log is sealed.
    """
    log.append(tx, [], now=now)  # the head first: who else changes keys waits
    ring = log.ring(tx)
    if len(in_use(tx, log)) > 1:
        raise StateError("two keys are in use already; end the old one first")
    made = log.new_key(ring[-1].number + 1)
    said = entry.LogKey(org="", standard=standard_ref, at=entry.stamp(now), key=made.vkey)
    batch = log.append(tx, [entry.encode(said)], now=now)
    keyring.add(tx, log.number(tx), ring, made, first=batch.size)
    return made.vkey


def retire(tx: Transaction, log: Log, *, standard_ref: str, vkey: str, now: datetime) -> int:
    """End the key ``vkey``; return the size of the last tree that it signs.

    Raises:
        NotFoundError: The log has no such key in use.
        StateError: It is the only one.
    """
    log.append(tx, [], now=now)
    used = in_use(tx, log)
    ended = [key for key in used if key.signer.vkey == vkey]
    if not ended:
        raise NotFoundError("the log has no such key in use")
    if len(used) == 1:
        raise StateError("it is the only key of the log; announce a new one first")
    said = entry.LogKeyEnded(org="", standard=standard_ref, at=entry.stamp(now), key=vkey)
    batch = log.append(tx, [entry.encode(said)], now=now)
    keyring.end(tx, log.number(tx), log.ring(tx), ended, last=batch.size)
    return batch.size


def seal(tx: Transaction, log: Log, *, standard_ref: str, now: datetime) -> int:
    """Seal the log; return its last size. Whoever asks has made sure that nothing is kept any more.

    Raises:
        ClosedError: It is sealed already.
    """
    said = entry.LogSealed(org="", standard=standard_ref, at=entry.stamp(now))
    batch = log.append(tx, [entry.encode(said)], now=now)
    keyring.end(tx, log.number(tx), log.ring(tx), in_use(tx, log), last=batch.size)
    return batch.size


def in_use(tx: Transaction, log: Log) -> list[SigningKey]:
    """Return the keys that have not ended, the oldest first; none if the log is sealed."""
    return [key for key in log.ring(tx) if key.last is None]
