"""Drills: attacks on made-up data, played with real parts; exit code 0 only if every guarantee holds."""

import tempfile
from pathlib import Path

import typer

from epilock.demo.drill import forged_receipt, rewritten_log, split_view

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
