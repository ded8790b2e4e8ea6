"""Cipher suites: the algorithms that everything stored is sealed with, behind one interface.

The international suite is AES-256-GCM (NIST SP 800-38D), BLAKE2s (RFC 7693) and HMAC-SHA-256 (RFC
2104). A national suite (SM4-GCM, SM3) fits the same interface. The suite's name stands in the
associated data of all that is sealed, so that bytes of one suite never open under another.
"""

import hmac
from collections.abc import Sequence
from hashlib import blake2s
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from epilock.errors import TamperedError

KEY_BYTES = 32
NONCE_BYTES = 12
OVERHEAD = 16  # bytes that a seal adds
SEAL, COMMIT, TAG, LINE = b"epi-seal", b"epi-comm", b"epi-tags", b"epi-line"

_POSITIONS = tuple(bytes([i]) for i in range(256))


class Cipher(Protocol):
    """A key made ready for use."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return ``data`` sealed, ``OVERHEAD`` bytes longer."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return what was sealed; see ``Suite.open`` for a call that raises our errors."""


class Suite(Protocol):
    """One set of algorithms; keys are 32 bytes, nonces 12."""

    @property
    def name(self) -> str:
        """Its name in associated data; never used again for other algorithms."""

    def child(self, parent: bytes, position: int) -> bytes:
        """Return the key of child ``position`` (0 to 15) of a node of the key tree."""

    def subkey(self, key: bytes, purpose: bytes, data: bytes = b"") -> bytes:
        """Return a key for one ``purpose`` (8 bytes: ``SEAL``, ``COMMIT`` or ``LINE``), one-way from ``key``."""

    def commitment_key(self, leaves: Sequence[bytes]) -> bytes:
        """Return the key that a record's commitment is made under, from all its leaf keys in order."""

    def commit(self, key: bytes, text: bytes) -> bytes:
        """Return the commitment, 32 bytes."""

    def tag(self, key: bytes, text: bytes) -> bytes:
        """Return a search tag, 16 bytes."""

    def cipher(self, key: bytes) -> Cipher:
        """Return ``key`` ready to seal and open."""

    def part_cipher(self, leaf: bytes) -> Cipher:
        """Return the ``SEAL`` subkey of a leaf ready to seal and open the one part it is for."""

    def open(self, cipher: Cipher, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            TamperedError: Key, nonce, bytes or associated data are not those of the sealing.
        """


class International:
    """AES-256-GCM, keyed BLAKE2s, HMAC-SHA-256."""

    name = "international-1"

    def child(self, parent: bytes, position: int) -> bytes:
        """Return BLAKE2s-256 of the one byte ``position``, keyed with the parent, person "epi-tree"."""
        return blake2s(_POSITIONS[position], key=parent, person=b"epi-tree").digest()

    def subkey(self, key: bytes, purpose: bytes, data: bytes = b"") -> bytes:
        """Return BLAKE2s-256 of ``data``, keyed with ``key``, person ``purpose``."""
        return blake2s(data, key=key, person=purpose).digest()

    def commitment_key(self, leaves: Sequence[bytes]) -> bytes:
        """Return the "epi-comm" subkey of the first leaf over the others, joined.

        As soon as one of the leaves is gone nobody can compute it again, and it tells nothing about
        the leaves: the person it is given to can prove what they gave, and open nothing else.
        """
        return blake2s(b"".join(leaves[1:]), key=leaves[0], person=COMMIT).digest()

    def commit(self, key: bytes, text: bytes) -> bytes:
        """Return HMAC-SHA-256."""
        return hmac.digest(key, text, "sha256")

    def tag(self, key: bytes, text: bytes) -> bytes:
        """Return BLAKE2s-128 of ``text``, keyed, person "epi-tags"."""
        return blake2s(text, digest_size=16, key=key, person=TAG).digest()

    def cipher(self, key: bytes) -> Cipher:
        """Return AES-256-GCM under ``key``."""
        return AESGCM(key)

    def part_cipher(self, leaf: bytes) -> Cipher:
        """Return AES-256-GCM under the "epi-seal" subkey of ``leaf``; in one step, for the hot path."""
        return AESGCM(blake2s(key=leaf, person=SEAL).digest())

    def open(self, cipher: Cipher, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return what AES-256-GCM sealed."""
        try:
            return cipher.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise TamperedError("the seal does not fit its key, place or bytes") from None


INTERNATIONAL = International()
