"""Anchors at a time-stamping authority (RFC 3161), asked over HTTP (section 3.4).

An authority keeps nothing: what it signed is the proof, and lies here. So ``read`` checks the stored
answer anew, from the stored bytes to the root's certificate, and believes no note about it.

One step of ``TsaAnchor.anchor``, by what is stored for this size:

=====================================  ============  ===============================================
an answer that holds for the root      ``done``      nothing
a question about another root          ``conflict``  raise the alarm; two trees were to be stamped
nothing                                              store root and nonce, then as below
the question, no answer                              ask with that nonce, and by the answer:
- granted, and every step holds        ``done``      store it, and read it back
- granted, and a step fails            ``sent``      keep nothing of it; say which; ask again
- it can't now, or is still waiting    ``sent``      say why; ask again
- rejected, or granted otherwise       ``refused``   say why; the next size is tried when it is due
- no answer, or none of an authority                 ``UnreachableError``: ask again
=====================================  ============  ===============================================

A crash before the answer is stored costs a stamp that nobody has; the same question is asked again. An
answer to an older question does not pass for a new one: the nonce is the question's own, and the stamp's
time and this machine's must agree to ``SLACK``, since a root that is stamped years later than it says, or
by an authority whose clock is wrong, is worth a person's look.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography import x509

from epilock.db import Database, Instant, metadata, sealed_table
from epilock.errors import AnchorError, AnchorProofError, InputError, UnreachableError
from epilock.ledger.anchor import stamp
from epilock.ledger.anchor.book import MOST_PLACE
from epilock.ledger.anchor.node import OK, check_address, printable
from epilock.ledger.anchor.place import Kind, Progress, Proven, Stage
from epilock.ledger.anchor.stamp import GRANTED, Stamp, Stamped
from epilock.ledger.tree import HASH_BYTES
from epilock.ledger.wire import exchange

SECONDS = 10.0
SLACK = timedelta(hours=1)
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
REJECTED, MODIFIED = 2, 1
NONCE_BITS = 63  # most authorities take as many; no two questions share one by chance
# timeNotAvailable, addInfoNotAvailable, systemFailure (RFC 3161, 2.4.2): later it may be otherwise.
PASSING = frozenset({14, 17, 25})

stamps = sealed_table(
    "ledger_anchor_stamps",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.String(MOST_PLACE), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary(HASH_BYTES), nullable=False),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    sa.Column("stored", Instant, nullable=False),
    sa.Column("reply", sa.LargeBinary),
)

Ask = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A time-stamping authority, and what is trusted of it.

    Attributes:
        ask: Returns the answer to a request, or raises ``UnreachableError``.
        root: Certificate of the root under which its stamps must stand.
        policy: The rules that it is asked to follow, in digits and dots; None leaves them to it.
    """

    ask: Ask
    root: x509.Certificate
    policy: str | None


class HttpAuthority:
    """What answers at an address; nothing it says is believed here.

    The address may hold a paid-for key, so it stands in no error and no log line.

    Raises:
        InputError: The address is none, or holds a password.
    """

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        self._address = check_address(address, "an authority's address")
        self._seconds = seconds

    def __call__(self, request: bytes) -> bytes:
        """Return the answer to ``request``.

        Raises:
            UnreachableError: There is none of an authority.
        """
        try:
            answer = exchange(
                self._address, request, limit=stamp.MOST_REPLY, seconds=self._seconds, kind=QUERY
            )
        except InputError:  # its text may hold the address
            raise UnreachableError("the authority cannot be reached") from None
        if answer.status != OK:
            raise UnreachableError(f"the authority's address answers {answer.status}")
        if len(answer.body) > stamp.MOST_REPLY:
            raise UnreachableError(f"the answer has more than {stamp.MOST_REPLY} bytes")
        if answer.kind != REPLY:
            raise UnreachableError(f"what answers is no authority: its content is not {REPLY}")
        return answer.body


