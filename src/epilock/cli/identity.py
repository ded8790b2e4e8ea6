"""Who acts at a terminal: the same accounts, passwords and second factors as in the console.

Whoever runs the machine can start a command; only who can sign in decides. So two persons are two also
here.
"""

import sys
from typing import Annotated

import typer

from epilock.accounts import sign_in
from epilock.accounts.staff import Staff
from epilock.assemble import INSTALLATION, Parts
from epilock.db import Transaction
from epilock.errors import ForbiddenError, InputError, SignInError
from epilock.registry import organisation as organisations

As = Annotated[
    str,
    typer.Option("--as", help="Who acts: login@organisation; the password is asked for."),
]


def ask(what: str, *, hide: bool = False) -> str:
    """Return what a person types, or the next line of standard input where a program gives it.

    Raises:
        InputError: Standard input has ended.
    """
    if sys.stdin.isatty():
        return str(typer.prompt(what, default="", show_default=False, hide_input=hide, err=True))
    line = sys.stdin.readline()
    if not line:
        raise InputError(f"{what}: standard input has no line for it")
    return line.rstrip("\r\n")


def entered(parts: Parts, who: str) -> tuple[Staff, str]:
    """Return the account ``login@organisation`` and the password that was typed, whatever its roles.

    Raises:
        InputError: ``who`` is not written so.
        SignInError: Login, password or code is wrong.
        RateError: Too many attempts.
    """
    login, at, org = who.rpartition("@")
    if not at or not login or not org:
        raise InputError("--as is written login@organisation, such as anna@sunny")
    password = ask("password", hide=True)
    code = ask("six digits of the second factor, or a recovery code, if any")
    with parts.database.write() as tx:
        found = sign_in.by_password(
            tx, secret=parts.keys.secret(INSTALLATION, "totp"), org=org, login=login,
            password=password, code=code, known=True, now=parts.now(),
        )  # fmt: skip
    if isinstance(found, Exception):
        raise found
    if found.recovered:
        typer.echo(
            "that recovery code is used up; renew them: `epilock staff recovery-codes`", err=True
        )
    return found, password


def signed_in(parts: Parts, who: str, *roles: str) -> Staff:
    """Return the account ``login@organisation`` after its password and second factor, if it has a role.

    Raises:
        InputError: ``who`` is not written so.
        SignInError: Login, password or code is wrong, or the password is still the one-time one.
        RateError: Too many attempts.
        ForbiddenError: The account has none of ``roles``.
    """
    found, _ = entered(parts, who)
    if found.must_change:
        raise SignInError(
            f"change the one-time password first: `epilock staff password --as {who}`"
        )
    if not found.roles & set(roles):
        raise ForbiddenError(f"this takes the role {' or '.join(roles)}")
    return found


def check_over(tx: Transaction, who: Staff, org: str) -> None:
    """Return if ``who`` belongs to the organisation or to one above it.

    Raises:
        ForbiddenError: They do not.
    """
    organisations.check_decides(tx, who.org, org)
