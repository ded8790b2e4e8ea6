"""Cosignatures (c2sp.org/tlog-cosignature): what a witness signs, and the check of it.

A witness states: at this time, the largest consistent tree of this log that I have seen has this
root. The signature's bytes are a big-endian 64-bit time (POSIX seconds), then the signature.

Rules kept in this file:
  1. The Ed25519 message covers the checkpoint's whole text and not the witness's name, so that one
     Ed25519 key must not serve two witnesses.
  2. The ML-DSA-44 message covers the witness's name and not the checkpoint's extension lines.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from epilock.errors import ForgedError
from epilock.ledger.checkpoint import Checkpoint, parse
from epilock.ledger.notation import LARGEST

ED25519 = 0x04
ML_DSA_44 = 0x06
TIME_BYTES = 8
LABEL = b"subtree/v1\n\0"
MOST_NAME = 255  # the length is one byte


def ed25519_message(text: str, time: int) -> bytes:
    """Return what an Ed25519 witness signs of a checkpoint's ``text`` at ``time`` (POSIX seconds)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def ml_dsa_44_message(name: str, checkpoint: Checkpoint, time: int) -> bytes:
    """Return what the ML-DSA-44 witness ``name`` signs of ``checkpoint`` at ``time``.

    Raises:
        ValueError: Name or origin is longer than 255 bytes.
    """
    return b"".join(
        (
            LABEL,
            _counted(name),
            time.to_bytes(8),
            _counted(checkpoint.origin),
            (0).to_bytes(8),  # the first leaf: a checkpoint spans the whole tree
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        )
    )


def check(name: str, algorithm: int, public: bytes, text: str, data: bytes) -> int:
    """Return the time of the cosignature ``data`` of a checkpoint's ``text``, in POSIX seconds.

    Raises:
        ForgedError: The witness's key did not make it.
        NoteError: The text is no checkpoint.
    """
    time, signature = int.from_bytes(data[:TIME_BYTES]), data[TIME_BYTES:]
    checkpoint = parse(text)
    try:
        if algorithm == ED25519:
            Ed25519PublicKey.from_public_bytes(public).verify(
                signature, ed25519_message(text, time)
            )
        else:
            message = ml_dsa_44_message(name, checkpoint, time)
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise ForgedError(f"the cosignature of {name} fails") from None
    if time > LARGEST:
        raise ForgedError(f"the cosignature of {name} has a time after 2**63")
    return time


def _counted(text: str) -> bytes:
    data = text.encode()
    if not 0 < len(data) <= MOST_NAME:
        raise ValueError("a name in a cosignature has 1 to 255 bytes")
    return bytes([len(data)]) + data
