"""A replica of the epoch slots: another folder that follows them, overwritten in place and never archived.

A copy of the key database opens with a slot of its own epoch only. So a replica follows the copies that are
kept, in the order in which ``slot`` lets the slots follow the database:

  1. ``take`` writes the cell of the new copy's epoch beside the cell of the last one's, and syncs.
     Crash before or while: the cell is empty or torn. The last copy opens.
  2. The new copy of the key database becomes durable. Crash before: the last copy opens; after: both do.
  3. ``settle`` overwrites every cell but that of the new copy with zeros. Crash before or while: as after 2;
     the next ``settle`` completes it.

Between a destruction and the next copy the replica is behind: it still has the epoch of before.

Rules kept in this file:
  1. A cell is overwritten in place and synced; a file that is there is never replaced.
  2. Cells are copied as they are: nothing here needs the root key.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from epilock import durable
from epilock.errors import ConflictError, KeysError
from epilock.store.slot import CELL, EMPTY, parse

OWNER = "destination"


def bind(folder: Path, owner: str) -> None:
    """Make the folder if it is missing; return if it follows the copies of ``owner``, and nobody else's.

    Raises:
        ConflictError: It follows those of another.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / OWNER
    if not path.exists():
        durable.replace(path, owner.encode(), mode=0o600)
    if path.read_bytes() != owner.encode():
        raise ConflictError(
            f"the replica {folder} follows the backups in another place; give each place one of its own"
        )


def take(slots: Path, folder: Path, epochs: Mapping[str, int]) -> bool:
    """Write the cells of ``epochs`` (by organisation) beside those that are there.

    Returns:
        Whether the slots had all of them; else one was destroyed meanwhile, and a new copy is needed.

    Raises:
        KeysError: A slot is missing or can't be read, or the replica was not settled.
    """
    return all(
        _take(slots / f"{org}.slot", folder / f"{org}.slot", epoch) for org, epoch in epochs.items()
    )


def settle(folder: Path, epochs: Mapping[str, int]) -> None:
    """Overwrite every cell that is not one of ``epochs`` (by organisation).

    Where the replica has not the epoch that it should have, it is left as it is.
    """
    for path in sorted(folder.glob("*.slot")):
        cells = _cells(path)
        own = epochs.get(path.stem)
        there = {epoch for epoch, _ in filter(None, map(parse, cells))}
        if own is not None and own not in there:
            continue
        for i, cell in enumerate(cells):
            found = parse(cell)
            if cell != EMPTY and (found is None or found[0] != own):
                _write(path, i, EMPTY)


def is_full(folder: Path) -> bool:
    """Tell whether a slot of the replica has two epochs: the last copy may need either."""
    return any(all(map(parse, _cells(path))) for path in folder.glob("*.slot"))


def newest(folder: Path) -> dict[str, int]:
    """Return the newest epoch of each slot of the replica, by organisation."""
    found = {}
    for path in sorted(folder.glob("*.slot")):
        there = [epoch for epoch, _ in filter(None, map(parse, _cells(path)))]
        if there:
            found[path.stem] = max(there)
    return found


def wipe(folder: Path) -> None:
    """Overwrite every slot in a folder with zeros, before it is thrown away; nothing opens with it then."""
    for path in sorted(folder.glob("*.slot")):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())


def _take(slot: Path, path: Path, epoch: int) -> bool:
    wanted = next((c for c in _cells(slot) if (p := parse(c)) is not None and p[0] == epoch), None)
    if wanted is None:
        return False
    if not path.exists():
        _make(path, wanted)
    cells = _cells(path)
    if wanted not in cells:
        free = next((i for i, cell in enumerate(cells) if parse(cell) is None), None)
        if free is None:
            raise KeysError(f"both cells of the replica {path.name} are in use; settle it first")
        _write(path, free, wanted)
    for i, cell in enumerate(cells):  # as it was before the root key was renewed
        found = parse(cell)
        if cell != wanted and found is not None and found[0] == epoch:
            _write(path, i, EMPTY)
    return True


def _make(path: Path, cell: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, cell + EMPTY)
        os.fsync(fd)
        os.link(draft, path)
    finally:
        os.close(fd)
        draft.unlink()
    durable.sync(path.parent)


def _cells(path: Path) -> tuple[bytes, bytes]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise KeysError(f"{path} is missing") from None
    if len(data) != 2 * CELL:
        raise KeysError(f"{path} must be {2 * CELL} bytes")
    return data[:CELL], data[CELL:]


def _write(path: Path, i: int, cell: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        if os.pwrite(fd, cell, i * CELL) != CELL:
            raise KeysError(f"{path} could not be written: no space left?")
        os.fsync(fd)
    finally:
        os.close(fd)
