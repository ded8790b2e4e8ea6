"""The caretaker: a thread that does what the clock asks while the platform serves.

Each round, in this order: the watcher looks what went around the program; notices are issued anew where a
level took effect; once a day arrivals of ninety days ago are forgotten and accounts that nobody confirmed are
disabled; counts of notices are kept, and once a day committed to the ledger; keys of offline leases that are over
are destroyed, photographs of paper that may exist no longer, then what is due; dead rows are purged; releases that a crash left are gone on
with, and the files of those whose grant has ended are destroyed. While a freeze lasts nothing is destroyed or
purged. A round that fails is logged by its kind and tried again; what can't be issued anew keeps nothing else from
being done. Nothing here decides anything.
"""

from datetime import date, datetime, timedelta

from epilock import rate
from epilock.accounts import arrival, attest, passkey
from epilock.accounts import session as sessions
from epilock.assemble import Parts
from epilock.collect import offline, paper, reissue, tally
from epilock.db import Database, open_engine
from epilock.destroy import run as destruction
from epilock.ledger.gather import Gatherer
from epilock.ledger.shards import all_of
from epilock.rounds import Rounds
from epilock.standard.level import CHINA
from epilock.store.keys import KeyStore
from epilock.watch.round import PAUSE, SECONDS, Sight, Trusted, Watcher

ROUND = 60.0  # seconds
PURGE_SLICES = 20  # transactions a round and part, so that a purge never holds up a submission


class Caretaker:
    """Does rounds in a thread of its own until it is stopped."""

    def __init__(self, parts: Parts, *, every: float = ROUND, destroy: bool = True) -> None:
        self._parts = parts
        self._destroy = destroy
        self._rounds = Rounds("caretaker", self.round, every=every, meters=parts.meters)
        self._counted: date | None = None
        self._watcher = watcher(parts)

    def start(self) -> None:
        """Begin; the first round completes what a crash left."""
        self._rounds.start()

    def stop(self) -> None:
        """End after the round under way, keeping what was counted."""
        self._rounds.stop()
        self._keep_counts()

    def round(self) -> None:
        """Do one round."""
        parts, now = self._parts, self._parts.now()
        self._watcher.round(now)
        try:
            reissue.go_on(parts.database, parts.press, now=parts.now)
        finally:
            self._go_on(now)

    def _go_on(self, now: datetime) -> None:
        parts = self._parts
        with parts.database.write() as tx:
            rate.sweep(tx, window=timedelta(days=1), now=now)
            passkey.sweep(tx, now=now)
            sessions.sweep(tx, now=now)
        self._keep_counts()
        today = now.astimezone(CHINA).date()
        if self._counted != today:
            with parts.database.write() as tx:
                arrival.sweep(tx, now=now)
                offline.forget_arrived(tx, now=now)
                attest.lapse(tx, parts.log, standard_ref=parts.standard.ref, now=now)
        if self._counted not in {None, today}:
            with parts.database.write() as tx:
                tally.commit_counts(tx, parts.log, standard_ref=parts.standard.ref, now=now)
        self._counted = today
        if self._watcher.frozen:
            return
        offline.forget_ended(parts.database, parts.keys, now=now)
        paper.sweep(parts.database, parts.keys, today=today)
        if self._destroy:
            destruction.run(parts.tools, now=now)
            destruction.purge(parts.tools, now=now, slices=PURGE_SLICES)
        parts.maker.complete()

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


def watcher(parts: Parts, *, seconds: float = SECONDS, pause: float = PAUSE) -> Watcher:
    """Return a watcher of an installation, which reads over connections of its own and freezes over ours."""
    told = parts.settings
    gatherers = [Gatherer(parts.database, log) for log in all_of(parts.log)]
    store = parts.keys if isinstance(parts.keys, KeyStore) else None
    trusted = Trusted(
        database=parts.database, store=store, log=parts.log, gatherers=gatherers,
        standard_ref=parts.standard.ref,
    )  # fmt: skip
    main = open_engine(told.database, read_only=True)
    keys = None if store is None else Database(open_engine(told.key_database, read_only=True), b"")
    return Watcher(
        Sight(
            main=Database(main, parts.database.mac_key), keys=keys, path=told.seen,
            seconds=seconds, pause=pause, command=told.alert, trusted=trusted,
        )
    )  # fmt: skip
