"""Credentials: the password and the second factors with which the person of an account proves to be there.

They are changed by whoever holds the account; who has lost them is given new ones by an administrator
(``staff.reset``). Passkeys have a module of their own (``passkey``).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from epilock.accounts import passkey, recovery, totp
from epilock.accounts import password as passwords
from epilock.accounts.staff import load, staff
from epilock.db import Transaction
from epilock.errors import InputError, SignInError, StateError

_UNFIT = "the code does not fit; compare the clock of your device and try the next one"


def change_password(tx: Transaction, *, org: str, code: str, old: str, new: str) -> None:
    """Change an account's password; the one-time one is used up by it.

    Raises:
        SignInError: The old password is wrong.
        InputError: The new one is too short, too long or the old one.
    """
    row = tx.get(staff, org=org, staff=code, lock=True)
    if not passwords.fits(row["password"], old):
        raise SignInError("the old password is wrong")
    hashed = passwords.hashed(new, before=old)
    tx.update(staff, {"org": org, "staff": code}, password=hashed, must_change=False)


def check_password(tx: Transaction, *, org: str, code: str, password: str) -> None:
    """Return if ``password`` is the account's.

    Raises:
        SignInError: It is not.
    """
    if not passwords.fits(tx.get(staff, org=org, staff=code)["password"], password):
        raise SignInError("the password is wrong")


def enrol_totp(
    tx: Transaction, *, secret: bytes, org: str, code: str, key: str, proof: str, now: datetime
) -> None:
    """Enrol a second factor whose base32 ``key`` the person's device holds; ``proof`` is its code now.

    Raises:
        InputError: The proof does not fit the key.
    """
    step = totp.step_of(key, proof, now, after=0)
    if step is None:
        raise InputError(_UNFIT)
    sealed = totp.sealed(key, secret=secret, org=org, code=code)
    tx.update(staff, {"org": org, "staff": code}, totp=sealed, totp_step=step)


def prove_totp(
    tx: Transaction, *, secret: bytes, org: str, code: str, proof: str, now: datetime
) -> None:
    """Return if ``proof`` is what the account's authenticator shows now; it is taken once.

    Raises:
        SignInError: It is not, or the account has none.
    """
    row = tx.get(staff, org=org, staff=code, lock=True)
    step = None if row["totp"] is None else totp_step(secret, row, proof, now)
    if step is None:
        raise SignInError(_UNFIT)
    tx.update(staff, {"org": org, "staff": code}, totp_step=step)


def remove_totp(tx: Transaction, *, org: str, code: str) -> None:
    """Remove the authenticator with codes.

    Raises:
        StateError: It is the last second factor.
    """
    if all(p.shut for p in passkey.of(tx, org, code)):
        raise StateError("this is your last second factor; set up another first")
    tx.update(staff, {"org": org, "staff": code}, totp=None)


def renew_recovery(tx: Transaction, *, org: str, code: str) -> list[str]:
    """Make new recovery codes for an account, to be shown once; the old ones are void.

    Raises:
        StateError: It has no second factor that they could stand for.
    """
    if not load(tx, org, code).has_factor:
        raise StateError("recovery codes stand for a second factor; set up one first")
    return recovery.renew(tx, org, code)


def totp_step(secret: bytes, row: Mapping[str, Any], proof: str, now: datetime) -> int | None:
    """Return the step of a right code of the account in ``row`` (0 if no authenticator is enrolled), or None.

    Raises:
        TamperedError: The stored key was changed.
    """
    if row["totp"] is None:
        return 0
    key = totp.opened(bytes(row["totp"]), secret=secret, org=row["org"], code=row["staff"])
    return totp.step_of(key, proof, now, after=row["totp_step"])
