"""The key of a backup: 32 bytes in a file of mode 0600, under which names are made and blocks are sealed.

A name is keyed BLAKE2b-256 of a block and of what kind it is, so that the same block has the same name, and who
holds the destination alone can't tell which block it is. What is stored is ``nonce (12) | AES-256-GCM of the
deflated block``, its kind and name the associated data.

Rules kept in this file:
  1. What is opened has been proved twice: by its seal, and by its name, made anew.
  2. Nothing is inflated beyond the size that its kind may have.
"""

import hmac
import os
import zlib
from hashlib import blake2b
from pathlib import Path

from epilock import durable
from epilock.errors import ConflictError, InputError, IntegrityError, TamperedError
from epilock.store.suite import INTERNATIONAL, KEY_BYTES, NONCE_BYTES

NAME_BYTES = 32
LEVEL = 1  # of zlib: most of a block is sealed and does not shrink


class BackupKey:
    """Names blocks, seals and opens them.

    Args:
        secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._namer = INTERNATIONAL.subkey(secret, b"epi-bkid")
        self._cipher = INTERNATIONAL.cipher(INTERNATIONAL.subkey(secret, b"epi-bksl"))

    def name(self, kind: str, data: bytes) -> str:
        """Return the name of a block of a ``kind`` (at most 16 characters): 64 hex digits."""
        person = kind.encode()
        return blake2b(data, key=self._namer, digest_size=NAME_BYTES, person=person).hexdigest()

    def seal(self, kind: str, name: str, data: bytes) -> bytes:
        """Return what is stored of a block."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, zlib.compress(data, LEVEL), _aad(kind, name))

    def open(self, kind: str, name: str, stored: bytes, *, most: int) -> bytes:
        """Return what was sealed.

        Raises:
            IntegrityError: It was altered, is another block, or holds more than ``most`` bytes.
        """
        try:
            deflated = INTERNATIONAL.open(
                self._cipher, stored[:NONCE_BYTES], stored[NONCE_BYTES:], _aad(kind, name)
            )
        except TamperedError:
            raise IntegrityError(
                f"{_shown(kind, name)} was altered, or is sealed under another key"
            ) from None
        inflate = zlib.decompressobj()
        data = inflate.decompress(deflated, most + 1)
        if len(data) > most or not inflate.eof:
            raise IntegrityError(f"{_shown(kind, name)} is larger than {most} bytes")
        return data

    def check_name(self, kind: str, name: str, data: bytes) -> None:
        """Return if ``data`` has the ``name``.

        Raises:
            IntegrityError: It has another.
        """
        if not hmac.compare_digest(self.name(kind, data), name):
            raise IntegrityError(f"{_shown(kind, name)} does not have its name")


def make(path: Path) -> None:
    """Make the file of a new key.

    Raises:
        ConflictError: The file is there already.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"{path} is there already; a backup's key is made once") from None
    try:
        os.write(fd, os.urandom(KEY_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    durable.sync(path.parent)


def read(path: Path) -> BackupKey:
    """Return the key in a file.

    Raises:
        InputError: It can't be read, others than its owner may read it, or it is not 32 bytes.
    """
    secret = durable.read_private(path, "the backup's key", most=KEY_BYTES + 1, error=InputError)
    if len(secret) != KEY_BYTES:
        raise InputError(f"the backup's key {path.name} must be exactly {KEY_BYTES} bytes")
    return BackupKey(secret)


def _aad(kind: str, name: str) -> bytes:
    return f"epilock/backup/v1|{kind}|{name}".encode()


def _shown(kind: str, name: str) -> str:
    return f"{name} of the backup" if name.startswith(kind) else f"{kind} {name} of the backup"
