"""What opens a back end, a PIN or a token: one line in a file that nobody else reads."""

from pathlib import Path

from epilock import durable
from epilock.errors import InputError, RootKeyError

MOST = 4_096  # bytes


def read_password(path: Path, what: str) -> str:
    """Return the line in the file; ``what`` it is stands in errors, the line never.

    Raises:
        RootKeyError: The file can't be read, others may read or write it, or it is too long.
        InputError: It is not one line of ASCII.
    """
    line = durable.read_private(path, f"the {what}'s file", most=MOST, error=RootKeyError)
    text = line.decode("utf-8", "replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise InputError(f"the {what}'s file {path.name} must be one line of ASCII")
    return text
