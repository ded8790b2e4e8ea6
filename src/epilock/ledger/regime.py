"""Which witnesses must cosign from which day on: policies, each announced by an entry of the log.

A policy file has no dates (c2sp.org/tlog-policy); the log gives it one. So whoever holds a receipt of
last spring finds the policy of that spring, and can prove that it was announced.

Rules kept in this file:
  1. A policy lists this log's own key, and an address for each witness that it can ask.
  2. The last one announced, of those whose first day has come, is in force; none is ever changed.
  3. Its bytes are public (``policy/<sha256>``), named by the hash that the entry holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.errors import InputError, NotFoundError, TooLargeError
from epilock.ledger import entry, policy, wire
from epilock.ledger.log import Log
from epilock.ledger.policy import Policy
from epilock.standard.level import CHINA

policies = sealed_table(
    "witness_policies",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", sa.String(10), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("text", sa.LargeBinary, nullable=False),
    sa.Column("announced", Instant, nullable=False),
)

MOST_BYTES = 1 << 17  # room for 32 witnesses with an ML-DSA-44 key each
MOST_WITNESSES = 32
PATH = re.compile(r"policy/([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """One policy as it was announced.

    Attributes:
        index: Index of its entry.
        since: Its first day, in China.
        sha256: Hash of its bytes, hex.
        text: Its bytes.
    """

    index: int
    since: date
    sha256: str
    text: bytes

    @property
    def path(self) -> str:
        """Its public path."""
        return f"policy/{self.sha256}"

    @property
    def policy(self) -> Policy:
        """What it says."""
        return policy.parse(self.text)


def announce(
    tx: Transaction, log: Log, *, standard_ref: str, text: bytes, since: date, now: datetime
) -> Announced:
    """Announce a policy that holds from the day ``since`` on.

    Raises:
        TooLargeError: More than 128 KiB, or more than 32 witnesses.
        FileFormatError: It is no policy; the message names the line.
        InputError: It does not list this log's key, a witness has no address, or the day has passed.
    """
    found = check(text, log)
    if since < now.astimezone(CHINA).date():
        raise InputError(
            "a policy can't begin in the past: receipts of that time were given already"
        )
    digest = sha256(text).hexdigest()
    said = entry.Policy(
        org="", standard=standard_ref, at=entry.stamp(now), since=since.isoformat(), sha256=digest,
        witnesses=len(found.witnesses),
    )  # fmt: skip
    batch = log.append(tx, [entry.encode(said)], now=now)
    tx.insert(
        policies, log=log.number(tx), idx=batch.first, since=since.isoformat(), sha256=digest,
        text=text, announced=now,
    )  # fmt: skip
    return Announced(index=batch.first, since=since, sha256=digest, text=text)


def check(text: bytes, log: Log) -> Policy:
    """Return the policy that ``text`` states, if this log can follow it.

    Raises:
        TooLargeError, FileFormatError, InputError: See ``announce``.
    """
    if len(text) > MOST_BYTES:
        raise TooLargeError(f"a policy for this log has at most {MOST_BYTES} bytes")
    found = policy.parse(text)
    if len(found.witnesses) > MOST_WITNESSES:
        raise TooLargeError(f"a policy for this log has at most {MOST_WITNESSES} witnesses")
    if log.signer.verifier not in found.logs:
        raise InputError(f"the policy has no line `log {log.signer.vkey}`, which is this log")
    for name in found.witnesses:
        if name not in found.addresses:
            raise InputError(f"the witness {policy.shown(name)} needs an address after its key")
        wire.check_address(found.addresses[name])
    return found


def in_force(tx: Transaction, log: Log, day: date) -> Announced | None:
    """Return the policy in force on ``day``; None if there is none."""
    c = policies.c
    found = tx.all(
        policies, c.log == log.number(tx), c.since <= day.isoformat(), order_by=[c.idx.desc()],
        limit=1,
    )  # fmt: skip
    return _announced(found[0]) if found else None


def listing(tx: Transaction, log: Log) -> list[Announced]:
    """Return all policies, the last announced first."""
    c = policies.c
    found = tx.all(policies, c.log == log.number(tx), order_by=[c.idx.desc()])
    return [_announced(row) for row in found]


def read(tx: Transaction, log: Log, path: str) -> bytes:
    """Return the bytes of the policy at the public path ``policy/<sha256>``.

    Raises:
        NotFoundError: There is none.
    """
    match = PATH.fullmatch(path)
    c = policies.c
    found = match and tx.all(policies, c.log == log.number(tx), c.sha256 == match[1], limit=1)
    if not found:
        raise NotFoundError("this log has announced no such policy")
    return bytes(found[0]["text"])


def _announced(row: Mapping[str, Any]) -> Announced:
    return Announced(
        index=row["idx"], since=date.fromisoformat(row["since"]), sha256=row["sha256"],
        text=bytes(row["text"]),
    )  # fmt: skip
