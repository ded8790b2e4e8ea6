"""The round of a log among its witnesses: ask them all at once, keep what came, show the checkpoint.

It runs beside the submissions and holds none of them up: it reads a committed checkpoint, asks with no
transaction open, and writes what came in one short transaction. A witness that is slow, gone or at odds
delays nothing: after ``SECONDS`` the checkpoint is shown with what there is.

Rules kept in this file:
  1. Each address is asked once a round, for all the keys that the policy gives it.
  2. A witness that has cosigned this size is not asked again, but for once an hour, so that a log in
     which nothing happens can be told from one that is kept back. About a sealed log it is not asked again.
  3. What went wrong with a witness is state that people see, and an alert by its kind: ``unreachable``
     falls behind and may come back; ``at odds`` means that somebody's history is false.

What a crash leaves: before the transaction, nothing; the next round asks again, is told the size, and gets
cosignatures of the same checkpoint with a later time. After it, all of the round.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from epilock.db import Database, Instant, Transaction, metadata, sealed_table
from epilock.errors import EpilockError, InputError, LedgerError, NotFoundError
from epilock.ledger import cosigned, regime, succession
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.log import Log
from epilock.ledger.note import Verifier
from epilock.ledger.policy import Policy
from epilock.ledger.verify import open_checkpoint
from epilock.ledger.witness.ask import OK, Asked, Send, ask, over_http
from epilock.ledger.witness.memory import origin_hash
from epilock.standard.level import CHINA

SECONDS = 5.0  # that a round waits for witnesses
FRESH = timedelta(hours=1)
GONE = 404
UNREACHABLE, DISAGREES = "unreachable", "at odds"
_log = logging.getLogger(__name__)
T = TypeVar("T")

states = sealed_table(
    "witness_states",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("address", sa.String(400), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("cosigned", Instant),
    sa.Column("problem", sa.String(20)),
    sa.Column("why", sa.Text),
    sa.Column("since", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How it stands with one witness.

    Attributes:
        address: Where it is asked.
        names: Its keys' names in the policy.
        size: The size that it cosigned last; 0 if it never did.
        cosigned: When that was.
        problem: ``unreachable``, ``at odds``, or None.
        why: The problem in a sentence.
        since: Since when there is this problem.
    """

    address: str
    names: tuple[str, ...]
    size: int
    cosigned: datetime | None
    problem: str | None
    why: str | None
    since: datetime | None


