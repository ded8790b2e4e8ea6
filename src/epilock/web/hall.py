"""The hall: how many requests and octets are inside at once; who comes when it is full is told when to return.

Rules kept in this file:
  1. Whatever waits, waits inside a bound: so many submissions, so many other requests, so many octets of
     their bodies (which state their length, ``security.py``), so many connections (``connection.py``).
  2. Submissions have a bound of their own: pages that are slow keep nobody from being stored, and a rush
     at a gate keeps no officer from a page.
  3. Who is turned away is answered 503 with ``Retry-After``: longer the more were turned away in the last
     second, so that turning away stays cheap, and not the same for all, so that they don't come back
     together. Nothing of theirs was stored.
  4. No bound is by address: a whole compound often stands behind one. Attempts that guess (sign-in,
     receipts) are counted by address and answered 429 (``use/rate.py``).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from epilock.errors import BusyError

SUBMISSIONS = 1_024  # two batches of the writer: one is committed, one waits
REQUESTS = 256  # six for each thread that makes pages
OCTETS = 64_000_000  # of stated bodies
CONNECTIONS = 2_000
PACE = 20  # for each so many that were turned away in the last second, a second more to wait
LONGEST = 60  # seconds


@dataclass(slots=True)
class Hall:
    """What is inside now, and what may be; used by one event loop.

    Attributes:
        submissions: The most submissions at once.
        requests: The most other requests at once.
        octets: The most octets of bodies at once.
        connections: The most connections that are answered.
        leaving: Whether the process is about to end: each answer then closes its connection.
        turned_away: How many were, since the start.
        clock: Seconds, from any beginning.
    """

    submissions: int = SUBMISSIONS
    requests: int = REQUESTS
    octets: int = OCTETS
    connections: int = CONNECTIONS
    leaving: bool = False
    turned_away: int = 0
    _inside: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    clock: Callable[[], float] = time.monotonic
    _octets: int = 0
    _second: int = 0
    _this: int = 0
    _last: int = 0

    def inside(self, *, submissions: bool) -> int:
        """Return how many submissions, or other requests, are inside."""
        return self._inside[submissions]

    @contextmanager
    def admit(self, octets: int, *, submission: bool) -> Iterator[None]:
        """Let one request in, with a body of so many ``octets``, for as long as the block lasts.

        Raises:
            BusyError: It is full; the message says of what.
        """
        most = self.submissions if submission else self.requests
        if self._inside[submission] >= most:
            raise self.refusal(f"{most} are being answered")
        if self._octets + octets > self.octets:
            raise self.refusal("the memory for what is being sent is in use")
        self._inside[submission] += 1
        self._octets += octets
        try:
            yield
        finally:
            self._inside[submission] -= 1
            self._octets -= octets

    def refusal(self, why: str) -> BusyError:
        """Return the error for one who is turned away, and count it."""
        return BusyError(f"{why}; nothing was stored, please try again", wait=self.turn_away())

    def turn_away(self) -> int:
        """Count one who is turned away; return the seconds after which to come back."""
        self.turned_away += 1
        second = int(self.clock())
        if second != self._second:
            self._last = self._this if second == self._second + 1 else 0
            self._second, self._this = second, 0
        self._this += 1
        crowd = max(self._this, self._last) // PACE
        return min(LONGEST, 1 + crowd + self.turned_away % (2 + crowd))
