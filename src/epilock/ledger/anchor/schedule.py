"""When a root is anchored, and one round of it: by growth and by time, one anchor at a time.

What a crash leaves in a round: before ``book.begin`` commits nothing; after it a row at ``sent``, which the
next round goes on with; after a step whose note was not committed the older stage, and the next round
finds the newer one by asking again. Nothing is decided by what was noted alone.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from epilock.db import Database
from epilock.errors import AnchorError, ConflictError, InconsistentError, ProofError
from epilock.ledger import rows
from epilock.ledger.anchor import book
from epilock.ledger.anchor.book import Anchoring
from epilock.ledger.anchor.place import OPEN, Place, Progress, Proven, Stage
from epilock.ledger.rows import Head

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the log's head is anchored: whichever comes first.

    Attributes:
        entries: So many entries after the last anchor.
        every: So long after the last anchor, if anything was appended since.
    """

    entries: int
    every: timedelta

    def is_due(self, head: Head, last: Anchoring | None, *, now: datetime) -> bool:
        """Return whether ``head`` is to be anchored."""
        if head.size == 0 or (last is not None and head.size <= last.size):
            return False
        if last is None:
            return True
        return head.size - last.size >= self.entries or now - last.begun >= self.every


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a round did.

    Attributes:
        size: Size of the tree that it was about.
        progress: How far its anchor is.
    """

    size: int
    progress: Progress


def run(
    database: Database,
    place: Place,
    origin: str,
    schedule: Schedule,
    *,
    now: datetime,
    at_once: bool = False,
) -> Step | None:
    """Do one round; return what it found, or None if nothing is due. Never waits, safe to repeat.

    The newest anchor is gone on with, or, if it is done, checked again: a chain may have been
    reorganised below any depth. If it was, those below are looked at too. Only then is another one begun.

    Args:
        database: The main database.
        place: Where to anchor.
        origin: Name of the log.
        schedule: When.
        now: The instant.
        at_once: Anchor the head though it is not due.

    Raises:
        InconsistentError: The outside holds another root for a size of this log. Nothing more is
            anchored until a person has found out why.
        UnreachableError: Nothing is known; the next round goes on.
        AnchorError: The place is not as it should be.
    """
    with database.read() as tx:
        head = rows.find_head(tx, origin)
        last = None if head is None else book.newest(tx, head.log, place.name)
    if head is None:
        return None
    step = None
    if last is not None and last.stage is not Stage.REFUSED:
        step = _go_on(database, place, origin, head.log, last, now=now)
        if step.progress.stage in OPEN:
            return step
    grown = last is None or head.size > last.size
    if not (schedule.is_due(head, last, now=now) or (at_once and grown and head.size)):
        return step
    with database.write() as tx:
        try:
            book.begin(tx, head.log, place.name, head.size, head.root, now=now)
        except ConflictError:
            return step  # another process has begun it, and goes on with it
    with database.read() as tx:
        begun = book.find(tx, head.log, place.name, head.size)
    return step if begun is None else _go_on(database, place, origin, head.log, begun, now=now)


def _go_on(
    database: Database, place: Place, origin: str, log: int, row: Anchoring, *, now: datetime
) -> Step:
    try:
        found = place.anchor(origin, row.size, row.root, now=now)
    except ConflictError:  # another process does this very step
        return Step(size=row.size, progress=Progress(stage=Stage.SENT))
    proven = None
    if found.stage is Stage.DONE and row.proof is None:
        proven, why = _prove(place, origin, row)
        found = replace(found, reason=why)
    with database.write() as tx:
        book.note(tx, log, place.name, row.size, found, now=now)
        if proven is not None:
            book.keep(tx, log, place.name, row.size, proven)
    if row.stage is Stage.DONE and found.stage is not Stage.DONE:
        _log.warning("the anchor of size %d is undone: the chain was reorganised", row.size)
        _look_back(database, place, origin, log, row.size, now=now)
    if found.stage is Stage.REFUSED:
        _log.warning("the anchor of size %d was refused; `epilock anchor list` says why", row.size)
    if found.stage is Stage.CONFLICT:
        raise InconsistentError(
            f"{place.name} holds another root for {row.size} entries of this log: another tree was"
            " anchored under its name"
        )
    return Step(size=row.size, progress=found)


def _look_back(
    database: Database, place: Place, origin: str, log: int, size: int, *, now: datetime
) -> None:
    """Note which anchors below one that was undone are undone too, so that no dead proof is handed out.

    They are not sent again: a place may take growing sizes only, and the larger tree holds all of the
    smaller one.
    """
    with database.read() as tx:
        older = book.listed(tx, log, place.name)
    undone = Progress(stage=Stage.REFUSED, reason="undone: the chain was reorganised")
    for row in older:
        if row.size >= size or row.stage is not Stage.DONE:
            continue
        if place.read(origin, row.size) == row.root:
            return
        with database.write() as tx:
            book.note(tx, log, place.name, row.size, undone, now=now)


def _prove(place: Place, origin: str, row: Anchoring) -> tuple[Proven | None, str]:
    """Return an offline proof if the place gives one, or why not; the anchor is done without it too."""
    try:
        return place.prove(origin, row.size, row.root), ""
    except (AnchorError, ProofError) as error:
        return None, f"no offline proof: {error}"
