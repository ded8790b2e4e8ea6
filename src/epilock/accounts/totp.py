"""Codes of an authenticator: TOTP (RFC 6238), SHA-1, six digits, 30 seconds, keys of 160 bits."""

from datetime import datetime
from os import urandom

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from epilock.errors import TamperedError

STEP = 30  # seconds of a step (RFC 6238)
_NOBODYS_KEY = "NOBODYSKEYNOBODYSKEYNOBODYSKEYNO"


def new_key() -> str:
    """Return a fresh key: 160 random bits, base32."""
    return pyotp.random_base32(32)


def address(key: str, *, login: str, org: str) -> str:
    """Return the ``otpauth:`` address that a device reads off a QR code."""
    return pyotp.TOTP(key).provisioning_uri(name=f"{login}@{org}", issuer_name="Epilock")


def sealed(key: str, *, secret: bytes, org: str, code: str) -> bytes:
    """Return ``key`` as it is stored for the account ``code``: nonce and AES-256-GCM under ``secret``."""
    nonce = urandom(12)
    return nonce + AESGCM(secret).encrypt(nonce, key.encode(), _context(org, code))


def opened(stored: bytes, *, secret: bytes, org: str, code: str) -> str:
    """Return the key that ``sealed`` stored.

    Raises:
        TamperedError: It was changed, or belongs to another account.
    """
    try:
        return AESGCM(secret).decrypt(stored[:12], stored[12:], _context(org, code)).decode()
    except InvalidTag:
        raise TamperedError(f"staff ({code}): the second factor was changed") from None


def step_of(key: str, proof: str, now: datetime, *, after: int) -> int | None:
    """Return the step, one around now and later than ``after``, whose code is ``proof``, or None."""
    made = pyotp.TOTP(key)
    here = int(now.timestamp()) // STEP
    for step in (here - 1, here, here + 1):
        if step > after and pyotp.utils.strings_equal(made.at(step * STEP), proof.strip()):
            return step
    return None


def nobodys_step(proof: str, now: datetime) -> int | None:
    """Do what ``step_of`` does for a login that nobody has, so that it costs as much time."""
    return step_of(_NOBODYS_KEY, proof, now, after=0)


def _context(org: str, code: str) -> bytes:
    return f"totp|{org}|{code}".encode()
