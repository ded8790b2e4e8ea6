"""Where backups lie: a place to which files are added, and in which none is ever changed or taken away.

Rules kept in this file:
  1. A file is there whole or not at all, under a name that is given once.
  2. After ``settle`` everything put before is durable; a crash before it may take files away, never change them.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from epilock import durable
from epilock.errors import ConflictError, InputError, NotFoundError, TooLargeError

PATH = re.compile(r"[a-z]+(?:/[0-9a-f]{2})?(?:/[0-9a-f]{1,64})?", re.ASCII)
MOST_BYTES = 1 << 22  # of any file that a backup puts there
LOCK, DRAFTS = ".lock", ".drafts"


class Place(Protocol):
    """A destination of backups."""

    @property
    def until(self) -> datetime | None:
        """Until when what is put can't be changed by anybody, or None if that is not asked for."""
        ...

    def put(self, path: str, data: bytes) -> bool:
        """Add a file, there after ``settle``; return whether it is new. One that is there stays as it is."""
        ...

    def get(self, path: str, *, first: bool = False) -> bytes:
        """Return a file; where others may have put more under its name, with ``first`` what was put first.

        Raises:
            NotFoundError: There is none.
            TooLargeError: No backup put it there.
            InputError: The place can't be read.
        """
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right below ``folder``, sorted."""
        ...

    def settle(self) -> None:
        """Make everything durable that was put so far."""
        ...

    def renew(self, path: str) -> None:
        """Let a file that is there be locked as long as a new one."""
        ...

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the place against other backups into it.

        Raises:
            ConflictError: Another backup is being made.
        """
        yield


class Folder:
    """A folder, on this machine or mounted.

    Attributes:
        folder: Where it is.
        until: None: a folder locks nothing.
    """

    until: datetime | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._touched: set[Path] = set()
        self._drafts: dict[Path, Path] = {}  # what was put since it was settled, and where it lies

    def put(self, path: str, data: bytes) -> bool:
        """Add a file; see ``Place``."""
        target = self._target(path)
        self._make(target.parent)
        self._touched.add(
            target.parent
        )  # also for what is there: a crash may have left it undurable
        if target in self._drafts or target.exists():
            return False
        drafts = self.folder / DRAFTS
        drafts.mkdir(mode=0o700, exist_ok=True)
        draft = drafts / os.urandom(12).hex()
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        self._drafts[target] = draft
        return True

    def get(self, path: str, *, first: bool = False) -> bytes:
        """Return a file, of which a folder has one; see ``Place``."""
        del first
        try:
            with self._target(path).open("rb", buffering=0) as file:
                data = file.read(MOST_BYTES + 1) or b""
        except FileNotFoundError:
            raise NotFoundError(f"the backup has no file {path}") from None
        except OSError as error:
            raise InputError(f"{path} of the backup can't be read: {error.strerror}") from None
        if len(data) > MOST_BYTES:
            raise TooLargeError(f"{path} of the backup is larger than {MOST_BYTES} bytes")
        return data

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in ``folder``; see ``Place``."""
        try:
            found = os.listdir(self._target(folder))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    def settle(self) -> None:
        """Make files and then names durable: no file has its name before its bytes are on the disk.

        They are synced together, for the disk takes thousands at once in the time that some take one by one.
        """
        for draft in self._drafts.values():
            durable.sync_file(draft)
        for target, draft in self._drafts.items():
            with suppress(FileExistsError):  # a link, for a rename would overwrite
                os.link(draft, target)
            draft.unlink()
        for each in sorted(self._touched, reverse=True):
            durable.sync(each)
        self._drafts.clear()
        self._touched.clear()

    def renew(self, path: str) -> None:
        """Do nothing: a folder locks nothing."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock; see ``Place``."""
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.sync(self.folder.parent)
        with (self.folder / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("another backup is being made into this folder") from None
            shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)  # what a crash left
            yield

    def _make(self, folder: Path) -> None:
        """Make a folder below the place, and note whose names must be made durable for it."""
        if not folder.exists():
            self._make(folder.parent)
            self._touched.add(folder.parent)
            folder.mkdir(exist_ok=True)

    def _target(self, path: str) -> Path:
        if not PATH.fullmatch(path):
            raise InputError(f"{path!r} is no path of a backup")
        return self.folder / path
