"""Signed notes (c2sp.org/signed-note): a text, an empty line, and lines that say who signed it.

Rules kept in this file:
  1. A signature by a key that is not known is ignored, even if it shares a name or a key id (not
     both) with a known one.
  2. A signature of a known key that fails rejects the whole note, even beside a good one.
  3. A note without a good signature of a known key is rejected.
  4. A key that signed twice counts once.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from epilock.errors import ForgedError, NoteError
from epilock.ledger import cosignature
from epilock.ledger.notation import base64

ED25519 = 0x01  # signs the note's text itself; the cosignatures sign a message of their own
KEY_BYTES = {ED25519: 32, cosignature.ED25519: 32, cosignature.ML_DSA_44: 1312}

MOST_BYTES = 1 << 20
MOST_SIGNATURES = 100  # 16 must be accepted; a line of ML-DSA-44 is 3,280 bytes
KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, parsed but not yet checked.

    Attributes:
        name: Key name.
        key_id: Four bytes that tell keys of one name apart.
        data: What follows the key id: the signature, for a cosignature after 8 bytes of time.
    """

    name: str
    key_id: bytes
    data: bytes

    def line(self) -> str:
        """Return the line as it stands in a note, with its newline."""
        return f"— {self.name} {b64encode(self.key_id + self.data).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that is known: who signs under which name with which algorithm.

    Attributes:
        name: Key name; for a log its origin.
        algorithm: Signature type byte, one of ``KEY_BYTES``.
        public: Raw public key.
    """

    name: str
    algorithm: int
    public: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", key_id(self.name, self.algorithm, self.public))

    @classmethod
    def from_vkey(cls, text: str) -> "Verifier":
        """Return the key written as ``<name>+<8 hex digits>+<base64>``.

        Raises:
            NoteError: It is not so written, of an unknown type, or its key id is not its hash.
        """
        name, _, rest = text.partition("+")
        hex_id, _, encoded = rest.partition("+")
        if not is_key_name(name) or not KEY_ID.fullmatch(hex_id):
            raise NoteError("a verifier key is written <name>+<8 hex digits>+<base64>")
        try:
            data = base64(encoded, "a verifier key's last part")
        except ValueError as error:
            raise NoteError(str(error)) from None
        if not data or len(data) - 1 != KEY_BYTES.get(data[0]):
            raise NoteError(
                "a verifier key must be Ed25519 (type 1 or 4, 32 bytes) or ML-DSA-44 (type 6, 1312 bytes)"
            )
        verifier = cls(name, data[0], data[1:])
        if verifier.key_id.hex() != hex_id:
            raise NoteError(f"the verifier key of {name} was mistyped: its key id does not fit it")
        return verifier

    @property
    def vkey(self) -> str:
        """The key as text, to be given to those who verify."""
        key = b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def check(self, text: str, data: bytes) -> None:
        """Return if ``data`` is this key's signature of the note's ``text``.

        Raises:
            ForgedError: It is not.
        """
        if self.algorithm != ED25519:
            cosignature.check(self.name, self.algorithm, self.public, text, data)
            return
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(data, text.encode())
        except (InvalidSignature, ValueError):
            raise ForgedError(f"the signature of {self.name} fails") from None


class NoteSigner(Protocol):
    """What ``sign`` needs: something that signs a note's text."""

    def sign(self, text: str) -> Signature:
        """Return the signature of ``text``."""
        ...


class Ed25519Key(Protocol):
    """An Ed25519 key (RFC 8032), which may lie in another process."""

    def public(self) -> bytes:
        """Return the public half, 32 bytes."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes; signing again gives the same."""


class SeedKey:
    """An Ed25519 key in this process, from its 32-byte ``seed``."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    def public(self) -> bytes:
        """Return the public half."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(data)


class Signer:
    """An Ed25519 key that signs notes under a name (RFC 8032: signing again gives the same bytes).

    Attributes:
        name: Key name; for a log its origin.
        verifier: The public half.
    """

    def __init__(self, name: str, key: Ed25519Key) -> None:
        if not is_key_name(name):
            raise NoteError("a key name must not be empty and holds no space, no + and no control")
        self.name = name
        self.verifier = Verifier(name, ED25519, key.public())
        self._key = key

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "Signer":
        """Return the signer of a 32-byte ``seed``."""
        return cls(name, SeedKey(seed))

    @property
    def vkey(self) -> str:
        """The public half as text."""
        return self.verifier.vkey

    def sign(self, text: str) -> Signature:
        """Return the signature of ``text``."""
        return Signature(self.name, self.verifier.key_id, self._key.sign(text.encode()))


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """Return the four bytes that name a key: ``SHA-256(name || 0x0A || type || key)[:4]``."""
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def is_key_name(name: str) -> bool:
    """Tell whether ``name`` may name a key: not empty, no Unicode space, no ``+``, no control."""
    return bool(name) and not any(c.isspace() or c == "+" or c < " " for c in name)


def sign(text: str, signers: Sequence[NoteSigner]) -> str:
    """Return the note of ``text``, signed by each of ``signers``.

    Raises:
        NoteError: The text does not end in a newline or holds control characters.
    """
    _check_text(text)
    return text + "\n" + "".join(signer.sign(text).line() for signer in signers)


def parse(note: str) -> tuple[str, tuple[Signature, ...]]:
    """Return the text of ``note`` and its signature lines, nothing of it checked yet.

    Raises:
        NoteError: It is not a signed note; the message says what is missing.
    """
    if len(note) > MOST_BYTES:
        raise NoteError(f"a signed note has at most {MOST_BYTES} bytes")
    text, gap, lines = note.rpartition("\n\n")
    if not gap:
        raise NoteError("a signed note has an empty line between its text and its signatures")
    text += "\n"
    _check_text(text)
    if not lines.endswith("\n"):
        raise NoteError("a signed note ends with a signature line and a newline")
    signatures = tuple(_parse_line(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MOST_SIGNATURES:
        raise NoteError(f"a signed note has at most {MOST_SIGNATURES} signatures")
    return text, signatures


def open_note(note: str, verifiers: Sequence[Verifier]) -> tuple[str, tuple[Verifier, ...]]:
    """Return the text of ``note`` and who of ``verifiers`` signed it, each once, in their order.

    Raises:
        NoteError: It is not a signed note, or none of ``verifiers`` signed it.
        ForgedError: A signature of one of them fails.
    """
    text, signatures = parse(note)
    known = {(v.name, v.key_id): v for v in verifiers}
    good = set()
    for signature in signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            verifier.check(text, signature.data)
            good.add(verifier)
    if not good:
        raise NoteError("no known key signed this note")
    return text, tuple(v for v in dict.fromkeys(verifiers) if v in good)


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise NoteError("a note's text ends in a newline and holds no other control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError("a note's text must be valid Unicode") from None


def _parse_line(line: str) -> Signature:
    mark, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if mark != "—" or not is_key_name(name):
        raise NoteError("a signature line is written: em dash, space, key name, space, base64")
    try:
        data = base64(encoded, f"the signature of {name}")
    except ValueError as error:
        raise NoteError(str(error)) from None
    if len(data) <= 4:  # noqa: PLR2004 - the key id's four bytes, and nothing signed
        raise NoteError(f"the signature of {name} is too short")
    return Signature(name, data[:4], data[4:])
