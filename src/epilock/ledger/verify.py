"""The check that a stranger makes: a proof, keys that were had from elsewhere, and nothing else.

No database, no network, no clock. The steps, in this order, each with one error:

1. ``file``: it is a ``.tlog-proof`` (``FileFormatError``; ``TooLargeError`` beyond 1 MiB).
2. ``entry``: there is an entry: the one that was given, else what the file carries (``EntryError``).
3. ``origin``: the checkpoint is a signed note and a checkpoint, of an accepted log, and a key of that
   log signed it (``NoteError``).
4. ``signature``: no signature by a known key, of log or witness, fails (``ForgedError``).
5. ``policy``: enough witnesses cosigned, if a policy says how many (``PolicyError``).
6. ``inclusion``: the path leads from the entry to the checkpoint's root (``ProofError``).

What the entry *says* is another question: ``entry.decode`` answers it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from epilock.errors import (
    EntryError,
    EpilockError,
    FileFormatError,
    ForgedError,
    NoteError,
    PolicyError,
    ProofError,
    TooLargeError,
)
from epilock.ledger import checkpoint, note, proof
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import Verifier
from epilock.ledger.policy import LOGS, Policy
from epilock.ledger.tree import leaf_hash, verify_inclusion

STEPS: Mapping[str, tuple[type[EpilockError], ...]] = MappingProxyType(
    {
        "file": (FileFormatError, TooLargeError),
        "entry": (EntryError,),
        "origin": (NoteError,),
        "signature": (ForgedError,),
        "policy": (PolicyError,),
        "inclusion": (ProofError,),
    }
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What is proved.

    Attributes:
        entry: Bytes of the entry.
        index: Its index in the log.
        checkpoint: The claim that the log signed.
        witnesses: Keys of the known witnesses that cosigned it.
    """

    entry: bytes
    index: int
    checkpoint: Checkpoint
    witnesses: tuple[Verifier, ...]


def verify(
    text: str | bytes,
    verifiers: Sequence[Verifier] = (),
    entry: bytes | None = None,
    policy: Policy | None = None,
) -> Verified:
    """Return what the ``.tlog-proof`` ``text`` proves.

    ``verifiers`` are keys of accepted logs, besides those that ``policy`` lists; ``entry`` is needed if
    the file does not carry it, and goes before what it carries.

    Raises:
        FileFormatError: Step 1; ``TooLargeError`` beyond 1 MiB.
        EntryError: Step 2.
        NoteError: Step 3.
        ForgedError: Step 4.
        PolicyError: Step 5.
        ProofError: Step 6.
    """
    found = proof.read(text) if isinstance(text, bytes) else proof.parse(text)  # 1
    stated = (
        found.extra if entry is None else entry
    )  # 2; what the file carries is not authenticated
    if stated is None:
        raise EntryError("the proof does not carry its entry; give the entry too")
    said, witnesses = open_checkpoint(found.checkpoint, verifiers, policy)  # 3, 4, 5
    verify_inclusion(found.index, said.size, leaf_hash(stated), found.path, said.root)  # 6
    return Verified(stated, found.index, said, witnesses)


def open_checkpoint(
    signed: str, verifiers: Sequence[Verifier] = (), policy: Policy | None = None
) -> tuple[Checkpoint, tuple[Verifier, ...]]:
    """Return what the note ``signed`` claims and which known witnesses cosigned it: steps 3 to 5.

    Raises:
        NoteError: Step 3.
        ForgedError: Step 4.
        PolicyError: Step 5.
    """
    logs = [*verifiers, *(policy.logs if policy else ())]
    known = list(policy.witnesses.values()) if policy else []
    text, _ = note.parse(signed)
    said = checkpoint.parse(text)
    accepted = [key for key in logs if key.name == said.origin and key.algorithm in LOGS]
    if not accepted:
        raise NoteError("the checkpoint is of a log whose key was not given")
    _, good = note.open_note(signed, [*accepted, *known])
    if not any(key in accepted for key in good):
        raise NoteError("no key that was given for this log signed the checkpoint")
    witnesses = tuple(key for key in good if key in known)
    if policy is not None:
        policy.check(witnesses)
    return said, witnesses


def failed_step(error: EpilockError) -> str:
    """Return the name of the step of ``verify`` that raised ``error``."""
    return next(name for name, kinds in STEPS.items() if isinstance(error, kinds))
