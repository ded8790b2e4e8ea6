"""What opens a back end, a PIN or a token: one line in a file that nobody else reads."""

import os
from pathlib import Path

from epilock.errors import InputError, RootKeyError

MOST = 4_096  # bytes
_OTHERS = 0o077


def read_password(path: Path, what: str) -> str:
    """Return the line in the file; ``what`` it is stands in errors, the line never.

    Raises:
        RootKeyError: The file can't be read.
        InputError: Others may read or write it, or it is not one line of ASCII.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            line = file.read(MOST + 1)
    except OSError as error:
        raise RootKeyError(
            f"the {what}'s file {path.name} can't be read: {error.strerror}"
        ) from None
    if mode & _OTHERS:
        raise InputError(
            f"the {what}'s file {path.name} is open to others; run: chmod 600 {path.name}"
        )
    text = line.decode("utf-8", "replace").strip()
    if len(line) > MOST or not text or not text.isascii() or not text.isprintable():
        raise InputError(f"the {what}'s file {path.name} must be one line of ASCII, {MOST} bytes")
    return text
