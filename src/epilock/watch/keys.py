"""Keys: no epoch is older than the one seen last, each has its slot; what lives has a key, what is dead has none.

Nothing is unwrapped here, so it takes no root key. The main database is read first: a part that dies meanwhile
looks like one without a key, and is looked at again by ``round``.
"""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import EpilockError
from epilock.ledger.check import Damage
from epilock.store.bucket import DESTROYED, LIVE, PURGED, bucket_parts, buckets
from epilock.store.check import rows
from epilock.store.keyrows import Place, epochs, part_keys
from epilock.store.keys import KeyStore
from epilock.watch.memory import Memory

States = Mapping[Place, str]


def states(tx: Transaction) -> States:
    """Return the state of each part of each bucket, by organisation, bucket name and part."""
    b, p = buckets.c, bucket_parts.c
    query = sa.select(p.org, b.name, p.part, p.state).join_from(
        bucket_parts, buckets, sa.and_(b.org == p.org, b.bucket == p.bucket)
    )
    return {(org, name, part): state for org, name, part, state in tx.conn.execute(query)}


def read_epochs(tx: Transaction) -> dict[str, int]:
    """Return the epoch of each organisation's keys."""
    found = tx.conn.execute(sa.select(epochs.c.org, epochs.c.epoch))
    return {org: int(epoch) for org, epoch in found}


def check(
    tx: Transaction,
    known: States,
    found: Mapping[str, int],
    memory: Memory,
    store: KeyStore | None,
) -> Iterator[Damage]:
    """Yield what is wrong with epochs, slots and part keys; slots only with the ``store``."""
    for org, seen in memory.epochs.items():
        if found.get(org, 0) < seen:
            yield Damage(
                rows.name(epochs, [org]), "is older than was seen: an old copy was put back"
            )
    if store is not None:
        for org, epoch in found.items():
            yield from _slot(store, org, epoch)
    p = part_keys.c
    there = {
        (org, bucket, part)
        for org, bucket, part in tx.conn.execute(sa.select(p.org, p.bucket, p.part))
    }
    for place, state in known.items():
        if state == LIVE and place not in there:
            yield Damage(rows.name(part_keys, place), "is gone, and its part is alive")
        if state in {DESTROYED, PURGED} and place in there:
            yield Damage(rows.name(part_keys, place), f"is there, and its part is {state}")


def _slot(store: KeyStore, org: str, epoch: int) -> Iterator[Damage]:
    slot = store.slot(org)
    try:
        if slot.holds_only(epoch) or epoch in slot.read():
            return
        yield Damage(
            f"slot {org}.slot", "does not hold its organisation's epoch: an old copy was put back"
        )
    except (EpilockError, OSError) as error:
        yield Damage(f"slot {org}.slot", f"can't be read: {type(error).__name__}")
