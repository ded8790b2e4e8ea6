"""The round: look, look again at what was found, freeze, alert, remember.

The order of effects, and what a crash leaves at each:

1. Looking changes nothing.
2. The freeze is committed before anyone is told. Crash before: the next round finds the same. After: the
   next round finds the freeze there, adds nothing, and tells again: an alert comes twice, never not.
3. The memory is written last. Crash before: the next round compares with the older memory.

Rules kept in this file:
  1. What was found counts only if a second look finds its place again: what was being destroyed, collected or
     committed in between is done by then.
  2. Nothing is forgotten by being found: what was seen of a log or an epoch changes only while it goes on from
     there, or when two persons have lifted the freeze.
  3. A freeze that this watcher began and that is gone without having been lifted is begun again.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from epilock.db import Database, key_metadata, metadata
from epilock.destroy import freeze
from epilock.errors import EpilockError, InconsistentError, NotFoundError
from epilock.ledger.check import Damage
from epilock.ledger.gather import Gatherer
from epilock.ledger.log import Log
from epilock.store.check import rows
from epilock.store.keys import KeyStore
from epilock.watch import alert, balance, heads, keys, memory, rolling, shape

EVERY = 60.0  # seconds between two rounds
SECONDS = 5.0  # of each round for the rolling looks
PAUSE = 1.0  # seconds between a look and the second one
MOST = 1000  # findings of one round
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a watcher can see.

    Attributes:
        main: The main database, opened for reading alone.
        keys: The key database, likewise; None where a key service has it.
        path: File of its memory.
        seconds: For the rolling looks of each round.
        pause: Seconds between a look and the second one.
        command: What is started with each alert, or "".
        trusted: What only the installation itself has, or None.
    """

    main: Database
    keys: Database | None
    path: Path
    seconds: float = SECONDS
    pause: float = PAUSE
    command: str = ""
    trusted: "Trusted | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What a watcher inside the installation can do besides: open what is sealed, ask witnesses, freeze.

    Attributes:
        database: The main database, to freeze in.
        store: The key store; None where a key service has it.
        log: The newest log.
        gatherers: One for each log.
        standard_ref: The standard in force.
    """

    database: Database
    store: KeyStore | None
    log: Log
    gatherers: Sequence[Gatherer]
    standard_ref: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """One quick look: what was found, and what there is to be remembered."""

    found: list[Damage]
    heads: heads.Heads
    epochs: dict[str, int]


class Watcher:
    """Does rounds; owned by one thread.

    Attributes:
        frozen: Whether its last round found something that nobody has lifted.
    """

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        seen = (sight.main, sight.keys)
        self._files = [shape.File(database) for database in seen if database is not None]
        self.frozen = False
        self._told: set[Damage] = set()  # by this process

    def round(self, now: datetime) -> list[Damage]:
        """Do one round; return what was found and is not known already."""
        remembered = memory.load(self._sight.path)
        seen = self._look(remembered, now)
        if seen.found:
            time.sleep(self._sight.pause)
            again = self._look(remembered, now)
            places = {each.row for each in seen.found}
            seen = _Seen([d for d in again.found if d.row in places], again.heads, again.epochs)
        found = [*seen.found, *self._roll(remembered, seen)]
        known = self._known()
        fresh = [each for each in dict.fromkeys(found) if each not in known]
        code = self._act(remembered, fresh, now)
        self.frozen = bool(fresh) or code is not None
        new = [each for each in fresh if each not in self._told]
        if new:
            alert.tell(new, freeze=code, command=self._sight.command, now=now)
        self._told = set(fresh)
        if not fresh:
            remembered.heads = {o: (h.size, h.root.hex()) for o, h in seen.heads.items()}
            remembered.epochs = seen.epochs
        remembered.freeze = code
        memory.save(remembered, self._sight.path)
        return fresh

    # -- looking ---------------------------------------------------------------------------------------

    def _look(self, remembered: memory.Memory, now: datetime) -> _Seen:
        """Take the quick look."""
        found: list[Damage] = []
        seen: heads.Heads = {}
        states: keys.States = {}
        epochs: dict[str, int] = {}
        for file in self._files:
            found += file.check()
        if found:
            return _Seen(found, seen, epochs)
        with (
            _surviving(found, "the main database"),
            self._sight.main.read() as tx,
            rows.as_stored(tx),
        ):
            found += shape.check(tx, metadata)
            if not found:
                seen = heads.read(tx)
                found += heads.check(tx, seen, remembered)
                found += balance.check(tx)
                states = keys.states(tx)
        if self._sight.keys is not None:
            with _surviving(found, "the key database"), self._sight.keys.read() as tx:
                found += shape.check(tx, key_metadata)
                epochs = keys.read_epochs(tx)
                store = None if self._sight.trusted is None else self._sight.trusted.store
                found += keys.check(tx, states, epochs, remembered, store)
        found += self._witnesses(now)
        return _Seen(found[:MOST], seen, epochs)

    def _witnesses(self, now: datetime) -> Iterator[Damage]:
        """Yield that a witness has seen more of a log than there is, or another."""
        if self._sight.trusted is None:
            return
        for gatherer in self._sight.trusted.gatherers:
            try:
                gatherer.compare(now)
            except InconsistentError as error:
                yield Damage("a witness of the log", str(error))
            except EpilockError as error:
                _log.warning("the witnesses could not be compared: %s", type(error).__name__)

    def _roll(self, remembered: memory.Memory, seen: _Seen) -> list[Damage]:
        """Look on for some seconds at what costs a scan."""
        found: list[Damage] = []
        if seen.found:
            return found  # what is broken already would be named once for each row
        end = time.monotonic() + self._sight.seconds
        trusted = self._sight.trusted
        with ExitStack() as open_:
            open_.enter_context(_surviving(found, "the databases"))
            tx = open_.enter_context(self._sight.main.read())
            open_.enter_context(rows.as_stored(tx))
            looks: list[rolling.Look] = [rolling.Entries(tx, heads.read(tx)), rolling.Counted(tx)]
            if self._sight.keys is not None:
                looks.append(rolling.Seeds(open_.enter_context(self._sight.keys.read())))
            if trusted is not None:
                looks.append(rolling.Sealed(tx))
                if trusted.store is not None:
                    looks.append(rolling.Opened(tx, trusted.store))
            damages, remembered.lane = rolling.roll(
                looks, remembered.cursors, remembered.lane, lambda: time.monotonic() < end
            )
            found += damages
        return found[:MOST]

    # -- acting ----------------------------------------------------------------------------------------

    def _known(self) -> frozenset[Damage]:
        """Return what two persons have seen and lifted; nothing if that can't be read."""
        try:
            with self._sight.main.read() as tx:
                return freeze.known(tx) if self._sight.trusted is not None else frozenset()
        except (EpilockError, sa.exc.DatabaseError):
            return frozenset()

    def _act(self, remembered: memory.Memory, fresh: list[Damage], now: datetime) -> str | None:
        """Freeze if there is reason to; return the code of the freeze that lasts, or None."""
        trusted = self._sight.trusted
        if trusted is None:
            return None
        if remembered.freeze is not None and not self._is_there(remembered.freeze):
            fresh.append(
                Damage(f"freezes (freeze={remembered.freeze})", "is gone, and nobody lifted it")
            )
        if not fresh:
            with self._sight.main.read() as tx:
                lasts = freeze.current(tx)
            return None if lasts is None else lasts.freeze
        of_the_log = any(each.row.startswith(("log ", "a witness", "ledger_")) for each in fresh)
        for witnessed in (False,) if of_the_log else (True, False):
            try:
                with trusted.database.write() as tx:
                    return freeze.begin(
                        tx, trusted.log, fresh, standard_ref=trusted.standard_ref, now=now,
                        witnessed=witnessed,
                    ).freeze  # fmt: skip
            except (EpilockError, sa.exc.DatabaseError) as error:
                _log.error("a freeze could not be written: %s", type(error).__name__)
        return remembered.freeze or "unwritten"

    def _is_there(self, code: str) -> bool:
        """Tell whether a freeze that this watcher began stands, or was lifted."""
        try:
            with self._sight.main.read() as tx:
                freeze.load(tx, code)
        except NotFoundError:
            return False
        except (EpilockError, sa.exc.DatabaseError):
            return True  # named by what looks at rows and tables
        return True


@contextmanager
def _surviving(found: list[Damage], what: str) -> Iterator[None]:
    """Add to ``found`` what stops a look; a database that does not answer at all is no finding."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        why = str(error.orig)
        if isinstance(error, sa.exc.OperationalError) and "disk I/O" not in why:
            raise
        found.append(Damage(what, f"can't be read: {type(error.orig).__name__}"))
    except (EpilockError, UnicodeError, ValueError, TypeError) as error:
        found.append(Damage(what, f"can't be looked at to the end: {type(error).__name__}"))
