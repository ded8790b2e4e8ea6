"""Drills: attacks on made-up data, played with real parts; exit code 0 only if every guarantee holds."""

import tempfile
from pathlib import Path

import typer

from epilock.demo.drill import (
    collusion,
    curious_employee,
    drop_database,
    fifty_million,
    forged_receipt,
    old_snapshot,
    rewritten_log,
    rogue_operator,
    split_view,
    stolen_backup,
)

app = typer.Typer(no_args_is_help=True, help="Play an attack and see what stops or betrays it.")


@app.command("split-view")
def play_split_view() -> None:
    """A cheating operator shows two residents two logs under one key."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        split_view.play(Path(folder), print)


@app.command("rewritten-log")
def play_rewritten_log() -> None:
    """The operator puts back an old copy and rewrites the history of a destroyed bucket."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        rewritten_log.play(Path(folder), print)


@app.command("forged-receipt")
def play_forged_receipt() -> None:
    """Somebody claims, with a receipt that looks right, what the log never said."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        forged_receipt.play(Path(folder), print)


@app.command("stolen-backup")
def play_stolen_backup() -> None:
    """Somebody takes the backups, then their key, then the root key and the slots."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        stolen_backup.play(Path(folder), print)


@app.command("old-snapshot")
def play_old_snapshot() -> None:
    """A machine is lost, and a backup is put back that does not know of an erasure since."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        old_snapshot.play(Path(folder), print)


@app.command("drop-database")
def play_drop_database() -> None:
    """Somebody with the database's password drops, deletes, changes, and puts an old copy back."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        drop_database.play(Path(folder), print)


@app.command("rogue-operator")
def play_rogue_operator() -> None:
    """Who runs the machine and the database wants a record, a destruction, and no trace."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        rogue_operator.play(Path(folder), print)


@app.command("fifty-million")
def play_fifty_million() -> None:
    """A stolen account, then a stolen process, try to take everything."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        fifty_million.play(Path(folder), print)


@app.command("curious-employee")
def play_curious_employee() -> None:
    """Somebody who works with the data looks up a neighbour."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        curious_employee.play(Path(folder), print)


@app.command("collusion")
def play_collusion() -> None:
    """Who asks and who approves agree to do wrong."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        collusion.play(Path(folder), print)
