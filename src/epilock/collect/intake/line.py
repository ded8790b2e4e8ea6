"""The line: batches are prepared by a second process while the first one writes them, or in turn by one.

The second process has no database. It is given a lease for each batch, over a pipe, and ends with the
pipe: when the first process is killed nothing goes on and nothing more is sealed.
"""

import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from typing import Protocol

import msgspec

from epilock.collect.consent import Acts
from epilock.collect.form import Form
from epilock.collect.intake.mapping import ColumnMap
from epilock.collect.intake.prepare import Lease, Prepared, Preparer
from epilock.collect.intake.read import open_table
from epilock.collect.intake.rows import Checker
from epilock.collect.intake.table import Source
from epilock.collect.point import Point
from epilock.errors import EpilockError, FileFormatError, InputError, StateError, TooLargeError
from epilock.standard import Standard, load
from epilock.store.suite import named

_SENT: dict[str, type[EpilockError]] = {
    kind.__name__: kind for kind in (FileFormatError, TooLargeError, InputError)
}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Prepared | str).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that preparing needs, as it is handed to a second process.

    Attributes:
        source: The file.
        after: Row that was passed last.
        mapping: What is read of it.
        point, level, version, notice, acts: What the form is compiled from.
        issued: Day in China on which the notice was issued.
        import_id: The import.
        standard_ref: Version of the standard; the other process must have the same.
        suite: Name of the organisation's suite.
        tag_key: Of the emergency.
        secret: What receipt ids are derived from.
    """

    source: Source
    after: int
    mapping: ColumnMap
    point: Point
    level: str
    version: int
    notice: str
    acts: Acts
    issued: date
    import_id: str
    standard_ref: str
    suite: str
    tag_key: bytes
    secret: bytes


class Line(Protocol):
    """Prepares a batch for each lease, in their order."""

    def give(self, lease: Lease) -> None:
        """Give the lease of another batch."""

    def take(self) -> Prepared:
        """Return the next batch.

        Raises:
            InputError: The file is broken or too large.
            StateError: The second process ended.
        """

    def close(self) -> None:
        """End; repeating is harmless."""


class InTurn:
    """Prepares in this process when a batch is taken: for small files."""

    def __init__(self, job: Job, standard: Standard) -> None:
        self._preparer = preparer_of(job, standard)
        self._leases: list[Lease] = []

    def give(self, lease: Lease) -> None:
        """Give the lease of another batch."""
        self._leases.append(lease)

    def take(self) -> Prepared:
        """Return the next batch; see ``Line``."""
        return self._preparer.next(self._leases.pop(0))

    def close(self) -> None:
        """Forget the leases."""
        self._leases.clear()


class Beside:
    """Prepares in a second process, ahead of what is taken."""

    def __init__(self, job: Job) -> None:
        """Start it: a fresh interpreter, for a fork would share open databases and leases."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._pipe = Connection(ours.detach())
        self._pipe.send(job)

    def give(self, lease: Lease) -> None:
        """Give the lease of another batch."""
        try:
            self._pipe.send(lease)
        except OSError:  # it has ended; ``take`` says why
            return

    def take(self) -> Prepared:
        """Return the next batch; see ``Line``."""
        try:
            found = _decode(self._pipe.recv_bytes())
        except (EOFError, OSError):
            raise StateError(
                "the process that prepares rows has ended; run the import again"
            ) from None
        if isinstance(found, Prepared):
            return found
        kind, _, words = str(found).partition(":")
        raise _SENT.get(kind, StateError)(words)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def preparer_of(job: Job, standard: Standard) -> Preparer:
    """Return what prepares the rows of ``job``.

    Raises:
        StateError: This program has another standard than the one the import was begun with.
    """
    if standard.ref != job.standard_ref:
        raise StateError("the standard changed meanwhile; run the import again")
    form = Form(
        standard, job.point, level=job.level, version=job.version, notice=job.notice, acts=job.acts
    )
    checker = Checker(form, job.mapping, job.issued)
    rows = open_table(job.source).rows(checker.wanted, job.after)
    return Preparer(
        rows, checker, form, org=job.point.org, import_id=job.import_id,
        standard_ref=job.standard_ref, suite=named(job.suite), tag_key=job.tag_key, secret=job.secret,
    )  # fmt: skip


def serve(pipe: Connection) -> None:
    """Prepare a batch for each lease that comes, until the pipe ends."""
    try:
        preparer = preparer_of(pipe.recv(), load())
        while True:
            pipe.send_bytes(_encode(preparer.next(pipe.recv())))
    except (EOFError, OSError):
        return
    except EpilockError as error:
        pipe.send_bytes(_encode(f"{type(error).__name__}:{error}"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
