"""Search: a person's records are found by an identifier, under a grant, and the ledger says that it was done.

That someone stands in a list of the quarantined is information about them, before anything is opened. So a
search shows no more than the grant reaches, is an entry before its result leaves, and is bounded: a grant for
so many subjects allows ``PER_SUBJECT`` times as many searches, for numbers are mistyped. The identifier itself
is hashed, compared and forgotten; so are the places, which would tell whose records are one person's: who shows
them again (``again``) brings them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.errors import ForbiddenError
from epilock.ledger import entry
from epilock.ledger.audit.opening import SEARCHES_PER_SUBJECT as PER_SUBJECT
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import LIVE, Bucket
from epilock.store.vault import Record
from epilock.use import grant as grants
from epilock.use.gate import MOST_RECORDS, Gate
from epilock.use.grant import ACTIVE, OF_MANY, PSEUDONYMOUS, Grant

searches = sealed_table(
    "searches",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("search", sa.String(20), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("by_org", sa.String(31), nullable=False),
    sa.Column("grant", sa.String(20), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("category", sa.String(80), nullable=False),
    sa.Column("found", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Index("searches_grant", "by_org", "grant"),
)


Place = tuple[int, int, str]  # bucket id, record number, role


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One record that was found.

    Attributes:
        bucket, record: Where it is, and what is known of it without opening it.
        role: ``subject``, or ``mentioned`` by somebody else.
    """

    bucket: Bucket
    record: Record
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search, as it was committed; other columns as in ``searches``.

    Attributes:
        by, by_org: Who searched.
        found: How many records were listed.
        at: When.
    """

    org: str
    search: str
    by: str
    by_org: str
    grant: str
    emergency: str
    category: str
    found: int
    at: datetime
    entry_index: int


def search(
    gate: Gate,
    tx: Transaction,
    who: Staff,
    *,
    source: str,
    emergency: str,
    category: str,
    value: str,
    grant: str,
    now: datetime,
) -> tuple[str, list[Found]]:
    """Return the search's code, and the living records of ``source`` that hold ``value`` and that the grant reaches.

    At most as many as one decision can open. The caller commits before it shows them.

    Raises:
        ForbiddenError: The grant is another's, has ended, is used up, reaches no records of ``source``, opens no
            single record, or allows no more searches.
        InputError: Nobody can be found by that category.
        NotFoundError: There is no such grant.
        ErasedError: The emergency's tag key was dropped.
    """
    gate.log.append(tx, [], now=now)  # holds the log's head: two searches are not counted as one
    leave = grants.load(tx, who.org, grant)
    _check(tx, who, leave, source, now)
    found = _found(gate, tx, leave, emergency, category, value)
    code = new_id("f")
    said = entry.Search(
        org=source, standard=gate.standard.ref, at=entry.stamp(now), search=code, by=who.staff,
        grant=grant, emergency=emergency, category=category, found=len(found),
    )  # fmt: skip
    index = gate.log.base + gate.log.append(tx, [entry.encode(said)], now=now).first
    tx.insert(
        searches, org=source, search=code, by=who.staff, by_org=who.org, grant=grant,
        emergency=emergency, category=category, found=len(found), at=now, entry_index=index,
    )  # fmt: skip
    return code, found


def load(tx: Transaction, org: str, search: str) -> Search:
    """Return the search.

    Raises:
        NotFoundError: There is none of that code.
    """
    return Search(**tx.get(searches, org=org, search=search))


def again(tx: Transaction, made: Search, places: Iterable[Place], *, now: datetime) -> list[Found]:
    """Return what a search listed at ``places``, of what still lives, while its grant is active; no entry is made."""
    leave = grants.load(tx, made.by_org, made.grant)
    if leave.stage != ACTIVE or now >= leave.until:
        return []
    return _living(tx, leave, places)


def _check(tx: Transaction, who: Staff, leave: Grant, source: str, now: datetime) -> None:
    if leave.staff != who.staff or leave.stage != ACTIVE or now >= leave.until:
        raise ForbiddenError("a search needs an active grant of one's own")
    if not leave.left:
        raise ForbiddenError("this grant has opened all that it may, so it searches none")
    if leave.source != source or leave.form in OF_MANY:
        raise ForbiddenError(f"this grant opens no record of {source}, so it searches none")
    if leave.form == PSEUDONYMOUS:
        raise ForbiddenError(
            "a grant for codes finds nobody by name or number: it would tell whose code is whose"
        )
    query = sa.select(sa.func.count()).where(
        searches.c.by_org == leave.org, searches.c.grant == leave.grant
    )
    if int(tx.conn.execute(query).scalar_one()) >= leave.subjects * PER_SUBJECT:
        raise ForbiddenError(f"this grant's searches are used up: {leave.subjects * PER_SUBJECT}")


def _found(  # noqa: PLR0917 - where, then what
    gate: Gate, tx: Transaction, leave: Grant, emergency: str, category: str, value: str
) -> list[Found]:
    if not buckets.of_emergency(tx, leave.source, emergency):
        return []  # nor is there a key by which anybody could be found
    places = tags.find(tx, gate.keys, leave.source, emergency, category, value)
    return _living(tx, leave, places)[:MOST_RECORDS]


def _living(tx: Transaction, leave: Grant, places: Iterable[Place]) -> list[Found]:
    known: dict[int, Bucket] = {}
    found = []
    for bucket, n, role in places:
        if bucket not in known:
            known[bucket] = buckets.load(tx, leave.source, bucket)
        if known[bucket].circumstance in leave.circumstances and known[bucket].live:
            record = vault.find_record(tx, leave.source, bucket, n)
            if record.state == LIVE:
                found.append(Found(bucket=known[bucket], record=record, role=role))
    return found
