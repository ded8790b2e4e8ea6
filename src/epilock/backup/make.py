"""Making a snapshot of an installation on SQLite while it serves.

SQLite itself copies each database as of one commit (its online backup, in one step: whoever writes goes on).
The main database comes first, so the keys are never older than the data; then the key database, and with it
the cells of the replica, as ``store.replica`` says. What is put is what the destination does not have yet.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url

from epilock.backup.snapshot import KEYS, MAIN, Head, Repository, Snapshot
from epilock.errors import ConflictError, InputError, NotFoundError, StateError
from epilock.ledger.entry import exact
from epilock.settings import Settings
from epilock.store import replica

TRIES = 20  # destructions that may fall between a copy of the keys and its cells


@dataclass(frozen=True, slots=True)
class Made:
    """What one backup did.

    Attributes:
        snapshot: The snapshot.
        size: Bytes of both databases.
        new: Bytes that the destination grew by, but for the snapshot's own.
    """

    snapshot: Snapshot
    size: int
    new: int


def make(settings: Settings, repository: Repository, slots: Path, *, now: datetime) -> Made:
    """Make a snapshot, and let the replica ``slots`` follow it.

    Raises:
        StateError: The installation is on PostgreSQL, which has tools of its own.
        NotFoundError: There is no installation.
        InputError: The replica lies where the slots themselves do.
        ConflictError: Another backup is being made, or the replica follows another destination.
        IntegrityError: The destination was altered, or its backups are sealed under another key.
        KeysError: A slot is missing.
    """
    files = sqlite_files(settings)
    if slots.resolve() == settings.slots.resolve():
        raise InputError("a replica of the slots lies elsewhere than the slots, on another machine")
    with repository.place.alone():
        owner = repository.begin()
        replica.bind(slots, owner)
        numbers = repository.numbers()
        last = repository.snapshot(numbers[-1]) if numbers else None
        replica.settle(slots, {} if last is None else last.epochs)
        if last is not None:
            repository.know(last)
        locked = repository.lock(last, now)
        with _desk(settings.home / f".backup-{owner[:12]}") as folder:
            copies = {name: folder / name for name in (MAIN, KEYS)}
            copy(files[MAIN], copies[MAIN])
            epochs = _copy_keys(files[KEYS], copies[KEYS], settings.slots, slots)
            stored = {name: repository.put_file(path) for name, path in copies.items()}
            snapshot = Snapshot(
                number=1 if last is None else last.number + 1, repository=owner, at=exact(now),
                logs=_heads(copies[MAIN]), epochs=epochs,
                files={name: file for name, (file, _) in stored.items()},
                locked=None if locked is None else exact(locked),
            )  # fmt: skip
        repository.keep(snapshot)
        replica.settle(slots, epochs)
    size = sum(file.size for file, _ in stored.values())
    return Made(snapshot, size, sum(new for _, new in stored.values()))


class Watch:
    """Tells whether anything was committed to either database since it was asked last.

    SQLite keeps count (``PRAGMA data_version``) for as long as a connection is open.
    """

    def __init__(self, settings: Settings) -> None:
        self._files = sqlite_files(settings)
        self._open: list[sqlite3.Connection] = []
        self._seen: list[int] = []

    def __enter__(self) -> Self:
        """Open both databases."""
        self._open = [sqlite3.connect(path, timeout=30) for path in self._files.values()]
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        for each in self._open:
            each.close()

    def has_changed(self) -> bool:
        """Tell whether something was committed; at first it always was."""
        seen = [each.execute("PRAGMA data_version").fetchone()[0] for each in self._open]
        changed = seen != self._seen
        self._seen = seen
        return changed

    def forget(self) -> None:
        """Let the next question be answered as the first: what changed was not backed up."""
        self._seen = []


def sqlite_files(settings: Settings) -> Mapping[str, Path]:
    """Return the files of both databases.

    Raises:
        StateError: One is not SQLite, or a key service has the keys.
        NotFoundError: One is missing.
    """
    if settings.key_service is not None:
        raise StateError(
            "a backup holds both databases: make it as a user who may read both, without EPILOCK_KEY_SERVICE"
        )
    found = {}
    for name, url in ((MAIN, settings.database), (KEYS, settings.key_database)):
        told = make_url(url)
        if told.get_backend_name() != "sqlite" or not told.database:
            raise StateError(
                f"the {name} database is on PostgreSQL: pg_basebackup and its archive copy it; see"
                " docs/howto/back-up-and-restore.md"
            )
        found[name] = Path(told.database)
        if not found[name].exists():
            raise NotFoundError(f"{settings.home} holds no installation to back up")
    return found


def copy(source: Path, target: Path) -> None:
    """Copy a SQLite database as it stands at one commit; others may write to it meanwhile."""
    with (
        closing(sqlite3.connect(source, timeout=30)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        writing.execute("PRAGMA synchronous=OFF")  # read once more, then removed
        reading.backup(writing)


@contextmanager
def _desk(folder: Path) -> Iterator[Path]:
    """Give an empty folder for copies; what a crash left in it goes, for each destination has its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_keys(source: Path, target: Path, slots: Path, replicated: Path) -> dict[str, int]:
    """Copy the key database until the slots have the epochs of the copy; return those epochs."""
    for _ in range(TRIES):
        target.unlink(missing_ok=True)
        copy(source, target)
        with closing(sqlite3.connect(target)) as reading:
            epochs = dict(reading.execute("SELECT org, epoch FROM epochs ORDER BY org"))
        if replica.take(slots, replicated, epochs):
            return epochs
    raise ConflictError("keys are being destroyed all the time; make the backup again")


def _heads(path: Path) -> list[Head]:
    query = "SELECT origin, size, root FROM ledger_head ORDER BY log"
    with closing(sqlite3.connect(path)) as reading:
        return [Head(origin, size, root.hex()) for origin, size, root in reading.execute(query)]
