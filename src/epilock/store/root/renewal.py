"""Renewing the root key while the program serves: another key takes its place, and the old one is destroyed.

The steps, and what a crash leaves; the same call again goes on:

  1. The next key is made beside the old one (``begin``). From here on every process wraps with it, for a root
     key looks at its back end whenever it wraps.  Crash: both are there and open everything.
  2. Who wrapped something with the old key and has not stored it yet is waited for (``slot.storing``).
  3. All that the old key wrapped is wrapped by the next one (``moving``), and opened with that alone.
     Crash: some is wrapped by one, some by the other.
  4. The old key is destroyed (``end``).  Crash: what it takes in the back end stands there; everything opens by the
     next key, and is opened once more before the rest of the old one goes.

What differs is what the back ends say of ``begin``, ``is_newest`` and ``end``: a file in ``keyfile``, a token in
``token``, an engine in ``transit``. Copies of the old key elsewhere, such as shares on paper or a backup of the token
or engine, still open snapshots and replicas from before; those that nobody has a copy for open nothing from here on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from epilock.errors import ConflictError, KeysError, RootKeyError
from epilock.store.keys import KeyStore
from epilock.store.root import Renewable
from epilock.store.root.moving import move
from epilock.store.slot import Step, go_on, storing

_LOCK = ".renewal"
_TRIES = 20


def renew(keys: KeyStore, slots: Path, root: Renewable, *, step: Step = go_on) -> int:
    """Renew the root key; return how many secrets and slots the new one wraps.

    Args:
        keys: The key store of this root key.
        slots: Folder of the slots.
        root: The root key.
        step: For tests: called before and after each effect; see ``slot.Slot``.

    Raises:
        RootKeyError: Something is wrapped by neither key, or the back end doesn't do it; both keys stay.
        KeysError: A slot is missing, or a destruction in it does not come to its end.
        TamperedError: A row or slot was altered.
        ConflictError: It is being renewed already.
    """
    with _alone(slots):
        root.begin(step)
        with storing(slots, alone=True):
            pass
        moved = _move(keys, slots, root, step)
        root.end(step)
    return moved


@contextmanager
def _alone(slots: Path) -> Iterator[None]:
    """Hold the root key of these slots against another renewal, in this or another process."""
    with storing(slots):  # which makes the folder
        fd = os.open(slots / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ConflictError("the root key is being renewed already") from None
        yield
    finally:
        os.close(fd)


def _move(keys: KeyStore, slots: Path, root: Renewable, step: Step, tries: int = _TRIES) -> int:
    """Wrap everything by the newest key; a slot in the middle of a destruction is settled and taken again."""
    keys.settle()
    try:
        return move(keys.database, slots, root, _Newest(root), step=step)
    except RootKeyError:
        raise
    except KeysError:
        if tries == 1:
            raise
    return _move(keys, slots, root, step, tries - 1)


class _Newest:
    """The newest key alone; see ``RootKey``."""

    def __init__(self, root: Renewable) -> None:
        self._root = root
        self.wrap, self.keep = root.wrap, root.keep

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret, unless an older key can open it too."""
        if not self._root.is_newest(wrapped):
            raise RootKeyError(f"{context.decode()} was wrapped by another root key, or altered")
        return self._root.unwrap(wrapped, context)
