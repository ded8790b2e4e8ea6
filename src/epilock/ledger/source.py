"""Where a monitor reads a published log from: a folder, a web address, or memory.

Each gives bytes by path (``checkpoint``, ``tile/...``) and believes nothing: what is read is checked
against signatures and hashes by whoever asked.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from epilock.errors import InputError, NotFoundError, TooLargeError
from epilock.ledger import wire
from epilock.ledger.entry import MOST_BYTES as MOST_ENTRY
from epilock.ledger.tile import WIDTH

MOST_CHECKPOINT = 1 << 20
MOST_BUNDLE = WIDTH * (2 + MOST_ENTRY)
OK = 200


class LogSource(Protocol):
    """A published log."""

    def read(self, path: str) -> bytes:
        """Return the file at ``path``.

        Raises:
            NotFoundError: There is none.
            TooLargeError: It is larger than any file of a log.
            InputError: It cannot be read.
        """
        ...


class Folder:
    """A log in a folder, such as ``epilock ledger export`` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        try:
            with open(f"{self.folder}/{path}", "rb", buffering=0) as file:  # noqa: PTH123 - faster
                # To read up to the limit would make room for all of it, 4 MB for each file.
                size = os.fstat(file.fileno()).st_size
                return _limited(path, file.read(min(size, _most(path)) + 1))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"the log has no file {path}") from None
        except OSError as error:
            raise InputError(f"{path} of the log cannot be read: {error.strerror}") from None


class Url:
    """A log at a web address; no redirect is followed to another one."""

    def __init__(self, address: str, *, seconds: float = wire.SECONDS) -> None:
        self.address = wire.check_address(address)
        self.seconds = seconds

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        try:
            answer = wire.exchange(
                f"{self.address}/{path}", limit=_most(path), seconds=self.seconds
            )
        except InputError as error:
            raise InputError(f"the log cannot be reached for {path}: {error}") from None
        if answer.status in {404, 410}:
            raise NotFoundError(f"the log has no file {path}")
        if answer.status != OK:
            raise InputError(f"the log answers {answer.status} for {path}")
        return _limited(path, answer.body)


class Memory:
    """A log in a mapping from path to bytes."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        if path not in self.files:
            raise NotFoundError(f"the log has no file {path}")
        return _limited(path, self.files[path])


def open_source(where: str, *, seconds: float = wire.SECONDS) -> LogSource:
    """Return the source that ``where`` names: a web address, or a folder that exists.

    Raises:
        InputError: It is neither.
    """
    if "://" in where:
        return Url(where, seconds=seconds)
    folder = Path(where)
    if not folder.is_dir():
        raise InputError("a log is a folder that exists, or an address that begins with https://")
    return Folder(folder)


def _most(path: str) -> int:
    return MOST_CHECKPOINT if path == "checkpoint" else MOST_BUNDLE


def _limited(path: str, body: bytes) -> bytes:
    if len(body) > _most(path):
        raise TooLargeError(f"{path} of the log is larger than {_most(path)} bytes")
    return body
