"""What a watcher remembers between its rounds: heads, epochs, and where it stopped.

One JSON file outside the databases, mode 0600, written whole beside itself and renamed. Whoever puts an old
database back must put this file back too, and make every witness forget.
"""

from pathlib import Path
from typing import Any

import msgspec

from epilock import durable
from epilock.errors import FileFormatError

MOST_BYTES = 1 << 24


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """What was seen last.

    Attributes:
        heads: Size and root (hex) of each log, by origin.
        epochs: Epoch of each organisation's keys.
        lane: Name of the rolling look that is under way.
        cursors: Where each rolling look stopped, by name.
        freeze: Code of the freeze that it began and that was not lifted, or None.
    """

    heads: dict[str, tuple[int, str]] = {}
    epochs: dict[str, int] = {}
    lane: str = ""
    cursors: dict[str, list[Any]] = {}
    freeze: str | None = None


def load(path: Path) -> Memory:
    """Return what the file at ``path`` remembers; nothing if there is none.

    Raises:
        FileFormatError: It is not a watcher's memory.
    """
    if not path.exists():
        return Memory()
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Memory)
    except msgspec.DecodeError as error:
        raise FileFormatError(f"{path.name} is not a watcher's memory: {error}") from None


def save(memory: Memory, path: Path) -> None:
    """Write ``memory`` to ``path``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.replace(path, msgspec.json.encode(memory) + b"\n", mode=0o600)
