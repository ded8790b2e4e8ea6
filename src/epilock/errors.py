"""Every error that Epilock raises, one tree; the edges translate it (``web`` to HTTP, ``cli`` to exit codes).

Rules kept in this file:
  1. A message says what was wrong, where, and what would be right.
  2. A message never holds a value that a person gave: fields are named, values are not.
  3. A refusal by the standard names the rule, its source and what would be allowed.

::

    EpilockError
      InputError            what came in is wrong
        FileFormatError       a file that cannot be read as what it should be
        UnattainableError     no release keeps the privacy models within its limit
        TooLargeError         larger than the stated limit
        FieldsError           fields of a form, each with its own problem
          BoxError              of a form that a device sealed: ask its person again
        StaleNoticeError      given under an older version of the notice
        ConsentError          an authorisation that the notice asks for is missing
        StandardFileError     the standard's data contradicts itself
      RefusedError          the standard gives no leave
        NotDueError           must still be kept
        HeldError             an inspector holds it
        FrozenError           nothing is destroyed while a freeze lasts
        BudgetError           a dataset has told as much as it may
      StateError            not possible in this state
        NotFoundError         no such thing
        ConflictError         another thing has that name, or it was changed meanwhile
          DecidedError          another answer stands already, or another person gave it
          OldSizeError          a witness cosigned another size last
        ClosedError           the point, emergency or lease has ended
        LimitError            as many as were allowed have come in
      AccessError           who asks may not
        SignInError           not signed in, or wrong credentials
        ForbiddenError        signed in, but has no right to it
        ApprovalError         a second person must approve first
        RateError             too many attempts; wait
      BusyError             too much waits already; come back
      OutageError           a database or the memory failed; whether it was stored is not known
      KeysError             the key store
        ErasedError           the key is gone, by destruction or erasure
        LeasedError           the numbers were leased before
        RootKeyError          the root key is missing, wrong or readable by others
      DrillError            a drill shows that a guarantee does not hold
      IntegrityError        stored bytes are not what was stored
        TamperedError         a sealed row or a signed row was altered, swapped or replayed
      LedgerError           the transparency log
        EntryError            not a canonical entry of a known type
        NoteError             not a signed note, or no known key signed it
          OriginError           a checkpoint of a log that is not accepted, or without its signature
        ForgedError           a known key's signature fails
        PolicyError           too few cosignatures
        ProofError            a proof that does not lead to the root
          AnchorProofError    an anchor that does not lead to the root, or a stamp that does not hold
        InconsistentError     two checkpoints that cannot both be
        AnchorError           an anchor outside: a chain, a time-stamping authority
          UnreachableError      it gives no usable answer now; try again
          AnchorRefusedError    it says no
"""

from collections.abc import Sequence
from dataclasses import dataclass


class EpilockError(Exception):
    """Root of the tree."""


class InputError(EpilockError):
    """What came in is wrong; nothing was stored."""


class FileFormatError(InputError):
    """A file cannot be read as what it should be: corrupt, empty, encrypted, of another kind."""


class UnattainableError(InputError):
    """No release keeps the privacy models within the share of rows that may be suppressed."""


class TooLargeError(InputError):
    """Larger than the stated limit (bytes, rows, fields or unpacked size)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field's problem, without the value.

    Attributes:
        field: Field id of the form, such as ``mobile``.
        code: Stable name of the problem, such as ``check-digit``.
        zh: What to do, in Chinese.
        en: What to do, in English.
    """

    field: str
    code: str
    zh: str
    en: str


class FieldsError(InputError):
    """One or more fields of a form were not accepted.

    Attributes:
        problems: One for each field at fault, in the form's order.
    """

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.en}" for p in problems))
        self.problems = tuple(problems)


class BoxError(FieldsError):
    """What a device sealed without a network can't be stored; its person may be asked again.

    Attributes:
        mark: The last group of the receipt's code: enough to tell a form from others on its device, and
            far too little to look anything up with.
    """

    def __init__(self, mark: str, problems: Sequence[FieldProblem]) -> None:
        super().__init__(problems)
        self.args = (f"the form whose receipt ends in {mark}: {self}",)
        self.mark = mark


class StaleNoticeError(InputError):
    """Given under an older version of the notice; read the new one and authorise again."""


