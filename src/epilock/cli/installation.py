"""How a command gets at the installation: its folder is an option, all else comes from settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import settings
from epilock.assemble import Parts, build
from epilock.errors import InputError
from epilock.standard.level import CHINA

FIRST_YEAR, LAST_YEAR = 2000, 2999

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
    _check_year(instant.year, "--now")
    return instant.astimezone(UTC)


def day(text: str) -> date:
    """Return the calendar day that an option gives.

    Raises:
        InputError: It is none.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InputError("a day is written 2026-03-14") from None
    _check_year(found.year, "a day")
    return found


def instant_text(instant: datetime) -> str:
    """Return an instant as it is printed: China's time, to the minute."""
    return instant.astimezone(CHINA).isoformat(timespec="minutes")


def make_folder(folder: Path) -> None:
    """Make a folder for what a command writes, unless it is there.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}") from None


def pair(text: str) -> tuple[str, str]:
    """Return authority and code of an emergency written ``authority/code``.

    Raises:
        InputError: It is not written so.
    """
    authority, _, own = text.partition("/")
    if not authority or not own:
        raise InputError("an emergency is written authority/code, such as jinan/outbreak-7")
    return authority, own


def _check_year(year: int, what: str) -> None:
    """Raise unless spans of years can be added to the year without leaving the calendar."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InputError(f"{what} lies between the years {FIRST_YEAR} and {LAST_YEAR}")


@contextmanager
def opened(home: Path | None, at: str | None = None, *, damaged: bool = False) -> Iterator[Parts]:
    """Open the installation for one command, with a clock that stands still if ``at`` is given.

    ``damaged`` as ``assemble.build`` says.
    """
    fixed = clock(at)
    now = (lambda: fixed) if at is not None else (lambda: datetime.now(UTC))
    parts = build(settings.read(os.environ, home=home), now=now, damaged=damaged)
    try:
        yield parts
    finally:
        parts.close()
