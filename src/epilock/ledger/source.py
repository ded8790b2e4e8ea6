"""Where a monitor reads a published log from: a folder, a web address, or memory.

Each gives bytes by path (``checkpoint``, ``tile/...``) and believes nothing: what is read is checked
against signatures and hashes by whoever asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from epilock.errors import InputError, NotFoundError, TooLargeError
from epilock.ledger.entry import MOST_BYTES as MOST_ENTRY
from epilock.ledger.tile import WIDTH

MOST_CHECKPOINT = 1 << 20
MOST_BUNDLE = WIDTH * (2 + MOST_ENTRY)
SECONDS = 30.0


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
            with (self.folder / path).open("rb") as file:
                return _limited(path, file.read(_most(path) + 1))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"the log has no file {path}") from None
        except OSError as error:
            raise InputError(f"{path} of the log cannot be read: {error.strerror}") from None


class Url:
    """A log at a web address; no redirect is followed to another one."""

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
            raise InputError("a log's address begins with http:// or https:// and has no query")
        self.address = address.rstrip("/")
        self.seconds = seconds
        self._opener = build_opener(_NoRedirect)

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        request = Request(f"{self.address}/{path}", headers={"User-Agent": "epilock-monitor"})  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=self.seconds) as answer:
                body = answer.read(_most(path) + 1)
                if answer.length and len(body) <= _most(path):  # octets that were promised
                    raise InputError(f"the log cannot be reached for {path}: it was cut off")
                return _limited(path, body)
        except HTTPError as error:
            error.close()
            if error.code in {404, 410}:
                raise NotFoundError(f"the log has no file {path}") from None
            raise InputError(f"the log answers {error.code} for {path}") from None
        except (URLError, OSError, ValueError) as error:
            raise InputError(f"the log cannot be reached for {path}: {error}") from None


class Memory:
    """A log in a mapping from path to bytes."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        if path not in self.files:
            raise NotFoundError(f"the log has no file {path}")
        return _limited(path, self.files[path])


class _NoRedirect(HTTPRedirectHandler):
    """A log that moved says so to people, not to programs."""

    def redirect_request(self, *_args: object, **_values: object) -> None:
        """Return None: the answer itself is the error."""


def open_source(where: str, *, seconds: float = SECONDS) -> LogSource:
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
