"""Rounds: a thread that does one thing again and again while the platform serves, until it is stopped."""

import logging
import threading
from collections.abc import Callable

from epilock.meters import Meters

_log = logging.getLogger(__name__)


class Rounds:
    """Calls ``work`` at once and then every ``every`` seconds; a round that fails is tried again.

    Args:
        name: Name of the thread, for the log of the machine.
        work: One round.
        every: Seconds between two rounds.
        meters: Where rounds are counted.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        every: float,
        meters: Meters | None = None,
    ) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._counted = (meters or Meters()).rounds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, within: float | None = None) -> None:
        """End after the round under way, or leave it after ``within`` seconds to the end of the process."""
        self._stop.set()
        self._thread.join(within)

    def _run(self) -> None:
        while True:
            try:
                self._work()
                self._counted.labels(self._name, "done").inc()
            except Exception as error:  # noqa: BLE001 - a round that fails must not end the thread
                self._counted.labels(self._name, "failed").inc()
                _log.error("a round of the %s failed: %s", self._name, type(error).__name__)
            if self._stop.wait(self._every):
                return
