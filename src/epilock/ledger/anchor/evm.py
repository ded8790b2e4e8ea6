"""Anchors in a contract on an EVM chain.

One step of ``EvmAnchor.anchor`` asks the contract first, for only what was read back counts:

=================================  ============  ====================================================
the contract, for this size        stage         what is done
=================================  ============  ====================================================
holds the root, also in the state  ``done``      nothing; ``prove`` makes the proof from that state
``depth`` blocks ago
holds the root                     ``held``      wait: a reorganisation may still undo it
holds another root                 ``conflict``  raise the alarm; someone anchored another tree
holds nothing, and has anchored a  ``refused``   nothing: the contract would refuse it too, for gas
larger tree
holds nothing; a transaction was   ``refused``   ask the contract why, note it
mined and its call failed
holds nothing; a transaction was   ``sent``      wait: this node is behind the one that said so
mined and its call succeeded
holds nothing                      ``sent``      push the transaction (``outbox``)
=================================  ============  ====================================================

So a crash, a reorganisation, a restored node and an anchor that another process made need no case of
their own: each leaves one of these rows.
"""

from datetime import datetime
from typing import Any

from epilock.errors import AnchorError, AnchorRefusedError, UnreachableError
from epilock.ledger.anchor import contract as code
from epilock.ledger.anchor import proof
from epilock.ledger.anchor.chain import text
from epilock.ledger.anchor.contract import Head
from epilock.ledger.anchor.outbox import Job, Outbox, Pushed
from epilock.ledger.anchor.place import Kind, Progress, Proven, Stage
from epilock.ledger.anchor.proof import AnchorProof, log_id

ANCHOR, HEADS, OPEN, ROOTS = (
    "anchor(bytes32,uint64,bytes32)", "heads(bytes32)", "open(bytes32)", "roots(bytes32,uint64)",
)  # fmt: skip


class EvmAnchor:
    """One contract on one chain: a ``Place``.

    Args:
        outbox: The account's transactions on that chain.
        contract: 20-byte address of the contract.
        log: Number of the log in the database, under which transactions are stored.
        depth: How many blocks must lie on a root, its own included, before it counts as done.
    """

    def __init__(self, outbox: Outbox, contract: bytes, *, log: int, depth: int) -> None:
        self._outbox = outbox
        self._chain = outbox.chain
        self._contract = contract
        self._log = log
        self._depth = depth

    @property
    def name(self) -> str:
        """Return the place's name: ``evm/<chain>/<contract>``."""
        return f"{Kind.CHAIN.value}/{self._outbox.chain_id}/{text(self._contract)}"

    def read(self, origin: str, size: int, *, block: int | None = None) -> bytes | None:
        """Return the root that the contract holds, in the state after ``block``; see ``Place``."""
        return code.read_root(self._ask(ROOTS, log_id(origin), size, block=block))

    def head(self, origin: str, *, block: int | None = None) -> Head:
        """Return the owner of a log and the largest size it anchored, in the state after ``block``."""
        return code.read_head(self._ask(HEADS, log_id(origin), block=block))

    def anchor(self, origin: str, size: int, root: bytes, *, now: datetime) -> Progress:
        """Do the next step; see the table in the module and the rules of ``Place``."""
        head = self.head(origin)  # before the root: a block may be mined between the two questions
        held = self.read(origin, size)
        if held == root:
            self._outbox.settle(self._job(origin, size, root))
            return self._settled(origin, size, root)
        if held is not None:
            return Progress(
                stage=Stage.CONFLICT, reason="the contract holds another root for this size"
            )
        if head.owner != self._outbox.account.address:
            raise AnchorError(
                "the contract says that this log belongs to another account, or to none"
            )
        if head.size >= size:
            return Progress(
                stage=Stage.REFUSED, reason=f"a tree of {head.size} was anchored already"
            )
        return self._push(origin, size, root, now)

    def open(self, origin: str, *, now: datetime) -> Pushed:
        """Do the next step so that this account owns the log."""
        return self._outbox.push(self._job_to_open(origin), now=now)

    def opened(self, origin: str) -> None:
        """Note what opening the log cost."""
        self._outbox.settle(self._job_to_open(origin))

    def settled_block(self) -> int:
        """Return the newest block that has ``depth`` blocks on it, its own included; below 0 if none."""
        return self._chain.height() - self._depth + 1

    def prove(self, origin: str, size: int, root: bytes) -> Proven | None:
        """Return a verified proof in the state ``depth`` blocks ago; see ``Place``."""
        block = self.settled_block()
        if self._settled(origin, size, root).stage is not Stage.DONE:
            return None
        block_hash, header = self._chain.header(block)
        account, storage = self._chain.proof(self._contract, proof.root_slot(origin, size), block)
        found = AnchorProof(
            origin=origin, size=size, root=root, contract=self._contract, header=header,
            account=account, storage=storage,
        )  # fmt: skip
        made = found.text().encode()
        done = proof.verify(proof.parse(made), block_hash=block_hash, contract=self._contract)
        return Proven(file=made, at=done.at, block=block, block_hash=block_hash)

    def _ask(self, method: str, *words: Any, block: int | None = None) -> bytes:
        return self._chain.call(self._contract, code.call(method, *words), block=block)

    def _settled(self, origin: str, size: int, root: bytes) -> Progress:
        """Return the progress of a root that the newest state holds."""
        block = self.settled_block()
        if self._depth == 1:  # some chains answer for their newest state only, and never go back
            return Progress(stage=Stage.DONE)
        try:
            held = block >= 0 and self.read(origin, size, block=block) == root
        except AnchorRefusedError as error:
            return Progress(
                stage=Stage.HELD,
                reason=f"the node does not keep the state of block {block}: {error}",
            )
        except UnreachableError:
            raise
        except AnchorError:  # the contract was not there yet
            held = False
        return Progress(stage=Stage.DONE if held else Stage.HELD)

    def _job(self, origin: str, size: int, root: bytes) -> Job:
        return Job(
            log=self._log, place=self.name, name=f"anchor:{size}", to=self._contract,
            data=code.call(ANCHOR, log_id(origin), size, root), gas=code.GAS_TO_ANCHOR,
        )  # fmt: skip

    def _job_to_open(self, origin: str) -> Job:
        return Job(
            log=self._log, place=self.name, name="open", to=self._contract,
            data=code.call(OPEN, log_id(origin)), gas=code.GAS_TO_OPEN,
        )  # fmt: skip

    def _push(self, origin: str, size: int, root: bytes, now: datetime) -> Progress:
        job = self._job(origin, size, root)
        try:
            pushed = self._outbox.push(job, now=now)
        except AnchorRefusedError as error:
            return Progress(stage=Stage.SENT, reason=str(error))
        if pushed.receipt is None:
            return Progress(stage=Stage.SENT, reason=pushed.reason)
        if pushed.receipt.succeeded:
            return Progress(stage=Stage.SENT, reason="mined, but not yet read back")
        return Progress(stage=Stage.REFUSED, reason=self._why(job))

    def _why(self, job: Job) -> str:
        """Return why the contract refuses a job: a failed transaction alone does not say."""
        try:
            self._chain.call(self._contract, job.data, sender=self._outbox.account.address)
        except AnchorRefusedError as error:
            return str(error)
        return "the call failed when it was mined; it would succeed now"
