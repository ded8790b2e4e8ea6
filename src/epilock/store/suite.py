"""Cipher suites: the algorithms that everything stored is sealed with, behind one interface.

The international suite is AES-256-GCM (NIST SP 800-38D), BLAKE2s (RFC 7693) and HMAC-SHA-256 (RFC
2104). The national suite is SM4-GCM (GB/T 32907-2016, RFC 8998) and HMAC-SM3 (GB/T 32905-2016). An
organisation has one of them from its beginning to its end (``keys.KeyStore.choose_suite``). The suite's
name stands in the associated data of all that is sealed, so that bytes of one suite never open under another.
"""

import hmac
from collections.abc import Sequence
from hashlib import blake2s
from typing import Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from epilock.errors import InputError, TamperedError

KEY_BYTES = 32
NONCE_BYTES = 12
OVERHEAD = 16  # bytes that a seal adds
SEAL, COMMIT, TAG, LINE = b"epi-seal", b"epi-comm", b"epi-tags", b"epi-line"

Commits = Literal["HMAC-SHA-256", "HMAC-SM3"]

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

    @property
    def commits_by(self) -> Commits:
        """What a commitment is made with, as a receipt names it."""

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
    commits_by: Commits = "HMAC-SHA-256"

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


class SM4GCM:
    """SM4 in Galois counter mode, with a tag of 16 bytes (GB/T 32907-2016; RFC 8998, section 2).

    Args:
        key: 16 bytes.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return ``data`` sealed, its tag behind it."""
        sealing = BlockCipher(self._key, modes.GCM(nonce)).encryptor()
        sealing.authenticate_additional_data(associated_data or b"")
        return sealing.update(data) + sealing.finalize() + sealing.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return what was sealed.

        Raises:
            InvalidTag: Key, nonce, bytes or associated data are not those of the sealing.
            ValueError: It is too short for a tag, or the nonce for a nonce.
        """
        body, tag = data[:-OVERHEAD], data[-OVERHEAD:]
        opening = BlockCipher(self._key, modes.GCM(nonce, tag)).decryptor()
        opening.authenticate_additional_data(associated_data or b"")
        return opening.update(body) + opening.finalize()


class National:
    """SM4-GCM, HMAC-SM3.

    SM4's keys have 16 bytes: the first 16 of HMAC-SM3 under ours, over "epi-sm4k".
    """

    name = "national-1"
    commits_by: Commits = "HMAC-SM3"

    def child(self, parent: bytes, position: int) -> bytes:
        """Return HMAC-SM3 under the parent, over "epi-tree" and the one byte ``position``."""
        return _hmac_sm3(parent, b"epi-tree" + _POSITIONS[position])

    def subkey(self, key: bytes, purpose: bytes, data: bytes = b"") -> bytes:
        """Return HMAC-SM3 under ``key``, over ``purpose`` and ``data``."""
        return _hmac_sm3(key, purpose + data)

    def commitment_key(self, leaves: Sequence[bytes]) -> bytes:
        """Return the "epi-comm" subkey of the first leaf over the others, as ``International``."""
        return _hmac_sm3(leaves[0], COMMIT + b"".join(leaves[1:]))

    def commit(self, key: bytes, text: bytes) -> bytes:
        """Return HMAC-SM3."""
        return _hmac_sm3(key, text)

    def tag(self, key: bytes, text: bytes) -> bytes:
        """Return the first 16 bytes of HMAC-SM3 over "epi-tags" and ``text``."""
        return _hmac_sm3(key, TAG + text)[:16]

    def cipher(self, key: bytes) -> Cipher:
        """Return SM4-GCM under the first 16 bytes of HMAC-SM3 under ``key``, over "epi-sm4k"."""
        return SM4GCM(_hmac_sm3(key, b"epi-sm4k")[:16])

    def part_cipher(self, leaf: bytes) -> Cipher:
        """Return the cipher of the "epi-seal" subkey of ``leaf``."""
        return self.cipher(_hmac_sm3(leaf, SEAL))

    def open(self, cipher: Cipher, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return what SM4-GCM sealed."""
        try:
            return cipher.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):  # ValueError: a nonce or a tag cut short
            raise TamperedError("the seal does not fit its key, place or bytes") from None


def _hmac_sm3(key: bytes, data: bytes) -> bytes:
    mac = HMAC(key, SM3())
    mac.update(data)
    return mac.finalize()


INTERNATIONAL = International()
NATIONAL = National()
SUITES: dict[str, Suite] = {each.name: each for each in (INTERNATIONAL, NATIONAL)}


def named(name: str) -> Suite:
    """Return the suite of this name.

    Raises:
        InputError: There is none.
    """
    if name not in SUITES:
        raise InputError(f"a suite is one of {', '.join(SUITES)}")
    return SUITES[name]
