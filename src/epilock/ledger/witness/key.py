"""The keys of a witness: one Ed25519, one ML-DSA-44, under one name, in one file of mode 0600.

New readers ask for ML-DSA-44 (FIPS 204), which a quantum computer does not forge; Ed25519 is what fits
into a QR code and what a browser can check. The specification lets one witness answer with both.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from epilock.errors import ConflictError, FileFormatError, NotFoundError
from epilock.ledger import cosignature
from epilock.ledger.checkpoint import parse
from epilock.ledger.notation import base64, base64_text
from epilock.ledger.note import Signature, Verifier, is_key_name

SEED_BYTES = 32
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Cosigner:
    """One key of a witness.

    Attributes:
        verifier: Its public half, with the witness's name.
    """

    verifier: Verifier
    _sign: Callable[[bytes], bytes]

    @classmethod
    def ed25519(cls, name: str, seed: bytes) -> "Cosigner":
        """Return the Ed25519 cosigner of a 32-byte ``seed``."""
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = key.public_key().public_bytes_raw()
        return cls(Verifier(name, cosignature.ED25519, public), key.sign)

    @classmethod
    def ml_dsa_44(cls, name: str, seed: bytes) -> "Cosigner":
        """Return the ML-DSA-44 cosigner of a 32-byte ``seed``."""
        key = MLDSA44PrivateKey.from_seed_bytes(seed)
        public = key.public_key().public_bytes_raw()
        return cls(Verifier(name, cosignature.ML_DSA_44, public), key.sign)

    def cosign(self, text: str, time: int) -> Signature:
        """Return the cosignature of a checkpoint's ``text`` at ``time`` (POSIX seconds, not 0)."""
        if self.verifier.algorithm == cosignature.ED25519:
            message = cosignature.ed25519_message(text, time)
        else:
            message = cosignature.ml_dsa_44_message(self.verifier.name, parse(text), time)
        data = time.to_bytes(cosignature.TIME_BYTES) + self._sign(message)
        return Signature(self.verifier.name, self.verifier.key_id, data)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    ed25519: str
    ml_dsa_44: str


def make(path: Path, name: str) -> tuple[Cosigner, ...]:
    """Make the keys of the witness ``name`` (a schema-less URL by habit) in a new file.

    Raises:
        FileFormatError: ``name`` can't be a key's name, or has more than 255 bytes.
        ConflictError: The file is there.
    """
    if not is_key_name(name) or len(name.encode()) > cosignature.MOST_NAME:
        raise FileFormatError(
            "a witness's name has 1 to 255 bytes and no space, no + and no control: witness.example/office"
        )
    seeds = [base64_text(os.urandom(SEED_BYTES)) for _ in range(2)]
    data = msgspec.json.format(msgspec.json.encode(_File(name, *seeds)), indent=1)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"{path.name} is there already: a witness keeps its keys") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return load(path)


def load(path: Path) -> tuple[Cosigner, ...]:
    """Return the cosigners of the file at ``path``: Ed25519, then ML-DSA-44.

    Raises:
        NotFoundError: There is none.
        FileFormatError: It is not a witness's file of keys, or others can read it.
    """
    try:
        with path.open("rb") as file:
            data, mode = file.read(MOST_BYTES), os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing; `epilock witness init` makes it") from None
    if mode & 0o077:
        raise FileFormatError(f"{path.name} can be read by others; its mode must be 0600")
    try:
        found = msgspec.json.decode(data, type=_File)
        ed25519 = base64(found.ed25519, "ed25519", size=SEED_BYTES)
        ml_dsa_44 = base64(found.ml_dsa_44, "ml_dsa_44", size=SEED_BYTES)
    except (msgspec.DecodeError, ValueError):  # not chained: the message could hold a seed
        raise FileFormatError(f"{path.name} is not a witness's file of keys") from None
    return Cosigner.ed25519(found.name, ed25519), Cosigner.ml_dsa_44(found.name, ml_dsa_44)
