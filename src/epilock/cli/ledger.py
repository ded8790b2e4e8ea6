"""Commands about this installation's ledger: show what it holds, export it, compare what was exported."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.assemble import Parts
from epilock.cli.installation import Home, opened
from epilock.cli.verify import consistency
from epilock.ledger import publish, shards, succession
from epilock.ledger.log import Log
from epilock.ledger.notation import base64_text

app = typer.Typer(no_args_is_help=True, help="The transparency log of this installation.")

app.command("consistency")(consistency)

Number = Annotated[
    int | None,
    typer.Option(
        "--log", min=1, max=2**31, help="Which log, as `list` numbers them; the newest if none."
    ),
]


@app.command("list")
def list_logs(*, home: Home = None) -> None:
    """List the logs of this installation, the oldest first; all but the last are sealed."""
    with opened(home) as parts, parts.database.read() as tx:
        for number, log in enumerate(shards.all_of(parts.log), 1):
            state = "takes entries" if succession.in_use(tx, log) else "sealed"
            print(
                f"{number} {log.origin}: {log.size(tx)} entries, {state}; entries from {log.base} on"
            )
            print(f"  {log.signer.vkey}")


@app.command("key")
def show_key(*, number: Number = None, home: Home = None) -> None:
    """Print the verifier key of this log, to be published elsewhere than beside the log."""
    with opened(home) as parts:
        print(_log(parts, number).signer.vkey)


@app.command("proof")
def show_proof(
    entry: Annotated[
        int, typer.Argument(min=0, max=2**62, help="Number of the entry, counted over all logs.")
    ],
    *,
    home: Home = None,
) -> None:
    """Print the .tlog-proof of one entry."""
    with opened(home) as parts, parts.database.read() as tx:
        print(shards.proof_at(tx, parts.log, entry), end="")


@app.command("checkpoint")
def show_checkpoint(
    size: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of that size; the latest if none.")
    ] = None,
    *,
    number: Number = None,
    home: Home = None,
) -> None:
    """Print a signed checkpoint of this log, to be kept by others."""
    with opened(home) as parts, parts.database.read() as tx:
        print(_log(parts, number).checkpoint(tx, size), end="")


@app.command("consistency-proof")
def show_consistency(
    old: Annotated[int, typer.Argument(min=0, max=2**62, help="Size of the older checkpoint.")],
    new: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of the newer; the latest if none.")
    ] = None,
    *,
    number: Number = None,
    home: Home = None,
) -> None:
    """Print the proof that this log only grew between two sizes, for `epilock ledger consistency`."""
    with opened(home) as parts, parts.database.read() as tx:
        for each in _log(parts, number).consistency(tx, old, new):
            print(base64_text(each))


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that a web server serves.")],
    *,
    number: Number = None,
    home: Home = None,
) -> None:
    """Publish a log into a folder (C2SP tiles) that any web server can serve; repeat to go on."""
    with opened(home) as parts:
        shown = publish.write(parts.database, _log(parts, number), folder)
    print(f"{folder} shows {shown.size} entries of {shown.origin}")


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The published folder.")],
    *,
    number: Number = None,
    home: Home = None,
) -> None:
    """Compare a published folder, byte for byte, with what the database makes of it."""
    found = 0
    with opened(home) as parts:
        for damage in publish.compare(parts.database, _log(parts, number), folder):
            found += 1
            print(damage)
    if found:
        raise typer.Exit(1)
    print(f"{folder} is what the database makes of it")


def _log(parts: Parts, number: int | None) -> Log:
    return parts.log if number is None else shards.numbered(parts.log, number)
