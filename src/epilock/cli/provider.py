"""Commands about an organisation's own identity provider: setting it, and which account enters by which subject there.

They ask an administrator to sign in, as the console's page does. The client's secret is typed, read from standard
input or from a file that its owner alone may read; it is no argument, since other processes see those.
"""

from pathlib import Path
from typing import Annotated

import typer

from epilock import durable
from epilock.accounts import administer, provider, staff
from epilock.assemble import INSTALLATION
from epilock.cli.identity import As, ask, check_over, signed_in
from epilock.cli.installation import At, Home, instant_text, opened
from epilock.errors import InputError

app = typer.Typer(
    no_args_is_help=True, help="An organisation's own identity provider, and who enters by it."
)
Org = Annotated[str, typer.Argument(help="Code of the organisation.")]
Login = Annotated[str, typer.Argument(help="Login of the account here.")]
_MOST_FILE = 4 * provider.MOST_SECRET + 2  # bytes of the longest secret in UTF-8, and a line's end


@app.command("set")
def set_(
    org: Org,
    *,
    issuer: Annotated[str, typer.Option(help="The provider's name, exactly as it writes it.")],
    client: Annotated[str, typer.Option(help="Our id there (client_id).")],
    factor: Annotated[
        list[str],
        typer.Option(help="Value of acr or amr that tells of a second factor. Repeatable."),
    ] = [],  # noqa: B006 - typer reads it
    secret_file: Annotated[
        Path | None,
        typer.Option(help="File (mode 0600) with the client's secret; asked for if not given."),
    ] = None,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Set the provider; a change ends the sessions of linked accounts, another issuer or client the links too.

    No secret: the one that is known stays.
    """
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.read() as tx:
            check_over(tx, administrator, org)
        secret = _secret(secret_file)
        with parts.database.write() as tx:
            made = administer.set_provider(
                tx, secret=parts.keys.secret(INSTALLATION, "provider"), org=org, issuer=issuer, client=client,
                client_secret=secret, factors=tuple(factor), now=parts.now(),
            )  # fmt: skip
            left = len(provider.of(tx, org))
        back = provider.back_at(parts.settings.url)
    print(f"{org} signs in at {made.issuer}; {left} accounts are linked")
    print(f"register this address of return there: {back}")


@app.command("show")
def show(org: Org, *, who: As, home: Home = None, now: At = None) -> None:
    """Show the provider and the accounts that are linked; the client's secret is shown to nobody."""
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.read() as tx:
            check_over(tx, administrator, org)
            found, linked = provider.load(tx, org), provider.of(tx, org)
            logins = {one.staff: staff.load(tx, org, one.staff).login for one in linked}
        back = provider.back_at(parts.settings.url)
    print(f"issuer             {found.issuer}")
    print(f"client             {found.client}")
    print(f"second factor by   {' '.join(found.factors) or '-'}")
    print(f"address of return  {back}")
    print(f"set                {instant_text(found.set)}")
    for one in linked:
        print(f"linked             {logins[one.staff]}  {one.sub}")


@app.command("remove")
def remove(org: Org, *, who: As, home: Home = None, now: At = None) -> None:
    """Remove the provider, all links and the sessions of linked accounts; sign-in is by password or passkey then."""
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            provider.load(tx, org)
            administer.remove_provider(tx, org)
    print(f"{org} has no identity provider any more")


@app.command("link")
def link(
    org: Org,
    login: Login,
    sub: Annotated[str, typer.Argument(help="What the provider calls this person (sub).")],
    *,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Let an account be entered by a subject of the provider; its sessions end, and the ledger shows it."""
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            administer.link(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, login=login, sub=sub, by=administrator,
                now=parts.now(),
            )  # fmt: skip
    print(f"{login} of {org} is entered by this subject of the provider")


@app.command("unlink")
def unlink(org: Org, login: Login, *, who: As, home: Home = None, now: At = None) -> None:
    """End the link of an account, and its sessions."""
    with opened(home, now) as parts:
        administrator = signed_in(parts, who, "administrator")
        with parts.database.write() as tx:
            check_over(tx, administrator, org)
            administer.unlink(tx, org=org, login=login)
    print(f"{login} of {org} is linked to no subject")


def _secret(path: Path | None) -> str:
    """Return the client's secret, or "" for the one that is known.

    Raises:
        InputError: Its file can't be read, is open to others, is longer than a secret, or is no text.
    """
    if path is None:
        return ask("secret of the client, empty for the one that is known", hide=True)
    found = durable.read_private(path, "the secret's file", most=_MOST_FILE, error=InputError)
    try:
        return found.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"the secret's file {path.name} is not text in UTF-8") from None
