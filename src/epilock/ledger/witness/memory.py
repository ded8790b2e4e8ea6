"""What a witness remembers: for each log a folder of three files, so that a person can read it with ``cat``.

===============  ====================================================================================
``keys``         the log's verifier keys, one a line; written by ``add``
``checkpoint``   the newest checkpoint that was cosigned, with the log's signature and ours; empty
                 before the first. It is served to everybody
``refused/``     checkpoints that the log signed and that were not consistent: evidence, never deleted
===============  ====================================================================================

Rules kept in this file:
  1. The folder's name is the SHA-256 of the log's origin in hex, as in the public address.
  2. ``checkpoint`` is replaced whole (temporary file, fsync, rename, fsync of the folder) under the
     folder's lock, which is held from reading the old one: two requests, or two processes, go in turn.
  3. A log that was added has the file ``checkpoint``. If it is missing, the memory was lost, and the
     witness refuses to start that log anew: it could be made to cosign another history.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from epilock import durable
from epilock.errors import ConflictError, InputError, IntegrityError, NoteError, NotFoundError
from epilock.ledger.note import Verifier

KEYS, CHECKPOINT, REFUSED, LOCK = "keys", "checkpoint", "refused", ".lock"
MOST_REFUSED = 64  # enough to accuse a log; a hostile one shall not fill the disk
MOST_KEYS = 16


def origin_hash(origin: str) -> str:
    """Return the name under which a log is served: lower-case hex of the SHA-256 of its origin."""
    return sha256(origin.encode()).hexdigest()


class Memory:
    """The memory of one witness.

    Attributes:
        folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, key: Verifier) -> None:
        """Begin to watch the log of ``key``, or accept a further key of it (a rotation).

        Raises:
            ConflictError: The key is known already, or there are sixteen.
        """
        place = self.folder / origin_hash(key.name)
        known = self.keys(key.name) if place.exists() else ()
        if key in known:
            raise ConflictError(f"this key of {key.name} is known already")
        if len(known) == MOST_KEYS:
            raise ConflictError(f"{key.name} has {MOST_KEYS} keys, which is the most")
        place.mkdir(parents=True, exist_ok=True)
        if not known:
            durable.replace(place / CHECKPOINT, b"")
        text = "".join(f"{each.vkey}\n" for each in (*known, key))
        durable.replace(place / KEYS, text.encode())
        durable.sync(self.folder)

    def logs(self) -> list[str]:
        """Return the origins of all logs, sorted."""
        found = []
        for path in self.folder.glob(f"*/{KEYS}"):
            first = path.read_text(encoding="utf-8").partition("\n")[0]
            found.append(Verifier.from_vkey(first).name)
        return sorted(found)

    def keys(self, origin: str) -> tuple[Verifier, ...]:
        """Return the keys of a log.

        Raises:
            NotFoundError: This witness does not know the log.
            IntegrityError: The file is not what was written.
        """
        path = self.folder / origin_hash(origin) / KEYS
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return tuple(Verifier.from_vkey(line) for line in lines)
        except FileNotFoundError:
            raise NotFoundError("this witness does not know a log of that origin") from None
        except (NoteError, UnicodeDecodeError) as error:
            raise IntegrityError(f"{path} is not what was written: {error}") from None

    def newest(self, hashed: str) -> str:
        """Return the newest cosigned checkpoint of the log with that ``origin_hash``.

        Raises:
            NotFoundError: The log is unknown, or nothing of it was cosigned yet.
        """
        if len(hashed) != sha256().digest_size * 2 or not hashed.isalnum():
            raise NotFoundError("a log is named by the SHA-256 of its origin, in hex")
        path = self.folder / hashed / CHECKPOINT
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not text:
            raise NotFoundError("no checkpoint of this log was cosigned here")
        return text

    @contextmanager
    def turn(self, origin: str) -> Iterator["Turn"]:
        """Hold the log's lock, from reading what was cosigned last until the new one is durable.

        Raises:
            NotFoundError: This witness does not know the log.
        """
        place = self.folder / origin_hash(origin)
        if not (place / KEYS).exists():
            raise NotFoundError("this witness does not know a log of that origin")
        with (place / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Turn(place)


class Turn:
    """One log while its lock is held.

    Attributes:
        text: The checkpoint that was cosigned last, a note; empty before the first.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        try:
            self.text = (place / CHECKPOINT).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise IntegrityError(
                f"{place / CHECKPOINT} is missing: put it back, or this witness could be made to "
                "cosign another history"
            ) from None

    def keep(self, text: str) -> None:
        """Make ``text`` the newest cosigned checkpoint; it is durable when this returns."""
        durable.replace(self._place / CHECKPOINT, text.encode())

    def accuse(self, text: str) -> None:
        """Keep a checkpoint that the log signed and that is not consistent with what was cosigned."""
        folder = self._place / REFUSED
        folder.mkdir(exist_ok=True)
        path = folder / sha256(text.encode()).hexdigest()
        if not path.exists() and sum(1 for _ in folder.iterdir()) < MOST_REFUSED:
            durable.replace(path, text.encode())


def accused(folder: Path) -> list[Path]:
    """Return the evidence that a witness's ``folder`` holds, the oldest first.

    Raises:
        InputError: The folder is not there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not there")
    return sorted(folder.glob(f"*/{REFUSED}/[!.]*"), key=lambda path: path.stat().st_mtime)
