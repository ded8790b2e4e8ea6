"""Codes instead of identifiers in a file, under the key of a study of the installation."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.deidentify.pseudonyms import study as studies
from epilock.deidentify.pseudonyms.coding import pseudonymise_file
from epilock.deidentify.pseudonyms.pseudonym import KINDS, PLAIN


def pseudonymise(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="The table: a CSV, XLSX or Parquet file.")
    ],
    *,
    study: Annotated[str, typer.Option(help="Code of the study whose key makes the codes.")],
    column: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=KIND",
            help=f"Column of identifiers and their kind: {', '.join(KINDS)}. Repeatable.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="OUT", help="The table with codes; its suffix says the format.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a file that is there.")
    ] = False,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Put a study's codes in place of identifiers: the same person has the same code in all its tables."""
    columns = dict(_column(text) for text in column)
    with opened(home, now) as parts:
        found = signed_in(parts, who, "custodian")
        with parts.database.read() as tx:
            key = studies.key_of(tx, parts.keys, found.org, study)
        rows = pseudonymise_file(file, columns, out, key=key, replace=replace)
    print(f"{out}: {rows} rows, codes of {study} in {', '.join(columns)}; all else is unchanged")


def _column(text: str) -> tuple[str, str]:
    name, _, kind = text.rpartition("=")
    return (name, kind) if name and kind in KINDS else (text, PLAIN)
