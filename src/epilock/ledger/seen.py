"""What a monitor remembers between its runs: the checkpoints it saw, and those that contradict.

One JSON file, written whole beside itself and renamed, so that a crash leaves the old one or the new.
"""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from epilock import durable
from epilock.errors import FileFormatError
from epilock.ledger.conflict import Conflict, parse

MOST_CHECKPOINTS = 256
MOST_BYTES = 1 << 27


@dataclass(slots=True)
class Seen:
    """Checkpoints of one log, the oldest first, and proofs of its misbehaviour.

    Attributes:
        notes: Signed notes; the newest 256, and always the first.
        conflicts: Pairs that cannot both be; none is ever forgotten.
        keys: Keys that the log announced while an earlier one signed it, as vkeys.
    """

    notes: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, note: str) -> None:
        """Remember a checkpoint."""
        if note not in self.notes:
            self.notes.append(note)
        if len(self.notes) > MOST_CHECKPOINTS:
            del self.notes[1]

    def accuse(self, conflict: Conflict) -> None:
        """Remember a pair that cannot both be."""
        if conflict not in self.conflicts:
            self.conflicts.append(conflict)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    checkpoints: list[str]
    conflicts: list[msgspec.Raw]
    keys: list[str] = []


def load(path: Path) -> Seen:
    """Return what the file at ``path`` remembers; nothing if there is none.

    Raises:
        FileFormatError: It is not a monitor's memory.
    """
    if not path.exists():
        return Seen()
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(MOST_BYTES), type=_File)
    except msgspec.DecodeError as error:
        raise FileFormatError(f"{path.name} is not a monitor's memory: {error}") from None
    conflicts = [parse(bytes(each)) for each in found.conflicts]
    return Seen(found.checkpoints, conflicts, found.keys)


def save(seen: Seen, path: Path) -> None:
    """Write ``seen`` to ``path``."""
    conflicts = [msgspec.Raw(each.text().encode()) for each in seen.conflicts]
    data = msgspec.json.format(
        msgspec.json.encode(_File(seen.notes, conflicts, seen.keys)), indent=1
    )
    durable.replace(path, data + b"\n")
