"""Buckets: what one organisation collects in one circumstance on one day, and dies together.

A bucket is named ``org/emergency/circumstance/day``; ``+event`` follows the day when an event starts its
clock (release from quarantine, delivery). Its records are numbered from 0, in *leases* of 4,096: a
process that collects takes one, and seals under the seed of that subtree alone.

A part of a bucket goes through these states, and nothing else assigns one:

    live ──► dying ──► destroyed ──► purged
    (intent in the ledger) (key gone, certified) (rows deleted, in the background)

Rules kept in this file:
  1. The key store is told first. A crash then leaves seeds without a bucket, which the next call uses.
  2. A part that is dying takes no more records; a bucket without a living part is closed.
  3. A lease is given once. Numbers that were leased and never used are simply dead.
  4. Making a bucket and taking a lease is all done or not at all, also within a transaction that goes on
     without it; the log's head is locked before any row, so that two of them never wait for each other.
  5. An organisation serves one emergency of a code: two authorities' emergencies of the same code would
     share bucket names and a tag key, so the second is refused.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.db import MOST_ROWS, Instant, Transaction, metadata, missing, new_id, sealed_table
from epilock.errors import ClosedError, ConflictError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.store.access import Keys
from epilock.store.keytree import BLOCKS

LIVE, DYING, DESTROYED, PURGED = "live", "dying", "destroyed", "purged"
NEXT = MappingProxyType(
    {LIVE: {DYING}, DYING: {DESTROYED}, DESTROYED: {PURGED}, PURGED: frozenset[str]()}
)
COLLECTION = "collection"
GRACE = timedelta(hours=2)  # after the end of the bucket's day, for what is under way
_EVENT = re.compile(r"[a-z][a-z0-9-]{0,40}")

buckets = sealed_table(
    "buckets",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("authority", sa.String(31), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("circumstance", sa.String(41), nullable=False),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("clock", sa.String(41), nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("forgotten", sa.Integer, nullable=False),  # records below this number: see removal
    sa.UniqueConstraint("org", "name", name="buckets_name"),
)

bucket_parts = sealed_table(
    "bucket_parts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("changed", Instant, nullable=False),
)

leases = sealed_table(
    "leases",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("lease", sa.String(20), nullable=False),
    sa.Column("holder", sa.String(60), nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("returned", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One bucket as it was when it was loaded.

    Attributes:
        org: Organisation.
        id: Its number in the organisation, as rows name it.
        name: Its name, as the ledger and the key store name it.
        authority: Organisation that declared the emergency.
        emergency: Code of the emergency.
        circumstance: Code of the standard.
        day: Calendar day in China: of collection, or of the event.
        clock: ``collection``, or the event that started the clock.
        parts: Names of all its parts, sorted.
        live: Those of ``parts`` that are not dying or dead.
    """

    org: str
    id: int
    name: str
    authority: str
    emergency: str
    circumstance: str
    day: date
    clock: str
    parts: tuple[str, ...]
    live: tuple[str, ...]


def name_of(org: str, emergency: str, circumstance: str, day: date, clock: str = COLLECTION) -> str:
    """Return the name of a bucket, such as ``jn-cdc/outbreak-7/quarantine/2026-03-20+release``."""
    event = "" if clock == COLLECTION else f"+{clock}"
    return f"{org}/{emergency}/{circumstance}/{day.isoformat()}{event}"


def told_by(name: str) -> tuple[str, str, date]:
    """Return the organisation, the circumstance and the day that the name of a bucket tells."""
    org, _, circumstance, last = name.split("/")
    return org, circumstance, date.fromisoformat(last.partition("+")[0])


