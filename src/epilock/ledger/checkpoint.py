"""Checkpoints (c2sp.org/tlog-checkpoint): the claim that a log of this size has this root."""

from dataclasses import dataclass

from epilock.errors import NoteError
from epilock.ledger.notation import base64, base64_text, decimal
from epilock.ledger.tree import EMPTY_ROOT, HASH_BYTES

ORIGIN_LINES = 3  # origin, size, root; what follows are extension lines


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One claim, without its signatures.

    Attributes:
        origin: Name of the log, such as ``example.com/epilock``.
        size: Number of leaves.
        root: 32-byte root of the tree of that size.
        extensions: Further lines; our logs write none, others may.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), base64_text(self.root), *self.extensions)
        return "\n".join(lines) + "\n"


def parse(text: str) -> Checkpoint:
    """Return the checkpoint that a note's ``text`` states.

    Raises:
        NoteError: It is not origin, size, root and non-empty extension lines; or it claims that the
            empty tree has another root than the empty tree's.
    """
    said = read(text)
    if said.size == 0 and said.root != EMPTY_ROOT:
        raise NoteError("a checkpoint of size 0 must have the empty tree's root")
    return said


def read(text: str) -> Checkpoint:
    """Return what ``text`` claims, even if an empty tree can't have that root.

    Raises:
        NoteError: It is not origin, size, root and non-empty extension lines.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) < ORIGIN_LINES or not all(lines):
        raise NoteError(
            "a checkpoint has an origin, a size and a root, a line each, and no empty line"
        )
    try:
        size = decimal(lines[1], "a checkpoint's size")
        root = base64(lines[2], "a checkpoint's root", size=HASH_BYTES)
    except ValueError as error:
        raise NoteError(str(error)) from None
    return Checkpoint(lines[0], size, root, tuple(lines[ORIGIN_LINES:]))
