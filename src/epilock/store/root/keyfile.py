"""A root key in a file: the default.

While it is renewed (``renewal``) the next key lies beside it, in ``<name>.next``; then all that is wrapped is wrapped
by the next one, and either opens. A process that has the key notices by itself: it reads the files again whenever it
wraps, and when something doesn't open. At the end the old key gets a second name (``<name>.old``), the next one takes
its first, and the old one is overwritten with zeros and its name removed. What a crash leaves of these:

  1. The second name alone: both keys are there as before.
  2. The next one in its place: it is the root key, and ``<name>.old`` only waits for its destruction.
  3. The old one overwritten: its name goes with the next call.
"""

import os
from contextlib import suppress
from pathlib import Path

from epilock import durable
from epilock.errors import RootKeyError, TamperedError
from epilock.store.slot import Step
from epilock.store.suite import INTERNATIONAL, KEY_BYTES, NONCE_BYTES

FINGERPRINT_BYTES = 8


class FileKey:
    """One key of 32 bytes, as it was read; it follows no file.

    A wrapped secret is ``fingerprint (8) | nonce (12) | AES-256-GCM``, with ``context`` as associated
    data. Wrapping key and fingerprint are BLAKE2s of the root key, persons "epi-wrap" and "epi-rtid".

    Args:
        root: The 32 bytes.
    """

    def __init__(self, root: bytes) -> None:
        self._cipher = INTERNATIONAL.cipher(INTERNATIONAL.subkey(root, b"epi-wrap"))
        self.fingerprint = INTERNATIONAL.subkey(root, b"epi-rtid")[:FINGERPRINT_BYTES]

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped for this ``context``; 36 bytes longer. A ``scope`` changes nothing."""
        del scope
        nonce = os.urandom(NONCE_BYTES)
        return self.fingerprint + nonce + self._cipher.encrypt(nonce, secret, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        start = FINGERPRINT_BYTES + NONCE_BYTES
        if wrapped[:FINGERPRINT_BYTES] != self.fingerprint:
            raise RootKeyError(f"{context.decode()} was wrapped by another root key, or altered")
        try:
            return INTERNATIONAL.open(
                self._cipher, wrapped[FINGERPRINT_BYTES:start], wrapped[start:], context
            )
        except TamperedError:
            raise TamperedError(f"{context.decode()} was altered or moved") from None

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Do nothing: all is wrapped under one key."""


class KeyFileRoot:
    """The root key of a file of 32 bytes, mode 0600, through its renewals.

    Args:
        path: The file.
        make: Make it, with 32 random bytes, if it is not there.

    Raises:
        RootKeyError: It is missing, not 32 bytes, or others than its owner may read or write it.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            _make(path)
        self._path = path
        self._keys = _read_keys(path)

    @property
    def fingerprint(self) -> bytes:
        """What a secret begins with that is wrapped now."""
        return self._keys[0].fingerprint

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped by the key that counts at this moment; see ``RootKey``."""
        self._look_again()
        return self._keys[0].wrap(secret, context, scope=scope)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        mark = wrapped[:FINGERPRINT_BYTES]
        if len(self._keys) > 1 or mark != self.fingerprint:
            self._look_again()
        keys = self._keys
        return next((key for key in keys if key.fingerprint == mark), keys[0]).unwrap(
            wrapped, context
        )

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Do nothing: all is wrapped under one key."""

    def begin(self, step: Step) -> None:
        """Put the next key beside the present one; see ``Renewable``."""
        coming, old = next_of(self._path), self._old
        if coming.exists() or not old.exists() or old.samefile(self._path):
            step("next key")
            put(coming, os.urandom(KEY_BYTES))
            step("next key done")
        self._look_again()

    def is_newest(self, wrapped: bytes) -> bool:
        """Tell whether the newest key wrapped it; see ``Renewable``."""
        return wrapped[:FINGERPRINT_BYTES] == self.fingerprint

    def end(self, step: Step) -> None:
        """Put the next key in the place of the old one, and destroy that; see ``Renewable``."""
        coming, old = next_of(self._path), self._old
        if coming.exists():
            step("place")
            if not old.exists():
                os.link(self._path, old)
                durable.sync(old.parent)
            step("second name")
            coming.replace(self._path)
            durable.sync(old.parent)
            step("place done")
        if old.exists():
            step("destroy")
            _overwrite(old)
            step("overwritten")
            old.unlink()
            durable.sync(old.parent)
            step("destroy done")

    @property
    def _old(self) -> Path:
        return self._path.with_name(f"{self._path.name}.old")

    def _look_again(self) -> None:
        """Read the files again; where there are none any more, such as on a medium put away, nothing changed."""
        if self._path.exists():
            self._keys = _read_keys(self._path)


def next_of(path: Path) -> Path:
    """Return where the next key lies while the one at ``path`` is renewed."""
    return path.with_name(f"{path.name}.next")


def _read_keys(path: Path) -> list[FileKey]:
    """Return the keys that open, first the one that wraps.

    The next one is looked for first: if it isn't there, it took the other's name before that is read.
    """
    found, coming = [], next_of(path)
    try:
        if coming.exists():
            found.append(FileKey(read(coming)))
    except RootKeyError:
        if coming.exists():
            raise
    present = FileKey(read(path))
    if all(key.fingerprint != present.fingerprint for key in found):
        found.append(present)
    return found


def _make(path: Path) -> None:
    """Make the key file whole or not at all; an existing one is left alone."""
    if not path.exists():
        put(path, os.urandom(KEY_BYTES))


def put(path: Path, root: bytes) -> None:
    """Put the key ``root`` into a file, whole or not at all; if one is there already, that counts."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, root)
        os.fsync(fd)
        with suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
    finally:
        os.close(fd)
        draft.unlink()
    durable.sync(path.parent)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> bytes:
    """Return the 32 bytes of a key file; what is raised stands at ``KeyFileRoot``."""
    root = durable.read_private(path, "the root key", most=KEY_BYTES + 1, error=RootKeyError)
    if len(root) != KEY_BYTES:
        raise RootKeyError(f"the root key {path.name} must be exactly {KEY_BYTES} bytes")
    return root
