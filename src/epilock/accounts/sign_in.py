"""Signing in: by password and second factor, by a passkey, by the organisation's own provider.

A code of an authenticator is taken once; a recovery code stands in its place. A passkey is both factors, so an
account that has one is never entered by a password alone. What is typed is answered alike whether there is such
an account or not, and the answer never says which of login, password or code was wrong; failures are counted and
waited for (``guessing``).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from epilock.accounts import guessing, passkey, provider, recovery, tenure, totp
from epilock.accounts import password as passwords
from epilock.accounts.credentials import totp_step
from epilock.accounts.oidc import Claims, Trip
from epilock.accounts.passkey import Answer, Place
from epilock.accounts.staff import Staff, load, staff
from epilock.db import Transaction
from epilock.errors import SignInError


def by_password(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    login: str,
    password: str,
    code: str = "",
    known: bool = False,
    now: datetime,
) -> Staff | Exception:
    """Return the account, or why not; the caller commits in either case, for failures are counted.

    Args:
        tx: A writing transaction.
        secret: 32 bytes that seal second factors.
        org: Organisation.
        login: Login.
        password: Password.
        code: Six digits of its authenticator, or a recovery code, if the account has a second factor.
        known: Whether it is typed where this account signed in before, or at the machine's own terminal.
        now: The instant.

    Returns:
        ``Staff``, ``SignInError`` or ``RateError``.
    """
    waits = guessing.held(tx, org, login, known=known, now=now)
    if waits is not None:
        return waits
    rows = tx.all(staff, staff.c.org == org, staff.c.login == login, lock=True)
    row = rows[0] if rows and rows[0]["disabled"] is None else None
    fits = passwords.fits(row["password"] if row else passwords.NOBODYS, password)
    step = _second_step(tx, secret, row, code, now) if row else totp.nobodys_step(code, now)
    recovered = bool(row and step is None and fits and recovery.spend(tx, org, row["staff"], code))
    if row is not None and recovered:
        step = row["totp_step"]
    if row is None or not fits or step is None:
        guessing.failed(tx, org, login, now=now)
        return SignInError("login, password or code is wrong")
    guessing.forget(tx, org, login)
    tenure.note(tx, org, row["staff"], now=now, signed_in=now)
    tx.update(staff, {"org": org, "staff": row["staff"]}, totp_step=step)
    return replace(load(tx, org, row["staff"]), recovered=recovered)


def by_passkey(
    tx: Transaction, answer: Answer, *, place: Place, now: datetime
) -> Staff | SignInError:
    """Return the account whose passkey answered, or why not; the caller commits in either case.

    The question was spent before (``passkey.spend``). A passkey can't be guessed, so that an account which
    waits because somebody guesses its password is entered all the same.
    """
    org, code = passkey.account_of(answer)
    found = passkey.check(
        tx, answer, place=place, org=org, staff=code, challenge=answer.challenge, now=now
    )
    if isinstance(found, SignInError):
        return found
    who = load(tx, found.org, found.staff)
    if not who.roles:
        return SignInError("this account is disabled")
    tenure.note(tx, who.org, who.staff, now=now, signed_in=now)
    return who


def by_provider(
    tx: Transaction, trip: Trip, claims: Claims, *, client: str, now: datetime
) -> tuple[Staff, bool] | SignInError:
    """Return the account that a subject of the organisation's provider enters, or why not.

    With it comes whether a second factor was shown there; if not, the session is to be proved first. The token
    was verified before, and the trip has come back once.
    """
    found = provider.account_of(tx, trip, claims, client=client)
    if isinstance(found, SignInError):
        return found
    link, proved = found
    who = load(tx, link.org, link.staff)
    if not who.roles:
        return SignInError("this account is disabled")
    tenure.note(tx, who.org, who.staff, now=now, signed_in=now)
    return who, proved


def _second_step(
    tx: Transaction, secret: bytes, row: dict[str, Any], code: str, now: datetime
) -> int | None:
    """Return the step that a right code was taken of, or None: one is missing, or wrong.

    Without any second factor none is asked (0). With a passkey alone there is no right code: the password
    goes with a recovery code then.
    """
    if row["totp"] is None and passkey.holders(tx, row["org"], [row["staff"]]):
        return None
    return totp_step(secret, row, code, now)
