"""What others were shown of a log: a mirror, a witness, the receipt that a resident keeps.

Nothing of it is believed: it counts because the log's own key signed it.
"""

from pathlib import Path

from epilock.errors import FileFormatError, InputError, NotFoundError, TooLargeError
from epilock.ledger import proof
from epilock.ledger.folder import CHECKPOINT
from epilock.ledger.proof import FIRST_LINE
from epilock.ledger.source import LogSource, open_source
from epilock.ledger.witness.memory import origin_hash


def listen(where: str, origin: str) -> str:
    """Return the checkpoint of the log ``origin`` that is shown at ``where``, unchecked.

    ``where`` is a file (a ``.tlog-proof`` or a checkpoint), or a folder or web address of a mirror or of
    a witness, which keeps the logs below the hash of their origin.

    Raises:
        NotFoundError: Nothing is shown there.
        InputError: It can't be read.
    """
    if "://" not in where and Path(where).is_file():
        return _of_file(Path(where))
    source = open_source(where)
    data = _find(source, CHECKPOINT) or _find(source, f"{origin_hash(origin)}/{CHECKPOINT}")
    if not data:
        raise NotFoundError(f"{where} shows nothing of {origin}")
    return data.decode(errors="replace")


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(proof.MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > proof.MOST_BYTES:
        raise TooLargeError(f"{path} has more than {proof.MOST_BYTES} bytes")
    if data.startswith(FIRST_LINE.encode()):
        return proof.read(data).checkpoint
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FileFormatError(f"{path} is neither a proof nor a checkpoint") from None


def _find(source: LogSource, path: str) -> bytes | None:
    try:
        return source.read(path)
    except NotFoundError:
        return None
