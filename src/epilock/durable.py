"""Files that are there whole or not at all, whatever moment the machine stops.

A file is written under a temporary name, synced, and renamed; then its folder is synced, for a name is
not durable before its folder is (``man fsync``).
"""

import os
from pathlib import Path

from epilock.errors import EpilockError

_OTHERS = 0o077


def replace(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Make ``data`` the content of ``path``; it is durable when this returns."""
    put(path, data, mode=mode)
    sync(path.parent)


def put(path: Path, data: bytes, *, mode: int | None = None, draft: Path | None = None) -> None:
    """Make ``data`` the content of ``path``; its name is durable only after ``sync`` of the folder.

    ``mode`` are the rights of the file, before a byte of it is written; by default what the umask leaves.
    ``draft`` is the temporary name, on the same file system; by default one beside ``path``. What a crash
    leaves there is overwritten by the next that takes the same name.
    """
    new = draft or path.with_name(f".{path.name}.new")
    if mode is not None:
        new.unlink(missing_ok=True)  # what a crash left may have other rights
        new.touch(mode, exist_ok=False)
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def sync(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make what was written into a file durable; its name is only after ``sync`` of its folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_private(path: Path, what: str, *, most: int, error: type[EpilockError]) -> bytes:
    """Return what a file holds that its owner alone may read; ``what`` it is stands in the error.

    Raises:
        EpilockError: Of the kind ``error``: it can't be read, is open to others, or has more than ``most`` bytes.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(most + 1)
    except OSError as why:
        raise error(f"{what} {path.name} can't be read: {why.strerror}") from None
    if mode & _OTHERS:
        raise error(f"{what} {path.name} is open to others; run: chmod 600 {path.name}")
    if len(found) > most:
        raise error(f"{what} {path.name} has more than {most} bytes")
    return found
