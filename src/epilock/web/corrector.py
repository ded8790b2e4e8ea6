"""The corrector: stores a corrected record in an old one's place, and has the old one's keys destroyed."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from epilock.assemble import INSTALLATION, Parts
from epilock.collect.form import Accepted
from epilock.collect.record import Keeper
from epilock.destroy import move as moves
from epilock.destroy import run as runs
from epilock.store.bucket import Bucket


@dataclass(slots=True)
class Corrector:
    """Works for all threads, one correction at a time, with leases of its own beside the writer's.

    Attributes:
        parts: The installation.
    """

    parts: Parts
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _keeper: Keeper | None = None

    def store(
        self, accepted: Accepted, *, receipt: bytes, bucket: Bucket, n: int, now: datetime
    ) -> None:
        """Put ``accepted`` in the place of record ``n`` of ``bucket``; the ``receipt`` follows it.

        Raises:
            HeldError: The bucket is held.
            StateError: The old record is not whole, or on its way out.
        """
        parts = self.parts
        with self._lock, parts.database.write() as tx:
            new = self._own().put(tx, accepted, receipt=receipt, now=now)
            moves.correct(
                tx, parts.log, standard_ref=parts.standard.ref, bucket=bucket, n=n, by=new, now=now
            )
        runs.complete(parts.tools, now=now, org=bucket.org)

    def _own(self) -> Keeper:
        if self._keeper is None:
            parts = self.parts
            self._keeper = Keeper(
                database=parts.database, keys=parts.keys, log=parts.log, standard=parts.standard,
                secret=parts.keys.secret(INSTALLATION, "receipts"), holder="corrections",
            )  # fmt: skip
        return self._keeper
