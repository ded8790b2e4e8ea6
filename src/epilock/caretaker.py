"""The caretaker: a thread that does what the clock asks while the platform serves.

Each round, in this order: notices are issued anew where a level took effect; counts of notices are kept,
and once a day committed to the ledger; what is due is destroyed; dead rows are purged. A round that
fails is logged by its kind and tried again; nothing here decides anything.
"""

import logging
import threading
from datetime import date, timedelta

from epilock.assemble import Parts
from epilock.collect import issue, tally
from epilock.destroy import run as destruction
from epilock.standard.level import CHINA
from epilock.use import rate

ROUND = 60.0  # seconds
PURGE_SLICES = 20  # transactions a round and part, so that a purge never holds up a submission
_log = logging.getLogger(__name__)


class Caretaker:
    """Runs rounds until it is stopped."""

    def __init__(self, parts: Parts, *, every: float = ROUND) -> None:
        self._parts = parts
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)
        self._counted: date | None = None

    def start(self) -> None:
        """Begin; the first round completes what a crash left."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way, keeping what was counted."""
        self._stop.set()
        self._thread.join()
        self._keep_counts()

    def round(self) -> None:
        """Do one round."""
        parts, now = self._parts, self._parts.now()
        with parts.database.write() as tx:
            issue.refresh(tx, parts.press, now=now)
            rate.sweep(tx, window=timedelta(days=1), now=now)
        self._keep_counts()
        today = now.astimezone(CHINA).date()
        if self._counted not in {None, today}:
            with parts.database.write() as tx:
                tally.commit_counts(tx, parts.log, standard_ref=parts.standard.ref, now=now)
        self._counted = today
        destruction.run(parts.tools, now=now)
        destruction.purge(parts.tools, now=now, slices=PURGE_SLICES)

    def _keep_counts(self) -> None:
        taken = self._parts.tally.take()
        if not taken:
            return
        try:
            with self._parts.database.write() as tx:
                tally.keep(tx, taken, now=self._parts.now())
        except BaseException:
            self._parts.tally.give_back(taken)
            raise

    def _run(self) -> None:
        while True:
            try:
                self.round()
            except Exception as error:  # noqa: BLE001 - a round that fails must not end the caretaker
                _log.error("a round of the caretaker failed: %s", type(error).__name__)
            if self._stop.wait(self._every):
                return
