"""The commands, gathered: where each group stands is decided here and nowhere else.

A group is imported when it is asked for: who de-identifies a table does not wait for the web server.
"""

from collections.abc import Sequence
from importlib import import_module

import typer

PLACES: dict[str, tuple[str, str]] = {  # word: module of ``cli``, and its function or group
    "init": ("operation", "init"),
    "serve": ("operation", "serve"),
    "check": ("operation", "check"),
    "backup": ("backup", "app"),
    "restore": ("restore", "restore"),
    "replay": ("restore", "replay"),
    "verify": ("verify", "verify"),
    "monitor": ("monitor", "monitor"),
    "mirror": ("mirror", "mirror"),
    "deidentify": ("deidentify", "deidentify"),
    "noise": ("noise", "noise"),
    "budget": ("budget", "app"),
    "small-cells": ("small_cells", "small_cells"),
    "pseudonymise": ("pseudonymise", "pseudonymise"),
    "study": ("study", "app"),
    "standard": ("standard", "app"),
    "organisation": ("registers", "organisation"),
    "staff": ("staff", "app"),
    "emergency": ("registers", "emergency"),
    "mandate": ("registers", "mandate"),
    "point": ("point", "app"),
    "receipt": ("receipt", "app"),
    "grant": ("grant", "app"),
    "import": ("intake", "app"),
    "outbox": ("outbox", "app"),
    "destroy": ("destroy", "app"),
    "database": ("database", "app"),
    "watch": ("watch", "app"),
    "ledger": ("ledger", "app"),
    "keys": ("keys", "app"),
    "log-key": ("succession", "app"),
    "policy": ("policy", "app"),
    "witness": ("witness", "app"),
    "verifier": ("verify", "app"),
    "anchor": ("anchor", "app"),
    "language": ("language", "app"),
    "drill": ("drill", "app"),
    "demo": ("demo", "app"),
}


def gathered(words: Sequence[str] = ()) -> typer.Typer:
    """Return the program with the command that ``words`` begin with, or with all if that is none."""
    app = typer.Typer(
        name="epilock", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
        help="Personal information in emergencies: each piece with a lock, a purpose, a clock, a witness.",
    )  # fmt: skip
    app.callback()(_none)  # else a program of one command would not be called by its name
    for name in words[:1] if words[:1] and words[0] in PLACES else PLACES:
        module, part = PLACES[name]
        found = getattr(import_module(f"epilock.cli.{module}"), part)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _none() -> None:
    pass
