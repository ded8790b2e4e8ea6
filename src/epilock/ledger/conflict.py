"""A proof of misbehaviour: two checkpoints of one log that its key signed and that cannot both be.

It stands alone: with the log's key anyone can check it, without the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from epilock.errors import FileFormatError, InconsistentError, ProofError
from epilock.ledger.notation import base64, base64_text
from epilock.ledger.note import Verifier
from epilock.ledger.tree import HASH_BYTES, verify_consistency
from epilock.ledger.verify import open_checkpoint

MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two signed checkpoints, and what shows that the older is no prefix of the newer.

    Attributes:
        older: Signed note of the smaller tree, or of one of the same size.
        newer: Signed note of the larger tree.
        root: Root that the newer tree has at the older size; empty if the sizes agree.
        path: Consistency proof from that root to the newer one; empty if the sizes agree.
    """

    older: str
    newer: str
    root: bytes = b""
    path: tuple[bytes, ...] = ()

    def text(self) -> str:
        """Return it as a file: JSON."""
        value = {
            "older": self.older,
            "newer": self.newer,
            "root": base64_text(self.root),
            "path": [base64_text(each) for each in self.path],
        }
        return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    older: str
    newer: str
    root: str
    path: list[str]


def parse(data: bytes) -> Conflict:
    """Return the conflict that a file's ``data`` states.

    Raises:
        FileFormatError: It states none.
    """
    try:
        if len(data) > MOST_BYTES:
            raise FileFormatError(f"a proof of misbehaviour has at most {MOST_BYTES} bytes")
        found = msgspec.json.decode(data, type=_File)
        root = base64(found.root, "root")
        path = tuple(base64(each, "a hash of the path", size=HASH_BYTES) for each in found.path)
    except (msgspec.DecodeError, ValueError) as error:
        raise FileFormatError(f"not a proof of misbehaviour: {error}") from None
    return Conflict(found.older, found.newer, root, path)


def check(conflict: Conflict, verifiers: Sequence[Verifier]) -> tuple[int, int]:
    """Return both sizes if ``conflict`` proves that the log of one of ``verifiers`` misbehaved.

    Raises:
        NoteError: One of the two is no signed checkpoint of that log.
        ForgedError: A signature fails.
        ProofError: Both checkpoints can be true, or it is not shown that they cannot.
    """
    older, _ = open_checkpoint(conflict.older, verifiers)
    newer, _ = open_checkpoint(conflict.newer, verifiers)
    if older.origin != newer.origin:
        raise ProofError("the two checkpoints are of different logs")
    if older.size != newer.size:
        try:
            verify_consistency(older.size, newer.size, conflict.root, newer.root, conflict.path)
        except InconsistentError as error:
            raise ProofError(str(error)) from None
    shown = conflict.root if older.size != newer.size else newer.root
    if shown == older.root:
        raise ProofError("the two checkpoints can both be true")
    return older.size, newer.size
