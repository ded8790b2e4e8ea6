"""The standing duties of one installation: which log is anchored where, by whom, when.

There may be one on a chain and one of time stamps; neither knows of the other, and what holds one up does
not hold up the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from epilock.db import Database
from epilock.errors import NotFoundError, StateError
from epilock.ledger import rows
from epilock.ledger.anchor.account import Account
from epilock.ledger.anchor.chain import Chain
from epilock.ledger.anchor.deploy import Deployed, deploy
from epilock.ledger.anchor.evm import EvmAnchor
from epilock.ledger.anchor.node import Node
from epilock.ledger.anchor.outbox import Outbox
from epilock.ledger.anchor.place import Kind, Place
from epilock.ledger.anchor.schedule import Schedule, Step, run
from epilock.ledger.anchor.tsa import Authority, TsaAnchor

OWN_CHAINS = frozenset({1337, 31337})  # the numbers that developers' nodes give themselves


class Duty(Protocol):
    """What is done each minute, wherever the place is; nothing is asked of it before a round."""

    kind: ClassVar[Kind]

    @property
    def database(self) -> Database:
        """Return the main database."""
        ...

    @property
    def origin(self) -> str:
        """Return the log's name."""
        ...

    def place(self) -> Place:
        """Return the place; may raise as its methods do."""
        ...

    def run(self, *, now: datetime, at_once: bool = False) -> Step | None:
        """Do one round; see ``schedule.run``. Never waits, safe to repeat."""
        ...

    def proves_time(self) -> bool:
        """Return whether others keep the place: one on one's own machine proves the code, not the time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDuty:
    """What a round on a chain needs: a ``Duty``.

    Attributes:
        database: The main database.
        origin: Name of the log.
        node: A node of the chain.
        is_near: Whether the node runs on this machine.
        secret: Gives the account's 32-byte secret, from the key store.
        contract: 20-byte address of the contract, or None while there is none.
        depth: Blocks that must lie on a root, its own included.
        most_price: Highest price of a unit of gas, in wei.
        patience: How long a transaction may wait before it is replaced.
        schedule: When.
    """

    database: Database
    origin: str
    node: Node
    is_near: bool
    secret: Callable[[], bytes]
    contract: bytes | None
    depth: int
    most_price: int
    patience: timedelta
    schedule: Schedule

    kind: ClassVar[Kind] = Kind.CHAIN

    def account(self) -> Account:
        """Return the account that anchors; raises as ``Account`` does."""
        return Account(self.secret())

    def place(self) -> EvmAnchor:
        """Return the contract on the chain.

        Raises:
            StateError: No contract was named.
            NotFoundError: The log is empty.
            UnreachableError: The node does not say which chain it is of.
        """
        if self.contract is None:
            raise StateError(
                "no contract is set: make one with `epilock anchor deploy`, then set EPILOCK_ANCHOR_CONTRACT"
            )
        return EvmAnchor(self._outbox(), self.contract, log=number(self), depth=self.depth)

    def run(self, *, now: datetime, at_once: bool = False) -> Step | None:
        """Do one round; see ``schedule.run``. Never waits, safe to repeat."""
        return run(
            self.database, self.place(), self.origin, self.schedule, now=now, at_once=at_once
        )

    def deploy(self, *, now: datetime) -> Deployed:
        """Do the next step to a contract of our own; see ``deploy.deploy``."""
        return deploy(self._outbox(), self.origin, log=number(self), depth=self.depth, now=now)

    def proves_time(self) -> bool:
        """Return whether others keep this chain; see ``Duty``."""
        return not self.is_near and Chain(self.node).id() not in OWN_CHAINS

    def _outbox(self) -> Outbox:
        chain = Chain(self.node)
        return Outbox(
            self.database, chain, chain.id(), self.account(), most_price=self.most_price,
            patience=self.patience,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StampDuty:
    """What a round of time stamps needs: a ``Duty``.

    Attributes:
        database: The main database.
        origin: Name of the log.
        authority: Whom to ask, and what is trusted of it.
        is_near: Whether it runs on this machine.
        schedule: When.
    """

    database: Database
    origin: str
    authority: Authority
    is_near: bool
    schedule: Schedule

    kind: ClassVar[Kind] = Kind.STAMPS

    def place(self) -> TsaAnchor:
        """Return the authority.

        Raises:
            NotFoundError: The log is empty.
        """
        return TsaAnchor(self.database, self.authority, log=number(self))

    def run(self, *, now: datetime, at_once: bool = False) -> Step | None:
        """Do one round; see ``schedule.run``. Never waits, safe to repeat."""
        return run(
            self.database, self.place(), self.origin, self.schedule, now=now, at_once=at_once
        )

    def proves_time(self) -> bool:
        """Return whether others keep the authority; see ``Duty``."""
        return not self.is_near


def number(duty: Duty) -> int:
    """Return the number of the duty's log in the database.

    Raises:
        NotFoundError: Nothing was ever appended to it.
    """
    with duty.database.read() as tx:
        head = rows.find_head(tx, duty.origin)
    if head is None:
        raise NotFoundError("the log is empty: there is nothing to anchor")
    return head.log
