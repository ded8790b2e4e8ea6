"""Passwords of made-up people, hashed in a moment: what Argon2 costs keeps off whoever guesses, and a hash says what it costs.

Accounts that are made and passwords that are chosen on the program's own pages cost what they cost everybody.
"""

import secrets

from argon2 import PasswordHasher

_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hashed(password: str) -> str:
    """Return a hash that the program verifies as it does its own."""
    return _HASHER.hash(password)


def once() -> tuple[str, str]:
    """Return a one-time password and its hash, as ``staff.add_staff`` takes them."""
    password = secrets.token_hex(10)
    return password, hashed(password)
