"""Commands about accounts: who may sign in, with which roles; passwords and second factors.

An account is given by an administrator who signs in: of the organisation, or of one above it. Only an
administrator's own account is made or reset without one (``init``, ``organisation add``, ``staff reset``),
by whoever runs the machine; the ledger shows each, and an administrator opens no record.
"""

from datetime import timedelta
from typing import Annotated

import typer

from epilock.assemble import INSTALLATION, Parts
from epilock.cli.identity import As, ask, check_over, entered, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.collect import qr
from epilock.errors import InputError, SignInError
from epilock.use import session as sessions
from epilock.use import staff

app = typer.Typer(no_args_is_help=True, help="Accounts: roles, passwords, second factors, tokens.")

Org = Annotated[str, typer.Argument(help="Code of the account's organisation.")]
Login = Annotated[str, typer.Argument(help="What the person types at sign-in.")]
Roles = Annotated[list[str], typer.Option("--role", help=f"{', '.join(staff.ROLES)}. Repeatable.")]
MOST_DAYS = sessions.API_LONGEST.days


@app.command("add")
def add(org: Org, login: Login, *, role: Roles, who: As, home: Home = None, now: At = None) -> None:
    """Add an account; its one-time password is printed once."""
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            made, password = staff.add_staff(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, login=login,
                roles=tuple(role), now=parts.now(),
            )  # fmt: skip
    print(f"{made.login} of {org} ({made.staff}), one-time password: {password}")


@app.command("list")
def list_accounts(org: Org, *, home: Home = None) -> None:
    """List the accounts of an organisation that are not disabled."""
    with opened(home) as parts, parts.database.read() as tx:
        for each in staff.listing(tx, org):
            factor = "second factor" if each.has_factor else "no second factor"
            new = ", one-time password" if each.must_change else ""
            print(f"{each.staff} {each.login:20} {','.join(sorted(each.roles))} ({factor}{new})")


@app.command("roles")
def set_roles(
    org: Org, login: Login, *, role: Roles, who: As, home: Home = None, now: At = None
) -> None:
    """Give an account other roles in the place of those it has."""
    _change(org, login, tuple(role), who, home, now)
    print(f"{login} of {org} is now {', '.join(sorted(role))}")


@app.command("disable")
def disable(org: Org, login: Login, *, who: As, home: Home = None, now: At = None) -> None:
    """Disable an account: its sessions and tokens end, it signs in no more."""
    _change(org, login, (), who, home, now)
    print(f"{login} of {org} is disabled")


@app.command("reset")
def reset(
    org: Org,
    login: Login,
    *,
    who: Annotated[
        str | None,
        typer.Option("--as", help="The administrator; an administrator's own account needs none."),
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Give an account a new one-time password and no second factor; the ledger shows it."""
    with opened(home, now) as parts:
        administrator = None if who is None else signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            found = staff.by_login(tx, org, login)
            if administrator is not None:
                check_over(tx, administrator, org)
            elif "administrator" not in found.roles:
                raise InputError("this account is reset by an administrator: give --as")
            password = staff.reset(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, code=found.staff,
                now=parts.now(),
            )  # fmt: skip
            sessions.end_all(tx, found)
    print(f"{login} of {org}, one-time password: {password}")


@app.command("password")
def change_password(*, who: As, home: Home = None, now: At = None) -> None:
    """Change your own password; the one-time one is used up by it."""
    with opened(home, now) as parts:
        found, old = entered(parts, who)
        new = ask(f"new password, at least {staff.MIN_PASSWORD} characters", hide=True)
        if new != ask("the new password again", hide=True):
            raise InputError("the two new passwords differ")
        with parts.database.write() as tx:
            staff.change_password(tx, org=found.org, code=found.staff, old=old, new=new)
    print("the password is changed")


@app.command("second-factor")
def enrol(*, who: As, home: Home = None, now: At = None) -> None:
    """Set up your own second factor (TOTP, RFC 6238): scan the code, type what the device shows."""
    with opened(home, now) as parts:
        found, _ = entered(parts, who)
        if found.must_change:
            raise SignInError("change the one-time password first: `epilock staff password`")
        key = staff.new_totp_key()
        typer.echo(qr.terminal(staff.totp_address(key, login=found.login, org=found.org)), err=True)
        typer.echo(f"or type this key: {key}", err=True)
        proof = ask("six digits")
        with parts.database.write() as tx:
            staff.enrol_totp(
                tx, secret=parts.keys.secret(INSTALLATION, "totp"), org=found.org,
                code=found.staff, key=key, proof=proof, now=parts.now(),
            )  # fmt: skip
    print("the second factor is set up; each sign-in asks for its code")


@app.command("recovery-codes")
def renew_recovery(*, who: As, home: Home = None, now: At = None) -> None:
    """Make ten recovery codes for your own account, printed once; the old ones are void.

    Each stands once for the second factor, at a sign-in with the password.
    """
    with opened(home, now) as parts:
        found = signed_in(parts, who, *staff.ROLES)
        with parts.database.write() as tx:
            codes = staff.renew_recovery(tx, org=found.org, code=found.staff)
    print("\n".join(codes))


@app.command("token")
def make_token(
    *,
    who: As,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Days until it ends.")] = 30,
    home: Home = None,
    now: At = None,
) -> None:
    """Make an API token with your own rights; it is printed once and kept as its hash."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, *staff.ROLES)
        with parts.database.write() as tx:
            token = sessions.begin(
                tx, found, now=parts.now(), kind="api", span=timedelta(days=days)
            )
    print(token)


def _change(  # noqa: PLR0917 - one place for two commands
    org: str, login: str, roles: tuple[str, ...], who: str, home: Home, now: At
) -> None:
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        _set(parts, administrator, org, login, roles)


def _set(
    parts: Parts, administrator: staff.Staff, org: str, login: str, roles: tuple[str, ...]
) -> None:
    with parts.database.write() as tx:
        check_over(tx, administrator, org)
        found = staff.by_login(tx, org, login)
        staff.set_roles(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, code=found.staff, roles=roles,
            now=parts.now(),
        )  # fmt: skip
        if not roles:
            sessions.end_all(tx, found)
