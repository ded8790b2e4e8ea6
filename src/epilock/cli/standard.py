"""The standard: what it says, and what it says to a form."""

import typer

from epilock.cli.standard_check import check

app = typer.Typer(no_args_is_help=True, help="The standard: list, show, check a form, compare.")
app.command()(check)
