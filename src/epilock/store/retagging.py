"""Rotating the tag key of an emergency: each tag becomes its tag under the next generation, while others write and search.

The steps, and what a crash leaves; the same call again goes on, for it begins a generation only when no tag is of an
older one:

  1. The tag key gets another generation.  Crash: new records are tagged under it, old ones wait.
  2. Tags of older generations are changed in place, batch by batch, each in a transaction of its own: a row
     that is destroyed meanwhile is gone, whoever was first.  Crash: some are of one, some of the other.
  3. That is done until a pass over all of them finds none. A writer that read the tag key before step 1 may still
     store one afterwards: it is found by searches like all, and the next call takes it along.

No record is opened: a tag is made from the tag before it (``tags.renew``).
"""

from collections.abc import Iterator

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.store import bucket as buckets_
from epilock.store.access import Keys
from epilock.store.tags import generations, renew, tags

BATCH = 1000

_KEY = tuple(tags.primary_key.columns)
_Place = tuple[str, int, str, bytes, int, str]  # the primary key of a tag


def rotate(
    database: Database, keys: Keys, org: str, emergency: str, *, batch: int = BATCH
) -> Iterator[int]:
    """Yield, after each transaction, how many tags it changed; see the module for what a crash leaves.

    Raises:
        ErasedError: The emergency's tag key was dropped, or never made.
        InputError: It has as many generations as one can have.
    """
    has = len(generations(keys.tag_key(org, emergency)))
    with database.read() as tx:
        is_begun = _is_older_left(tx, org, emergency, has)
    if not is_begun:
        keys.extend_tag_key(org, emergency, has + 1)
    key = generations(keys.tag_key(org, emergency))
    done = -1
    while done:
        done, after = 0, None
        while True:
            with database.write() as tx:
                seen, changed = _batch(tx, keys, key, (org, emergency), after, batch)
            yield changed
            done += changed
            if len(seen) < batch:
                break
            after = seen[-1]


def _batch(  # noqa: PLR0917 - in what, with what, of whom, from where, how many
    tx: Transaction,
    keys: Keys,
    key: list[bytes],
    whose: tuple[str, str],
    after: _Place | None,
    limit: int,
) -> tuple[list[_Place], int]:
    """Change the next tags in the order of their places; return the places seen and how many were changed."""
    query = sa.select(*_KEY, tags.c.generation).where(*_of(tx, *whose))
    if after is not None:
        query = query.where(sa.tuple_(*_KEY) > after)
    rows = [tuple(row) for row in tx.conn.execute(query.order_by(*_KEY).limit(limit))]
    seen = [(org, b, part, bytes(tag), n, role) for org, b, part, tag, n, role, _ in rows]
    changed = 0
    for place, (*_, generation) in zip(seen, rows, strict=True):
        if generation < len(key):
            where = (column == value for column, value in zip(_KEY, place, strict=True))
            tag = renew(keys.suite_of(whose[0]), key[generation:], place[3])
            tx.conn.execute(sa.update(tags).where(*where).values(tag=tag, generation=len(key)))
            changed += 1
    return seen, changed


def _is_older_left(tx: Transaction, org: str, emergency: str, generation: int) -> bool:
    query = sa.select(sa.literal(1)).where(*_of(tx, org, emergency), tags.c.generation < generation)
    return tx.conn.execute(query.limit(1)).first() is not None


def _of(tx: Transaction, org: str, emergency: str) -> list[sa.ColumnElement[bool]]:
    found = [bucket.id for bucket in buckets_.of_emergency(tx, org, emergency)]
    return [tags.c.org == org, tags.c.bucket.in_(found)]
