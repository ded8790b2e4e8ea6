"""Made-up submissions of the measured form, and buckets full of records of its shape.

``fill`` makes rows by the store's own functions, but what would be sealed, tagged and committed to is
noise of the same length: to a database as good as the real thing, at a quarter of the cost. Nobody can
open these records; whoever measures opening makes real ones.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from bench import installation
from epilock import assemble, settings
from epilock.assemble import Parts
from epilock.collect.form import Accepted, Form, Submission
from epilock.db import Transaction
from epilock.ledger import entry
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import Bucket
from epilock.store.keytree import LEASE_LEAVES
from epilock.store.suite import NONCE_BYTES, OVERHEAD
from epilock.store.tags import SUBJECT, TAG_BYTES

LEASES = 24  # of one transaction, some 100,000 records, so that each page is written less often


def answers(n: int) -> dict[str, str]:
    """Return what the person number ``n`` writes into the form."""
    return {
        "name": f"张{chr(0x4E00 + n % 5000)}{chr(0x4E00 + n // 5000 % 5000)}",
        "mobile": f"138{n % 10**8:08d}", "temperature": f"36.{n % 10}", "check_in": "东门",
    }  # fmt: skip


def submissions(form: Form, first: int = 0) -> Iterator[Submission]:
    """Yield submissions of different persons without end, each with a client id of its own."""
    acts = list(form.acts.ids)
    while True:
        client = str(UUID(int=first, version=4))
        yield Submission(
            client=client, notice=form.notice, language="zh", given=acts, fields=answers(first)
        )
        first += 1


def fill(home: Path, count: int, *, now: datetime) -> None:
    """Put ``count`` records of the day of ``now`` into the installation in ``home``, which nobody serves.

    Nothing is synced to the disk on the way: what a crash spoils is measured again.
    """
    with at(home) as parts:
        filling = _Filling(parts, installation.form(parts), now)
        for start in range(0, count, LEASES * LEASE_LEAVES):
            with parts.database.write() as tx:
                filling.put(tx, min(count - start, LEASES * LEASE_LEAVES))


@contextmanager
def at(home: Path) -> Iterator[Parts]:
    """Give the installation in ``home`` to fill it, its main database in a hurry."""
    parts = assemble.build(settings.read({}, home=home), now=lambda: datetime.now(UTC))
    try:
        sa.event.listen(parts.database.engine, "connect", _hurry)
        parts.database.engine.dispose()
        yield parts
    finally:
        parts.close()


def _hurry(raw, _record) -> None:
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("PRAGMA cache_size=-1000000")


class _Filling:
    """Fills the bucket of one day from one point."""

    def __init__(self, parts: Parts, form: Form, now: datetime) -> None:
        self._parts, self._form, self._now = parts, form, now
        self._day = now.astimezone(CHINA).date()
        one = next(islice(submissions(form), 1))
        self._like: Accepted = form.accept(one, today=self._day)
        self._terms = tags.terms(self._like.plain)

    def put(self, tx: Transaction, count: int) -> None:
        """Put ``count`` records, lease by lease."""
        parts, point = self._parts, self._form.point
        bucket = buckets.ensure(
            tx, parts.log, parts.keys, parts.standard, org=point.org, authority=point.authority,
            emergency=point.emergency, circumstance=point.circumstance, day=self._day,
            now=self._now,
        )  # fmt: skip
        for start in range(0, count, LEASE_LEAVES):
            block = buckets.take_lease(
                tx, parts.log, bucket, standard_ref=parts.standard.ref, holder="bench",
                until=buckets.lease_end(bucket, self._now), now=self._now,
            )  # fmt: skip
            first = block * LEASE_LEAVES
            self._lease(tx, bucket, range(first, first + min(count - start, LEASE_LEAVES)))

    def _lease(self, tx: Transaction, bucket: Bucket, numbers: range) -> None:
        like, form, place = self._like, self._form, (bucket.org, bucket.id)
        names = tuple(sorted(like.parts))
        said = entry.collecting(
            org=bucket.org, standard=self._parts.standard.ref, point=form.point.point,
            bucket=bucket.name, notice=form.notice, parts=names,
        )  # fmt: skip
        noise = os.urandom
        first = self._parts.log.append(
            tx, [said(n, noise(32).hex()) for n in numbers], now=self._now
        ).first
        vault.keep(
            tx,
            [
                vault.record_row(
                    org=bucket.org, bucket=bucket.id, n=n, point=form.point.point,
                    entry_index=index, handle=noise(vault.HANDLE_BYTES), notice=form.notice,
                    parts=names, language=like.language, given=like.given, minor=like.minor,
                    at=self._now, digest=noise(vault.DIGEST_BYTES),
                )
                for index, n in enumerate(numbers, first)
            ],
            [
                (*place, name, n, noise(NONCE_BYTES), noise(len(plain) + OVERHEAD))
                for name, plain in like.parts.items()
                for n in numbers
            ],
        )  # fmt: skip
        tags.keep(
            tx,
            [
                (*place, term.part, noise(TAG_BYTES), n, SUBJECT, max(tags.FORMS), 1)
                for term in self._terms
                for n in numbers
            ],
        )
