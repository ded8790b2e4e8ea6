"""Sessions and API tokens: random, shown once, kept as their SHA-256, with an end.

A token names its organisation so that it is looked up under it: ``<org>.<43 characters>``.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa

from epilock.accounts import staff as staff_
from epilock.accounts.staff import Staff
from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.errors import SignInError

IDLE = timedelta(minutes=30)
NOTED = timedelta(minutes=1)  # that a session was seen is written no more often
LONGEST = timedelta(hours=12)
API_LONGEST = timedelta(days=365)
PROVED = timedelta(minutes=5)  # that a proof lasts, before one is asked for again
_HANDLE = 16  # hexadecimal characters of a token's hash: enough to tell an account's sessions apart
_MARK = 8  # bytes of what an address says

sessions = sealed_table(
    "sessions",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("staff", sa.String(20), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("seen", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
)


proofs = sealed_table(
    "proofs",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks; ``csrf`` stands in every form of the console; ``seen`` is when that was noted last.

    ``proved`` is when its person last showed a factor: at its beginning, or since (``prove``).
    """

    staff: Staff
    kind: str
    csrf: str
    seen: datetime
    proved: datetime

    def is_proved(self, now: datetime) -> bool:
        """Tell whether a factor was shown so lately that grade 4 may be shown and factors changed."""
        return now < self.proved + PROVED

    def is_stale(self, now: datetime) -> bool:
        """Tell whether it should be noted again that it was seen (``note``)."""
        return now - self.seen > NOTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A session or API token that has not ended; ``handle`` names it without opening anything."""

    handle: str
    kind: str
    opened: datetime
    seen: datetime
    until: datetime


def begin(
    tx: Transaction, who: Staff, *, now: datetime, kind: str = "console", span: timedelta = LONGEST
) -> str:
    """Begin a session (``console``) or make an API token (``api``); return the token, shown once."""
    token = f"{who.org}.{token_urlsafe(32)}"
    tx.insert(
        sessions, org=who.org, hash=_hash(token), staff=who.staff, kind=kind, opened=now, seen=now,
        until=now + min(span, API_LONGEST),
    )  # fmt: skip
    return token


def find(tx: Transaction, token: str, *, now: datetime) -> Session:
    """Return the session of ``token``; nothing is written, so that a page need not wait for who writes.

    Raises:
        SignInError: There is none, it has ended, or its account was disabled.
    """
    org, dot, _ = token.partition(".")
    row = tx.find(sessions, org=org, hash=_hash(token)) if dot and len(token) < 200 else None  # noqa: PLR2004 - no token is longer
    idle = row is not None and row["kind"] == "console" and now > row["seen"] + IDLE
    if row is None or now > row["until"] or idle:
        raise SignInError("please sign in")
    who = staff_.load(tx, org, row["staff"])
    if not who.roles:
        raise SignInError("this account is disabled")
    proof = tx.find(proofs, org=org, hash=_hash(token))
    return Session(
        staff=who, kind=row["kind"], csrf=csrf_of(token), seen=row["seen"],
        proved=row["opened"] if proof is None else proof["at"],
    )  # fmt: skip


def prove(tx: Transaction, token: str, *, now: datetime) -> None:
    """Note that the person of a session has shown a factor, as at a sign-in."""
    key = {"org": token.partition(".")[0], "hash": _hash(token)}
    if tx.find(proofs, lock=True, **key) is None:
        tx.insert(proofs, **key, at=now)
    else:
        tx.update(proofs, key, at=now)


def sweep(tx: Transaction, *, now: datetime) -> int:
    """Delete proofs that are over; return how many."""
    return tx.conn.execute(sa.delete(proofs).where(proofs.c.at < now - PROVED)).rowcount


def note(tx: Transaction, token: str, *, now: datetime) -> None:
    """Note that a session was seen, unless it has ended meanwhile."""
    key = {"org": token.partition(".")[0], "hash": _hash(token)}
    if tx.find(sessions, lock=True, **key) is not None:
        tx.update(sessions, key, seen=now)


def end(tx: Transaction, token: str) -> None:
    """End a session; repeating is harmless."""
    tx.delete(sessions, org=token.partition(".")[0], hash=_hash(token))


def end_all(tx: Transaction, who: Staff) -> int:
    """End every session and API token of an account; return how many there were."""
    return tx.delete(sessions, org=who.org, staff=who.staff)


def listing(tx: Transaction, who: Staff, *, now: datetime) -> list[Open]:
    """Return the account's sessions and API tokens that have not ended, the latest first."""
    c = sessions.c
    rows = tx.all(sessions, c.org == who.org, c.staff == who.staff, order_by=[c.opened.desc()])
    found = [
        Open(handle=row["hash"].hex()[:_HANDLE], kind=row["kind"], opened=row["opened"],
             seen=row["seen"], until=_ends(row))
        for row in rows
    ]  # fmt: skip
    return [one for one in found if now <= one.until]


def end_one(tx: Transaction, who: Staff, handle: str) -> int:
    """End the account's session or API token that ``listing`` names so; return how many ended."""
    return sum(_end(tx, row) for row in _of(tx, who) if row["hash"].hex()[:_HANDLE] == handle)


def end_others(tx: Transaction, who: Staff, token: str) -> int:
    """End all sessions and API tokens of the account but the one of ``token``; return how many ended."""
    return sum(_end(tx, row) for row in _of(tx, who) if row["hash"] != _hash(token))


def handle_of(token: str) -> str:
    """Return how ``listing`` names the session of ``token``."""
    return _hash(token).hex()[:_HANDLE]


def csrf_of(token: str) -> str:
    """Return what the forms of a session carry."""
    return sha256(b"csrf\0" + token.encode()).hexdigest()


def said(token: str, what: str) -> str:
    """Return ``what`` as an address carries it back to this session: with a mark that nobody else can make."""
    mark = hmac.digest(token.encode(), b"said\0" + what.encode(), "sha256")
    return f"{what}.{mark[:_MARK].hex()}"


def heard(token: str, text: str) -> str:
    """Return what ``said`` made ``text`` of for this session; "" if it did not."""
    what = text.rpartition(".")[0]
    return what if hmac.compare_digest(said(token, what).encode(), text.encode()) else ""


def check_csrf(session: Session, given: str) -> None:
    """Return if ``given`` is the session's form token.

    Raises:
        SignInError: It is not: the form was made by another page.
    """
    if not hmac.compare_digest(session.csrf.encode(), given.encode()):
        raise SignInError("this form is too old; please go back and try again")


def _of(tx: Transaction, who: Staff) -> list[dict[str, Any]]:
    return tx.all(sessions, sessions.c.org == who.org, sessions.c.staff == who.staff, lock=True)


def _end(tx: Transaction, row: dict[str, Any]) -> int:
    return tx.delete(sessions, org=row["org"], hash=row["hash"])


def _ends(row: dict[str, Any]) -> datetime:
    """Return when a session ends: a browser's by silence too."""
    until: datetime = row["until"]
    return until if row["kind"] == "api" else min(until, row["seen"] + IDLE)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
