"""Transactions on their way: stored before they are sent, sent again, replaced, until one is mined.

Rules kept in this file:
  1. A transaction is signed, stored and committed before it is sent. After any crash the same bytes are
     sent again, which every node takes as one transaction.
  2. No database transaction is open while a node is asked.
  3. What is known of a transaction is its receipt on the chain of now, asked anew each time; after a
     reorganisation there may be none again, and the same bytes are sent again.
  4. A job's transactions are alternatives. The contract carries out one of them at most (a log is opened
     once, a size anchored once), so that even two mined ones do no harm but their gas.

One step of ``push``, by what it finds:

=====================================  ===========================================================
nothing stored                         sign with the account's nonce, store, send
a receipt of any of them               note it, return it
none; stored a short while ago         send the newest again (a crash before it was sent, a node
                                       that forgot it)
none; longer than ``patience``, the    it is stuck: replace it, same nonce, price x 9/8 or the
nonce is still free                    node's if higher, never above ``most_price``; store, send
none, and that would be above it       send the newest again
none; longer than ``patience``, the    another transaction took it (another program, a reset
nonce is used or not yet reached       chain): sign with the account's nonce, store, send
=====================================  ===========================================================
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Database, Instant, Transaction, metadata, sealed_table
from epilock.errors import AnchorRefusedError
from epilock.ledger.anchor.account import Account, Order
from epilock.ledger.anchor.book import MOST_PLACE
from epilock.ledger.anchor.chain import Chain, Receipt
from epilock.ledger.tree import HASH_BYTES

# Nodes replace a pending transaction only for a tenth more (go-ethereum: 10 %).
RAISE_BY, RAISE_OVER = 9, 8

tries = sealed_table(
    "ledger_anchor_tries",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.String(MOST_PLACE), primary_key=True),
    sa.Column("job", sa.String(40), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    sa.Column("gas_price", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary(HASH_BYTES), nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("stored", Instant, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("block", sa.BigInteger),
    sa.Column("gas_used", sa.BigInteger),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to be done on a chain.

    Attributes:
        log: Number of the log in this database.
        place: The chain, or the contract on it.
        name: Such as ``deploy``, ``open`` or ``anchor:4096``.
        to: The contract, or None to make one.
        data: What it is called with.
        gas: The most gas it may use.
    """

    log: int
    place: str
    name: str
    to: bytes | None
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What one step found.

    Attributes:
        nonce: Nonce of the transaction that was mined, or of the newest.
        receipt: What became of it, or None while none is mined.
        reason: What the node said against it, or why it is not replaced; "" if nothing.
    """

    nonce: int
    receipt: Receipt | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What one mined transaction cost.

    Attributes:
        job: What it was for.
        succeeded: Whether its call was carried out.
        gas_used: Gas it used.
        gas_price: Price of a unit, in wei; what is paid is at most their product.
        stored: When it was signed.
    """

    job: str
    succeeded: bool
    gas_used: int
    gas_price: int
    stored: datetime


