"""The decision of a witness: is this checkpoint the next one of the history that was cosigned here?

The checks, in the order of c2sp.org/tlog-witness, each with its error and its answer over HTTP:

==  =================================================================  =======================  ====
1   The request is well-formed                                         ``FileFormatError``      400
2   The origin is known                                                ``NotFoundError``        404
3   A trusted key of it signed, and no signature of one fails          ``AccessError``          403
4   ``old`` is not larger than the checkpoint                          ``InputError``           400
5   ``old`` is the size that was cosigned last                         ``OldSizeError``         409
6   The proof holds; sizes that agree have one root; the empty tree    ``LedgerError``          422
    has the empty root
==  =================================================================  =======================  ====

What a crash leaves: before the checkpoint is durable, nothing happened; after it, the log asks again,
is told the size (409), and gets a cosignature of the same checkpoint with a later time.
"""

from collections.abc import Sequence
from datetime import datetime

from epilock.errors import (
    FileFormatError,
    ForbiddenError,
    InputError,
    IntegrityError,
    LedgerError,
    NoteError,
    OldSizeError,
    ProofError,
)
from epilock.ledger import checkpoint, note
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import Verifier
from epilock.ledger.tree import EMPTY_ROOT, verify_consistency
from epilock.ledger.witness import request
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory, Turn
from epilock.ledger.witness.request import AddCheckpoint

NOTHING = Checkpoint("", 0, EMPTY_ROOT)


class Witness:
    """One witness.

    Args:
        memory: What it remembers.
        cosigners: Its keys.
    """

    def __init__(self, memory: Memory, cosigners: Sequence[Cosigner]) -> None:
        self.memory = memory
        self._cosigners = tuple(cosigners)

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The public halves of its keys."""
        return tuple(each.verifier for each in self._cosigners)

    def add_checkpoint(self, body: bytes, *, now: datetime) -> str:
        """Return the cosignature lines for the checkpoint in ``body``; it is durable by then.

        Raises:
            FileFormatError, NotFoundError, AccessError, InputError, OldSizeError, LedgerError: The
                checks 1 to 6.
            IntegrityError: The memory is not what was written; nothing is cosigned.
        """
        asked = request.parse(body)
        text, said = _stated(asked.checkpoint)
        keys = self.memory.keys(said.origin)  # 2
        _check_signed(asked.checkpoint, keys)
        if asked.old > said.size:
            raise InputError("the old size is larger than the checkpoint")  # 4
        with self.memory.turn(said.origin) as turn:
            last = self._last(turn)
            if asked.old != last.size:
                raise OldSizeError("another size was cosigned last", size=last.size)  # 5
            try:
                _check_consistent(last, said, asked)
            except LedgerError:
                turn.accuse(asked.checkpoint)
                raise
            seconds = int(now.timestamp())
            lines = "".join(each.cosign(text, seconds).line() for each in self._cosigners)
            turn.keep(_only(asked.checkpoint, keys) + lines)
        return lines

    def newest(self, hashed: str) -> str:
        """Return the newest cosigned checkpoint of the log with that hash of its origin.

        Raises:
            NotFoundError: There is none.
        """
        return self.memory.newest(hashed)

    def _last(self, turn: Turn) -> Checkpoint:
        """Return what was cosigned last, as our own signature proves."""
        if not turn.text:
            return NOTHING
        try:
            text, _ = note.open_note(turn.text, self.verifiers)
        except LedgerError as error:
            raise IntegrityError(
                f"what was cosigned last is not what was written: {error}"
            ) from None
        return checkpoint.parse(text)


def _stated(signed: str) -> tuple[str, Checkpoint]:
    """Check 1: return the text of the note and what it claims, whoever signed it."""
    try:
        text, _ = note.parse(signed)
        return text, checkpoint.read(text)
    except NoteError as error:
        raise FileFormatError(f"not a checkpoint: {error}") from None


def _check_signed(signed: str, keys: Sequence[Verifier]) -> None:
    """Check 3."""
    try:
        note.open_note(signed, keys)
    except LedgerError as error:
        raise ForbiddenError(str(error)) from None


def _check_consistent(last: Checkpoint, said: Checkpoint, asked: AddCheckpoint) -> None:
    """Check 6."""
    if said.size == 0 and said.root != EMPTY_ROOT:
        raise ProofError("a checkpoint of size 0 must have the empty tree's root")
    verify_consistency(last.size, said.size, last.root, said.root, asked.path)


def _only(signed: str, keys: Sequence[Verifier]) -> str:
    """Return the note with the signatures of ``keys`` alone: what others added is not ours to repeat."""
    text, signatures = note.parse(signed)
    known = {(key.name, key.key_id) for key in keys}
    lines = [each.line() for each in signatures if (each.name, each.key_id) in known]
    return text + "\n" + "".join(dict.fromkeys(lines))
