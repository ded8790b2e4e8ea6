"""Who acts at a terminal: the same accounts, passwords and second factors as in the console.

Whoever runs the machine can start a command; only who can sign in decides. So two persons are two also
here.
"""

from typing import Annotated

import typer

from epilock.assemble import INSTALLATION, Parts
from epilock.errors import ForbiddenError, InputError, SignInError
from epilock.use import staff
from epilock.use.staff import Staff

As = Annotated[
    str,
    typer.Option("--as", help="Who acts: login@organisation; the password is asked for."),
]


def signed_in(parts: Parts, who: str, *roles: str) -> Staff:
    """Return the account ``login@organisation`` after its password and second factor, if it has a role.

    Raises:
        InputError: ``who`` is not written so.
        SignInError: Login, password or code is wrong, or the password is still the one-time one.
        RateError: Too many attempts.
        ForbiddenError: The account has none of ``roles``.
    """
    login, at, org = who.rpartition("@")
    if not at or not login:
        raise InputError("--as is written login@organisation, such as anna@sunny")
    password = typer.prompt("password", hide_input=True, err=True)
    code = typer.prompt(
        "six digits of the second factor, if any", default="", show_default=False, err=True
    )
    with parts.database.write() as tx:
        found = staff.sign_in(
            tx, secret=parts.keys.secret(INSTALLATION, "totp"), org=org, login=login,
            password=password, code=code, now=parts.now(),
        )  # fmt: skip
    if isinstance(found, Exception):
        raise found
    if found.must_change:
        raise SignInError("change the one-time password in the console first")
    if not found.roles & set(roles):
        raise ForbiddenError(f"this takes the role {' or '.join(roles)}")
    return found
