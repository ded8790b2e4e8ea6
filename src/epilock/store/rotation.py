"""One rotation of an organisation's epoch: what dies, what is rewrapped, which epoch counts.

The functions work inside one transaction of the key database, with the slot locked; ``keys.KeyStore``
calls them in order and its docstring says what each crash leaves.
"""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import ErasedError, KeysError
from epilock.store import keyrows, keytree
from epilock.store.keyrows import Place, epochs, part_keys, seeds, tag_keys
from epilock.store.keytree import Node
from epilock.store.slot import Slot
from epilock.store.suite import KEY_BYTES, Suite

Part = tuple[str, str]  # bucket, name of the part


@dataclass(frozen=True, slots=True)
class Dying:
    """What one rotation takes away; only what is still there.

    Attributes:
        covers: Parts that lose leaves, with the cover of those that live on.
        drops: Parts that go whole.
        tags: Emergencies whose tag key goes.
    """

    covers: dict[Part, dict[Node, bytes]]
    drops: frozenset[Part]
    tags: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.covers or self.drops or self.tags)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The epoch that counts: its number, from 1, and its key."""

    number: int
    key: bytes


def epoch_key(cells: dict[int, bytes], epoch: int) -> bytes:
    """Return the key of ``epoch`` from the slot's ``cells``.

    Raises:
        ErasedError: The slot has gone on: the row comes from a backup of before a destruction.
        KeysError: The slot itself is older than the row.
    """
    if epoch in cells:
        return cells[epoch]
    if epoch < min(cells):
        raise ErasedError(
            f"a key row of epoch {epoch} in the key database, but the slot is at {min(cells)}: the "
            "database is a copy of before a destruction and its keys are dead; put back a later one"
        )
    raise KeysError(
        f"a key row of epoch {epoch} in the key database, but the slot is at {max(cells)}: the slot is "
        "an old copy; put back its latest replica"
    )


def settle(tx: Transaction, slot: Slot, suite: Suite, org: str) -> Epoch:
    """Return the epoch that counts, which the key database decides; wipe any other from the slot.

    The row stays locked until the transaction ends: a commit that is still on its way in the
    database's server is waited for, not guessed at.
    """
    cells = slot.read()
    row = tx.find(epochs, lock=True, org=org)
    if row is None:
        current = Epoch(max(cells), cells[max(cells)])
        tx.insert(epochs, org=org, epoch=current.number, proof=_proof(suite, org, current))
    else:
        current = Epoch(row["epoch"], epoch_key(cells, row["epoch"]))
        above = suite.cipher(current.key)
        keyrows.unwrap(suite, above, row["proof"], keyrows.epoch_aad(suite, org, current.number))
    slot.keep(current.number)
    return current


def plan(
    tx: Transaction,
    suite: Suite,
    org: str,
    current: Epoch,
    *,
    punctures: Iterable[tuple[str, str, int]],
    drops: Iterable[Part],
    tags: Iterable[str],
) -> Dying:
    """Return what of all this is still there to be destroyed.

    Raises:
        TamperedError: A row that is needed to keep the rest alive was altered.
    """
    dropped = frozenset(d for d in set(drops) if _is_there(tx, org, d))
    numbers: dict[Part, list[int]] = {}
    for bucket, part, n in punctures:
        numbers.setdefault((bucket, part), []).append(n)
    covers = {}
    for place in numbers.keys() - dropped:
        cover = read_cover(tx, suite, (org, *place), {current.number: current.key})
        if cover is not None and keytree.puncture(cover, numbers[place], suite.child):
            covers[place] = cover
    found = tx.conn.execute(sa.select(tag_keys.c.emergency).where(tag_keys.c.org == org)).scalars()
    return Dying(covers, dropped, frozenset(found) & frozenset(tags))


def read_cover(
    tx: Transaction,
    suite: Suite,
    place: Place,
    cells: dict[int, bytes],
    nodes: Collection[Node] | None = None,
) -> dict[Node, bytes] | None:
    """Return the seeds of a part, or None if it has no key.

    Args:
        tx: A transaction of the key database.
        suite: The algorithms.
        place: Organisation, bucket, part.
        cells: Epoch keys by epoch.
        nodes: Only those of these nodes that are there; None for all.
    """
    org, bucket, part = place
    row = tx.find(part_keys, org=org, bucket=bucket, part=part)
    if row is None:
        return None
    aad = keyrows.part_aad(suite, place, row["epoch"], row["seeds"])
    above = suite.cipher(epoch_key(cells, row["epoch"]))
    key = keyrows.unwrap(suite, above, row["wrapped"], aad)
    return keyrows.select_seeds(tx, suite, key, place, nodes)


def insert_part(
    tx: Transaction,
    suite: Suite,
    place: Place,
    current: Epoch,
    cover: dict[Node, bytes],
) -> None:
    """Insert a new part key under the epoch ``current`` and the seeds of ``cover`` under it."""
    tx.bulk(part_keys, [_part_row(tx, suite, place, current, cover)])


def rotate(
    tx: Transaction, suite: Suite, org: str, *, old: Epoch, new: Epoch, dying: Dying
) -> None:
    """Take away what dies and rewrap what lives, from epoch ``old`` to ``new``.

    Raises:
        TamperedError: A row that lives on was altered; the transaction must not commit.
    """
    for bucket, part in (*dying.drops, *dying.covers):
        tx.delete(seeds, org=org, bucket=bucket, part=part)
    _rotate_parts(tx, suite, org, old=old, new=new, dying=dying)
    _rotate_tags(tx, suite, org, old=old, new=new, dying=dying)
    tx.update(epochs, {"org": org}, epoch=new.number, proof=_proof(suite, org, new))


def _rotate_parts(
    tx: Transaction, suite: Suite, org: str, *, old: Epoch, new: Epoch, dying: Dying
) -> None:
    opener, sealer = suite.cipher(old.key), suite.cipher(new.key)
    found = tx.conn.execute(sa.select(part_keys).where(part_keys.c.org == org)).all()
    tx.delete(part_keys, org=org)
    rows = []
    for _, bucket, part, epoch, count, wrapped in found:
        if (bucket, part) in dying.drops:
            continue
        place = (org, bucket, part)
        if (bucket, part) in dying.covers:
            rows.append(_part_row(tx, suite, place, new, dying.covers[bucket, part]))
            continue
        key = keyrows.unwrap(suite, opener, wrapped, keyrows.part_aad(suite, place, epoch, count))
        again = keyrows.wrap(sealer, key, keyrows.part_aad(suite, place, new.number, count))
        rows.append((*place, new.number, count, again))
    tx.bulk(part_keys, rows)


def _rotate_tags(
    tx: Transaction, suite: Suite, org: str, *, old: Epoch, new: Epoch, dying: Dying
) -> None:
    opener, sealer = suite.cipher(old.key), suite.cipher(new.key)
    found = tx.conn.execute(sa.select(tag_keys).where(tag_keys.c.org == org)).all()
    tx.delete(tag_keys, org=org)
    rows = []
    for _, emergency, epoch, wrapped in found:
        if emergency not in dying.tags:
            aad = keyrows.tag_aad(suite, org, emergency, epoch)
            key = keyrows.unwrap(suite, opener, wrapped, aad)
            aad = keyrows.tag_aad(suite, org, emergency, new.number)
            rows.append((org, emergency, new.number, keyrows.wrap(sealer, key, aad)))
    tx.bulk(tag_keys, rows)


def _part_row(
    tx: Transaction,
    suite: Suite,
    place: Place,
    current: Epoch,
    cover: dict[Node, bytes],
) -> tuple[str, str, str, int, int, bytes]:
    """Insert the seeds of ``cover`` under a new part key and return the row of that key."""
    key = os.urandom(KEY_BYTES)
    keyrows.insert_seeds(tx, suite, key, place, cover)
    aad = keyrows.part_aad(suite, place, current.number, len(cover))
    return *place, current.number, len(cover), keyrows.wrap(suite.cipher(current.key), key, aad)


def _is_there(tx: Transaction, org: str, place: Part) -> bool:
    """Tell whether anything of a part is left; nothing is unwrapped, so a damaged part can be dropped."""
    return any(
        tx.conn.execute(
            sa.select(sa.literal(1))
            .where(t.c.org == org, t.c.bucket == place[0], t.c.part == place[1])
            .limit(1)
        ).first()
        for t in (part_keys, seeds)
    )


def _proof(suite: Suite, org: str, epoch: Epoch) -> bytes:
    """Return the seal of nothing under the epoch's key: only its holder can have named the epoch."""
    return keyrows.wrap(suite.cipher(epoch.key), b"", keyrows.epoch_aad(suite, org, epoch.number))
