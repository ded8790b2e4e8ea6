"""The demonstration: a running city, or one record's life."""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import assemble, settings
from epilock.caretaker import Caretaker
from epilock.cli.installation import clock
from epilock.cli.operation import GRACE, anchor_rounds
from epilock.collect import notice, qr
from epilock.demo import city, departments, life
from epilock.errors import InputError
from epilock.settings import Settings
from epilock.web.serve import serve as serve_site

GUIDE = "guide.txt"
HERE = "{url}"  # stands in the guide for the address that the city is served at

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
    url = f"http://127.0.0.1:{port}"
    if (home / GUIDE).exists():
        print(f"the city of an earlier run is served again; delete {home} for a new one")
        guide = (home / GUIDE).read_text(encoding="utf-8")
    elif home.exists():
        raise InputError(
            f"{home} is there, and is no city of this program: delete it, or give --home"
        )
    else:
        guide = _make(home, url)
    print(guide.replace(HERE, url))
    if not serve:
        return
    parts = assemble.build(_settings(home, url), now=lambda: datetime.now(UTC))
    caretaker = Caretaker(parts, destroy=False)  # what is due waits for whoever tries it out
    caretaker.start()
    anchoring = anchor_rounds(parts)  # none, unless a place is set
    try:
        print(f"serving {url} (stop with Ctrl-C)", flush=True)
        serve_site(parts, host="127.0.0.1", port=port, insist=False)
    finally:
        for rounds in anchoring:
            rounds.stop(within=GRACE)
        caretaker.stop()
        parts.close()


def _settings(home: Path, url: str) -> Settings:
    return settings.read(
        {**os.environ, "EPILOCK_URL": url, "EPILOCK_ORIGIN": "demo.example/epilock"}, home=home
    )


def _make(home: Path, url: str) -> str:
    """Make the city and return its guide; a folder called ``home`` is never half a city."""
    with tempfile.TemporaryDirectory(
        prefix=f".{home.name}-", dir=_parent(home), ignore_cleanup_errors=True
    ) as folder:
        building = Path(folder) / "home"
        made = city.build(
            _settings(building, url), today=datetime.now(UTC), say=lambda text: print(f"made: {text}", flush=True),
        )  # fmt: skip
        guide = _guide(made, home)
        made.parts.close()
        (building / GUIDE).write_text(guide, encoding="utf-8")
        building.rename(home)
    return guide


def _parent(home: Path) -> Path:
    home.parent.mkdir(parents=True, exist_ok=True)
    return home.parent


def _guide(made: city.City, home: Path) -> str:
    """Return what to try, in an order that tells the story; passwords are those of made-up people."""
    points = {
        circumstance: qr.point_url(
            HERE, point.point,
            notice.fingerprint(made.parts.notice_signer(point.org).verifier.public),
        )
        for circumstance, point in made.points.items()
    }  # fmt: skip
    program = sys.argv[0] if Path(sys.argv[0]).name == "epilock" else "epilock"
    lines = [
        "",
        "1. As a resident, open a point as its QR code holds it, read, tick, fill in, keep the receipt:",
        *(f"     {circumstance:18} {address}" for circumstance, address in points.items()),
        "",
        f"2. With a receipt's code see what is held, correct it, withdraw it: {HERE}/r",
        *(
            f"     {circumstance:18} {stored.code}"
            for circumstance, stored in made.receipts.items()
        ),
        "",
        f"3. As a stranger, see what is due and overdue: {HERE}/log",
        f"     its key: {made.parts.log.signer.vkey}",
        "",
        f"4. As staff, sign in at {HERE}/console (the first sign-in asks for a password of your own):",
        "     organisation   login    one-time password  roles",
        *(
            f"     {org:14} {login:8} {password}   {roles}"
            for org, login, roles, password in made.passwords
        ),
        "   office sees what is due and may hold it; doctor asks for a grant, second approves it;",
        "   street approves orders of the compound and the school; command oversees all.",
        "",
        f"5. As a program, read the API: {HERE}/api",
        "",
        "6. At the terminal, what is due today, and its end:",
        f"     {program} destroy due --home {home}",
        f"     {program} destroy run --home {home}",
        "",
    ]
    return "\n".join(lines)
