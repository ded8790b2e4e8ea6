"""The demonstration: a running city, or one record's life."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import assemble, settings
from epilock.cli.installation import clock
from epilock.collect import notice, qr
from epilock.demo import city, departments, life
from epilock.web.serve import serve as serve_site

app = typer.Typer(no_args_is_help=True, help="See it work, on made-up people.")


@app.command("life")
def live(
    start: Annotated[str, typer.Option("--now", help="The day the record is given.")] = "",
) -> None:
    """Walk one record from the QR code to the certificate and print each proof."""
    with tempfile.TemporaryDirectory(prefix="epilock-life-") as folder:
        told = settings.read({}, home=Path(folder) / "home")
        life.live(told, print, start=clock(start) if start else life.START)


@app.command("departments")
def play_departments(
    anvil: Annotated[
        Path | None,
        typer.Option(help="Program of a chain, anvil of the Foundry project; else it is left out."),
    ] = None,
) -> None:
    """A log, three witnesses, a mirror, a monitor and a chain, each a process, on loopback."""
    program = departments.find_chain(anvil)
    if program is None:
        print("no chain: anvil is not on this machine; name it with --anvil to see the anchor too")
    with tempfile.TemporaryDirectory(prefix="epilock-departments-") as folder:
        departments.Town(Path(folder), print, anvil=program).play()


@app.command("run")
def run(
    *,
    home: Annotated[Path, typer.Option(help="Where the city is kept.")] = Path("run/demo"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8600,
    serve: Annotated[
        bool, typer.Option("--serve/--only-make", help="Serve it, or only make it.")
    ] = True,
) -> None:
    """Make the demonstration city, unless it is there, and serve it."""
    told = settings.read(
        {**os.environ, "EPILOCK_URL": f"http://127.0.0.1:{port}", "EPILOCK_ORIGIN": "demo.example/epilock"},
        home=home,
    )  # fmt: skip
    if told.root_key.exists():
        print(f"the city of an earlier run is served again; delete {home} for a new one")
        parts = assemble.build(told, now=lambda: datetime.now(UTC))
    else:
        made = city.build(told, today=datetime.now(UTC), say=lambda text: print(f"made: {text}"))
        _guide(made, told.url)
        made.parts.close()
        parts = assemble.build(told, now=lambda: datetime.now(UTC))
    try:
        if serve:
            print(f"serving {told.url} (stop with Ctrl-C)")
            serve_site(parts, host="127.0.0.1", port=port)
    finally:
        parts.close()


def _guide(made: city.City, url: str) -> None:
    print("\nAccounts (one-time passwords, shown once):")
    for org, login, roles, password in made.passwords:
        print(f"  {org:14} {login:8} {password}  {roles}")
    print(f"\nSign in: {url}/console")
    print("Points, as their QR codes hold them:")
    for circumstance, point in made.points.items():
        mark = notice.fingerprint(made.parts.notice_signer(point.org).verifier.public)
        print(f"  {circumstance:18} {qr.point_url(url, point.point, mark)}")
    print(f"\nReceipts to try at {url}/r:")
    for circumstance, stored in made.receipts.items():
        print(f"  {circumstance:18} {stored.code}")
    print(f"\nThe public log: {url}/log")
    print(f"Its key: {made.parts.log.signer.vkey}\n")
