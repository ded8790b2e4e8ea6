"""Tags made again under a later normal form, in the background, a slice at a time.

Each slice is one transaction: it opens the records that its rows belong to, deletes what the old form
gave and inserts what the new one gives. After a crash the work begins again from the start and passes
quickly over what is new already. The last slice writes the ledger entry.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.errors import KeysError, StateError, TamperedError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.store import bucket as buckets_
from epilock.store import vault
from epilock.store.bucket import Bucket
from epilock.store.keys import KeyStore
from epilock.store.tags import FORMS, Form, TagRow, generations, parse, tag_rows, tags, terms

_PLACE = (tags.c.bucket, tags.c.part, tags.c.tag, tags.c.n, tags.c.role)


class Progress(NamedTuple):
    """How far the making has come: the last row seen, and how many records were opened."""

    after: tuple[int, str, bytes, int, str]
    remade: int


def remake(
    tx: Transaction,
    log: Log,
    keys: KeyStore,
    *,
    org: str,
    emergency: str,
    standard_ref: str,
    now: datetime,
    progress: Progress | None = None,
    batch: int = 1000,
    forms: Mapping[int, Mapping[str, Form]] = FORMS,
) -> Progress | None:
    """Look at the next ``batch`` tags and make those of an older form again.

    Returns:
        What to pass as ``progress`` next time, or None when all are of the highest version in ``forms``.

    Raises:
        ErasedError: The emergency's tag key was dropped.
    """
    maker = _Maker(tx, keys, keys.tag_key(org, emergency), forms)
    buckets = {b.id: b for b in buckets_.of_emergency(tx, org, emergency)}
    where = [tags.c.org == org, tags.c.bucket.in_(buckets)]
    if progress is not None:
        where.append(sa.tuple_(*_PLACE) > progress.after)
    query = sa.select(*_PLACE, tags.c.version).where(*where).order_by(*_PLACE).limit(batch + 1)
    rows = tx.conn.execute(query).all()
    old = {(r.bucket, r.n, r.part, r.version) for r in rows[:batch] if r.version < max(forms)}
    made = sum(maker.remake(buckets[b], n, part, since) for b, n, part, since in sorted(old))
    remade = made + (0 if progress is None else progress.remade)
    if len(rows) > batch:
        last = rows[batch - 1]
        return Progress((last.bucket, last.part, bytes(last.tag), last.n, last.role), remade)
    if remade:
        said = entry.TagsRemade(
            org=org, standard=standard_ref, at=entry.stamp(now), emergency=emergency,
            version=max(forms),
        )  # fmt: skip
        log.append(tx, [entry.encode(said)], now=now)
    return None


class _Maker(NamedTuple):
    tx: Transaction
    keys: KeyStore
    key: bytes
    forms: Mapping[int, Mapping[str, Form]]

    def remake(self, bucket: Bucket, n: int, part: str, since: int) -> bool:
        """Make the tags of one part of record ``n`` again, which are of the form ``since``.

        A record that can't be opened keeps them: one that is erased loses them with its rows, one that
        was tampered with is named by ``check`` and must not stop the others.
        """
        try:
            record = vault.find_record(self.tx, bucket.org, bucket.id, n)
            opened = vault.open_known(self.tx, self.keys, bucket, record, [part])
        except (KeysError, StateError, TamperedError):
            return False
        for generation in range(1, len(generations(self.key)) + 1):
            for _, _, _, tag, _, role, _, _ in self._rows(bucket, n, opened, since, generation):
                self.tx.delete(
                    tags, org=bucket.org, bucket=bucket.id, part=part, tag=tag, n=n, role=role
                )
        self.tx.bulk(tags, self._rows(bucket, n, opened, max(self.forms)))
        return True

    def _rows(
        self,
        bucket: Bucket,
        n: int,
        opened: Mapping[str, bytes],
        version: int,
        generation: int | None = None,
    ) -> list[TagRow]:
        found = terms(parse(opened), self.forms[version])
        place = (bucket.org, bucket.id, n)
        suite = self.keys.suite_of(bucket.org)
        return tag_rows(suite, self.key, place, found, version, generation)