class Outbox:
    """The transactions of one account on one chain.

    Args:
        database: The main database.
        chain: The chain.
        chain_id: Its number; what is signed is valid there alone.
        account: Who signs and pays.
        most_price: The highest price of a unit of gas that is ever offered, in wei.
        patience: How long a transaction may wait before it is replaced.
    """

    def __init__(
        self,
        database: Database,
        chain: Chain,
        chain_id: int,
        account: Account,
        *,
        most_price: int,
        patience: timedelta = timedelta(minutes=10),
    ) -> None:
        self.chain = chain
        self.chain_id = chain_id
        self.account = account
        self._database = database
        self._most_price = most_price
        self._patience = patience

    def push(self, job: Job, *, now: datetime) -> Pushed:
        """Do the next step of ``job``; never waits, safe to repeat. See the table in the module.

        Raises:
            UnreachableError: Nothing is known; what is stored will be sent again.
            AnchorRefusedError: The price is above the most that may be paid, or the node does not say
                the account's nonce or a price.
            ConflictError: Another process does the same step.
        """
        with self._database.read() as tx:
            stored = tx.all(tries, *_of(job), order_by=[tries.c.n.desc()])
        for each in stored:
            receipt = self.chain.receipt(bytes(each["hash"]))
            if receipt is not None:
                self._note(job, each, receipt)
                return Pushed(nonce=each["nonce"], receipt=receipt)
        if not stored:
            return self._send(self._store(job, 0, self.chain.gas_price(), now))
        newest = stored[0]
        if now - newest["stored"] < self._patience:
            return self._send(newest)
        least = newest["gas_price"] * RAISE_BY // RAISE_OVER + 1
        price = max(least, self.chain.gas_price())
        if price > self._most_price:
            stuck = f"the gas price of {price} wei is above the most that may be paid"
            return replace(self._send(newest), reason=stuck)  # a node may have forgotten it
        return self._send(self._store(job, newest["n"] + 1, price, now))

    def settle(self, job: Job) -> None:
        """Note what a job cost that is known to be done; asks only if that was not noted yet."""
        with self._database.read() as tx:
            stored = tx.all(tries, *_of(job))
        if any(each["gas_used"] is not None for each in stored):
            return
        for each in stored:
            receipt = self.chain.receipt(bytes(each["hash"]))
            if receipt is not None:
                self._note(job, each, receipt)

    def _store(self, job: Job, n: int, price: int, now: datetime) -> dict[str, Any]:
        """Sign the next try of ``job`` and commit it.

        Raises:
            AnchorRefusedError: The price is above the most that may be paid.
            ConflictError: Another process stored it meanwhile; the next step finds it.
        """
        if price > self._most_price:
            raise AnchorRefusedError(
                f"the gas price of {price} wei is above the most that may be paid"
            )
        nonce = self.chain.nonce(self.account.address)
        order = Order(
            nonce=nonce, to=job.to, data=job.data, gas=job.gas, gas_price=price,
            chain_id=self.chain_id,
        )  # fmt: skip
        raw, hash_ = self.account.sign(order)
        row = {
            "log": job.log, "place": job.place, "job": job.name, "n": n, "nonce": nonce,
            "gas_price": price, "hash": hash_, "raw": raw, "stored": now,
        }  # fmt: skip
        with self._database.write() as tx:
            tx.insert(tries, **row)
        return row

    def _send(self, row: dict[str, Any]) -> Pushed:
        """Send what is stored; what a node says against it is told, and decides nothing.

        Nodes refuse what they have already, or what is mined already, each in words of its own. Receipts,
        nonce and contract say how it stands; they are asked in the next step.
        """
        try:
            self.chain.send(bytes(row["raw"]))
        except AnchorRefusedError as error:
            return Pushed(nonce=row["nonce"], receipt=None, reason=str(error))
        return Pushed(nonce=row["nonce"], receipt=None)

    def _note(self, job: Job, row: dict[str, Any], receipt: Receipt) -> None:
        found = (int(receipt.succeeded), receipt.block, receipt.gas_used)
        if (row["status"], row["block"], row["gas_used"]) == found:
            return
        key = {"log": job.log, "place": job.place, "job": job.name, "n": row["n"]}
        with self._database.write() as tx:
            tx.update(tries, key, status=found[0], block=found[1], gas_used=found[2])


def paid(tx: Transaction, log: int) -> list[Paid]:
    """Return what each mined transaction of ``log`` cost, the oldest first."""
    rows = tx.all(
        tries,
        tries.c.log == log,
        tries.c.gas_used.is_not(None),
        order_by=[tries.c.stored, tries.c.nonce],
    )
    return [
        Paid(
            job=row["job"], succeeded=row["status"] == 1, gas_used=row["gas_used"],
            gas_price=row["gas_price"], stored=row["stored"],
        )
        for row in rows
    ]  # fmt: skip


def _of(job: Job) -> list[sa.ColumnElement[bool]]:
    return [tries.c.log == job.log, tries.c.place == job.place, tries.c.job == job.name]
