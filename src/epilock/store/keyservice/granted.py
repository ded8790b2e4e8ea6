"""Signed grants: which passkeys approve, which grants they signed, and which records or parts each has opened.

Approvers are made known at the key service's own machine (``epilock keys approvers``), never over the wire: the
pages' word is not taken for it. A grant comes over the wire with its approver's signature, which is checked here
(``store.approval``).

Rules kept in this file:
  1. A grant counts different records and opens no more than it says, until its end, of the organisation and the
     circumstances it names. The circumstance stands in the bucket's name, to which its seeds are bound.
     The photograph of a page is no further record: it opens after the first record on it, and all of a grant
     together show no more records than it has opened.
     A grant of many does the same with different whole parts, and opens no record; any other gives out no part.
  2. Who signs is an approver of the organisation that asks, now, and not the grant's own holder.
  3. What was registered is never replaced: another statement under the same code is refused.
  4. A removed approver signs nothing more; what they signed before goes on to its end, which ``epilock keys
     grants end`` brings forward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Database, Instant, Transaction, key_metadata, sealed_table
from epilock.errors import ConflictError, ForbiddenError, InputError, NotFoundError, RateError
from epilock.store import approval, file
from epilock.store.approval import Approver, Site, Statement, StatementOfMany
from epilock.store.file import Sheet

OF_MANY = frozenset({"aggregate", "deidentified"})  # forms under which no single record opens
_CIRCUMSTANCE, _SEGMENTS = 2, 4  # of a bucket's name: organisation/emergency/circumstance/day

approvers = sealed_table(
    "service_approvers",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("credential", sa.LargeBinary(1023), primary_key=True),
    sa.Column("home", sa.String(31), nullable=False),
    sa.Column("staff", sa.String(20), nullable=False),
    sa.Column("public_key", sa.LargeBinary(1024), nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("added", Instant, nullable=False),
    sa.Column("removed", Instant),
)
granted = sealed_table(
    "service_grants",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("statement", sa.LargeBinary, nullable=False),
    sa.Column("assertion", sa.Text, nullable=False),
    sa.Column("signer", sa.String(20), nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("registered", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
)
opened = sealed_table(
    "service_opened",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("bucket", sa.String(200), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
)
given = sealed_table(
    "service_parts",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("bucket", sa.String(200), primary_key=True),
    sa.Column("part", sa.String(60), primary_key=True),
)
"""Tables of the key database: who approves for which organisation (``home`` is the approver's own); the grants
that were signed, and until when they open; the different records that each has opened, or the different parts
that were given out whole under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An approver as the key service knows one.

    Attributes:
        org: Organisation whose grants they sign.
        approver: The passkey.
        added: When it was made known.
        removed: When it was taken back, or None.
    """

    org: str
    approver: Approver
    added: datetime
    removed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A grant that was signed.

    Attributes:
        statement: What it says.
        signer: The account whose passkey signed.
        used: How many different records it has opened, or whole parts were given out under it.
        until: When it ends: as it says, or earlier.
    """

    statement: Statement
    signer: str
    used: int
    until: datetime

    @property
    def most(self) -> int:
        """As many of them as the statement allows."""
        said = self.statement
        return said.parts if isinstance(said, StatementOfMany) else said.subjects


def add(database: Database, org: str, approver: Approver, *, now: datetime) -> None:
    """Let a passkey approve for ``org`` from now on.

    Raises:
        ConflictError: It is known already, or was removed: a passkey doesn't come back.
    """
    place: dict[str, Any] = {"org": org, "credential": approver.credential}
    with database.write() as tx:
        if tx.find(approvers, **place) is not None:
            raise ConflictError(
                f"this passkey is known for {org}, or was removed; one that was removed stays so"
            )
        tx.insert(
            approvers, **place, home=approver.org, staff=approver.staff,
            public_key=approver.public_key, sign_count=0, added=now,
        )  # fmt: skip


def remove(database: Database, org: str, fingerprint: str, *, now: datetime) -> Known:
    """Let a passkey approve nothing more for ``org``; return it.

    Raises:
        NotFoundError: No approver of the organisation has this fingerprint.
    """
    wanted = fingerprint.replace(" ", "")
    for known in listing(database, org):
        if known.approver.fingerprint().replace(" ", "") == wanted:
            place: dict[str, Any] = {"org": org, "credential": known.approver.credential}
            with database.write() as tx:
                tx.update(approvers, place, removed=known.removed or now)
            return known
    raise NotFoundError(f"no approver of {org} has this fingerprint; `list` prints them")


def listing(database: Database, org: str | None = None) -> list[Known]:
    """Return the approvers, of one organisation or of all, also those that were removed."""
    where = () if org is None else (approvers.c.org == org,)
    with database.read() as tx:
        rows = tx.all(approvers, *where, order_by=[approvers.c.org, approvers.c.added])
    return [
        Known(
            org=row["org"], added=row["added"], removed=row["removed"],
            approver=Approver(
                org=row["home"], staff=row["staff"], credential=bytes(row["credential"]),
                public_key=bytes(row["public_key"]),
            ),
        )
        for row in rows
    ]  # fmt: skip


def grants(database: Database) -> list[Granted]:
    """Return the grants that were signed and are not forgotten, by organisation, the latest first."""
    with database.read() as tx:
        rows = tx.all(granted, order_by=[granted.c.org, granted.c.registered.desc()])
    return [_read(row) for row in rows]


def end(database: Database, org: str, grant: str, *, now: datetime) -> None:
    """Let a grant open nothing more.

    Raises:
        NotFoundError: It was never registered, or is forgotten.
    """
    with database.write() as tx:
        row = tx.find(granted, org=org, grant=grant, lock=True)
        if row is None:
            raise NotFoundError(f"no signed grant {grant} of {org} is known here")
        tx.update(granted, {"org": org, "grant": grant}, until=min(row["until"], now))


def register(
    database: Database,
    data: bytes,
    assertion: str,
    *,
    at: Site,
    most: int,
    parts: int,
    longest: timedelta,
    now: datetime,
) -> None:
    """Take a signed grant. Safe to repeat.

    Args:
        database: The key database, sealing.
        data: Its statement.
        assertion: Its approver's signature (``approval.prove``).
        at: The site whose passkeys count.
        most: Most records that a grant may open.
        parts: Most whole parts that may be given out under one.
        longest: Longest time that a grant may last from now.
        now: The instant.

    Raises:
        InputError: It is no statement or assertion, too wide or too long, or over.
        ConflictError: Another statement was registered under its code (rule 3).
        ForbiddenError: Its signer is no approver, is its own holder, or the signature is another's.
    """
    said = approval.read_statement(data)
    place: dict[str, Any] = {"org": said.org, "grant": said.grant}
    with database.write() as tx:
        known = tx.find(granted, **place)
        if known is not None:
            if bytes(known["statement"]) != data:
                raise ConflictError(f"grant {said.grant} was signed before and says something else")
            return
        _check_bounds(said, most=most, parts=parts)
        if not now < said.until <= now + longest:
            raise InputError(f"the key service takes grants that end within {longest.days} days")
        signer = _check_signer(tx, said, assertion, at)
        _forget(tx, said.org, now)
        tx.insert(
            granted, **place, statement=data, assertion=assertion, signer=signer, used=0,
            registered=now, until=said.until,
        )  # fmt: skip


def count(
    tx: Transaction,
    under: tuple[str, str],
    source: str,
    records: Sequence[tuple[str, int]],
    *,
    now: datetime,
) -> None:
    """Count records of ``source`` against a grant, all or none; the caller commits before a key leaves.

    Raises:
        ForbiddenError: It was not signed, is over, or names another organisation or circumstance; or this is a
            photograph that shows more than was opened.
        RateError: It opens no more records.
    """
    place, found = _found(tx, under, now)
    said = found.statement
    if said.form in OF_MANY or said.source != source:
        raise ForbiddenError(f"grant {said.grant} of {said.org} opens no records of {source}")
    for bucket, _ in records:
        circumstance = circumstance_of(bucket)
        if circumstance is not None and circumstance not in said.circumstances:
            raise ForbiddenError(
                f"grant {said.grant} of {said.org} opens no records of {circumstance}"
            )
    fresh = [
        (bucket, n) for bucket, n in records if tx.find(opened, **place, bucket=bucket, n=n) is None
    ]
    for bucket, _ in fresh:
        _check_shown(tx, place, found, file.read_sheet(bucket))
    more = sum(file.read_sheet(bucket) is None for bucket, _ in fresh)
    _use(tx, place, found, more, "records are opened", now)
    tx.bulk(opened, [(*place.values(), bucket, n) for bucket, n in fresh])


def count_part(
    tx: Transaction, under: tuple[str, str], source: str, bucket: str, part: str, *, now: datetime
) -> None:
    """Count a whole part of ``source`` against a grant of many; the caller commits before a seed leaves.

    Raises:
        ForbiddenError: It was not signed, is over, is of single records, or names another organisation or
            circumstance; or this is no bucket of records.
        RateError: No more parts are given out under it.
    """
    place, found = _found(tx, under, now)
    said = found.statement
    if not isinstance(said, StatementOfMany) or said.source != source:
        raise ForbiddenError(
            f"under grant {said.grant} of {said.org} no whole part of {source} is given out"
        )
    circumstance = circumstance_of(bucket)
    if circumstance not in said.circumstances:
        raise ForbiddenError(
            f"under grant {said.grant} of {said.org} no whole part of "
            f"{circumstance or 'files'} is given out"
        )
    if tx.find(given, **place, bucket=bucket, part=part) is None:
        _use(tx, place, found, 1, "whole parts are given out", now)
        tx.insert(given, **place, bucket=bucket, part=part)


def circumstance_of(bucket: str) -> str | None:
    """Return the circumstance that a bucket's name tells, or a photograph's; None for another file."""
    sheet = file.read_sheet(bucket)
    segments = (bucket if sheet is None else sheet.bucket).split("/")
    return segments[_CIRCUMSTANCE] if len(segments) == _SEGMENTS else None


def _check_bounds(said: Statement, *, most: int, parts: int) -> None:
    """Return if a statement is no wider than the service takes.

    Raises:
        InputError: It is, or its form and what it counts don't fit.
    """
    many = isinstance(said, StatementOfMany)
    if many != (said.form in OF_MANY):
        raise InputError("a statement says how many parts it reads if it is of many, and else not")
    if isinstance(said, StatementOfMany):
        if said.parts > parts:
            raise InputError(
                f"the key service takes grants of at most {parts} whole parts (--parts); this one "
                f"reads {said.parts}: have one of fewer asked for"
            )
    elif said.subjects > most:
        raise InputError(f"the key service takes grants of at most {most} subjects")


def _found(
    tx: Transaction, under: tuple[str, str], now: datetime
) -> tuple[dict[str, Any], Granted]:
    """Return the place of a signed grant and the grant, if it goes on.

    Raises:
        ForbiddenError: It was not signed, or is over.
    """
    org, code = under
    place: dict[str, Any] = {"org": org, "grant": code}
    row = tx.find(granted, lock=True, **place)
    if row is None:
        raise ForbiddenError(
            f"grant {code} of {org} was not signed by an approver that the key service knows; have it "
            "asked for and approved anew with a passkey"
        )
    found = _read(row)
    if now >= found.until:
        raise ForbiddenError(f"grant {code} of {org} is over")
    return place, found


def _check_shown(
    tx: Transaction, place: dict[str, Any], found: Granted, sheet: Sheet | None
) -> None:
    """Return if a photograph shows what was opened; None is none.

    Raises:
        ForbiddenError: The first record on it was not opened, or all together show more than were.
    """
    if sheet is None:
        return
    c = opened.c
    rows = tx.all(
        opened, c.org == place["org"], c.grant == place["grant"], c.bucket.startswith(f"{file.PAPER}/")
    )  # fmt: skip
    before = (file.read_sheet(row["bucket"]) for row in rows)
    shown = sheet.rows + sum(each.rows for each in before if each is not None)
    first = tx.find(opened, **place, bucket=sheet.bucket, n=sheet.n)
    if first is None or shown > found.used:
        said = found.statement
        raise ForbiddenError(
            f"under grant {said.grant} of {said.org} a photograph is shown when the records on it were opened"
        )


def _use(  # noqa: PLR0917 - where, which grant, how much of what
    tx: Transaction, place: dict[str, Any], found: Granted, more: int, what: str, now: datetime
) -> None:
    """Count so many more against a grant.

    Raises:
        RateError: It has not so many left.
    """
    if found.used + more > found.most:
        said = found.statement
        raise RateError(
            f"grant {said.grant} of {said.org}: {found.used} of its {found.most} {what}, "
            f"{more} more were asked for; ask for a grant of its own",
            wait=max(1, int((found.until - now).total_seconds())),
        )
    if more:
        tx.update(granted, place, used=found.used + more)


def _check_signer(tx: Transaction, said: Statement, assertion: str, at: Site) -> str:
    """Return the account of who signed, and note the passkey's counter (rule 2)."""
    place: dict[str, Any] = {"org": said.org, "credential": approval.credential_of(assertion)}
    row = tx.find(approvers, lock=True, **place)
    if row is None or row["removed"] is not None:
        raise ForbiddenError(
            f"this passkey is no approver of {said.org} that the key service knows; its person takes "
            "the line on their account's page to whoever runs the key service"
        )
    if row["staff"] == said.staff:
        raise ForbiddenError("who holds a grant can't sign it (decision 11)")
    counter = approval.prove(
        said, assertion, public_key=bytes(row["public_key"]), sign_count=row["sign_count"], at=at
    )
    tx.update(approvers, place, sign_count=counter)
    return str(row["staff"])


def _forget(tx: Transaction, org: str, now: datetime) -> None:
    """Forget what is over; its statement would be refused if it came again."""
    for row in tx.all(granted, granted.c.org == org, granted.c.until <= now):
        if approval.read_statement(bytes(row["statement"])).until <= now:
            tx.delete(opened, org=org, grant=row["grant"])
            tx.delete(given, org=org, grant=row["grant"])
            tx.delete(granted, org=org, grant=row["grant"])


def _read(row: dict[str, Any]) -> Granted:
    said = approval.read_statement(bytes(row["statement"]))
    return Granted(statement=said, signer=row["signer"], used=row["used"], until=row["until"])
