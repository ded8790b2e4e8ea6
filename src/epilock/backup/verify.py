"""Proof that a backup can be restored: it is, beside everything, and one record opens and one stays shut.

Nothing is served, signed or kept; plaintext stays in here, and what is told is where a record lies and how many
bytes it opened to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from epilock.assemble import Parts
from epilock.backup import restore
from epilock.backup.restore import Settled
from epilock.backup.snapshot import Repository, Snapshot
from epilock.db import Transaction
from epilock.errors import ErasedError
from epilock.ledger.check import Damage
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.bucket import DESTROYED, LIVE, PURGED, bucket_parts
from epilock.store.vault import records

Place = tuple[str, int]  # name of a bucket, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a backup turned out to be.

    Attributes:
        snapshot: The snapshot.
        opened: A record that opened, and to how many bytes; None if no record lives.
        shut: Parts of a record that is gone, by place and name; empty if none is.
        came_back: Those of ``shut`` whose key is there, which must be none.
        damage: What ``epilock check`` finds.
    """

    snapshot: Snapshot
    opened: tuple[Place, int] | None
    shut: Sequence[tuple[Place, str]]
    came_back: Sequence[tuple[Place, str]]
    damage: Sequence[Damage]

    @property
    def is_good(self) -> bool:
        """Whether it would be restored as it was stored."""
        return not self.damage and not self.came_back


def verify(
    repository: Repository,
    scratch: Path,
    settled: Settled,
    *,
    slots: Path,
    root_key: Path | None,
    now: datetime,
    number: int | None = None,
) -> Proved:
    """Restore a snapshot (the newest, or of a ``number``) into ``scratch``, a new folder, and try it.

    Raises:
        NotFoundError, IntegrityError, KeysError, RootKeyError: It can't be restored; see ``restore.restore``.
    """
    snapshot = repository.snapshot(number)
    told = restore.inside(settled(scratch), scratch, None)
    if root_key is not None:
        told = replace(told, root_key=str(root_key))  # where it lies: it is copied for no trial
    try:
        restore.write(repository, snapshot, scratch, slots=slots, root_key=None)
        parts = restore.opened(told, snapshot, now)
        try:
            with parts.database.read() as tx:
                opened = _open_one(tx, parts)
                shut = _gone(tx)
            came_back = [
                (place, part) for org, place, part in shut if not _is_shut(parts, org, place, part)
            ]
            damage = list(restore.damages(parts))
        finally:
            parts.close()
    finally:
        restore.discard(scratch)
    return Proved(
        snapshot=snapshot, opened=opened, shut=[(place, part) for _, place, part in shut],
        came_back=came_back, damage=damage,
    )  # fmt: skip


def _open_one(tx: Transaction, parts: Parts) -> tuple[Place, int] | None:
    c, p = records.c, bucket_parts.c
    alive = sa.exists().where(p.org == c.org, p.bucket == c.bucket, p.state == LIVE)
    query = sa.select(c.org, c.bucket, c.n).where(c.state == LIVE, alive).limit(1)
    found = tx.conn.execute(query).first()
    if found is None:
        return None
    org, bucket, n = found
    size = sum(map(len, vault.open_record(tx, parts.keys, org, bucket, n).values()))
    return (buckets.load(tx, org, bucket).name, n), size


def _gone(tx: Transaction) -> list[tuple[str, Place, str]]:
    """Return the parts of one record of which some are gone, with their organisation."""
    c, p = records.c, bucket_parts.c
    dead = sa.exists().where(p.org == c.org, p.bucket == c.bucket, p.state.in_([DESTROYED, PURGED]))
    query = sa.select(c.org, c.bucket, c.n).where((c.state == vault.ERASED) | dead).limit(1)
    found = tx.conn.execute(query).first()
    if found is None:
        return []
    org, number, n = found
    bucket = buckets.load(tx, org, number)
    states = buckets.part_states(tx, org, number)
    record = vault.find_record(tx, org, number, n)
    return [
        (org, (bucket.name, n), part) for part in record.parts if _is_gone(states, record, part)
    ]


def _is_gone(states: Mapping[str, str], record: vault.Record, part: str) -> bool:
    return part in record.erased or states[part] in {DESTROYED, PURGED}


def _is_shut(parts: Parts, org: str, place: Place, part: str) -> bool:
    try:
        parts.keys.leaf(org, place[0], part, place[1])
    except ErasedError:
        return True
    return False
