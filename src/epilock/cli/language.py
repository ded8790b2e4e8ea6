"""A third language: the file that whoever translates the pages begins with."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.errors import InputError
from epilock.web import language as languages

app = typer.Typer(no_args_is_help=True, help="The languages of the pages.")


@app.callback()
def _none() -> None:
    """Keep the group a group."""


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(help="Where to write it, named by the language's code, such as ko.toml.")],
) -> None:  # fmt: skip
    """Write a file of a third language with every string in English, to be translated."""
    if not languages.is_name(file.name):
        raise InputError("a language's file is named by its code of ISO 639, such as ko.toml")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(languages.draft(languages.load()))
    except FileExistsError:
        raise InputError(f"{file.name} is there already, and is not written over") from None
    print(f"{file.name}: {len(languages.load())} strings to be translated")
