"""The key service: the process that has the keys, and what it was asked to destroy."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from epilock import settings as settings_
from epilock.assemble import INSTALLATION, open_keys
from epilock.cli.installation import Home
from epilock.db import Database, open_engine
from epilock.errors import InputError, NotFoundError
from epilock.settings import Settings
from epilock.store import approval
from epilock.store import bucket as buckets
from epilock.store.approval import Site
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice.desk import Desk, Limits
from epilock.store.keyservice.server import Server

_DEFAULT = Limits()
Wait = Annotated[
    int,
    typer.Option(min=0, max=720, help="Hours from announcing a destruction to carrying it out."),
]


def serve(
    *,
    at: Annotated[str, typer.Option(help="unix:PATH or tls://HOST:PORT.")],
    tls: Annotated[
        Path | None, typer.Option(help="Folder of cert.pem, key.pem and ca.pem, for tls://.")
    ] = None,
    user: Annotated[
        list[int] | None,
        typer.Option(help="User id that may ask over the Unix socket. Repeatable; else its own."),
    ] = None,
    openings: Annotated[
        int, typer.Option(min=0, help="Records an organisation may have opened in a day.")
    ] = _DEFAULT.openings,
    parts: Annotated[
        int, typer.Option(min=0, help="Whole parts a day, and most of one signed grant; 0: none.")
    ] = _DEFAULT.parts,
    erasures: Annotated[
        int, typer.Option(min=0, help="Records an organisation may have erased in a day.")
    ] = _DEFAULT.erasures,
    wait: Wait = 24,
    signed_grants: Annotated[
        str,
        typer.Option(
            help="Address of the pages, such as https://epilock.example: records open, and whole parts are "
            "read, only under grants that an approver's passkey signed there."
        ),
    ] = "",
    without_grant: Annotated[
        int, typer.Option(min=0, help="With it: records a day that open without a grant.")
    ] = _DEFAULT.alone,
    subjects: Annotated[
        int, typer.Option(min=1, help="With it: most records that a grant may open.")
    ] = _DEFAULT.subjects,
    home: Home = None,
) -> None:
    """Serve keys to the processes that have none; stop with Ctrl-C or SIGTERM."""
    limits = Limits(
        openings=openings, alone=without_grant, subjects=subjects, parts=parts, erasures=erasures,
        wait=timedelta(hours=wait),
    )  # fmt: skip
    site = approval.site(signed_grants) if signed_grants else None
    address = addresses.read(at, tls)
    told = where_keys_are(home)
    desk = _desk(told, limits, site)
    try:
        adopted = _adopt(told, desk)
        server = Server(desk, address, users=user or ())
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: server.stop())
        where = at if not server.port else f"tls://{address.host}:{server.port}"
        print(f"{adopted} leases of before are taken for given")
        print(f"keys at {where} (stop with Ctrl-C)", flush=True)
        server.serve()
    finally:
        desk.keys.close()


def waiting(*, wait: Wait = 24, home: Home = None) -> None:
    """List what was announced for destruction, and from when on it may go."""
    desk = _desk(where_keys_are(home), Limits(wait=timedelta(hours=wait)))
    try:
        for each in desk.listing():
            when = (
                "stopped" if each.stopped else f"from {desk.ripe(each).isoformat('T', 'minutes')}"
            )
            print(" ".join(filter(None, (each.org, each.kind, each.name, each.part, when))))
    finally:
        desk.keys.close()


Org = Annotated[str, typer.Argument(help="Code of the organisation.")]
Name = Annotated[str, typer.Argument(help="Bucket or emergency, as `waiting` prints it.")]


def stop(org: Org, name: Name, *, home: Home = None) -> None:
    """Stop an announced destruction: it waits until `go-on`."""
    _change(home, org, name, stop=True)


def go_on(org: Org, name: Name, *, home: Home = None) -> None:
    """Let a destruction that was stopped go on."""
    _change(home, org, name, stop=False)


def _change(home: Path | None, org: str, name: str, *, stop: bool) -> None:
    desk = _desk(where_keys_are(home), Limits())
    try:
        found = desk.stop(org, name) if stop else desk.let_go_on(org, name)
    finally:
        desk.keys.close()
    if not found:
        raise NotFoundError("nothing of this name was announced; `waiting` lists what was")
    print(f"{found} {'stopped' if stop else 'go on'}")


def where_keys_are(home: Path | None) -> Settings:
    """Return the settings of an installation that has its keys.

    Raises:
        InputError: They say that the keys are elsewhere.
    """
    told = settings_.read(os.environ, home=home)
    if told.key_service is not None:
        raise InputError("EPILOCK_KEY_SERVICE is set: this is not where the keys are")
    return told


def _desk(told: Settings, limits: Limits, site: Site | None = None) -> Desk:
    return Desk(open_keys(told), limits, lambda: datetime.now(UTC), site=site)


def _adopt(told: Settings, desk: Desk) -> int:
    """Take the leases that the main database knows for given: what was collected before opens by the bounds."""
    engine = open_engine(told.database)
    database = Database(engine, desk.keys.secret(INSTALLATION, "integrity"))
    try:
        with database.read() as tx:
            return desk.adopt(buckets.blocks(tx))
    finally:
        database.close()