class ConsentError(InputError):
    """An authorisation that the notice asks for is missing.

    Attributes:
        missing: The acts that are missing, such as ``sensitive:health.temperature``.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"not authorised: {', '.join(missing)}")
        self.missing = tuple(missing)


class StandardFileError(InputError):
    """The standard's data is inconsistent; the message names file, line and reason."""


class RefusedError(EpilockError):
    """The standard gives no leave.

    Attributes:
        rule: Identifier of the rule, such as ``never/residential-entry/biometric.face``.
        source: Ids of the law or standard it rests on.
        allowed: What would be allowed instead, one sentence.
        allowed_zh: The same in Chinese, where the standard itself says it; "" if not.
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str = "",
        source: Sequence[str] = (),
        allowed: str = "",
        allowed_zh: str = "",
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.source = tuple(source)
        self.allowed, self.allowed_zh = allowed, allowed_zh


class NotDueError(RefusedError):
    """It must still be kept; the message says under which rule and until when."""


class HeldError(RefusedError):
    """It is under a hold; the message names the assessment and its end."""


class FrozenError(RefusedError):
    """Destruction is frozen, because something went around the program; two persons lift that."""


class BudgetError(RefusedError):
    """A dataset has told as much as it may; the message says what is left and what it would buy."""


class StateError(EpilockError):
    """Not possible in this state."""


class NotFoundError(StateError):
    """There is no such thing in this organisation."""


class ConflictError(StateError):
    """Another thing has that name, or it was changed meanwhile."""


class DecidedError(ConflictError):
    """Another answer than this stands already, or another person gave it."""


class OldSizeError(ConflictError):
    """A witness cosigned another size last than the request says.

    Attributes:
        size: The size that it cosigned last.
    """

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message)
        self.size = size


class ClosedError(StateError):
    """The point, emergency or lease has ended."""


class LimitError(StateError):
    """As many as were allowed have come in; who may allow more is named."""


class AccessError(EpilockError):
    """Who asks may not."""


class SignInError(AccessError):
    """Not signed in, or the credentials are wrong (which of them is not said)."""


class ForbiddenError(AccessError):
    """Signed in, but without the role, grant or organisation it needs."""


class ApprovalError(AccessError):
    """A second person must approve first; the message says which rule asks for it."""


class RateError(AccessError):
    """Too many attempts.

    Attributes:
        wait: Seconds until another attempt is answered.
    """

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class BusyError(EpilockError):
    """Too much waits already; nothing of this was stored.

    Attributes:
        wait: Seconds after which another attempt makes sense.
    """

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class OutageError(EpilockError):
    """A database gave no answer, or memory ran out: whether this was stored is not known.

    Attributes:
        wait: Seconds after which another attempt makes sense.
    """

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class KeysError(EpilockError):
    """The key store cannot do that."""


class ErasedError(KeysError):
    """The key is gone, by destruction or erasure: no one can open it."""


class LeasedError(KeysError):
    """These record numbers were leased before, to another process; take the next ones."""


class RootKeyError(KeysError):
    """The root key is missing, wrong, or readable by others."""


class DrillError(EpilockError):
    """A drill shows that a guarantee does not hold: the program must not be trusted before it does."""


class IntegrityError(EpilockError):
    """Stored bytes are not what was stored."""


class TamperedError(IntegrityError):
    """A sealed or signed row was altered, swapped, truncated or replayed; the message names it."""


class LedgerError(EpilockError):
    """The transparency log."""


class EntryError(LedgerError):
    """Not a canonical entry of a known type."""


class NoteError(LedgerError):
    """Not a signed note, or signed by no known key."""


class OriginError(NoteError):
    """A checkpoint of a log whose key was not given, or that no key given for it signed."""


class ForgedError(LedgerError):
    """A known key's signature fails."""


class PolicyError(LedgerError):
    """Too few known witnesses cosigned."""


class ProofError(LedgerError):
    """A proof that does not lead to the root."""


class AnchorProofError(ProofError):
    """An anchor's proof does not lead from what is trusted to the root; the message begins with its step."""


class InconsistentError(LedgerError):
    """Two checkpoints of one log that cannot both be."""


class AnchorError(LedgerError):
    """An anchor outside (a chain, a time-stamping authority) is not as it should be."""


class UnreachableError(AnchorError):
    """It cannot be reached, or its answer makes no sense; trying again is harmless."""


class AnchorRefusedError(AnchorError):
    """It answered no: a call that the contract or the node refused; the message says why."""
