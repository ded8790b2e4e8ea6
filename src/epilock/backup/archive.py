"""The replica of the slots of an installation on PostgreSQL: it follows the archive of the write-ahead log.

PostgreSQL's own tools copy the databases (``pg_basebackup``, ``archive_command``); what can be restored is whatever
was archived. So a cell is written into the replica first, and the one before it is overwritten only when the
archive holds the rotation: until then both are there, and whatever point is restored opens.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.errors import ConflictError, InputError, StateError
from epilock.store import replica
from epilock.store.keyrows import epochs
from epilock.store.keys import KeyStore

BETWEEN = 0.2  # seconds from one look at the archive to the next
TRIES = 20  # destructions that may fall between the rows and the slots
PERMITTED = "SELECT has_function_privilege('pg_switch_wal()', 'execute')"
ARCHIVED = "SELECT last_archived_wal FROM pg_stat_archiver"


def follow(
    keys: KeyStore,
    slots: Path,
    folder: Path,
    *,
    wait: timedelta,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Bring the replica in ``folder`` up to the slots, and to the archive; return the epochs it has then.

    Raises:
        StateError: The key database is no PostgreSQL, or archives nothing; or the archive did not come up within
            ``wait``: the replica then has both epochs, and the next call goes on.
        InputError: The replica lies where the slots themselves do.
        ConflictError: The replica follows another database.
    """
    database = keys.database
    if database.engine.dialect.name != "postgresql":
        raise StateError("on SQLite the replica follows `epilock backup make`, with --slots")
    if slots.resolve() == folder.resolve():
        raise InputError("a replica of the slots lies elsewhere than the slots, on another machine")
    replica.bind(folder, _system(database))
    if replica.is_full(folder):  # an earlier call did not see its end
        _archived(database, wait, pause)
        replica.settle(folder, replica.newest(folder))
    for _ in range(TRIES):
        with database.read() as tx:
            there = _epochs(tx)
        if replica.take(slots, folder, there):
            break
    else:
        raise ConflictError("keys are being destroyed all the time; replicate the slots again")
    if replica.is_full(folder):
        _archived(database, wait, pause)
        replica.settle(folder, there)
    return there


def _archived(database: Database, wait: timedelta, pause: Callable[[float], None]) -> None:
    """Return when everything that was committed until now is in the archive."""
    with database.read() as tx:
        if tx.conn.scalar(sa.text("SHOW archive_mode")) == "off":
            raise StateError(
                "the server archives nothing (archive_mode is off), so no backup has these keys"
            )
        needed = tx.conn.scalar(sa.text("SELECT pg_walfile_name(pg_current_wal_lsn())"))
        permitted = tx.conn.scalar(sa.text(PERMITTED))
    if permitted:  # else archive_timeout brings the segment
        with database.read() as tx:
            tx.conn.execute(sa.text("SELECT pg_switch_wal()"))
    for _ in range(max(1, int(wait.total_seconds() / BETWEEN))):
        with database.read() as tx:
            last = tx.conn.scalar(sa.text(ARCHIVED))
        if last is not None and last[:24] >= needed:
            return
        pause(BETWEEN)
    raise StateError(
        f"the segment {needed} is not archived yet; the replica has the old and the new epoch: call again"
    )


def _epochs(tx: Transaction) -> dict[str, int]:
    query = sa.select(epochs.c.org, epochs.c.epoch).order_by(epochs.c.org)
    return {row.org: row.epoch for row in tx.conn.execute(query)}


def _system(database: Database) -> str:
    """Return what tells this server from every other."""
    with database.read() as tx:
        found = tx.conn.scalar(sa.text("SELECT system_identifier FROM pg_control_system()"))
    return f"postgresql {found}"
