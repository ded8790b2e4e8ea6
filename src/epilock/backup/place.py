"""Where backups lie: a place to which files are added, and in which none is ever changed or taken away.

Rules kept in this file:
  1. A file is there whole or not at all, under a name that is given once.
  2. After ``settle`` everything put before is durable; a crash before it may take files away, never change them.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from epilock import durable
from epilock.errors import ConflictError, InputError, NotFoundError, TooLargeError

PATH = re.compile(r"[a-z]+(?:/[0-9a-f]{2})?(?:/[0-9a-f]{1,64})?", re.ASCII)
MOST_BYTES = 1 << 22  # of any file that a backup puts there
LOCK = ".lock"


class Place(Protocol):
    """A destination of backups."""

    def put(self, path: str, data: bytes) -> bool:
        """Add a file; return whether it is new. One that is there stays as it is."""
        ...

    def get(self, path: str) -> bytes:
        """Return a file.

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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._touched: set[Path] = set()

    def put(self, path: str, data: bytes) -> bool:
        """Add a file; see ``Place``."""
        target = self._target(path)
        self._make(target.parent)
        self._touched.add(
            target.parent
        )  # also for what is there: a crash may have left it undurable
        if target.exists():
            return False
        draft = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            with suppress(FileExistsError):  # a link, for a rename would overwrite
                os.link(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        return True

    def get(self, path: str) -> bytes:
        """Return a file; see ``Place``."""
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
        """Make the names durable; the files were when they were put."""
        for each in sorted(self._touched, reverse=True):
            durable.sync(each)
        self._touched.clear()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock; see ``Place``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("another backup is being made into this folder") from None
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