def ensure(
    tx: Transaction,
    log: Log,
    keys: Keys,
    standard: Standard,
    *,
    org: str,
    authority: str,
    emergency: str,
    circumstance: str,
    day: date,
    clock: str = COLLECTION,
    now: datetime,
) -> Bucket:
    """Return the bucket, made with its keys and its ledger entry if it is not there.

    A part that a new version of the standard added since this morning is added, with another ``bucket``
    entry that lists all parts.

    Raises:
        ClosedError: None of its parts is alive: it takes nothing more.
        ConflictError: The organisation serves another authority's emergency of the same code.
        InputError: ``clock`` is no event's code.
    """
    if not _EVENT.fullmatch(clock):
        raise InputError("a clock is `collection` or an event's code, such as `delivery`")
    name = name_of(org, emergency, circumstance, day, clock)
    wanted = tuple(sorted(p.name for p in standard.parts(circumstance)))
    found = _writable(_find(tx, org, name), authority, wanted)
    if found is not None:
        return found
    log.append(tx, [], now=now)  # holds the log's head: one bucket is made at a time
    found = _writable(_find(tx, org, name), authority, wanted)
    if found is not None:
        return found
    _check_authority(tx, org, emergency, authority)
    keys.add_bucket(org, name, wanted)
    keys.add_tag_key(org, emergency)
    with tx.conn.begin_nested():  # rule 4
        made = _find(tx, org, name)
        if made is None:
            tx.insert(
                buckets, org=org, bucket=next_id(tx, org), name=name, authority=authority,
                emergency=emergency, circumstance=circumstance, day=day.isoformat(), clock=clock,
                opened=now, forgotten=0,
            )  # fmt: skip
            made = load_by_name(tx, org, name)
        for part in set(wanted) - set(made.parts):
            tx.insert(bucket_parts, org=org, bucket=made.id, part=part, state=LIVE, changed=now)
        made = load(tx, org, made.id)
        said = entry.Bucket(
            org=org, standard=standard.ref, at=entry.stamp(now), bucket=name, authority=authority,
            emergency=emergency, circumstance=circumstance, day=day.isoformat(), clock=clock,
            parts=made.parts,
        )  # fmt: skip
        log.append(tx, [entry.encode(said)], now=now)
    return made


def load(tx: Transaction, org: str, bucket: int) -> Bucket:
    """Return the bucket with this id.

    Raises:
        NotFoundError: There is none.
        TamperedError: One of its rows was changed past this program.
    """
    return _with_parts(tx, tx.get(buckets, org=org, bucket=bucket))


def load_by_name(tx: Transaction, org: str, name: str) -> Bucket:
    """Return the bucket with this name; errors as ``load``."""
    found = _find(tx, org, name)
    if found is None:
        raise NotFoundError(f"{org} has no bucket {name}")
    return found


def listing(
    tx: Transaction, org: str | None = None, *, states: Collection[str] = (LIVE,)
) -> list[Bucket]:
    """Return the buckets with a part in one of ``states``, the oldest day first.

    Those of all organisations if ``org`` is None.
    """
    where: list[sa.ColumnElement[bool]] = [bucket_parts.c.state.in_(list(states))]
    if org is not None:
        where.append(bucket_parts.c.org == org)
    places = {(r["org"], r["bucket"]) for r in tx.all(bucket_parts, *where)}
    found = [load(tx, *place) for place in sorted(places)]
    return sorted(found, key=lambda b: (b.day, b.name))


def of_emergency(tx: Transaction, org: str, emergency: str) -> list[Bucket]:
    """Return all buckets of the organisation for the emergency, by their ids."""
    rows = tx.all(
        buckets, buckets.c.org == org, buckets.c.emergency == emergency,
        order_by=[buckets.c.bucket],
    )  # fmt: skip
    return read_all(tx, org, rows)


def names(tx: Transaction, org: str, ids: Collection[int]) -> dict[int, str]:
    """Return the name of each of some buckets, ``MOST_ROWS`` of them in one query.

    Raises:
        NotFoundError: One of them is not there.
        TamperedError: One of their rows was changed past this program.
    """
    wanted, found = sorted(set(ids)), dict[int, str]()
    for first in range(0, len(wanted), MOST_ROWS):
        some = buckets.c.bucket.in_(wanted[first : first + MOST_ROWS])
        found |= {r["bucket"]: str(r["name"]) for r in tx.all(buckets, buckets.c.org == org, some)}
    if len(found) < len(wanted):
        raise missing(buckets)
    return found


