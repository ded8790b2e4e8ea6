"""The key database and the slots: every row opens under the key above it, and what is dead has no key."""

from collections.abc import Iterator

import sqlalchemy as sa

from epilock.db import Transaction, key_metadata
from epilock.errors import EpilockError
from epilock.ledger.check import Damage
from epilock.store import keyrows, rotation
from epilock.store.bucket import DESTROYED, PURGED
from epilock.store.check import rows
from epilock.store.check.witness import Known
from epilock.store.keyrows import epochs, part_keys, secrets, seeds, tag_keys
from epilock.store.keys import KeyStore
from epilock.store.keyservice import desk
from epilock.store.suite import Suite

_NO_EPOCH = "its organisation has no epoch, or no slot that can be read"
_UNREADABLE = (EpilockError, UnicodeError, TypeError, ValueError)


def check(keys: KeyStore, known: Known) -> Iterator[Damage]:
    """Yield each row of the key database and each slot that is not what was stored.

    Seeds of a bucket that the main database does not have are no damage: a bucket's keys are made first.
    """
    with keys.database.read() as tx, rows.as_stored(tx):
        yield from _secrets(tx, keys)
        cells: dict[str, dict[int, bytes]] = {}
        for row in rows.stream(tx, epochs):
            yield from _epoch(keys, row, cells)
        yield from _tag_keys(tx, keys, cells)
        yield from _no_tag_key(tx, known)
        yield from _part_keys(tx, keys, cells, known)
        for place in rows.places(tx, seeds, 3):
            if not _exists(tx, part_keys, place):
                yield Damage(rows.name(seeds, place), "belongs to no part key")
        served = tx.find(secrets, org="", name=desk.SECRET) is not None
    if served:
        with desk.sealing(keys).read() as tx, rows.as_stored(tx):
            yield from rows.check_sealed(tx, key_metadata)


def _secrets(tx: Transaction, keys: KeyStore) -> Iterator[Damage]:
    for row in rows.stream(tx, secrets):
        org, name, wrapped = row
        try:
            keys.unwrap_secret(org, name, wrapped)
        except _UNREADABLE as error:
            yield Damage(rows.name(secrets, row), f"does not open: {_said(error)}")


def _epoch(keys: KeyStore, row: rows.Row, cells: dict[str, dict[int, bytes]]) -> Iterator[Damage]:
    """Check one organisation's row of the epoch and its slot, and note the slot's keys in ``cells``."""
    org, epoch, proof = row
    try:
        found = keys.slot(org).read()
    except _UNREADABLE as error:
        yield Damage(f"slot of {rows.name(epochs, row)}", _said(error))
        return
    cells[org] = found
    try:
        suite = keys.suite_of(org)
        above = suite.cipher(rotation.epoch_key(found, epoch))
        keyrows.unwrap(suite, above, proof, keyrows.epoch_aad(suite, org, epoch))
    except _UNREADABLE as error:
        yield Damage(rows.name(epochs, row), _said(error))
        return
    if not keys.slot(org).holds_only(epoch):
        problem = (
            "holds more than its epoch: a rotation was not completed; the next call settles it"
        )
        yield Damage(f"slot {org}.slot", problem)


def _tag_keys(
    tx: Transaction, keys: KeyStore, cells: dict[str, dict[int, bytes]]
) -> Iterator[Damage]:
    for row in rows.stream(tx, tag_keys):
        org, emergency, epoch, wrapped = row
        if org not in cells:
            yield Damage(rows.name(tag_keys, row), _NO_EPOCH)
            continue
        try:
            suite = keys.suite_of(org)
            above = suite.cipher(rotation.epoch_key(cells[org], epoch))
            aad = keyrows.tag_aad(suite, org, emergency, epoch)
            keyrows.unwrap(suite, above, wrapped, aad)
        except _UNREADABLE as error:
            yield Damage(rows.name(tag_keys, row), _said(error))


def _no_tag_key(tx: Transaction, known: Known) -> Iterator[Damage]:
    """Yield the tag keys that are missing: while a part lives, its persons must be found."""
    for place in sorted({(b.org, b.emergency) for b in known.buckets.values() if b.live}):
        if not _exists(tx, tag_keys, place):
            yield Damage(rows.name(tag_keys, place), "is missing, and parts of it are alive")


def _part_keys(
    tx: Transaction, keys: KeyStore, cells: dict[str, dict[int, bytes]], known: Known
) -> Iterator[Damage]:
    for row in rows.stream(tx, part_keys):
        org, bucket, part, epoch, count, wrapped = row
        name = rows.name(part_keys, row)
        if org not in cells:
            yield Damage(name, _NO_EPOCH)
            continue
        try:
            suite = keys.suite_of(org)
            above = suite.cipher(rotation.epoch_key(cells[org], epoch))
            aad = keyrows.part_aad(suite, (org, bucket, part), epoch, count)
            key = keyrows.unwrap(suite, above, wrapped, aad)
        except _UNREADABLE as error:
            yield Damage(name, _said(error))
            continue
        yield from _seeds(tx, suite, (org, bucket, part), key, count)
        state = known.states.get((org, bucket), {}).get(part)
        if state in {DESTROYED, PURGED}:
            yield Damage(name, f"is still there, but its part is {state}")


def _seeds(
    tx: Transaction, suite: Suite, place: keyrows.Place, key: bytes, count: int
) -> Iterator[Damage]:
    above, found = suite.cipher(key), 0
    org, bucket, part = place
    where = (seeds.c.org == org, seeds.c.bucket == bucket, seeds.c.part == part)
    for row in rows.stream(tx, seeds, *where):
        *_, depth, prefix, wrapped = row
        found += 1
        try:
            aad = keyrows.seed_aad(suite, place, (depth, prefix))
            keyrows.unwrap(suite, above, wrapped, aad)
        except _UNREADABLE as error:
            yield Damage(rows.name(seeds, row), _said(error))
    if found != count:
        problem = f"has {count} seeds, but {found} are there"
        yield Damage(rows.name(part_keys, place), problem)


def _exists(tx: Transaction, table: sa.Table, place: rows.Row) -> bool:
    where = [c == value for c, value in zip(table.primary_key.columns, place, strict=False)]
    return tx.conn.execute(sa.select(sa.literal(1)).where(*where).limit(1)).first() is not None


def _said(error: BaseException) -> str:
    """Return what an error says, as text that can always be shown."""
    return str(error).encode("ascii", "backslashreplace").decode()
