"""Backup and restore of a full installation: a first backup, one after some more records, a restore, the check.

The records are real, so that the check opens each; ``python -m bench recovery=1000000`` is the whole of it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from bench import filling, installation, row
from bench.row import Row
from bench.server import folder
from epilock import settings
from epilock.assemble import Parts
from epilock.backup import key as keys
from epilock.backup import make as making
from epilock.backup import restore as restoring
from epilock.backup.place import Folder
from epilock.backup.restore import Outside
from epilock.backup.snapshot import Repository
from epilock.ledger import publish, source
from epilock.standard.level import CHINA
from epilock.store.check import check

BATCH = 4_000
MB = 1_000_000
T = TypeVar("T")


def measure(records: int = 100_000, more: int = 1_000) -> list[Row]:
    """Return the rows for ``records``, and ``more`` after the first backup."""
    with folder() as home:
        installation.make(home / "town").close()
        with filling.at(home / "town") as parts:
            _give(parts, 0, records)
        work = _Work(home)
        first, first_seconds = _timed(work.backup)
        _, same_seconds = _timed(work.backup)
        with filling.at(home / "town") as parts:
            _give(parts, records, more)
        second, second_seconds = _timed(work.backup)
        with filling.at(home / "town") as parts:
            publish.write(parts.database, parts.log, home / "published")
            wrong, check_seconds = _timed(
                lambda: sum(1 for _ in check(parts.database, parts.keys, parts.log))
            )
        done, restore_seconds = _timed(work.restore)
    if wrong or done.damage or done.replayed.lost:
        raise RuntimeError("what was restored is not what was stored")
    return [
        row.figure("both databases, MB", second.size / MB),
        row.figure(f"first backup of {records:,} records, s", first_seconds, 1),
        row.figure("the same, MB written", first.new / MB),
        row.figure("backup in which nothing is new, s", same_seconds, 1),
        row.figure(f"backup after {more:,} more records, s", second_seconds, 1),
        row.figure("the same, MB written", second.new / MB, 1),
        row.figure("restore, proved and checked, s", restore_seconds, 1),
        row.figure("of which the check, s", check_seconds, 1),
    ]


class _Work:
    """One installation, its backups and where it is restored to."""

    def __init__(self, home: Path) -> None:
        self._home = home
        keys.make(home / "backup.key")

    def backup(self) -> making.Made:
        told = settings.read({}, home=self._home / "town")
        return making.make(told, self._repository(), self._home / "replica", now=datetime.now(UTC))

    def restore(self) -> restoring.Restored:
        return restoring.restore(
            self._repository(), self._home / "restored", lambda f: settings.read({}, home=f),
            slots=self._home / "replica", root_key=self._home / "town/root.key",
            outside=Outside(sources=[source.Folder(self._home / "published")]),
            now=datetime.now(UTC),
        )  # fmt: skip

    def _repository(self) -> Repository:
        return Repository(Folder(self._home / "backups"), keys.read(self._home / "backup.key"))


def _give(parts: Parts, first: int, count: int) -> None:
    form, now = installation.form(parts), parts.now()
    today = now.astimezone(CHINA).date()
    given = islice(filling.submissions(form, first), count)
    while some := list(islice(given, BATCH)):
        parts.keeper.store([form.accept(each, today=today) for each in some], now=lambda: now)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start
