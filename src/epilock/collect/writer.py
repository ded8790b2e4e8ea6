"""The single writer: submissions wait in one queue and are committed together.

Order of effects for each batch, and what a crash leaves:
  1. One write transaction is opened; buckets and leases are looked up or made.  Crash: nothing.
  2. Each submission is sealed under the next number of the lease.               Crash: dead numbers.
  3. Records, parts, tags, entries, tiles and head are written and committed.    Crash during the
     commit: either all of it is there or none; the client, unanswered, repeats with the same client
     id and is given the same receipt.
  4. Proofs are made from the committed tree and everyone is answered.           Crash: as in 3.

Rules kept in this file:
  1. No answer before its record is durable.
  2. One submission that is refused does not harm the others of its batch.
  3. A failed transaction fails its whole batch with the error, and its numbers are never used again.
  4. Nothing ends the thread but ``stop``: where there is no memory to answer a batch together, each is told alone.
"""

import asyncio
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from epilock.collect.form import Accepted
from epilock.collect.record import Keeper, Stored
from epilock.errors import BusyError, InputError, RefusedError, StateError
from epilock.meters import FAILED, REFUSED, REPEATED, STORED, Meters

MAX_BATCH = 512
GATHER = 0.001  # seconds: what a batch costs whatever its size is then paid for more of them
FEW = 64  # where so many wait already, nothing is waited for
MAX_WAITING = 4_096  # a second of them; who comes then is told to come back
PATIENCE = 10.0  # seconds

Answer = Stored | Exception


class _Item(NamedTuple):
    accepted: Accepted
    future: "Future[Stored] | asyncio.Future[Stored]"
    loop: asyncio.AbstractEventLoop | None


class Writer:
    """Takes accepted submissions from any thread and answers when they are durable.

    Attributes:
        keeper: What seals and stores a batch; only the writer's thread calls it.
        patience: Seconds that a batch may take; see ``hangs``.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        now: Callable[[], datetime],
        most: int = MAX_WAITING,
        meters: Meters | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.keeper = keeper
        self.patience = patience
        self._began: float | None = None  # when the batch that is being stored was taken
        self._most = most
        self._meters = meters or Meters()
        self._now = now
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, accepted: Accepted) -> "Future[Stored]":
        """Queue one submission; the future ends when it is stored, or with the reason it is not.

        Raises:
            StateError: The writer is stopped.
            BusyError: Too many wait.
        """
        self._admit()
        future: Future[Stored] = Future()
        self._waiting.put(_Item(accepted, future, None))
        return future

    def submit_from(
        self, accepted: Accepted, loop: asyncio.AbstractEventLoop
    ) -> "asyncio.Future[Stored]":
        """Queue one submission from an event ``loop``, which is woken once for a whole batch.

        Raises:
            StateError: The writer is stopped.
            BusyError: Too many wait.
        """
        self._admit()
        future: asyncio.Future[Stored] = loop.create_future()
        self._waiting.put(_Item(accepted, future, loop))
        return future

    @property
    def waiting(self) -> int:
        """How many wait to be stored."""
        return self._waiting.qsize()

    @property
    def alive(self) -> bool:
        """Whether what is submitted will be stored."""
        return self._thread.is_alive() and not self._stopped.is_set()

    @property
    def hangs(self) -> bool:
        """Whether a batch is being stored for longer than ``patience``, as when a database gives no answer."""
        began = self._began
        return began is not None and time.monotonic() - began > self.patience

    def stop(self) -> None:
        """Store what waits, then end the thread; repeating is harmless."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._waiting.put(None)
        self._thread.join()

    def _admit(self) -> None:
        if self._stopped.is_set():
            raise StateError("the writer is stopped")
        if self._waiting.qsize() >= self._most:
            raise BusyError("too many submissions wait; try again in a moment", wait=1)

    def _run(self) -> None:
        batch: deque[_Item] = deque()  # it grows by pieces of half a kilobyte, and keeps them
        going = True
        while going:
            going = self._take(batch)
            self._began = time.monotonic()
            try:
                _tell(batch, self._store(batch))
            except Exception as error:  # noqa: BLE001 - whatever it was, every waiting client is told
                for item in batch:
                    _tell_alone(item, error)
            self._began = None
            batch.clear()

    def _take(self, batch: deque[_Item]) -> bool:
        """Wait for a submission and take what waits beside it; tell whether more may come."""
        going, item = True, self._waiting.get()
        if self._waiting.qsize() < FEW:
            time.sleep(GATHER)
        while True:
            if item is None:
                going = False
            else:
                batch.append(item)
            if len(batch) == MAX_BATCH or self._waiting.empty():
                return going
            item = self._waiting.get()

    def _store(self, items: Collection[_Item]) -> Sequence[Answer]:
        if not items:
            return []
        began = time.perf_counter()
        answers: Sequence[Answer]
        try:
            answers = self.keeper.store([item.accepted for item in items], now=self._now)
        except Exception as error:  # noqa: BLE001 - whatever it was, every waiting client is told
            answers = [error] * len(items)
        self._meters.commit.observe(time.perf_counter() - began)
        self._meters.batch.observe(len(items))
        for outcome, number in Counter(map(_outcome, answers)).items():
            self._meters.submissions.labels(outcome).inc(number)
        return answers


def _outcome(answer: Answer) -> str:
    if isinstance(answer, Stored):
        return REPEATED if answer.repeated else STORED
    return REFUSED if isinstance(answer, InputError | StateError | RefusedError) else FAILED


def _tell(items: Collection[_Item], answers: Sequence[Answer]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Item, Answer]]] = {}
    for item, answer in zip(items, answers, strict=True):
        if item.loop is None:
            _end(item, answer)
        else:
            by_loop.setdefault(item.loop, []).append((item, answer))
    for loop, told in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_end_all, told)


def _tell_alone(item: _Item, answer: Answer) -> None:
    with suppress(MemoryError, RuntimeError):  # not even for this; or its loop has closed
        if item.loop is None:
            _end(item, answer)
        else:
            item.loop.call_soon_threadsafe(_end, item, answer)


def _end_all(told: Sequence[tuple[_Item, Answer]]) -> None:
    for item, answer in told:
        _end(item, answer)


def _end(item: _Item, answer: Answer) -> None:
    if item.future.done():  # the client went away; its record is stored all the same
        return
    if isinstance(answer, Exception):
        item.future.set_exception(answer)
    else:
        item.future.set_result(answer)
