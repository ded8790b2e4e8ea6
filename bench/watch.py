"""The watcher: how long its quick look takes, how fast its rolling looks are, and how soon one deleted record is seen."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench import filling, installation, row
from bench.row import Row
from bench.server import folder
from epilock import assemble, settings
from epilock.caretaker import watcher
from epilock.watch import heads, rolling
from epilock.watch.rolling import Look
from epilock.watch.round import PAUSE

MINUTE = 60.0  # seconds in which it is to be seen


def measure(records: int = 1_000_000) -> list[Row]:
    """Return the rows for an installation of so many records on SQLite."""
    now = datetime.now(UTC)
    with folder() as place:
        home = place / "home"
        installation.make(home).close()
        filling.fill(home, records, now=now)
        parts = assemble.build(settings.read({}, home=home), now=lambda: datetime.now(UTC))
        watching = watcher(parts, seconds=0)
        quick = _seconds(lambda: watching.round(now))
        with parts.database.read() as tx, parts.keys.database.read() as key_tx:
            found = heads.read(tx)
            looks: dict[str, Look] = {
                "entries against the tree": rolling.Entries(tx, found),
                "sealed parts counted": rolling.Counted(tx),
                "seeds counted": rolling.Seeds(key_tx),
                "rows' MACs": rolling.Sealed(tx),
            }
            took = {
                name: _seconds(lambda look=look: _through(look)) for name, look in looks.items()
            }
        with parts.database.write() as tx:
            tx.conn.exec_driver_sql("DELETE FROM records WHERE n = 7")
        seen = _seconds(lambda: watching.round(now))
        assert watching.frozen
        parts.close()
    return [
        row.figure(f"the quick look at {records:,} records, s", quick, 2),
        *(
            row.figure(f"{name}, all of {records:,} records, s", each, 1)
            for name, each in took.items()
        ),
        row.below(
            "one record deleted: seen after at most, s", MINUTE + seen, MINUTE + MINUTE / 2, 1
        ),
        row.figure("of that, looking twice and freezing, s", seen - PAUSE, 2),
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _through(look: Look) -> None:
    cursor = None
    while True:
        found, cursor = look.step(cursor)
        assert not found, found[:3]
        if cursor is None:
            return
