"""Tables of counts at the terminal, so that no small number can be read or computed; no installation is needed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from epilock.deidentify.cells import publication


def small_cells(
    file: Annotated[
        Path,
        typer.Argument(metavar="IN", help="Persons or counts: a CSV, XLSX or Parquet file."),
    ],
    *,
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="Dimensions and their categories, TOML.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="OUT", help="The table of counts; its suffix says the format.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a file that is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Make a table of counts of one to three dimensions whose small cells are hidden, or rounded."""
    wanted = publication.read(config)
    told = publication.publish_file(file, wanted, out, replace=replace)
    if as_json:
        print(json.dumps(told.to_json()))
    elif wanted.method == "round":
        print(
            f"{out}: {told.cells} cells, rounded to {wanted.base}; none by more than {told.farthest}"
        )
    else:
        print(
            f"{out}: {told.cells} cells; {told.small} under {wanted.smallest} are hidden, and"
            f" {told.complementary} that would tell them"
        )
