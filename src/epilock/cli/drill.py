"""Drills: attacks on made-up data, played with real parts; exit code 0 only if every guarantee holds."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import typer

DRILLS = {
    "no-notice": "Somebody collects past the notice, or past a box that was left empty.",
    "over-collection": "An organisation asks for faces and numbers that nothing needs, then writes itself leave by hand.",
    "curious-employee": "Somebody who works with the data looks up a neighbour.",
    "collusion": "Who asks and who approves agree to do wrong.",
    "fifty-million": "A stolen account, then a stolen process, try to take everything.",
    "stolen-laptop": "A volunteer's laptop is taken while forms that it sealed wait on it.",
    "stolen-backup": "Somebody takes the backups, then their key, then the root key and the slots.",
    "old-snapshot": "A machine is lost, and a backup is put back that does not know of an erasure since.",
    "drop-database": "Somebody with the database's password drops, deletes, changes, and puts an old copy back.",
    "rogue-operator": "Who runs the machine and the database wants a record, a destruction, and no trace.",
    "overdue": "An operator lets a day of destruction go by and answers nobody.",
    "forged-receipt": "Somebody claims, with a receipt that looks right, what the log never said.",
    "rewritten-log": "The operator puts back an old copy and rewrites the history of a destroyed bucket.",
    "split-view": "A cheating operator shows two residents two logs under one key.",
}

app = typer.Typer(no_args_is_help=True, help="Play an attack and see what stops or betrays it.")


def _command(name: str) -> Callable[[], None]:
    def play() -> None:
        drill = import_module(f"epilock.demo.drill.{name.replace('-', '_')}")
        with tempfile.TemporaryDirectory(prefix="epilock-drill-") as folder:
            drill.play(Path(folder), print)

    return play


for _name, _help in DRILLS.items():
    app.command(_name, help=_help)(_command(_name))
