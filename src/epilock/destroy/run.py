"""The run: what was announced is completed, what is due is announced and completed, with certificates.

Two stores hold one fact: rows and ledger are one database, keys another. So each destruction is announced,
done, certified, in this order, and every run, and every start, first completes what an earlier one left.
The code that recovers is the code that runs.

What a crash or an error leaves at each step (``Tools.step`` is called with these names; ``X`` before the
effect, ``X commit`` inside its transaction, ``X done`` after it; each is tested):

==========  =====================================  =========================================
step        not done                               done but reported failed
==========  =====================================  =========================================
announce    nothing happened; the next run finds   the intent stands in ledger and table, its
            the same parts due                     parts take no records and open no more; the
                                                   next run completes it first
keys        the keys are there, nothing certified; the keys are gone, nothing certified yet;
            the next run destroys them             the next run asks again, the key store sees
            (inside: see ``store.keys``)           that they are gone, and it certifies
certify     keys gone, no certificate; the next    the certificate stands; the next run finds
            run certifies                          no open intent: never a second certificate
tags        the tag key is there and useless, for  the tag key is gone; the next run finds none
            nothing it finds is left; the next
            run drops it
==========  =====================================  =========================================

Rules kept in this file:
  1. Witness first, destroy second, certify third. Nothing is certified that was not done, nothing is done
     that was not announced, and repeating is harmless.
  2. All intents of one organisation share one rotation of its epoch key; so do the photographs of pages of
     paper that show what goes.
  3. A certificate names leases that are neither returned nor over, and is not complete while there are
     any; the run after their end certifies again, under the same name.
  4. When the last part of an ended emergency is gone, so is its tag key: nobody is found any more.
  5. While a freeze lasts (``freeze``) nothing is announced, destroyed or deleted. ``complete`` then does
     nothing: what a person asked for stays announced, and the first run after the freeze carries it out.
  6. One thing that cannot be completed (a row was altered) does not stop the others: the run goes on,
     and then raises the first such error, with the others as its notes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.destroy import certificate, erasure, freeze
from epilock.destroy import due as dues
from epilock.destroy import intent as intents
from epilock.destroy import order as orders
from epilock.destroy.due import DuePart
from epilock.destroy.intent import DESTROY, Intent
from epilock.errors import EpilockError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.standard import Standard
from epilock.store import bucket as buckets
from epilock.store import photograph as photographs
from epilock.store import removal
from epilock.store.access import Keys
from epilock.store.bucket import DESTROYED, DYING, LIVE, Bucket, bucket_parts

BATCH = 200  # intents of one transaction, so that submissions never wait long for it
Step = Callable[[str], None]


def go_on(step: str) -> None:
    """Do nothing at a step; a test raises here instead."""
    del step


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a run needs; made once.

    Attributes:
        database: The main database.
        keys: The key store.
        log: The log.
        standard: The rules.
        batch: Most intents that one transaction announces or certifies.
        step: Called with the name of each step, for tests of crashes; see the module.
    """

    database: Database
    keys: Keys
    log: Log
    standard: Standard
    batch: int = BATCH
    step: Step = go_on


def run(tools: Tools, *, now: datetime, org: str | None = None) -> list[Intent]:
    """Complete what is open, then destroy what is due at ``now`` (of ``org``); return what was certified.

    Raises:
        FrozenError: Nothing may be destroyed now (rule 5).
        TamperedError, KeysError, StateError: Something could not be completed; everything else was, and
            what could not stays announced for the next run.
    """
    with tools.database.read() as tx:
        freeze.check_thawed(tx)
    return _each(tools, org, now, _Round.run)


def complete(tools: Tools, *, now: datetime, org: str | None = None) -> list[Intent]:
    """Carry out and certify every open intent (of ``org``), unless a freeze lasts; return them as they are now.

    Raises:
        TamperedError, KeysError, StateError: As ``run``.
    """
    with tools.database.read() as tx:
        if freeze.current(tx) is not None:
            return []
    return _each(tools, org, now, _Round.complete)


def purge(tools: Tools, *, now: datetime, org: str | None = None, slices: int = 1_000_000) -> int:
    """Delete rows of dead parts, at most ``slices`` short transactions a part; return how many rows went.

    By then the keys are gone, so this gains room, not secrecy. What is left, the next call finds.

    Raises:
        FrozenError: Nothing may be deleted now (rule 5).
    """
    with tools.database.read() as tx:
        freeze.check_thawed(tx)
        dead = [
            (bucket, part)
            for bucket in buckets.listing(tx, org, states=(DESTROYED,))
            for part, state in buckets.part_states(tx, bucket.org, bucket.id).items()
            if state == DESTROYED
        ]
    gone = 0
    for bucket, part in dead:
        for _ in range(slices):
            with tools.database.write() as tx:
                rows = removal.purge(tx, bucket, part, now=now)
            gone += rows
            if rows == 0:
                break
    return gone


