"""The standard: what it says, and what it says to a form."""

import typer

from epilock.cli.standard_check import check
from epilock.cli.standard_look import diff, list_, show

app = typer.Typer(no_args_is_help=True, help="The standard: list, show, check a form, compare.")
app.command("list")(list_)
app.command()(show)
app.command()(check)
app.command()(diff)
