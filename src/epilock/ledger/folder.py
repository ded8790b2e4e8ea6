"""A published log as a folder of files, which any web server can serve; written so that a crash cannot hurt.

Whoever writes one (the log itself, a mirror) puts entries, then tiles, then the checkpoint. Each file is
written under the one temporary name of the folder, synced, renamed; the folders are synced before the
checkpoint is renamed. So whoever reads a checkpoint finds every file that it needs, and what a crash
leaves is one file, which the next writer removes.
"""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from epilock import durable
from epilock.errors import ConflictError, IntegrityError, LedgerError
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import Verifier
from epilock.ledger.tree import EMPTY_ROOT
from epilock.ledger.verify import open_checkpoint

CHECKPOINT, POLICIES = "checkpoint", "policy/"
LOCK, DRAFT = ".lock", ".new"  # what lies there and is not published
TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
SECONDS_OF_A_CHECKPOINT = 5
SECONDS_OF_A_FILE = 31_536_000  # a year: it never changes


@dataclass(frozen=True, slots=True)
class Published:
    """One file as it is served.

    Attributes:
        body: Its bytes.
        content_type: As C2SP tlog-tiles asks.
        cache_control: Value of the header of that name.
    """

    body: bytes
    content_type: str
    cache_control: str


def served(path: str, body: bytes) -> Published:
    """Return the file at ``path`` with what a web server says of it."""
    if path == CHECKPOINT:
        return Published(body, TEXT, f"public, max-age={SECONDS_OF_A_CHECKPOINT}")
    kind = TEXT if path.startswith(POLICIES) else OCTETS
    return Published(body, kind, f"public, max-age={SECONDS_OF_A_FILE}, immutable")


class PublishedFolder:
    """Writes the files of one log.

    Attributes:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._touched: set[Path] = set()  # folders whose names must be made durable
        self._outdated: set[Path] = set()  # folders of partial files beside a full one

    def text(self) -> str | None:
        """Return the checkpoint that the folder shows, a note; None if it shows nothing."""
        path = self.folder / CHECKPOINT
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None

    def shown(self, origin: str, keys: Sequence[Verifier]) -> Checkpoint:
        """Return what the folder shows of the log ``origin``: the empty tree if nothing.

        Raises:
            IntegrityError: None of ``keys`` signed the checkpoint there.
        """
        text = self.text()
        if text is None:
            return Checkpoint(origin, 0, EMPTY_ROOT)
        try:
            said, _ = open_checkpoint(text, keys)
        except LedgerError as error:
            raise IntegrityError("the folder's checkpoint was not signed by this log") from error
        return said

    def find(self, path: str) -> bytes | None:
        """Return the file at ``path``, or None."""
        target = self.folder / path
        return target.read_bytes() if target.is_file() else None

    def put(self, path: str, body: bytes) -> None:
        """Write a file that never changes.

        Raises:
            IntegrityError: It is there with other bytes.
        """
        target = self.folder / path
        partial = target.with_name(f"{target.name}.p")
        if partial.is_dir():
            self._outdated.add(partial)
        if not target.exists():
            self._replace(target, body)
        elif target.read_bytes() != body:
            raise IntegrityError(f"{path} was published with other bytes")

    def finish(self, checkpoint: bytes) -> None:
        """Make all files durable, then write the checkpoint, then remove partial files of full tiles."""
        for each in sorted(self._touched, reverse=True):
            durable.sync(each)
        target = self.folder / CHECKPOINT
        if not target.exists() or target.read_bytes() != checkpoint:
            self._replace(target, checkpoint)
            durable.sync(self.folder)
        for each in self._outdated:
            shutil.rmtree(each)
        self._touched.clear()
        self._outdated.clear()

    def _replace(self, target: Path, body: bytes) -> None:
        for each in reversed(target.parent.relative_to(self.folder).parents):
            self._touched.add(self.folder / each)
        self._touched.add(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.put(target, body, draft=self.folder / DRAFT)


@contextmanager
def alone(folder: Path) -> Iterator[PublishedFolder]:
    """Make the folder if it is missing and hold its lock; a process that ends, however, releases it.

    Raises:
        ConflictError: Another process is writing there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another process is publishing into this folder") from None
        draft = folder / DRAFT
        if draft.exists():  # a crash left it, perhaps of a file that is never needed again
            draft.unlink()
        yield PublishedFolder(folder)
