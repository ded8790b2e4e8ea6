"""Changes of a log's keys, and its end: each is an entry of the log, and signed by what it changes.

1. ``rotate``: a new key is announced. From that tree on both sign, for as long as those who verify
   need to learn it: witnesses add it, policies list it, monitors read it in the log itself.
2. ``retire``: the old key ends with an entry that both have signed.
3. ``seal``: the log is complete. Its last checkpoint is what mirrors, witnesses and receipts keep; no key
   signs a larger tree.
4. ``succeed``: it is sealed, and another log of the same installation goes on. The last entry of the one names
   the key of the other, so who trusts the one learns the other; the first entry of the other names the
   size and root of the one, so what others sign of the other holds for the one too.

``succeed`` is one transaction: a crash leaves one open log, the old or the new, never two and never none.
"""

from datetime import datetime

from epilock.db import Transaction
from epilock.errors import ConflictError, NotFoundError, StateError
from epilock.ledger import entry, keyring, regime, rows
from epilock.ledger.keyring import SigningKey
from epilock.ledger.log import Log
from epilock.standard.level import CHINA


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


def seal(
    tx: Transaction, log: Log, *, standard_ref: str, now: datetime, successor: str | None = None
) -> int:
    """Seal the log; return its last size.

    Without a ``successor`` (its first key) whoever asks has made sure that nothing is kept any more.

    Raises:
        ClosedError: It is sealed already.
    """
    said = entry.LogSealed(org="", standard=standard_ref, at=entry.stamp(now), successor=successor)
    batch = log.append(tx, [entry.encode(said)], now=now)
    keyring.end(tx, log.number(tx), log.ring(tx), in_use(tx, log), last=batch.size)
    return batch.size


def succeed(tx: Transaction, log: Log, successor: Log, *, standard_ref: str, now: datetime) -> int:
    """Seal ``log`` and begin ``successor``; return the last size of the one that was sealed.

    A policy in force that lists the new log's key is announced in the new log at once.

    Raises:
        ClosedError: The log is sealed already.
        ConflictError: There is a log of the new one's name.
        EntryError: The new one's name is too long for an entry.
    """
    log.append(tx, [], now=now)  # the head first: who else appends or changes keys waits
    if rows.find_head(tx, successor.origin) is not None:
        raise ConflictError(
            f"there is a log {successor.origin} already; give the new one another name"
        )
    key, today = log.signer.vkey, now.astimezone(CHINA).date()
    policy = regime.in_force(tx, log, today)
    size = seal(tx, log, standard_ref=standard_ref, now=now, successor=successor.signer.vkey)
    said = entry.LogContinues(
        org="", standard=standard_ref, at=entry.stamp(now), key=key, size=size,
        root=log.head(tx).root.hex(),
    )  # fmt: skip
    successor.append(tx, [entry.encode(said)], now=now)
    if policy is not None and successor.signer.verifier in policy.policy.logs:
        regime.announce(
            tx, successor, standard_ref=standard_ref, text=policy.text, since=today, now=now
        )
    return size


def in_use(tx: Transaction, log: Log) -> list[SigningKey]:
    """Return the keys that have not ended, the oldest first; none if the log is sealed."""
    return [key for key in log.ring(tx) if key.last is None]