def read(row: Mapping[str, Any], states: Mapping[str, str]) -> Bucket:
    """Return the bucket that a row of ``buckets`` states, its parts in ``states``."""
    return Bucket(
        org=row["org"], id=row["bucket"], name=row["name"], authority=row["authority"],
        emergency=row["emergency"], circumstance=row["circumstance"],
        day=date.fromisoformat(row["day"]), clock=row["clock"], parts=tuple(sorted(states)),
        live=tuple(sorted(p for p, state in states.items() if state == LIVE)),
    )  # fmt: skip


def read_all(tx: Transaction, org: str, rows: Sequence[Mapping[str, Any]]) -> list[Bucket]:
    """Return the buckets of ``org`` that rows of ``buckets`` state, their parts in one query."""
    c = bucket_parts.c
    states: dict[int, dict[str, str]] = {row["bucket"]: {} for row in rows}
    for part in tx.all(bucket_parts, c.org == org, c.bucket.in_(list(states))):
        states[part["bucket"]][part["part"]] = part["state"]
    return [read(row, states[row["bucket"]]) for row in rows]


def lives() -> sa.ColumnElement[bool]:
    """Return the condition that a bucket of ``buckets`` has a living part."""
    same = sa.and_(bucket_parts.c.org == buckets.c.org, bucket_parts.c.bucket == buckets.c.bucket)
    return sa.exists().where(same, bucket_parts.c.state == LIVE)


def emergencies_of(tx: Transaction, org: str) -> list[str]:
    """Return the codes of the emergencies that ``org`` has a bucket for, sorted."""
    c = buckets.c
    return list(
        tx.conn.scalars(sa.select(c.emergency).distinct().where(c.org == org).order_by(c.emergency))
    )


def part_states(tx: Transaction, org: str, bucket: int, *, lock: bool = False) -> Mapping[str, str]:
    """Return the state of each part of the bucket; with ``lock`` they stay until the transaction ends."""
    rows = tx.rows(bucket_parts, lock=lock, org=org, bucket=bucket)
    return {r["part"]: r["state"] for r in rows}


def check_open(states: Mapping[str, str], name: str, parts: Collection[str] = ()) -> None:
    """Return if the bucket called ``name``, of these part states, may take records of ``parts``.

    Raises:
        ClosedError: One of ``parts`` is not alive, or none of the bucket's is.
    """
    dead = sorted(p for p in parts if states.get(p) != LIVE)
    if dead:
        raise ClosedError(f"part {dead[0]} of {name} is being destroyed, or was: it takes no more")
    if LIVE not in states.values():
        raise ClosedError(f"{name} is closed: what it held is being destroyed, or was")


def retire_parts(
    tx: Transaction, bucket: Bucket, parts: Sequence[str], state: str, *, now: datetime
) -> None:
    """Bring ``parts`` of the bucket into ``state``; repeating is harmless.

    The ledger entry is the caller's (``destroy``), in the same transaction.

    Raises:
        StateError: A part can't come into that state from where it is (see the module), or is unknown.
    """
    states = part_states(tx, bucket.org, bucket.id, lock=True)
    for part in parts:
        if part not in states:
            raise StateError(f"{bucket.name} has no part {part}")
        if states[part] == state:
            continue
        if state not in NEXT[states[part]]:
            raise StateError(f"part {part} of {bucket.name} is {states[part]}, so not yet {state}")
        key = {"org": bucket.org, "bucket": bucket.id, "part": part}
        tx.update(bucket_parts, key, state=state, changed=now)


def blocks(tx: Transaction) -> list[tuple[str, str, tuple[str, ...], int]]:
    """Return organisation, bucket's name, its parts and block of every lease ever taken."""
    found = []
    for row in tx.all(buckets, order_by=[buckets.c.org, buckets.c.bucket]):
        parts = tuple(part_states(tx, row["org"], row["bucket"]))
        taken = tx.all(leases, leases.c.org == row["org"], leases.c.bucket == row["bucket"])
        found += [(row["org"], row["name"], parts, lease["block"]) for lease in taken]
    return found


