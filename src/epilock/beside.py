"""Long work: it goes on in a thread of its own, beside the pages that show how far it is and can be left.

Always true:
  1. One work of a name goes on at a time in this process; who asks for it again watches the one there is.
  2. Kept in memory is how far it is, as numbers, and what stopped it; of what it worked on nothing is, once it
     has ended. What a work makes it commits itself, so that an answer outlives the page that asked, and a work
     that ends with its process is begun again.
  3. A name tells nobody anything: a page asks for a work after it has checked who may see what it makes.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEPT = 1000  # works that have ended, of which it is still known what stopped them
PATIENCE = 2.0  # seconds that a page waits before it says how far a work is
_log = logging.getLogger(__name__)

Name = tuple[str, ...]  # what kind of work, whose, of what: ("release", "sunny", "r7k...")
Told = Callable[[str, int, int], None]  # stage, how far it is, how far it has to go (0: not known)


def nobody(stage: str, done: int, of: int) -> None:
    """Tell nobody how far it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a work is.

    Attributes:
        stage: What it does now; "" before it said so.
        done, of: How far that is, and how far it has to go; 0 if that is not known.
    """

    stage: str = ""
    done: int = 0
    of: int = 0

    @property
    def hundredths(self) -> int | None:
        """How much of the stage is done, 0 to 100; None if that is not known."""
        return min(100, 100 * self.done // self.of) if self.of > 0 else None


class Work:
    """One work, which begins when it is made.

    Attributes:
        at: How far it is; its own thread alone assigns it.
        problem: What stopped it, or None.
    """

    def __init__(self, kind: str, do: Callable[[Told], object]) -> None:
        self.at = Place()
        self.problem: Exception | None = None
        self._kind = kind
        self._thread = threading.Thread(target=self._go, args=(do,), name=kind, daemon=True)
        self._thread.start()

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after some seconds."""
        self._thread.join(seconds)

    def check(self) -> None:
        """Raise what stopped it, to the first who asks: frames of whoever is told are not kept either."""
        problem, self.problem = self.problem, None
        if problem is not None:
            raise problem

    def _go(self, do: Callable[[Told], object]) -> None:
        try:
            do(self._told)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            error.__cause__ = error.__context__ = None  # their frames hold what was worked on
            self.problem = error.with_traceback(None)
            _log.error("a %s that was asked for stopped: %s", self._kind, type(error).__name__)

    def _told(self, stage: str, done: int, of: int) -> None:
        self.at = Place(stage, done, of)


@dataclass(frozen=True, slots=True)
class Works:
    """The works of this process, by their names."""

    _turn: threading.Lock = field(default_factory=threading.Lock)
    _works: dict[Name, Work] = field(default_factory=dict)

    def begin(self, name: Name, do: Callable[[Told], object], *, wait: float) -> Work:
        """Begin a work, unless it goes on; return it when it has ended, or after ``wait`` seconds."""
        with self._turn:
            work = self._works.get(name)
            if work is None or not work.is_under_way:
                self._forget(name)
                work = self._works[name] = Work(name[0], do)
        work.wait(wait)
        return work

    def of(self, name: Name) -> Work | None:
        """Return the last work of a name in this process, or None if none is known."""
        return self._works.get(name)

    def _forget(self, name: Name) -> None:
        """Forget the last work of a name, and the eldest that have ended where there are too many."""
        self._works.pop(name, None)
        over = [each for each, work in self._works.items() if not work.is_under_way]
        for each in over[: max(0, len(over) - MOST_KEPT)]:
            del self._works[each]
