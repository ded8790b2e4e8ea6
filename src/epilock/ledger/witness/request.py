"""What a log sends to a witness (c2sp.org/tlog-witness, ``add-checkpoint``).

::

    old <size>
    <base64 hash>             consistency proof, up to 63 lines; none when old is 0

    <the checkpoint, a signed note>
"""

from collections.abc import Sequence
from dataclasses import dataclass

from epilock.errors import FileFormatError, TooLargeError
from epilock.ledger.notation import base64, base64_text, decimal
from epilock.ledger.tree import HASH_BYTES

MOST_HASHES = 63
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """One request, nothing of it checked yet.

    Attributes:
        old: Size of the checkpoint that this witness cosigned last, as the log believes.
        path: Consistency proof from ``old`` to the checkpoint's size.
        checkpoint: The signed note, verbatim.
    """

    old: int
    path: Sequence[bytes]
    checkpoint: str

    def body(self) -> bytes:
        """Return the request's body."""
        lines = [f"old {self.old}", *map(base64_text, self.path)]
        return ("\n".join(lines) + "\n\n" + self.checkpoint).encode()


def parse(body: bytes) -> AddCheckpoint:
    """Return the request that ``body`` states.

    Raises:
        TooLargeError: More than 1 MiB.
        FileFormatError: It is none; the message says what is missing.
    """
    if len(body) > MOST_BYTES:
        raise TooLargeError(f"a request has at most {MOST_BYTES} bytes")
    try:
        head, gap, checkpoint = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise FileFormatError("a request is text in UTF-8") from None
    first, *hashes = head.split("\n")
    word, _, size = first.partition(" ")
    if word != "old" or not gap or not checkpoint:
        raise FileFormatError(
            "a request has a line `old <size>`, a proof, an empty line, a checkpoint"
        )
    if len(hashes) > MOST_HASHES:
        raise FileFormatError(f"a consistency proof has at most {MOST_HASHES} hashes")
    try:
        old = decimal(size, "the old size")
        path = [base64(each, "a hash of the proof", size=HASH_BYTES) for each in hashes]
    except ValueError as error:
        raise FileFormatError(str(error)) from None
    return AddCheckpoint(old, path, checkpoint)