def lease_end(bucket: Bucket, now: datetime) -> datetime:
    """Return until when a lease taken ``now`` runs: the end of the bucket's day (China) and a grace.

    A bucket of a day that is past (an event entered late, an import) is leased for the grace alone.
    """
    midnight = datetime.combine(bucket.day + timedelta(days=1), time(), CHINA)
    return max(midnight, now) + GRACE


def take_lease(
    tx: Transaction,
    log: Log,
    bucket: Bucket,
    *,
    standard_ref: str,
    holder: str,
    until: datetime,
    now: datetime,
    code: str = "",
) -> int:
    """Return the next block of 4,096 numbers, leased to ``holder`` by a ledger entry under ``code``, or a fresh one.

    Raises:
        ClosedError: None of its parts is alive, or all its numbers are given out.
    """
    log.append(tx, [], now=now)  # rule 4; so one lease is taken at a time
    check_open(part_states(tx, bucket.org, bucket.id), bucket.name)
    last = tx.conn.execute(
        sa.select(sa.func.max(leases.c.block)).where(
            leases.c.org == bucket.org, leases.c.bucket == bucket.id
        )
    ).scalar()
    block = 0 if last is None else int(last) + 1
    if block >= BLOCKS:
        raise ClosedError(f"{bucket.name} has given out all its numbers; collect into another day")
    code = code or new_id("l")
    with tx.conn.begin_nested():  # rule 4
        tx.insert(
            leases, org=bucket.org, bucket=bucket.id, block=block, lease=code, holder=holder,
            until=until,
        )  # fmt: skip
        said = entry.Lease(
            org=bucket.org, standard=standard_ref, at=entry.stamp(now), lease=code,
            bucket=bucket.name, block=block, until=entry.stamp(until),
        )  # fmt: skip
        log.append(tx, [entry.encode(said)], now=now)
    return block


def return_lease(tx: Transaction, bucket: Bucket, block: int, *, now: datetime) -> None:
    """Note that the holder of ``block`` has given it back and kept no key; repeating is harmless.

    Raises:
        NotFoundError: The block was never leased.
    """
    key: dict[str, Any] = {"org": bucket.org, "bucket": bucket.id, "block": block}
    if tx.get(leases, **key)["returned"] is None:
        tx.update(leases, key, returned=now)


def open_leases(tx: Transaction, bucket: Bucket, *, now: datetime) -> list[str]:
    """Return the codes of leases that were neither returned nor have run out."""
    rows = tx.all(
        leases, leases.c.org == bucket.org, leases.c.bucket == bucket.id,
        leases.c.returned.is_(None), order_by=[leases.c.block],
    )  # fmt: skip
    return [r["lease"] for r in rows if r["until"] > now]


def _find(tx: Transaction, org: str, name: str) -> Bucket | None:
    row = tx.find(buckets, org=org, name=name)
    return None if row is None else _with_parts(tx, row)


def _writable(found: Bucket | None, authority: str, parts: Sequence[str]) -> Bucket | None:
    """Return ``found`` if records of all ``parts`` can be stored into it, None if it must be made."""
    if found is None:
        return None
    if found.authority != authority:
        raise ConflictError(f"{found.name} belongs to an emergency that {found.authority} declared")
    if not found.live:
        raise ClosedError(f"{found.name} is closed: what it held is being destroyed, or was")
    return found if set(parts) <= set(found.parts) else None


def _check_authority(tx: Transaction, org: str, emergency: str, authority: str) -> None:
    rows = tx.all(
        buckets, buckets.c.org == org, buckets.c.emergency == emergency,
        buckets.c.authority != authority, limit=1,
    )  # fmt: skip
    if rows:
        raise ConflictError(
            f"{org} serves the emergency {emergency} that {rows[0]['authority']} declared; "
            f"the one of {authority} needs a code of its own"
        )


def next_id(tx: Transaction, org: str) -> int:
    """Return the id of the next bucket of ``org``; the log's head is locked, so that none is given twice."""
    query = sa.select(sa.func.max(buckets.c.bucket)).where(buckets.c.org == org)
    return int(tx.conn.execute(query).scalar() or 0) + 1


def _with_parts(tx: Transaction, row: Mapping[str, Any]) -> Bucket:
    return read(row, part_states(tx, row["org"], row["bucket"]))
