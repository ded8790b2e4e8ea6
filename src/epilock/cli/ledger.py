"""Commands about this installation's ledger: show what it holds, export it, compare what was exported."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.installation import Home, opened
from epilock.cli.verify import consistency
from epilock.ledger import publish
from epilock.ledger.notation import base64_text

app = typer.Typer(no_args_is_help=True, help="The transparency log of this installation.")

app.command("consistency")(consistency)


@app.command("key")
def show_key(*, home: Home = None) -> None:
    """Print the verifier key of this log, to be published elsewhere than beside the log."""
    with opened(home) as parts:
        print(parts.log.signer.vkey)


@app.command("proof")
def show_proof(
    index: Annotated[int, typer.Argument(min=0, max=2**62, help="Index of the entry.")],
    *,
    home: Home = None,
) -> None:
    """Print the .tlog-proof of one entry."""
    with opened(home) as parts, parts.database.read() as tx:
        print(parts.log.proof(tx, index), end="")


@app.command("checkpoint")
def show_checkpoint(
    size: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of that size; the latest if none.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Print a signed checkpoint of this log, to be kept by others."""
    with opened(home) as parts, parts.database.read() as tx:
        print(parts.log.checkpoint(tx, size), end="")


@app.command("consistency-proof")
def show_consistency(
    old: Annotated[int, typer.Argument(min=0, max=2**62, help="Size of the older checkpoint.")],
    new: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of the newer; the latest if none.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Print the proof that this log only grew between two sizes, for `epilock ledger consistency`."""
    with opened(home) as parts, parts.database.read() as tx:
        for each in parts.log.consistency(tx, old, new):
            print(base64_text(each))


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that a web server serves.")],
    *,
    home: Home = None,
) -> None:
    """Publish the log into a folder (C2SP tiles) that any web server can serve; repeat to go on."""
    with opened(home) as parts:
        shown = publish.write(parts.database, parts.log, folder)
    print(f"{folder} shows {shown.size} entries of {shown.origin}")


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The published folder.")], *, home: Home = None
) -> None:
    """Compare a published folder, byte for byte, with what the database makes of it."""
    found = 0
    with opened(home) as parts:
        for damage in publish.compare(parts.database, parts.log, folder):
            found += 1
            print(damage)
    if found:
        raise typer.Exit(1)
    print(f"{folder} is what the database makes of it")
