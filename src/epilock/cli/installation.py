"""How a command gets at the installation: its folder is an option, all else comes from settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import settings
from epilock.assemble import Parts, build
from epilock.errors import InputError

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the installation (EPILOCK_HOME).", show_default=False),
]
At = Annotated[
    str | None,
    typer.Option("--now", help="The instant to act at, such as 2026-03-14T09:00:00+08:00."),
]


def clock(at: str | None) -> datetime:
    """Return the instant that ``--now`` gives, or the machine's.

    Raises:
        InputError: It is no instant with an offset.
    """
    if at is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        instant = datetime.min  # noqa: DTZ901 - refused below like any instant without an offset
    if instant.tzinfo is None:
        raise InputError("--now must be an instant with its offset: 2026-03-14T09:00:00+08:00")
    return instant.astimezone(UTC)


@contextmanager
def opened(home: Path | None, at: str | None = None) -> Iterator[Parts]:
    """Open the installation for one command, with a clock that stands still if ``at`` is given."""
    fixed = clock(at)
    now = (lambda: fixed) if at is not None else (lambda: datetime.now(UTC))
    parts = build(settings.read(os.environ, home=home), now=now)
    try:
        yield parts
    finally:
        parts.close()
