"""Notices issued anew after a change of level, some in each transaction, so that who collects gets a turn between.

The level is set first (``registry.emergency``); from then on a point takes nothing under a notice of another level
(``issue``, rule 3). A crash leaves the notices that were issued; whoever goes on next, at the latest the clock within
a minute, issues those that are missing. The same is done when a level takes effect by the clock.

Each notice is issued whole or not at all. A point whose notice can't be issued, because a row of it was changed, say,
is passed over and named in the machine's log; it takes nothing, and keeps no other closed.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from epilock.beside import Told, nobody
from epilock.collect.issue import Press, issue, to_be_issued
from epilock.db import Database
from epilock.errors import EpilockError

SLICE = 10  # notices of one transaction, some tenths of a second
BREATH = 0.05  # seconds between two of them, in which others come to write

_log = logging.getLogger(__name__)


def go_on(
    database: Database,
    press: Press,
    *,
    now: Callable[[], datetime],
    of: tuple[str, str] | None = None,
    told: Told = nobody,
) -> int:
    """Issue what is to be issued anew, of one emergency or of all; return how many notices that were.

    Args:
        database: The main database.
        press: What issuing needs.
        now: The clock.
        of: The authority and the code of an emergency; None: of all.
        told: Is told how far it is.

    Raises:
        EpilockError: Why the first that could not be issued was not; all others are.
    """
    done = 0
    failed: dict[tuple[str, str], EpilockError] = {}
    while True:
        with database.read() as tx:
            left = sum(each not in failed for each in to_be_issued(tx, now=now(), of=of))
        told("notices", done, done + left)
        if not left:
            break
        if done:
            time.sleep(BREATH)
        done += _slice(database, press, now, of, failed)
    for error in failed.values():
        raise error
    return done


def _slice(
    database: Database,
    press: Press,
    clock: Callable[[], datetime],
    of: tuple[str, str] | None,
    failed: dict[tuple[str, str], EpilockError],
) -> int:
    """Issue the next notices but those of ``failed``, to which is added what can't be issued; return how many."""
    done = 0
    with database.write() as tx:
        press.log.append(tx, [], now=clock())  # holds the log's head: no notice is issued twice
        now = clock()
        waiting = [each for each in to_be_issued(tx, now=now, of=of) if each not in failed]
        for org, point in waiting[:SLICE]:
            try:
                with tx.conn.begin_nested():
                    issue(tx, press, org=org, point=point, now=now)
                done += 1
            except EpilockError as error:
                failed[org, point] = error
                _log.error(
                    "the notice of %s/%s was not issued anew: %s", org, point, type(error).__name__
                )
    return done
