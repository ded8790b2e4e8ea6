"""Making the contract and opening the log in it: two transactions, each stored before it is sent.

A crash at any point is gone on from by the same call: which contract was made is read off the nonce of
the transaction that was mined. Only where nothing lies at that address is the node believed that it made
the contract elsewhere: FISCO BCOS numbers contracts its own way unless it is told to follow Ethereum's.
"""

from dataclasses import dataclass
from datetime import datetime

from epilock.errors import AnchorError, UnreachableError
from epilock.ledger.anchor import contract as code
from epilock.ledger.anchor.contract import NOBODY, Head
from epilock.ledger.anchor.evm import EvmAnchor
from epilock.ledger.anchor.outbox import Job, Outbox, Pushed
from epilock.ledger.anchor.place import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """How far it is.

    Attributes:
        contract: The contract's 20-byte address, or None while it is not mined.
        ready: Whether this account owns the log, below the depth that was asked.
        reason: What a node said against it; "" if nothing.
    """

    contract: bytes | None
    ready: bool
    reason: str = ""


def deploy(outbox: Outbox, origin: str, *, log: int, depth: int, now: datetime) -> Deployed:
    """Do the next step; never waits, safe to repeat, also when all is done.

    Raises:
        AnchorError: The transaction failed, or another account opened the log first.
        UnreachableError: Nothing is known; the same call goes on later.
    """
    job = Job(
        log=log, place=f"{Kind.CHAIN.value}/{outbox.chain_id}", name="deploy", to=None, data=code.creation(),
        gas=code.GAS_TO_CREATE,
    )  # fmt: skip
    pushed = outbox.push(job, now=now)
    if pushed.receipt is None:
        return Deployed(contract=None, ready=False, reason=pushed.reason)
    if not pushed.receipt.succeeded:
        raise AnchorError("the chain refused to make the contract; its gas is spent")
    made, anchor, owner = _made(outbox, pushed, origin, log=log, depth=depth)
    if owner == NOBODY:
        opened = anchor.open(origin, now=now)
        if opened.receipt is not None and not opened.receipt.succeeded:
            raise AnchorError("the contract refused to open the log; its gas is spent")
        return Deployed(contract=made, ready=False, reason=opened.reason)
    if owner != outbox.account.address:
        raise AnchorError("another account opened this log first; the contract is of no use")
    anchor.opened(origin)
    block = anchor.settled_block()
    settled = block >= 0 and _head(anchor, origin, block).owner == owner
    return Deployed(contract=made, ready=settled)


def _made(
    outbox: Outbox, pushed: Pushed, origin: str, *, log: int, depth: int
) -> tuple[bytes, EvmAnchor, bytes]:
    """Return the contract's address, the place there, and the log's owner in it.

    Raises:
        AnchorError: There is no such contract.
    """
    made = code.address(outbox.account.address, pushed.nonce)
    stated = pushed.receipt.contract if pushed.receipt is not None else None
    anchor = EvmAnchor(outbox, made, log=log, depth=depth)
    try:
        return made, anchor, _head(anchor, origin).owner
    except UnreachableError:
        raise
    except AnchorError:
        if stated in {None, made}:
            raise
        anchor = EvmAnchor(outbox, stated, log=log, depth=depth)
        return stated, anchor, _head(anchor, origin).owner


def _head(anchor: EvmAnchor, origin: str, block: int | None = None) -> Head:
    """Return the log's head; a contract that is not there in that state has no owner."""
    try:
        return anchor.head(origin, block=block)
    except UnreachableError:
        raise
    except AnchorError:
        if block is None:
            raise
        return Head(NOBODY, 0)
