"""Drills: attacks on made-up data, played with real parts; exit code 0 only if every guarantee holds."""

import tempfile
from pathlib import Path

import typer

from epilock.demo.drill import (
    no_notice,
    old_snapshot,
    over_collection,
    overdue,
    rewritten_log,
    split_view,
    stolen_backup,
    stolen_laptop,
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


@app.command("stolen-laptop")
def play_stolen_laptop() -> None:
    """A volunteer's laptop is taken while forms that it sealed wait on it."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        stolen_laptop.play(Path(folder), print)


@app.command("overdue")
def play_overdue() -> None:
    """An operator lets a day of destruction go by and answers nobody."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        overdue.play(Path(folder), print)


@app.command("no-notice")
def play_no_notice() -> None:
    """Somebody collects without telling people what, why and for how long."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        no_notice.play(Path(folder), print)


@app.command("over-collection")
def play_over_collection() -> None:
    """An organisation asks for more than the emergency allows."""
    with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
        over_collection.play(Path(folder), print)