class TsaAnchor:
    """An authority: a ``Place``, named by its root, since that is what its stamps rest on.

    Args:
        database: The main database.
        authority: Whom to ask.
        log: Number of the log in the database, under which questions and answers are stored.
    """

    def __init__(self, database: Database, authority: Authority, *, log: int) -> None:
        self._database = database
        self._authority = authority
        self._log = log

    @property
    def name(self) -> str:
        """Return the place's name: ``tsa/<SHA-256 of the root's certificate>``."""
        return f"{Kind.STAMPS.value}/{stamp.fingerprint(self._authority.root)}"

    def read(self, origin: str, size: int) -> bytes | None:
        """Return the root of which a stamp is stored that holds, or None; see ``Place``.

        Raises:
            AnchorError: What is stored does not hold.
        """
        row = self._row(size)
        return None if row is None or row["reply"] is None else self._held(origin, row).root

    def anchor(self, origin: str, size: int, root: bytes, *, now: datetime) -> Progress:
        """Do the next step; see the table in the module and the rules of ``Place``."""
        row = self._row(size) or self._begin(size, root, now)
        if row["root"] != root:
            return Progress(
                stage=Stage.CONFLICT, reason="another root was to be stamped for this size"
            )
        if row["reply"] is not None:
            self._held(origin, row)
            return Progress(stage=Stage.DONE)
        return self._ask(origin, row, now)

    def prove(self, origin: str, size: int, root: bytes) -> Proven | None:
        """Return the stored stamp, verified anew; see ``Place``."""
        row = self._row(size)
        if row is None or row["reply"] is None or row["root"] != root:
            return None
        done = self._held(origin, row)
        return Proven(file=_stamp(origin, row).text().encode(), at=done.at)

    def _ask(self, origin: str, row: dict[str, Any], now: datetime) -> Progress:
        policy = self._authority.policy
        asked = stamp.request(origin, row["size"], row["root"], row["nonce"], policy)
        answer = self._authority.ask(asked)
        try:
            said = stamp.read_reply(answer)
        except ValueError as error:
            raise UnreachableError(f"what answers is no authority: {error}") from None
        if said.status != GRANTED:
            why = printable(said.words) or "it does not say why"
            if said.status in {MODIFIED, REJECTED} and not said.failures & PASSING:
                return Progress(stage=Stage.REFUSED, reason=f"the authority refuses: {why}")
            return Progress(stage=Stage.SENT, reason=f"the authority stamps nothing now: {why}")
        row = row | {"reply": answer}
        try:
            done = stamp.verify(
                _stamp(origin, row), self._authority.root, nonce=row["nonce"], policy=policy
            )
        except AnchorProofError as error:
            return Progress(stage=Stage.SENT, reason=f"the answer does not hold: {error}")
        if abs(done.at - now) > SLACK + (done.accuracy or timedelta()):
            return Progress(
                stage=Stage.SENT,
                reason=f"it was stamped at {done.at.isoformat()}: its clock or this machine's is wrong",
            )
        self._keep(row["size"], answer)
        return self.anchor(origin, row["size"], row["root"], now=now)

    def _row(self, size: int) -> dict[str, Any] | None:
        with self._database.read() as tx:
            row = tx.find(stamps, log=self._log, place=self.name, size=size)
        if row is None:
            return None
        reply = None if row["reply"] is None else bytes(row["reply"])
        return row | {"root": bytes(row["root"]), "reply": reply}

    def _begin(self, size: int, root: bytes, now: datetime) -> dict[str, Any]:
        """Store what will be asked, and commit it.

        Raises:
            ConflictError: Another process stored it meanwhile; the next step finds it.
        """
        nonce = 1 + int.from_bytes(os.urandom(8), "big") % (2**NONCE_BITS - 1)
        row = {
            "log": self._log, "place": self.name, "size": size, "root": root, "nonce": nonce,
            "stored": now,
        }  # fmt: skip
        with self._database.write() as tx:
            tx.insert(stamps, **row)
        return row | {"reply": None}

    def _keep(self, size: int, reply: bytes) -> None:
        """Store an answer; of two that came at once the first is kept."""
        key = {"log": self._log, "place": self.name, "size": size}
        with self._database.write() as tx:
            if tx.get(stamps, lock=True, **key)["reply"] is None:
                tx.update(stamps, key, reply=reply)

    def _held(self, origin: str, row: dict[str, Any]) -> Stamped:
        """Return what a stored answer proves.

        Raises:
            AnchorError: It does not hold.
        """
        try:
            return stamp.verify(_stamp(origin, row), self._authority.root, nonce=row["nonce"])
        except AnchorProofError as error:
            raise AnchorError(f"the stored stamp of {row['size']} entries: {error}") from None


def _stamp(origin: str, row: dict[str, Any]) -> Stamp:
    return Stamp(origin=origin, size=row["size"], root=row["root"], reply=row["reply"])
