"""A root key in a file: the default."""

import os
from contextlib import suppress
from pathlib import Path

from epilock import durable
from epilock.errors import RootKeyError, TamperedError
from epilock.store.suite import INTERNATIONAL, KEY_BYTES, NONCE_BYTES

FINGERPRINT_BYTES = 8


class KeyFileRoot:
    """A root key in a file: 32 bytes, mode 0600.

    A wrapped secret is ``fingerprint (8) | nonce (12) | AES-256-GCM``, with ``context`` as associated
    data. Wrapping key and fingerprint are BLAKE2s of the root key, persons "epi-wrap" and "epi-rtid".

    Args:
        path: The file.
        make: Make it, with 32 random bytes, if it is not there.

    Raises:
        RootKeyError: It is missing, not 32 bytes, or others than its owner may read or write it.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            _make(path)
        root = read(path)
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


def read(path: Path) -> bytes:
    """Return the 32 bytes of a key file; what is raised stands at ``KeyFileRoot``."""
    root = durable.read_private(path, "the root key", most=KEY_BYTES + 1, error=RootKeyError)
    if len(root) != KEY_BYTES:
        raise RootKeyError(f"the root key {path.name} must be exactly {KEY_BYTES} bytes")
    return root
