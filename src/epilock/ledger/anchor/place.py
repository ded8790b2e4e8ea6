"""The one interface behind which every anchor stands: a chain, a time-stamping authority.

What they prove differs. A chain that others keep proves that a root was there in public when a block was
made, and that its contract holds one root for a size: who wants two histories needs two contracts. An
authority proves that a root existed at an instant, if its clock and key are to be trusted; it keeps and
shows nothing, so that it stamps two histories for whoever asks twice. That a log shows everyone the same
history is seen by witnesses and monitors alone.

Rules kept by each back end:
  1. ``anchor`` never waits for the outside: it does the next step and says how far it is.
  2. ``anchor`` is safe to repeat, after a crash at any point and from two processes at once; what it
     sends is stored before it is sent.
  3. Only what was read back counts as held. That something was sent, or mined, is no proof.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What kind of place it is; its name begins with this.

    ``CHAIN``: a contract on an EVM chain. ``STAMPS``: a time-stamping authority.
    """

    CHAIN = "evm"
    STAMPS = "tsa"


class Stage(StrEnum):
    """How far one anchor is.

    ``SENT``: under way, or stored and to be sent again. ``HELD``: read back, but what holds it may still be
    undone. ``DONE``: read back below the depth that was asked. ``REFUSED``: the outside said no, and
    repeating is useless. ``CONFLICT``: the outside holds *another* root for this size.
    """

    SENT = "sent"
    HELD = "held"
    DONE = "done"
    REFUSED = "refused"
    CONFLICT = "conflict"


OPEN = frozenset({Stage.SENT, Stage.HELD})  # go on; DONE is checked again; the others are final


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one step found.

    Attributes:
        stage: How far it is now.
        reason: Why it is no further, for people; "" if nothing is wrong.
    """

    stage: Stage
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A proof that can be checked without the outside.

    Attributes:
        file: The ``.anchor`` file.
        at: When the outside says that it held the root: the block's time stamp, or the authority's.
        block: Number of the block to which it leads, or None if there are none.
        block_hash: That block's hash, or None.
    """

    file: bytes
    at: datetime
    block: int | None = None
    block_hash: bytes | None = None


class Place(Protocol):
    """Somewhere outside that keeps roots."""

    @property
    def name(self) -> str:
        """Return its stable name, such as ``evm/1/0x5fbd…``: its kind, a slash, at most 80 characters."""
        ...

    def anchor(self, origin: str, size: int, root: bytes, *, now: datetime) -> Progress:
        """Do the next step so that ``root`` is held for the tree of ``size``; see the rules above.

        Raises:
            UnreachableError: Nothing is known; the same call goes on later.
            AnchorError: The place is not as it should be: no contract, another owner.
        """
        ...

    def read(self, origin: str, size: int) -> bytes | None:
        """Return the root that is held for the tree of ``size``, or None.

        Raises:
            UnreachableError: Nothing is known.
            AnchorError: The place is not as it should be.
        """
        ...

    def prove(self, origin: str, size: int, root: bytes) -> Proven | None:
        """Return a verified proof that the root is held, below the depth that was asked, or None.

        Raises:
            UnreachableError: Nothing is known.
            AnchorError: The place gives no proofs.
            ProofError: What it gave does not verify.
        """
        ...
