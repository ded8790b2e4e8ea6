"""Files that a command is given: read whole, small enough, or one clear error."""

from pathlib import Path

from epilock.errors import InputError, TooLargeError
from epilock.ledger.proof import MOST_BYTES


def read_small(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: It cannot be read.
        TooLargeError: It has more than ``most`` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise TooLargeError(f"{path} has more than {most} bytes")
    return data


def write(path: Path, data: bytes) -> None:
    """Write a file that a command was asked for.

    Raises:
        InputError: It cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