class Gatherer:
    """Gathers cosignatures for one log; owned by one thread.

    Args:
        database: Where the log lies.
        log: The log.
        send: How a witness is reached; HTTP by default.
        seconds: How long a round waits.
    """

    def __init__(
        self, database: Database, log: Log, *, send: Send | None = None, seconds: float = SECONDS
    ) -> None:
        self._database = database
        self._log = log
        self._send = send or over_http(seconds)
        self._seconds = seconds

    def round(self, now: datetime) -> None:
        """Do one round; without an announced policy there is nothing to do."""
        with self._database.read() as tx:
            announced = regime.in_force(tx, self._log, now.astimezone(CHINA).date())
            if announced is None:
                return
            policy = announced.policy
            number, said = self._log.number(tx), self._log.head(tx)
            signed = self._log.signed(said)  # without cosignatures: what we ask about
            known = {state.address: state for state in _states(tx, number, policy)}
            grows = bool(succession.in_use(tx, self._log))
        due = [a for a, s in known.items() if s.size != said.size or (grows and _is_stale(s, now))]
        if not grows and not due:
            return
        found = self._ask(due, policy, signed, said, known)
        with self._database.write() as tx:
            for address, result in found.items():
                place = {"log": number, "address": address}
                _record(tx, place, result, size=said.size, now=now)
            cosigned.show(tx, number, said.size, now=now)

    def compare(self, now: datetime) -> None:
        """Return if no witness has seen more of this log than there is: to be asked before it grows.

        A database that was put back from an older copy would else go on in another history. Who does not
        answer can't object.

        Raises:
            InconsistentError: A witness has cosigned a longer log, or another.
        """
        with self._database.read() as tx:
            announced = regime.in_force(tx, self._log, now.astimezone(CHINA).date())
        if announced is None:
            return
        for seen in self.newest(announced.policy).values():
            if isinstance(seen, Checkpoint):
                with self._database.read() as tx:
                    self._log.check_at_start(tx, seen)

    def newest(self, policy: Policy) -> dict[str, Checkpoint | EpilockError]:
        """Return by address what each witness of a policy has seen of this log, or why that is not known.

        ``NotFoundError``: it knows nothing of this log. Any other: it gave no answer that counts.
        """
        return self._at_once(list(_by_address(policy)), self._newest)

    def _ask(
        self,
        addresses: Sequence[str],
        policy: Policy,
        signed: str,
        said: Checkpoint,
        known: dict[str, State],
    ) -> dict[str, "Asked | EpilockError"]:
        by_address = _by_address(policy)

        def prove(old: int) -> list[bytes]:
            with self._database.read() as tx:
                return self._log.consistency(tx, min(old, said.size), said.size)

        def one(address: str) -> Asked:
            old = min(known[address].size, said.size)
            return ask(self._send, address, by_address[address], signed, old=old, prove=prove)

        return self._at_once(addresses, one)

    def _newest(self, address: str) -> Checkpoint:
        """Return what the witness at ``address`` shows of this log, as our own signature proves.

        Raises:
            NotFoundError: It has nothing.
            InputError: It does not answer, or not with a checkpoint.
            LedgerError: It is not signed by this log.
        """
        answer = self._send(f"{address}/{origin_hash(self._log.origin)}/checkpoint", None)
        if answer.status == GONE:
            raise NotFoundError("it has seen nothing of this log")
        if answer.status != OK:
            raise InputError(f"it answers {answer.status}")
        return open_checkpoint(answer.body.decode(errors="replace"), self._log.verifiers)[0]

    def _at_once(
        self, addresses: Sequence[str], one: Callable[[str], T]
    ) -> dict[str, T | EpilockError]:
        """Return what ``one`` gives for each address, all at once; an error is what it gives, too."""
        if not addresses:
            return {}
        pool = ThreadPoolExecutor(max_workers=len(addresses), thread_name_prefix="witness")
        futures: dict[str, Future[T]] = {a: pool.submit(one, a) for a in addresses}
        wait(futures.values(), timeout=self._seconds)
        pool.shutdown(wait=False, cancel_futures=True)
        found: dict[str, T | EpilockError] = {}
        for address, future in futures.items():
            error = future.exception() if future.done() else InputError("no answer in time")
            if error is not None and not isinstance(error, EpilockError):
                raise error
            found[address] = future.result() if error is None else error
        return found


def status(tx: Transaction, log: Log, *, now: datetime) -> list[State]:
    """Return how it stands with each witness of the policy in force, by address."""
    announced = regime.in_force(tx, log, now.astimezone(CHINA).date())
    return [] if announced is None else _states(tx, log.number(tx), announced.policy)


def _by_address(policy: Policy) -> dict[str, list[Verifier]]:
    found: dict[str, list[Verifier]] = {}
    for name, key in policy.witnesses.items():
        found.setdefault(policy.addresses[name].rstrip("/"), []).append(key)
    return found


def _states(tx: Transaction, number: int, policy: Policy) -> list[State]:
    rows = {row["address"]: row for row in tx.all(states, states.c.log == number)}
    found = []
    for address, keys in sorted(_by_address(policy).items()):
        row = rows.get(address, {})
        found.append(
            State(
                address=address, names=tuple(dict.fromkeys(key.name for key in keys)),
                size=row.get("size", 0), cosigned=row.get("cosigned"), problem=row.get("problem"),
                why=row.get("why"), since=row.get("since"),
            )
        )  # fmt: skip
    return found


def _is_stale(state: State, now: datetime) -> bool:
    return state.problem is not None or state.cosigned is None or now - state.cosigned >= FRESH


def _record(
    tx: Transaction,
    place: dict[str, Any],
    result: Asked | EpilockError,
    *,
    size: int,
    now: datetime,
) -> None:
    """Write what one witness gave, or what went wrong with it."""
    row = tx.find(states, lock=True, **place)
    if row is None:
        row = {**place, "size": 0, **dict.fromkeys(("cosigned", "problem", "why", "since"))}
        tx.insert(states, **row)
    if isinstance(result, Asked):
        cosigned.keep(tx, place["log"], size, result.lines)
        change = {"size": size, "cosigned": now, "problem": None, "why": None, "since": None}
    else:
        problem = DISAGREES if isinstance(result, LedgerError) else UNREACHABLE
        since = row["since"] if row["problem"] == problem else now
        change = {"problem": problem, "why": str(result), "since": since}
        if row["problem"] != problem:
            _log.warning("a witness of the log is %s: %s", problem, place["address"])
    tx.update(states, place, **change)
