"""Renewing the root key of a file while the program serves: another key takes its place, and the old one is destroyed.

The steps, and what a crash leaves; the same call again goes on:

  1. The next key is put beside the old one (``<name>.next``). From here on every process wraps with it, for
     ``KeyFileRoot`` reads the files whenever it wraps.  Crash: both are there and open everything.
  2. Who wrapped something with the old key and has not stored it yet is waited for (``slot.storing``).
  3. All that the old key wrapped is wrapped by the next one (``moving``), and opened with that alone.
     Crash: some is wrapped by one, some by the other.
  4. The old key gets a second name (``<name>.old``), the next one takes its first.  Crash before the second:
     as in 3; after: the new key is in place, and what is left of the old one is destroyed by the next call.
  5. The old key is overwritten with zeros and its name removed.

Copies of the old key elsewhere, such as shares on paper, still open snapshots and replicas from before; those
that nobody has a copy for open nothing from here on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from epilock import durable
from epilock.errors import ConflictError, KeysError, RootKeyError
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import FileKey, KeyFileRoot, next_of, put, read
from epilock.store.root.moving import move
from epilock.store.slot import Step, go_on, storing
from epilock.store.suite import KEY_BYTES

_TRIES = 20


def renew(keys: KeyStore, slots: Path, path: Path, *, step: Step = go_on) -> int:
    """Renew the root key at ``path``; return how many secrets and slots it wraps, 0 if only the old one was left.

    Args:
        keys: The key store of this root key.
        slots: Folder of the slots.
        path: The key file.
        step: For tests: called before and after each effect; see ``slot.Slot``.

    Raises:
        RootKeyError: Something is wrapped by neither key; both stay.
        KeysError: A slot is missing, or a destruction in it does not come to its end.
        TamperedError: A row or slot was altered.
        ConflictError: It is being renewed already.
    """
    with _alone(path):
        return _renew(keys, slots, path, step)


def _renew(keys: KeyStore, slots: Path, path: Path, step: Step) -> int:
    coming, old = next_of(path), path.with_name(f"{path.name}.old")
    if old.exists() and not coming.exists() and not old.samefile(path):
        _destroy(old, step)
        return 0
    step("next key")
    put(coming, os.urandom(KEY_BYTES))
    step("next key done")
    with storing(slots, alone=True):
        pass
    moved = _move(keys, slots, path, step)
    step("place")
    if not old.exists():
        os.link(path, old)
        durable.sync(path.parent)
    step("second name")
    coming.replace(path)
    durable.sync(path.parent)
    step("place done")
    _destroy(old, step)
    return moved


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the key file against another renewal, in this or another process."""
    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"{path.name} is being renewed already") from None
        if os.fstat(fd).st_ino != path.stat().st_ino:
            raise ConflictError(f"{path.name} was renewed by another a moment ago")
        yield
    finally:
        os.close(fd)


def _move(keys: KeyStore, slots: Path, path: Path, step: Step, tries: int = _TRIES) -> int:
    """Wrap everything by the next key; a slot in the middle of a destruction is settled and taken again."""
    keys.settle()
    try:
        return move(
            keys.database, slots, KeyFileRoot(path), FileKey(read(next_of(path))), step=step
        )
    except RootKeyError:
        raise
    except KeysError:
        if tries == 1:
            raise
    return _move(keys, slots, path, step, tries - 1)


def _destroy(path: Path, step: Step) -> None:
    step("destroy")
    with path.open("r+b") as file:
        file.write(bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    step("overwritten")
    path.unlink()
    durable.sync(path.parent)
    step("destroy done")