def _each(
    tools: Tools, org: str | None, now: datetime, work: Callable[["_Round"], None]
) -> list[Intent]:
    """Do ``work`` for each organisation that has something to be done; see rule 6."""
    rounds = [_Round(tools, each, now) for each in _organisations(tools, org)]
    for each in rounds:
        with each.going_on():
            work(each)
    problems = [problem for each in rounds for problem in each.problems]
    if problems:
        for other in problems[1:]:
            problems[0].add_note(f"also: {other}")
        raise problems[0]
    return [intent for each in rounds for intent in each.done]


def _organisations(tools: Tools, org: str | None) -> list[str]:
    """Return who has a living or dying part, an open intent or a tag key."""
    if org is not None:
        return [org]
    with tools.database.read() as tx:
        query = sa.select(bucket_parts.c.org).where(bucket_parts.c.state.in_([LIVE, DYING]))
        found = {*tx.conn.execute(query.distinct()).scalars(), *intents.organisations(tx)}
    return sorted(found.union(tools.keys.organisations()))


@dataclass(slots=True)
class _Round:
    """One organisation's part of a run: what was certified, and what could not be done."""

    tools: Tools
    org: str
    now: datetime
    done: list[Intent] = field(default_factory=list)
    problems: list[EpilockError] = field(default_factory=list)

    def run(self) -> None:
        self.complete()
        while self._announce():
            self.complete()
        with self.going_on():
            if self._announce_orders():
                self.complete()
        self._drop_tag_keys()
        self._foretell()

    def complete(self) -> None:
        with self.tools.database.read() as tx:
            found = intents.open_intents(tx, self.org)
            places = {b: buckets.load(tx, self.org, b) for b in {i.bucket for i in found}}
            pending = [i for i in found if not _waits(tx, i, places[i.bucket], self.now)]
        if pending:
            pending = self._ripe(pending, places)
        if not pending:
            return
        with self.tools.database.read() as tx:
            pictures = photographs.showing(tx, self.org, ((i.bucket, i.n) for i in pending))
            shown = photographs.drops(tx, self.org, pictures)
        with self._step("keys"):
            self.tools.keys.destroy(
                self.org, punctures=_punctures(pending, places),
                drops=[*_drops(pending, places), *shown],
            )  # fmt: skip
        with self.tools.database.write() as tx:
            photographs.forget(tx, self.org, pictures)
        ordered = sorted(pending, key=lambda i: i.kind == DESTROY)  # records before their buckets
        for start in range(0, len(ordered), self.tools.batch):
            some = ordered[start : start + self.tools.batch]
            with self._writing("certify") as tx:
                certified = self._certify(tx, some, places)
            self.done += certified

    def _ripe(self, pending: list[Intent], places: Mapping[int, Bucket]) -> list[Intent]:
        """Return the intents that the holder of the keys carries out now; the others wait for a later run."""
        late = self.tools.keys.waiting(
            self.org, punctures=_punctures(pending, places), drops=_drops(pending, places)
        )
        return [
            each
            for each in pending
            if late.punctures.isdisjoint(_punctures([each], places))
            and late.drops.isdisjoint(_drops([each], places))
        ]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Keep an error of ours for the end of the run."""
        try:
            yield
        except EpilockError as error:
            self.problems.append(error)

    # -- announcing ------------------------------------------------------------------------------------

    def _announce(self) -> bool:
        """Announce parts that are due, those of one bucket, rule and day together; tell if any was."""
        with self.tools.database.read() as tx:
            if not self._due(tx):
                return False  # the usual round of the clock takes no write lock
        with self._writing("announce") as tx:
            groups: dict[tuple[int, str, datetime | None], list[DuePart]] = {}
            for found in self._due(tx):
                place = (found.bucket.id, found.due.rule, found.due.at)
                groups.setdefault(place, []).append(found)
            for (_, rule, at), parts in islice(groups.items(), self.tools.batch):
                intents.announce_destruction(
                    tx, self.tools.log, standard_ref=self.tools.standard.ref, rule=rule, due=at,
                    bucket=parts[0].bucket, parts=[p.part for p in parts], now=self.now,
                )  # fmt: skip
        return bool(groups)

    def _due(self, tx: Transaction) -> list[DuePart]:
        found = dues.calendar(tx, self.tools.standard, now=self.now, org=self.org)
        return [part for part in found if part.is_due(self.now)]

    def _foretell(self) -> None:
        """Tell a key service what will be due when its wait is over, so that it goes on its day."""
        notice = self.tools.keys.notice
        if not notice:
            return
        with self.tools.database.read() as tx:
            found = dues.calendar(
                tx, self.tools.standard, now=self.now, org=self.org, until=self.now + notice
            )
        drops = [(part.bucket.name, part.part) for part in found if part.hold is None]
        if drops:
            self.tools.keys.waiting(self.org, drops=drops)

    def _announce_orders(self) -> bool:
        with self.tools.database.read() as tx:
            if not orders.listing(tx, self.org):
                return False
        with self._writing("announce") as tx:
            return bool(
                orders.carry_out(
                    tx, self.tools.log, self.tools.standard, org=self.org, now=self.now
                )
            )

    # -- certifying ------------------------------------------------------------------------------------

    def _certify(
        self, tx: Transaction, pending: Sequence[Intent], places: Mapping[int, Bucket]
    ) -> list[Intent]:
        """Write the certifying entries of ``pending``, whose keys are gone, and what they say."""
        said: list[tuple[Intent, entry.Erased | entry.Certificate]] = []
        for each in pending:
            if intents.load(tx, each.org, each.intent, lock=True) != each:
                continue  # another process was first
            with self.going_on():
                done = certificate.make if each.kind == DESTROY else erasure.finish
                said.append(
                    (each, done(tx, self.tools.standard, each, places[each.bucket], now=self.now))
                )
        batch = self.tools.log.append(tx, [entry.encode(e) for _, e in said], now=self.now)
        for index, (each, e) in enumerate(said, self.tools.log.base + batch.first):
            whole = not isinstance(e, entry.Certificate) or e.complete
            intents.certify(tx, each, entry_index=index, complete=whole, now=self.now)
        return [intents.load(tx, each.org, each.intent) for each, _ in said]

    # -- tag keys --------------------------------------------------------------------------------------

    def _drop_tag_keys(self) -> None:
        """Drop the tag key of each ended emergency of which nothing is left."""
        for emergency in self.tools.keys.emergencies(self.org):
            with self.tools.database.read() as tx:
                spent = self._is_spent(tx, emergency)
            if spent and not self.tools.keys.waiting(self.org, tags=[emergency]).tags:
                with self._writing("tags") as tx:  # no bucket is made meanwhile
                    if self._is_spent(tx, emergency):
                        self.tools.keys.destroy(self.org, tags=[emergency])

    def _is_spent(self, tx: Transaction, emergency: str) -> bool:
        """Tell whether the emergency has ended and no part of its buckets lives or is dying."""
        c, p = buckets.buckets.c, bucket_parts.c
        own = (c.org == self.org, c.emergency == emergency)
        authority = tx.conn.execute(sa.select(c.authority).where(*own).limit(1)).scalar()
        if authority is None:
            return False
        ended = emergencies.history(tx, authority, emergency).ended_at()
        if ended is None or self.now < ended:
            return False
        alive = (p.org == c.org, p.bucket == c.bucket, p.state.in_([LIVE, DYING]))
        left = sa.select(sa.literal(1)).where(*own, *alive).limit(1)
        return tx.conn.execute(left).first() is None

    # -- steps -----------------------------------------------------------------------------------------

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.tools.step(name)
        yield
        self.tools.step(f"{name} done")

    @contextmanager
    def _writing(self, name: str) -> Iterator[Transaction]:
        """Be one step that is one transaction, the log's head locked first, as ``intent`` says."""
        with self._step(name), self.tools.database.write() as tx:
            self.tools.log.append(tx, [], now=self.now)
            yield tx
            self.tools.step(f"{name} commit")


def _waits(tx: Transaction, found: Intent, bucket: Bucket, now: datetime) -> bool:
    """Tell whether a destruction was certified as incomplete and its leases are still out."""
    return found.entry_index is not None and bool(buckets.open_leases(tx, bucket, now=now))


def _punctures(
    pending: Iterable[Intent], places: Mapping[int, Bucket]
) -> list[tuple[str, str, int]]:
    return [(places[i.bucket].name, p, i.n) for i in pending if i.n is not None for p in i.parts]


def _drops(pending: Iterable[Intent], places: Mapping[int, Bucket]) -> list[tuple[str, str]]:
    return [(places[i.bucket].name, p) for i in pending if i.kind == DESTROY for p in i.parts]
