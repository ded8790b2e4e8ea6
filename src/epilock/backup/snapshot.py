"""A snapshot: one state of an installation, as lists of blocks that many snapshots share.

A file is cut into blocks of 64 KiB, which is sixteen pages of SQLite: a page never moves, so what did not change
has the block it had, and cutting by content would find nothing more. 1,024 names of blocks are a *list*, itself
stored by its name; a snapshot names the lists. So a snapshot of a large database in which little changed is small.

``objects/ab/ab12…`` holds blocks and lists, ``snapshots/0000000000000001`` the snapshots, ``repository`` whose
they all are. Blocks first, then lists, then all is made durable, then the snapshot: a crash leaves blocks that nobody
names, which the next backup finds equal, and never half a snapshot.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from epilock.backup.key import BackupKey
from epilock.backup.place import Place
from epilock.errors import ConflictError, IntegrityError, NotFoundError, TooLargeError

BLOCK = 64 * 1024
NAMES = 1024  # block names in one list
MOST_LIST = 128 * 1024
MOST_SNAPSHOT = 1 << 20
REPOSITORY, SNAPSHOTS = "repository", "snapshots"
MAIN, KEYS = "main", "keys"
_DIGITS = 16

Name = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
T = TypeVar("T")


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file.

    Attributes:
        size: Its bytes.
        lists: Names of the lists of its blocks, in order.
    """

    size: Annotated[int, Meta(ge=0)]
    lists: Annotated[list[Name], Meta(max_length=10_000)]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot holds of one log.

    Attributes:
        origin: Its name.
        size: Its entries.
        root: Root of the tree over them, hex.
    """

    origin: str
    size: Annotated[int, Meta(ge=0)]
    root: Name


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One snapshot.

    Attributes:
        number: From 1 on.
        repository: Of which destination.
        at: When it was made, UTC: ``2026-03-14T01:00:00Z``.
        logs: The logs as the main database has them, the oldest first.
        epochs: The epoch of each organisation's keys; it opens with a slot of this epoch only.
        files: ``main`` and ``keys``.
        locked: Until when all its blocks are locked in the place, as ``at``; None if they are not.
    """

    number: Annotated[int, Meta(ge=1)]
    repository: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    at: str
    logs: list[Head]
    epochs: Mapping[str, int]
    files: Mapping[str, Stored]
    locked: str | None = None


