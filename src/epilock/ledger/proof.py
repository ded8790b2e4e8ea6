"""The proof that a person keeps (c2sp.org/tlog-proof@v1): a ``.tlog-proof`` file.

::

    c2sp.org/tlog-proof@v1
    extra <base64>            what the writer adds; not authenticated. Ours is the entry itself
    index <leaf index>
    <base64 hash>             from the leaf's sibling up to the root's child, one a line

    <the checkpoint, verbatim, with its signatures>
"""

from dataclasses import dataclass

from epilock.errors import FileFormatError, TooLargeError
from epilock.ledger.notation import base64, base64_text, decimal
from epilock.ledger.tree import HASH_BYTES

FIRST_LINE = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof, nothing of it checked yet.

    Attributes:
        index: Index of the entry.
        path: 32-byte hashes, from the leaf's sibling to the root's child.
        checkpoint: The signed note, verbatim.
        extra: What the writer added, or None.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def text(self) -> str:
        """Return the file's text."""
        lines = [FIRST_LINE]
        if self.extra is not None:
            lines.append(f"extra {base64_text(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [base64_text(each) for each in self.path]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def read(data: bytes) -> Proof:
    """Return the proof that a file's ``data`` states.

    Raises:
        TooLargeError: More than 1 MiB.
        FileFormatError: It is not UTF-8, or not a proof; the message names the line.
    """
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"a proof has at most {MOST_BYTES} bytes")
    try:
        return parse(data.decode())
    except UnicodeDecodeError:
        raise FileFormatError("a proof is text in UTF-8") from None


def parse(text: str) -> Proof:
    """Return the proof that ``text`` states.

    Raises:
        TooLargeError: More than 1 MiB.
        FileFormatError: It is not a proof; the message names the line.
    """
    if len(text) > MOST_BYTES:
        raise TooLargeError(f"a proof has at most {MOST_BYTES} bytes")
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != FIRST_LINE:
        raise FileFormatError(f"line 1 of a proof is `{FIRST_LINE}`")
    if not gap or not checkpoint:
        raise FileFormatError("a proof has an empty line, then a checkpoint")
    has_extra = len(lines) > 1 and lines[1].startswith("extra ")
    index_line, *hashes = lines[1 + has_extra :] or [""]
    if not index_line.startswith("index "):
        raise FileFormatError(f"line {2 + has_extra} of this proof is `index <leaf index>`")
    try:
        extra = base64(lines[1].removeprefix("extra "), "extra") if has_extra else None
        index = decimal(index_line.removeprefix("index "), "the index")
        path = tuple(base64(each, "a hash of the path", size=HASH_BYTES) for each in hashes)
    except ValueError as error:
        raise FileFormatError(f"not a proof: {error}") from None
    if len(path) > MOST_HASHES:
        raise FileFormatError(f"a path has at most {MOST_HASHES} hashes")
    return Proof(index, path, checkpoint, extra)
