"""Commands about accounts: who may sign in, with which roles; passwords and second factors.

An account is given by an administrator who signs in: of the organisation, or of one above it. Only an
administrator's own account is made or reset without one (``init``, ``organisation add``, ``staff reset``),
by whoever runs the machine; the ledger shows each, and an administrator opens no record.
"""

import csv
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from epilock.accounts import administer, attest, credentials, password, roster, staff, totp
from epilock.accounts import session as sessions
from epilock.assemble import INSTALLATION
from epilock.cli import provider
from epilock.cli.files import read_small
from epilock.cli.identity import As, ask, check_over, entered, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.collect import qr
from epilock.errors import FileFormatError, InputError, SignInError

app = typer.Typer(no_args_is_help=True, help="Accounts: roles, passwords, second factors, tokens.")
app.add_typer(provider.app, name="provider")

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
            password = administer.reset(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, code=found.staff,
                by=administrator, now=parts.now(),
            )  # fmt: skip
    print(f"{login} of {org}, one-time password: {password}")


@app.command("password")
def change_password(*, who: As, home: Home = None, now: At = None) -> None:
    """Change your own password; the one-time one is used up by it."""
    with opened(home, now) as parts:
        found, old = entered(parts, who)
        new = ask(f"new password, at least {password.LEAST} characters", hide=True)
        if new != ask("the new password again", hide=True):
            raise InputError("the two new passwords differ")
        with parts.database.write() as tx:
            credentials.change_password(tx, org=found.org, code=found.staff, old=old, new=new)
    print("the password is changed")


@app.command("second-factor")
def enrol(*, who: As, home: Home = None, now: At = None) -> None:
    """Set up your own second factor (TOTP, RFC 6238): scan the code, type what the device shows."""
    with opened(home, now) as parts:
        found, _ = entered(parts, who)
        if found.must_change:
            raise SignInError("change the one-time password first: `epilock staff password`")
        key = totp.new_key()
        typer.echo(qr.terminal(totp.address(key, login=found.login, org=found.org)), err=True)
        typer.echo(f"or type this key: {key}", err=True)
        proof = ask("six digits")
        with parts.database.write() as tx:
            credentials.enrol_totp(
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
            codes = credentials.renew_recovery(tx, org=found.org, code=found.staff)
    print("\n".join(codes))


@app.command("review")
def review(
    org: Org,
    *,
    who: As,
    confirm: Annotated[list[str], typer.Option(help="Login to confirm. Repeatable.")] = [],  # noqa: B006 - typer reads it
    home: Home = None,
    now: At = None,
) -> None:
    """Show who joined, moved, left, is not seen, and is due to be confirmed; confirm accounts."""
    with opened(home, now) as parts:
        administrator, at = signed_in(parts, who, "administrator"), parts.now()
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            for login in confirm:
                code = staff.by_login(tx, org, login).staff
                attest.confirm(tx, org, code, by=administrator, now=at)
            found = attest.standings(tx, org, now=at)
    for each in found:
        state = f"left {each.left:%Y-%m-%d}" if each.left else f"due {each.due:%Y-%m-%d}"
        notes = "" if each.left else " ".join(each.notes(at))
        print(
            f"{each.account.login:20} {','.join(sorted(each.account.roles)) or '-':30} {state} {notes}".rstrip()
        )


@app.command("import")
def import_(
    org: Org,
    file: Annotated[Path, typer.Argument(help="CSV: userName, active, roles, externalId.")],
    *,
    who: As,
    disable_others: Annotated[
        bool, typer.Option("--disable-others", help="Disable accounts that the file doesn't name.")
    ] = False,
    fingerprint: Annotated[
        str | None, typer.Option(help="What a look printed: do exactly that. Without it: look.")
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(help="New file (mode 0600) for the one-time passwords.")
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Make, change and disable accounts as a file says (names of RFC 7643): look first, then do that."""
    body = read_small(file, roster.MAX_BYTES)
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        own = (administrator.org, administrator.staff)
        with parts.database.read() as tx:
            check_over(tx, administrator, org)
            planned = roster.plan(tx, org, body, others=disable_others, own=own)
        if fingerprint is None or planned.problems:
            _show(planned)
            return
        number = len(planned.of("new")) if planned.fingerprint == fingerprint else 0
        out = _new_file(passwords) if number else None
        once = roster.hashed(number)
        with parts.database.write() as tx:
            made = roster.carry_out(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, fingerprint=fingerprint, once=once,
                planned=roster.plan(tx, org, body, others=disable_others, own=own), now=parts.now(),
            )  # fmt: skip
            if (
                out is not None
            ):  # before the commit: passwords that nobody has would need a reset each
                with os.fdopen(out, "w", encoding="utf-8", newline="") as stream:
                    csv.writer(stream).writerows([("userName", "one-time password"), *made])
    print(f"{len(planned.changes)} accounts of {org} are as the file says, {len(made)} of them new")


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


def _show(planned: roster.Planned) -> None:
    """Print what a roster would do; its mistakes end the command.

    Raises:
        FileFormatError: It has some.
    """
    for each in planned.problems:
        print(f"line {each.line}, {each.column}: {each.what}")
    if planned.problems:
        raise FileFormatError(roster.MISTAKES)
    for change in planned.changes:
        before, after = (",".join(r or ()) or "-" for r in (change.before, change.after))
        print(f"{change.kind:8} {change.login:20} {before} -> {after}")
    print(f"{planned.same} stay as they are, {len(planned.left)} are not in the file and stay")
    print(f"fingerprint: {planned.fingerprint}")


def _new_file(path: Path | None) -> int:
    """Return a new file that its owner alone reads.

    Raises:
        InputError: No path was given, or it is there already.
    """
    if path is None:
        raise InputError("new accounts need --passwords FILE for their one-time passwords")
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}") from None


def _change(  # noqa: PLR0917 - one place for two commands
    org: str, login: str, roles: tuple[str, ...], who: str, home: Home, now: At
) -> None:
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            administer.set_roles(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, code=staff.by_login(tx, org, login).staff,
                roles=roles, by=administrator, now=parts.now(),
            )  # fmt: skip
