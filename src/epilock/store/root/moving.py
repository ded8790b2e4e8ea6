"""Moving to another root key: everything that the old one wrapped is wrapped by the new one.

While it goes on, and after a crash in the middle of it, some things are wrapped by one and some by the other:
``Both`` opens either and wraps under the new one. The steps, and what a crash leaves:

  1. Secrets of the installation, in one transaction.    Crash before its commit: nothing happened.
  2. The slot of each organisation, one after the other: a cell wrapped by the new key is written beside
     the old one, whose cell is overwritten then.  Crash: two cells of one epoch, or a torn one, which counts
     as empty; the next call goes on, and both keys together open everything.
  3. Everything is opened with the new key alone. Only then is the old one needed no more. What another process
     made meanwhile, which saw the new key late, or what a busy back end does not open at once, is gone through
     again, ``_TURNS`` times at most.

Repeating is harmless. A process that goes on with the old key alone finds slots that it can't open, and refuses
until it is started anew with the new one; a secret that it makes meanwhile is moved by a repetition.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from epilock.db import Database
from epilock.errors import RootKeyError
from epilock.store.keyrows import secret_context, secrets
from epilock.store.root import RootKey
from epilock.store.slot import Slot, Step, go_on

_TURNS, _MOMENT = 4, 0.2  # seconds


class Both:
    """Two root keys: wraps under ``new``, unwraps what either wrapped."""

    def __init__(self, new: RootKey, old: RootKey) -> None:
        self._new, self._old = new, old

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped by the new key."""
        return self._new.wrap(secret, context, scope=scope)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        try:
            return self._new.unwrap(wrapped, context)
        except RootKeyError:
            return self._old.unwrap(wrapped, context)

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Let the new key destroy what it has of other secrets of the scope; the old one goes as a whole."""
        self._new.keep(scope, wrapped)


def move(database: Database, slots: Path, old: RootKey, new: RootKey, *, step: Step = go_on) -> int:
    """Wrap by ``new`` what ``old`` wrapped; return how many secrets and slots there are.

    Raises:
        RootKeyError: Something was wrapped by neither; what was moved stays moved.
        TamperedError, KeysError: A row or slot was altered, or is missing.
    """
    for turn in range(_TURNS):
        time.sleep(turn * _MOMENT)
        count = _wrap_all(database, slots, old, new, step)
        missing = next(_unmoved(database, slots, new), None)
        if missing is None:
            return count
    raise RootKeyError(f"{missing} does not open with the new root key; keep the old one")


def _wrap_all(database: Database, slots: Path, old: RootKey, new: RootKey, step: Step) -> int:
    """Wrap by ``new`` what is there and it does not open; return how many secrets and slots there are."""
    both = Both(new, old)
    step("secrets")
    with database.write() as tx:
        found = tx.conn.execute(sa.select(secrets).with_for_update()).all()
        for org, name, wrapped in found:
            context = secret_context(org, name)
            if _opens(new, wrapped, context):
                continue
            again = new.wrap(both.unwrap(wrapped, context), context)
            tx.update(secrets, {"org": org, "name": name}, wrapped=again)
    step("secrets done")
    paths = sorted(slots.glob("*.slot"))
    for path in paths:
        slot = Slot(path, path.stem, both, step=step)
        with slot.lock():
            slot.rewrap(partial(_opens, new))
    return len(found) + len(paths)


def _unmoved(database: Database, slots: Path, new: RootKey) -> Iterator[str]:
    """Yield what the new key does not open."""
    with database.read() as tx:
        for org, name, wrapped in tx.conn.execute(sa.select(secrets)):
            if not _opens(new, wrapped, secret_context(org, name)):
                yield f"the secret {name}"
    for path in sorted(slots.glob("*.slot")):
        slot = Slot(path, path.stem, new)
        try:
            with slot.lock():  # nobody is in the middle of a destruction
                slot.read()
        except RootKeyError:
            yield path.name


def _opens(root: RootKey, wrapped: bytes, context: bytes) -> bool:
    try:
        root.unwrap(wrapped, context)
    except RootKeyError:
        return False
    return True
