"""The outboxes of devices that collected without a network, brought in as files."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.collect.outbox import MAX_FILE, Clerk
from epilock.errors import EpilockError

app = typer.Typer(no_args_is_help=True, help="What devices sealed without a network.")


@app.callback()
def _group() -> None:
    pass


@app.command("import")
def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As the device exported it.")],
    *,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Store what is in an exported outbox; say of each form that is not taken which it is and why."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "collector", "custodian")
        with file.open("rb") as stream:
            body = stream.read(MAX_FILE + 1)
        clerk = Clerk(parts.database, parts.keys, parts.standard, parts.writer, staff.org)
        refused = 0
        for number, each in enumerate(clerk.bring_in_file(body, now=parts.now()), 1):
            if isinstance(each, EpilockError):
                refused += 1
                print(f"{number}: not taken: {each}")
            else:
                print(f"{number}: {each.became}, entry {each.index}")
    if refused:
        print(f"{refused} not taken; keep the file, and ask these people again")
        raise typer.Exit(1)