class Repository:
    """The snapshots in one place, under one key."""

    def __init__(self, place: Place, key: BackupKey) -> None:
        self.place = place
        self._key = key
        self._known: set[str] = set()

    def begin(self) -> str:
        """Return the repository's id, made if the place is empty.

        Raises:
            IntegrityError: The key is another one's, or the place was altered.
        """
        try:
            return self.id()
        except NotFoundError:
            made = os.urandom(16).hex().encode()
            self.place.put(REPOSITORY, self._key.seal(REPOSITORY, REPOSITORY, made))
            self.place.settle()
            return self.id()

    def id(self) -> str:
        """Return the repository's id.

        Raises:
            NotFoundError: There are no backups.
            IntegrityError: The key is another one's, or the place was altered.
        """
        try:
            data = self._fetch(
                REPOSITORY, lambda b: self._key.open(REPOSITORY, REPOSITORY, b, most=32)
            )
        except NotFoundError:
            raise NotFoundError("there are no backups in this place") from None
        return data.decode()

    def numbers(self) -> list[int]:
        """Return the numbers of all snapshots, the oldest first."""
        names = self.place.names(SNAPSHOTS)
        return [int(n, 16) for n in names if len(n) == _DIGITS]

    def snapshot(self, number: int | None = None) -> Snapshot:
        """Return a snapshot, the newest if no number is given.

        Raises:
            NotFoundError: There is none.
            IntegrityError: It was altered, or is not of this repository.
        """
        own = self.id()
        numbers = self.numbers()
        if not numbers or (number is not None and number not in numbers):
            what = "no snapshot" if number is None else f"no snapshot {number}"
            raise NotFoundError(f"there is {what} in this place")
        number = numbers[-1] if number is None else number
        path = _path(number)
        data = self._fetch(path, lambda b: self._key.open(SNAPSHOTS, path, b, most=MOST_SNAPSHOT))
        found = _read(data, Snapshot, f"snapshot {number}")
        if (found.number, found.repository) != (number, own):
            raise IntegrityError(f"snapshot {number} is not of this place")
        return found

    def keep(self, found: Snapshot) -> None:
        """Add a snapshot, all of whose blocks were put.

        Raises:
            ConflictError: Another one has its number.
        """
        self.place.settle()
        path = _path(found.number)
        if not self.place.put(path, self._key.seal(SNAPSHOTS, path, msgspec.json.encode(found))):
            raise ConflictError(f"there is a snapshot {found.number} already; make another")
        self.place.settle()

    def know(self, found: Snapshot) -> None:
        """Take the blocks of a snapshot for known: they are there and need not be put again."""
        for stored in found.files.values():
            for name in stored.lists:
                self._known.add(name)
                self._known.update(self._list(name))

    def lock(self, last: Snapshot | None, now: datetime) -> datetime | None:
        """Return until when a snapshot made ``now`` is locked; what it shares with the ``last`` is, too.

        What is there is locked anew when less than half of the time is left, so each snapshot is locked at least
        so long, and what does not change costs nothing on most days.
        """
        until = self.place.until
        if until is None or last is None:
            return until
        held = None if last.locked is None else datetime.fromisoformat(last.locked)
        if held is not None and held - now >= (until - now) / 2:
            return min(held, until)
        for name in sorted(self._known):
            self.place.renew(_object(name))
        self.place.renew(REPOSITORY)
        return until

    def put_file(self, path: Path) -> tuple[Stored, int]:
        """Put the blocks of a file; return what names them, and how many bytes were new in the place."""
        lists: list[str] = []
        names: list[str] = []
        size = new = 0
        with path.open("rb") as file:
            while data := file.read(BLOCK):
                size += len(data)
                name, added = self._put("block", data)
                names.append(name)
                new += added
                if len(names) == NAMES:
                    new += self._put_list(lists, names)
        new += self._put_list(lists, names)
        return Stored(size, lists), new

    def blocks(self, stored: Stored) -> Iterator[bytes]:
        """Yield the blocks of a file, each proved.

        Raises:
            NotFoundError, InputError, TooLargeError: One can't be read.
            IntegrityError: One was altered, or they are not as many as the snapshot says.
        """
        size = 0
        for each in stored.lists:
            for name in self._list(each):
                data = self._get("block", name, BLOCK)
                size += len(data)
                yield data
        if size != stored.size:
            raise IntegrityError(f"a file has {size} bytes, and the snapshot says {stored.size}")

    def _list(self, name: str) -> list[str]:
        return _read(self._get("list", name, MOST_LIST), list[Name], f"list {name}")

    def _put_list(self, lists: list[str], names: list[str]) -> int:
        if not names:
            return 0
        name, added = self._put("list", msgspec.json.encode(names))
        lists.append(name)
        names.clear()
        return added

    def _put(self, kind: str, data: bytes) -> tuple[str, int]:
        name = self._key.name(kind, data)
        if name in self._known:
            return name, 0
        self._known.add(name)
        sealed = self._key.seal(kind, name, data)
        if self.place.put(_object(name), sealed):
            return name, len(sealed)
        self.place.renew(_object(name))
        return name, 0

    def _get(self, kind: str, name: str, most: int) -> bytes:
        def read(stored: bytes) -> bytes:
            data = self._key.open(kind, name, stored, most=most)
            self._key.check_name(kind, name, data)
            return data

        return self._fetch(_object(name), read)

    def _fetch(self, path: str, read: Callable[[bytes], bytes]) -> bytes:
        """Return what ``read`` makes of a file; if that was overwritten or deleted, of what was put first."""
        try:
            return read(self.place.get(path))
        except (IntegrityError, NotFoundError, TooLargeError):
            return read(self.place.get(path, first=True))


def _object(name: str) -> str:
    return f"objects/{name[:2]}/{name}"


def _path(number: int) -> str:
    return f"{SNAPSHOTS}/{number:0{_DIGITS}x}"


def _read(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{what} of the backup is not what a backup writes: {error}") from None
