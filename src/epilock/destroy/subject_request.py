"""Requests by receipt: what the person concerned asks for and cannot do alone (PIPL 44, 50, 65).

To see, correct, copy and withdraw nobody is asked. An ``objection`` to what a law or the emergency lets be
kept is answered by the organisation that keeps it; one that is right erases the record. A ``complaint`` is
answered by the department above, never by the organisation itself.

Rules kept in this file:
  1. A request holds no word of its person: its ground and its answer are of closed lists, so it can stand in
     the log. What needs more words is said by telephone; the notice has the numbers.
  2. A record has one open request of each kind.
  3. Who answers an objection is a custodian of the organisation; a complaint, a supervisor of an
     organisation above it (of itself only where none is above).
  4. It is to be answered within the days after which a stranger finds it unanswered in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.destroy import erasure
from epilock.errors import ForbiddenError, InputError, StateError
from epilock.ledger import entry
from epilock.ledger.audit.asked import ANSWER_WITHIN
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.store import bucket as buckets
from epilock.store import vault

OBJECTION, COMPLAINT = "objection", "complaint"
ERASED = "erased"
GROUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        OBJECTION: ("not-needed", "harms-me", "not-mine"),
        COMPLAINT: (
            "asked-too-much",
            "no-choice",
            "other-use",
            "leaked",
            "not-destroyed",
            "no-answer",
        ),
    }
)
ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        OBJECTION: (ERASED, "law-asks", "still-needed"),
        COMPLAINT: ("put-right", "passed-on", "nothing-wrong"),
    }
)  # fmt: skip

ANSWERED_BY: Mapping[str, str] = MappingProxyType({OBJECTION: "custodian", COMPLAINT: "supervisor"})

subject_requests = sealed_table(
    "subject_requests",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("request", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("ground", sa.String(20), nullable=False),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("asked", Instant, nullable=False),
    sa.Column("answer", sa.String(20)),
    sa.Column("by", sa.String(20)),
    sa.Column("answered", Instant),
    sa.Index("subject_requests_open", "org", "answered"),
    sa.Index("subject_requests_record", "org", "bucket", "n"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRequest:
    """One request.

    Attributes:
        org: Who holds the record.
        request: Its code.
        kind: ``objection`` or ``complaint``.
        ground: Of ``GROUNDS``.
        bucket, n: The record.
        asked: When.
        answer: Of ``ANSWERS``, or None while it is open.
        by, answered: Staff id of who answered, and when; or None.
    """

    org: str
    request: str
    kind: str
    ground: str
    bucket: int
    n: int
    asked: datetime
    answer: str | None
    by: str | None
    answered: datetime | None

    @property
    def due(self) -> datetime:
        """The instant until which it must be answered."""
        return self.asked + ANSWER_WITHIN

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether its answer should have come and has not."""
        return self.answered is None and now > self.due


def ask(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    bucket: int,
    n: int,
    kind: str,
    ground: str,
    now: datetime,
) -> SubjectRequest:
    """Take the request of the person whose record this is; their receipt was shown before.

    Raises:
        InputError: The kind or the ground is none of ``GROUNDS``.
        StateError: A request of this kind is open already (rule 2).
    """
    if ground not in GROUNDS.get(kind, ()):
        raise InputError(f"a request is {' or '.join(GROUNDS)}, on a ground of the list")
    log.append(tx, [], now=now)  # the head first: two who ask at once are one after the other
    if any(r.kind == kind and r.answered is None for r in of_record(tx, org, {(bucket, n)})):
        raise StateError("a request of this kind is open already")
    code = new_id("q")
    tx.insert(
        subject_requests, org=org, request=code, kind=kind, ground=ground, bucket=bucket, n=n,
        asked=now,
    )  # fmt: skip
    said = entry.Request(
        org=org, standard=standard_ref, at=entry.stamp(now), request=code, kind=kind,
        bucket=buckets.load(tx, org, bucket).name, n=n,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, code)


def answer(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    request: str,
    by: str,
    by_org: str,
    roles: frozenset[str],
    answer: str,
    now: datetime,
) -> SubjectRequest:
    """Answer a request (rule 3). ``erased`` also announces the erasure; the caller has ``run.complete`` do it.

    Raises:
        NotFoundError: There is no such request.
        StateError: It is answered already.
        ForbiddenError: ``by`` is not who answers it.
        InputError: The answer is none of ``ANSWERS``.
        NotDueError, HeldError, ErasedError: As ``erasure.erase``.
    """
    organisations.check_decides(tx, by_org, org)
    found = load(tx, org, request, lock=True)
    if found.answered is not None:
        raise StateError(f"{request} is answered already")
    role, where = ANSWERED_BY[found.kind], answering(tx, found.kind, org)
    if role not in roles or by_org not in where:
        raise ForbiddenError(f"{found.kind}: it is answered by a {role} of {' or '.join(where)}")
    if answer not in ANSWERS[found.kind]:
        raise InputError(f"{found.kind}: the answers are {', '.join(ANSWERS[found.kind])}")
    if answer == ERASED:  # it may have been corrected since, and lie elsewhere
        record = vault.follow(tx, vault.find_record(tx, org, found.bucket, found.n))
        live = buckets.load(tx, org, record.bucket).live
        erasure.erase(
            tx, log, standard, org=org, bucket=record.bucket, n=record.n, reason=OBJECTION, now=now,
            parts=[part for part in record.left if part in live],  # all of it, or the answer were not true
        )  # fmt: skip
    key = {"org": org, "request": request}
    tx.update(subject_requests, key, answer=answer, by=by, answered=now)
    said = entry.RequestClosed(
        org=org, standard=standard.ref, at=entry.stamp(now), request=request, verdict=answer, by=by
    )
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, request)


def answering(tx: Transaction, kind: str, org: str) -> list[str]:
    """Return the organisations whose staff answer a request of ``kind`` about a record of ``org``."""
    return [org] if kind == OBJECTION else organisations.superiors(tx, org) or [org]


def answered_by(tx: Transaction, kind: str, by_org: str) -> list[str]:
    """Return the organisations for which ``by_org`` is among ``answering``, in a few queries however many they are."""
    if kind == OBJECTION:
        return [by_org]
    below = [o.org for o in organisations.below(tx, by_org) if o.org != by_org]
    return below if organisations.superiors(tx, by_org) else [by_org, *below]


def load(tx: Transaction, org: str, request: str, *, lock: bool = False) -> SubjectRequest:
    """Return a request.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _request(tx.get(subject_requests, lock=lock, org=org, request=request))


def of_record(tx: Transaction, org: str, places: set[tuple[int, int]]) -> list[SubjectRequest]:
    """Return the requests about a record, wherever it lay (bucket, number), the latest first."""
    c = subject_requests.c
    here = sa.or_(*(sa.and_(c.bucket == bucket, c.n == n) for bucket, n in sorted(places)))
    rows = tx.all(subject_requests, c.org == org, here, order_by=[c.asked.desc(), c.request])
    return [_request(row) for row in rows]


def listing(
    tx: Transaction, org: str, kind: str, *, limit: int | None = None
) -> list[SubjectRequest]:
    """Return the requests of ``kind`` about records of ``org``: the open ones first, the oldest of them on top."""
    c = subject_requests.c
    order = [c.answered.is_not(None), c.asked, c.request]
    rows = tx.all(subject_requests, c.org == org, c.kind == kind, order_by=order, limit=limit)
    return [_request(row) for row in rows]


def _request(row: dict[str, Any]) -> SubjectRequest:
    return SubjectRequest(**row)
