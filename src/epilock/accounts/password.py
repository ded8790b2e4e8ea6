"""Passwords: Argon2id, and the one-time ones of new accounts.

Argon2id is RFC 9106's, second recommended option: 64 MiB, 3 passes, 4 lanes by the library's defaults.
"""

from base64 import b32encode
from os import urandom

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from epilock.errors import InputError

LEAST = 12  # characters (NIST SP 800-63B asks for 8; ours is stricter)
MOST = 200
_HASHER = PasswordHasher()
# The hash of a password that nobody knows, so that an unknown login costs as much time as a known one; made
# once with the parameters of ``_HASHER``, for making it takes a tenth of a second of every start.
NOBODYS = (
    "$argon2id$v=19$m=65536,t=3,p=4$Nk9uOf1UEVgl7VWut9AZ0w$"
    "kJoPyc9lnKQbk+XvkiGBMOulLLJdX5DW8c3+vweh0OM"
)


def fits(hashed: str, password: str) -> bool:
    """Tell whether ``hashed`` was made of ``password``."""
    try:
        return _HASHER.verify(hashed, password[:MOST])
    except Argon2Error:
        return False


def hashed(password: str, *, before: str) -> str:
    """Return the hash of a password that a person chose in the place of ``before``.

    Raises:
        InputError: It is too short, too long or the old one.
    """
    if not LEAST <= len(password) <= MOST or password == before:
        raise InputError(f"a password has {LEAST} to {MOST} characters and is new")
    return _HASHER.hash(password)


def one_time() -> tuple[str, str]:
    """Return a fresh one-time password of 80 random bits, and its hash.

    It is hashed like any other, though it needs less: else the time of an answer would tell new accounts.
    """
    password = b32encode(urandom(10)).decode().lower()
    return password, _HASHER.hash(password)
