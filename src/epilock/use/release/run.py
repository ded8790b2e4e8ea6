"""The run: what is asked is made and previewed; what is approved is made once more, and leaves if it is the same.

Order of effects, and what a crash leaves:
  1. ``register.decide`` commits the decision with its entry.         Crash: it waits as ``asked``.
  2. ``preview`` opens the records, in memory, and makes the release.  Crash: nothing; as before.
  3. Numbers, the hash of the file and the sealed report commit.       Crash: all or nothing.
  4. A second person approves; that commits.                           Crash: it waits as ``approving``.
  5. ``hand_out`` makes it again from the records as they are now.     Crash: nothing; as before.
  6. Other bytes: it is previewed anew, and nobody has approved that. The same bytes: in one transaction the
     ``release`` entry, the lines of its records, the joint cells and the sealed file.
                                                                       Crash: all of it or nothing.
  7. Where the key service gives no keys before tomorrow, what was asked rests, and what was approved is previewed
     again: who asks the same once more goes on with it, and uses up no further try of the grant.
  8. When the grant ends ``sweep`` destroys the files' key, then the files, then says ``gone``.
                                                                       Crash: the next call goes on.

What waits is taken up by ``Maker.go_on``, beside the pages that show how far it is, and after a crash by the
caretaker (``Maker.complete``).

Rules kept in this file:
  1. What is committed in 6 was made of exactly the records and the earlier releases that there are then.
  2. One release is made at a time: each may take much memory. The end of the process ends it like a crash.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from epilock.beside import Name, Told, Work, Works, nobody
from epilock.db import Database, Transaction
from epilock.errors import (
    EpilockError,
    ForbiddenError,
    InputError,
    RateError,
    RefusedError,
    StateError,
    UnattainableError,
)
from epilock.ledger import entry
from epilock.store import lines
from epilock.store.access import Keys
from epilock.use.gate import Gate
from epilock.use.release import file, joint
from epilock.use.release.file import REPORT, TABLE
from epilock.use.release.joint import Assignment
from epilock.use.release.making import Made, make, rounded
from epilock.use.release.reading import Opened, open_records, state_of
from epilock.use.release.register import (
    APPROVED,
    APPROVING,
    ASKED,
    FAILED,
    GONE,
    LATER,
    NEXT,
    PREVIEWED,
    REQUESTED,
    UNDER_WAY,
    WITHDRAWN,
    Release,
    buckets_of,
    enter,
    is_under_grant,
    listing,
    load,
    of_data_set,
    put_off,
    releases,
    rests,
)

PATIENCE = timedelta(minutes=10)  # after which what is under way is taken for left by a crash
SPARE = timedelta(minutes=1)  # that is left of a grant, at the least, when keys are to be had again
_KINDS = (
    (RefusedError, "refused"), (UnattainableError, "unattainable"), (InputError, "input"),
    (ForbiddenError, "keys"), (RateError, "keys"),
)  # fmt: skip
MOST_TRIES = 3  # of handing out while records change
CHANGED = {"kind": "changed", "detail": ""}
_turn = threading.Lock()  # one at a time in a process
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fresh:
    """A release as it would leave now, what it was made of, and the keys of its grant."""

    keys: Keys
    made: Made
    opened: Opened
    before: tuple[Release, ...]
    earlier: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """Makes releases, each beside the pages that ask for it.

    Attributes:
        gate: Decides and opens.
        database: The main database.
        now: The clock.
        works: What goes on in this process.
    """

    gate: Gate
    database: Database
    now: Callable[[], datetime]
    works: Works

    def go_on(self, org: str, release: str, *, wait: float = 0) -> None:
        """Go on with a release that waits for the program; return when done, or after ``wait`` seconds."""
        self.works.begin(
            _name(org, release), lambda told: self._in_turn(org, release, told), wait=wait
        )

    def work(self, found: Release) -> Work | None:
        """Return the work at a release that goes on in this process, or None."""
        work = self.works.of(_name(found.org, found.release))
        return work if work is not None and work.is_under_way else None

    def complete(self) -> None:
        """Go on with what a crash left, and destroy the files of releases whose grant has ended."""
        with self.database.read() as tx:
            waiting = listing(tx, stages=UNDER_WAY)
            over = [each for each in waiting if not is_under_grant(tx, each, self.now())]
        for found in waiting:
            if self.now() - found.changed >= PATIENCE and self.work(found) is None:
                if rests(found) and found not in over:
                    continue
                self.go_on(found.org, found.release, wait=threading.TIMEOUT_MAX)
        self.sweep()

    def step(self, org: str, release: str, told: Told = nobody) -> Release:
        """Do what waits to be done with a release; return it as it is then.

        ``told`` is told how far it is.

        Raises:
            EpilockError: It can't be made; the register says so.
        """
        with self.database.read() as tx:
            found = load(tx, org, release)
        try:
            if found.stage == ASKED:
                self._preview(found, told)
            elif found.stage == APPROVING:
                self._hand_out(found, told)
        except StateError:
            _log.info("a release was decided elsewhere")
        except EpilockError as error:
            if self._rest(found, error):
                return self._load(found)
            kind = next((k for of, k in _KINDS if isinstance(error, of)), "inside")
            problem = {"kind": kind, "detail": "" if kind == "inside" else str(error)}
            with self.database.write() as tx:
                enter(tx, found, FAILED, problem=problem, now=self.now())
            if kind == "inside":
                raise
        return self._load(found)

    def sweep(self) -> None:
        """Destroy the files of releases that were given up, or whose grant has ended."""
        with self.database.read() as tx:
            kept = [load(tx, *place) for place in file.kept(tx)]
            over = [
                each
                for each in listing(tx, stages=(PREVIEWED, REQUESTED, APPROVED))
                if not is_under_grant(tx, each, self.now())
            ]
        for each in [*over, *(each for each in kept if not NEXT[each.stage])]:
            file.destroy(self.database, self.gate.keys, each.org, each.release)
        for each in over:
            with self.database.write() as tx:
                stage = GONE if each.stage == APPROVED else WITHDRAWN
                enter(tx, each, stage, now=self.now())

    def _in_turn(self, org: str, release: str, told: Told) -> None:
        with _turn:
            self.step(org, release, told)

    def _load(self, found: Release) -> Release:
        with self.database.read() as tx:
            return load(tx, found.org, found.release)

    def _rest(self, found: Release, error: EpilockError) -> bool:
        """Put a release off, if keys were refused for a time that is over before its grant; tell whether it is."""
        if not isinstance(error, RateError):
            return False
        again, problem = (
            self.now() + timedelta(seconds=error.wait) + SPARE,
            {"kind": LATER, "detail": str(error)},
        )
        with self.database.write() as tx:
            if not is_under_grant(tx, found, again):
                return False
            if found.stage == ASKED:
                put_off(tx, found, problem, now=self.now())
            else:
                enter(tx, found, PREVIEWED, problem=problem, approved_by=None, now=self.now())
        return True

    def _preview(self, found: Release, told: Told) -> None:
        made = self._make(found, told).made
        report = self._sealed(found, REPORT, made.report.to_html().encode())
        with self.database.write() as tx:
            file.keep(tx, report)
            enter(
                tx, found, PREVIEWED, found=made.found, sha256=made.sha256, problem=None, now=self.now()
            )  # fmt: skip

    def _hand_out(self, found: Release, told: Told) -> None:
        for _ in range(MOST_TRIES):
            fresh = self._make(found, told)
            made, now = fresh.made, self.now()
            report = self._sealed(found, REPORT, made.report.to_html().encode())
            if made.sha256 != found.sha256:
                with self.database.write() as tx:
                    file.keep(tx, report)
                    enter(
                        tx, found, PREVIEWED, found=made.found, sha256=made.sha256, problem=CHANGED,
                        approved_by=None, now=now,
                    )  # fmt: skip
                return
            table = self._sealed(found, TABLE, made.body)
            rows = joint.seal(fresh.keys, found, fresh.opened.rows, made.assignment)
            with self.database.write() as tx:
                self.gate.log.append(tx, [], now=now)  # holds the log's head: rule 1
                if self._is_current(tx, found, fresh, now):
                    file.keep(tx, report)
                    file.keep(tx, table)
                    tx.bulk(lines.release_lines, rows)
                    self._leave(tx, found, fresh, now)
                    return
        _log.warning(
            "the records of a release changed whenever it was made; it is tried again later"
        )

    def _make(self, found: Release, told: Told) -> _Fresh:
        """Return the release as it would leave now."""
        question, now = found.question, self.now()
        asked = self.gate.standard.circumstances[question.circumstance].release
        with self.database.read() as tx:
            if not is_under_grant(tx, found, now):
                raise RefusedError("the grant of this release has ended", rule="grant/ended")
            if self._is_held(tx, found, now):
                raise RefusedError("what is held is only stored", rule="duty/hold")
            gate = self.gate.under(tx, found.by_org, found.grant)
            opened = open_records(gate, tx, found, told)
            told("earlier", 0, 0)
            before = tuple(of_data_set(tx, question))
            earlier = joint.assignments(tx, gate.keys, before, opened.rows, asked)
        others = joint.earlier_of(before, earlier, asked)
        made = make(question, opened, asked, others, now=now, told=told)
        return _Fresh(
            keys=gate.keys, made=made, opened=opened, before=before, earlier=tuple(earlier)
        )

    def _is_current(self, tx: Transaction, found: Release, fresh: _Fresh, now: datetime) -> bool:
        """Tell whether nothing that a release was made of, or is allowed by, has changed since (rule 1)."""
        return (
            is_under_grant(tx, found, now)
            and not self._is_held(tx, found, now)
            and state_of(tx, found) == fresh.opened.state
            and tuple(of_data_set(tx, found.question)) == fresh.before
        )

    def _is_held(self, tx: Transaction, found: Release, now: datetime) -> bool:
        reached = buckets_of(tx, found.question)
        return any(self.gate.is_held(tx, bucket.org, bucket.id, now) for bucket in reached)

    def _leave(self, tx: Transaction, found: Release, fresh: _Fresh, now: datetime) -> None:
        """Write that a release leaves: its entry, what it was held to, and the joint cells."""
        gate, question, made = self.gate, found.question, fresh.made
        asked = gate.standard.circumstances[question.circumstance].release
        said = entry.Release(
            org=found.org, standard=gate.standard.ref, at=entry.stamp(now), release=found.release,
            by=found.by, approved_by=str(found.approved_by), grant=found.grant, purpose=found.purpose,
            emergency=question.emergency, circumstance=question.circumstance, rule=asked.rule,
            k=asked.k, l=asked.l, smallest=made.smallest, fewest=made.fewest, rows=rounded(made.rows),
            suppressed=rounded(made.suppressed), earlier=len(fresh.before), sha256=made.sha256,
        )  # fmt: skip
        index = gate.log.base + gate.log.append(tx, [entry.encode(said)], now=now).first
        if fresh.before:
            last = fresh.before[-1]
            tx.update(releases, {"org": last.org, "release": last.release}, cells=None)
        enter(
            tx, found, APPROVED, k=asked.k, l=asked.l, place=len(fresh.before) + 1, left_index=index,
            cells=joint.stated([*fresh.earlier, made.assignment]), now=now,
        )  # fmt: skip

    def _sealed(self, found: Release, kind: str, body: bytes) -> file.FileRow:
        return file.seal(self.gate.keys, found.org, found.release, kind, body)


def _name(org: str, release: str) -> Name:
    return ("release", org, release)
