"""The check that a stranger makes: a proof, keys that were had from elsewhere, and nothing else.

No database, no network, no clock. The steps, in this order, each with one error:

1. ``file``: it is a ``.tlog-proof`` (``FileFormatError``; ``TooLargeError`` beyond 1 MiB).
2. ``entry``: there is an entry: the one that was given, else what the file carries (``EntryError``).
3. ``checkpoint``: it is a signed note that states origin, size and root (``NoteError``).
4. ``origin``: it is of an accepted log, and has a signature line of a key of that log (``OriginError``).
5. ``signature``: no signature by a known key, of log or witness, fails (``ForgedError``).
6. ``policy``: enough witnesses cosigned, if a policy says how many (``PolicyError``).
7. ``inclusion``: the path leads from the entry to the checkpoint's root (``ProofError``).

A checkpoint alone takes the steps 1 and 3 to 6. Two checkpoints with a consistency proof end in a step 7
of their own, ``consistency``, at which the older tree is shown to begin the newer one.

``epilock.verifier.alone`` and the script of the public pages take the same steps, written apart from
this and from each other; one table of inputs holds all three to the same answers.

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
    InconsistentError,
    NoteError,
    OriginError,
    PolicyError,
    ProofError,
    TooLargeError,
)
from epilock.ledger import checkpoint, note, proof
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.notation import base64
from epilock.ledger.note import Verifier
from epilock.ledger.policy import LOGS, Policy
from epilock.ledger.proof import MOST_BYTES, MOST_HASHES, Proof
from epilock.ledger.tree import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion

STEPS: Mapping[str, tuple[type[EpilockError], ...]] = MappingProxyType(
    {
        "file": (FileFormatError, TooLargeError),
        "entry": (EntryError,),
        "checkpoint": (NoteError,),
        "origin": (OriginError,),
        "signature": (ForgedError,),
        "policy": (PolicyError,),
        "inclusion": (ProofError, InconsistentError),
    }
)
SHOWN = 7  # number of the step that is named by what is shown: inclusion, consistency


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
        OriginError: Step 4.
        ForgedError: Step 5.
        PolicyError: Step 6.
        ProofError: Step 7.
    """
    found = proof.read(text) if isinstance(text, bytes) else proof.parse(text)  # 1
    stated = found.extra if entry is None else entry  # what the file carries is not authenticated
    if stated is None:  # 2
        raise EntryError("the proof does not carry its entry; give the entry too")
    said, witnesses = verify_leaf(found, leaf_hash(stated), verifiers, policy)
    return Verified(stated, found.index, said, witnesses)


def verify_leaf(
    found: Proof, leaf: bytes, verifiers: Sequence[Verifier] = (), policy: Policy | None = None
) -> tuple[Checkpoint, tuple[Verifier, ...]]:
    """Return the checkpoint that holds the 32-byte leaf hash ``leaf``, and who cosigned it.

    Raises:
        NoteError, OriginError, ForgedError, PolicyError, ProofError: Steps 3 to 7.
    """
    said, witnesses = open_checkpoint(found.checkpoint, verifiers, policy)  # 3, 4, 5, 6
    verify_inclusion(found.index, said.size, leaf, found.path, said.root)  # 7
    return said, witnesses


def open_checkpoint(
    signed: str, verifiers: Sequence[Verifier] = (), policy: Policy | None = None
) -> tuple[Checkpoint, tuple[Verifier, ...]]:
    """Return what the note ``signed`` claims and which known witnesses cosigned it: steps 3 to 6.

    Raises:
        NoteError: Step 3.
        OriginError: Step 4.
        ForgedError: Step 5.
        PolicyError: Step 6.
    """
    logs = [*verifiers, *(policy.logs if policy else ())]
    witnesses = list(policy.witnesses.values()) if policy else []
    text, signatures = note.parse(signed)  # 3
    said = checkpoint.parse(text)
    accepted = [key for key in logs if key.name == said.origin and key.algorithm in LOGS]
    if not accepted:  # 4
        raise OriginError("the checkpoint is of a log whose key was not given")
    lines = {(line.name, line.key_id) for line in signatures}
    if not any((key.name, key.key_id) in lines for key in accepted):
        raise OriginError("no key that was given for this log signed the checkpoint")
    _, good = note.open_note(signed, [*logs, *witnesses])  # 5: one of another log's must hold too
    cosigned = tuple(key for key in good if key in witnesses)
    if policy is not None:  # 6
        policy.check(cosigned)
    return said, cosigned


def read_checkpoint(data: bytes) -> str:
    """Return the signed note in a file's ``data``: step 1 of a checkpoint.

    Raises:
        TooLargeError: More than 1 MiB.
        FileFormatError: It is not UTF-8.
    """
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"a checkpoint has at most {MOST_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FileFormatError("a checkpoint is text in UTF-8") from None


def read_path(data: bytes) -> tuple[bytes, ...]:
    """Return the hashes of a consistency proof's file: base64, one a line, as in a C2SP witness request.

    Raises:
        FileFormatError: It is not so written, or has more than 63 hashes.
    """
    try:
        body = data.decode().removesuffix("\n")
        lines = body.split("\n") if body else []
        path = tuple(base64(line, "a hash of the proof", size=HASH_BYTES) for line in lines)
    except ValueError as error:
        raise FileFormatError(
            f"a consistency proof is base64 hashes, one a line: {error}"
        ) from None
    if len(path) > MOST_HASHES:
        raise FileFormatError(f"a consistency proof has at most {MOST_HASHES} hashes")
    return path


def check_growth(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Return if ``path`` shows that the tree of ``old`` begins the tree of ``new``: step 7.

    Raises:
        ProofError: They are of different logs, or the proof does not fit their sizes.
        InconsistentError: The roots cannot both be true by this proof.
    """
    if old.origin != new.origin:
        raise ProofError("the two checkpoints are of different logs")
    verify_consistency(old.size, new.size, old.root, new.root, path)


def failed_step(error: EpilockError) -> str:
    """Return the name of the step of ``verify`` that raised ``error``."""
    for name, kinds in [*STEPS.items()][
        ::-1
    ]:  # an ``OriginError`` is a ``NoteError`` of step 3 too
        if isinstance(error, kinds):
            return name
    raise error
