"""Who approves, and what they signed, as the key service knows it: at its own machine, never through the pages."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock.assemble import open_keys
from epilock.cli.installation import Home, instant_text
from epilock.cli.key_service import where_keys_are
from epilock.db import Database
from epilock.errors import InputError
from epilock.store import approval
from epilock.store.approval import StatementOfMany
from epilock.store.keyservice import granted
from epilock.store.keyservice.desk import sealing
from epilock.store.keyservice.granted import Known

app = typer.Typer(no_args_is_help=True, help="Whose passkeys sign grants (key service).")
signed = typer.Typer(no_args_is_help=True, help="Grants that were signed (key service).")
Org = Annotated[str, typer.Argument(help="Organisation whose grants they sign.")]


@app.command("add")
def add(
    org: Org,
    line: Annotated[
        str, typer.Argument(help="The line epilock-approver:... of the person's account page.")
    ],
    *,
    fingerprint: Annotated[
        str, typer.Option(help="As the person reads it out by telephone; asked for if not given.")
    ] = "",
    home: Home = None,
) -> None:
    """Let a passkey sign grants that an organisation asks for, once its person has read out the fingerprint."""
    approver = approval.read_approver(line)
    heard = fingerprint or typer.prompt("Fingerprint, as its person reads it out by telephone")
    if "".join(heard.split()).lower() != approver.fingerprint().replace(" ", ""):
        raise InputError("the fingerprint is another one: the line was exchanged on its way")
    with _Opened(home) as database:
        granted.add(database, org, approver, now=datetime.now(UTC))
    print(f"{approver.org} {approver.staff} signs grants of {org} from now on")


@app.command("list")
def list_approvers(*, home: Home = None) -> None:
    """List whose passkeys sign grants, also those that were removed."""
    with _Opened(home) as database:
        for known in granted.listing(database):
            print(_line(known))


@app.command("remove")
def remove(
    org: Org,
    fingerprint: Annotated[str, typer.Argument(help="As `list` prints it.")],
    *,
    home: Home = None,
) -> None:
    """Let a passkey sign no more grants; those it signed go on until `grants end` or their end."""
    with _Opened(home) as database:
        known = granted.remove(database, org, fingerprint, now=datetime.now(UTC))
    print(f"{known.approver.org} {known.approver.staff} signs no more grants of {org}")


@signed.command("list")
def list_grants(*, home: Home = None) -> None:
    """List the grants that were signed, what they say and how many records each has opened or parts read."""
    with _Opened(home) as database:
        for found in granted.grants(database):
            said = found.statement
            what = "whole parts" if isinstance(said, StatementOfMany) else "records"
            print(
                f"{said.org} {said.grant} {said.staff} {said.purpose} {said.form} from {said.source}:"
                f" {','.join(said.circumstances)}, {found.used} of {found.most} {what},"
                f" until {instant_text(found.until)}, signed by {found.signer}"
            )


@signed.command("end")
def end(
    org: Annotated[str, typer.Argument(help="Organisation of the grant's holder.")],
    grant: Annotated[str, typer.Argument(help="Its code, as `list` prints it.")],
    *,
    home: Home = None,
) -> None:
    """Let a signed grant open nothing more, whatever the pages say."""
    with _Opened(home) as database:
        granted.end(database, org, grant, now=datetime.now(UTC))
    print(f"{grant} of {org} opens nothing more")


class _Opened:
    """The key database while a command works on it."""

    def __init__(self, home: Path | None) -> None:
        self._keys = open_keys(where_keys_are(home))

    def __enter__(self) -> Database:
        return sealing(self._keys)

    def __exit__(self, *_: object) -> None:
        self._keys.close()


def _line(known: Known) -> str:
    approver = known.approver
    removed = "" if known.removed is None else f" removed {instant_text(known.removed)}"
    return (
        f"{known.org}: {approver.org} {approver.staff} {approver.fingerprint()}"
        f" since {instant_text(known.added)}{removed}"
    )
