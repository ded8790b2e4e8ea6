"""The run: what was announced is completed, what is due is announced and completed, with certificates.

Order of effects, and what a crash leaves, stand in ``intent``. Every run, and every start, first completes
what an earlier one announced; repeating is harmless at each step.

Rules kept in this file:
  1. Witness first, destroy second, certify third.
  2. Many intents of one organisation share one rotation of its epoch key.
  3. A certificate with leases still out says so and is not complete; the run after their end certifies
     anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.destroy import due as dues
from epilock.destroy import intent as intents
from epilock.destroy import order as orders
from epilock.destroy.intent import DESTROY, Intent
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.store import bucket as buckets
from epilock.store import count, removal, vault
from epilock.store.bucket import DESTROYED, Bucket
from epilock.store.keys import KeyStore

Step = Callable[[str], None]


def go_on(step: str) -> None:
    """Do nothing at a step; a test raises here instead."""
    del step


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a run needs; made once.

    Attributes:
        database: The main database.
        keys: The key store.
        log: The log.
        standard: The rules.
        step: Called with the name of each step before and after it, for tests of crashes.
    """

    database: Database
    keys: KeyStore
    log: Log
    standard: Standard
    step: Step = go_on


def run(tools: Tools, *, now: datetime, org: str | None = None) -> list[Intent]:
    """Complete what is open, then destroy what is due at ``now``; return what was certified."""
    done = complete(tools, now=now, org=org)
    tools.step("announce")
    with tools.database.write() as tx:
        announced = _announce(tx, tools, now, org)
        for each in organisations.everyone(tx) if org is None else [organisations.load(tx, org)]:
            carried_out = orders.carry_out(tx, tools.log, tools.standard, org=each.org, now=now)
            announced = announced or bool(carried_out)
    tools.step("announced")
    if announced:
        done += complete(tools, now=now, org=org)
    return done


def complete(tools: Tools, *, now: datetime, org: str | None = None) -> list[Intent]:
    """Carry out and certify every open intent (of ``org``); return them as they are now."""
    with tools.database.read() as tx:
        orgs = [o.org for o in organisations.everyone(tx)] if org is None else [org]
    done: list[Intent] = []
    for each in orgs:
        done += _complete(tools, each, now)
    return done


def purge(tools: Tools, *, now: datetime, slices: int = 1000) -> int:
    """Delete rows of dead parts in slices of a transaction each; return how many rows went."""
    with tools.database.read() as tx:
        dead = [
            (bucket, part)
            for bucket in buckets.listing(tx, states=(DESTROYED,))
            for part, state in buckets.part_states(tx, bucket.org, bucket.id).items()
            if state == DESTROYED
        ]
    gone = 0
    for bucket, part in dead:
        for _ in range(slices):
            with tools.database.write() as tx:
                rows = removal.purge(tx, bucket, part, now=now)
            gone += rows
            if rows == 0:
                break
    return gone


def _announce(tx: Transaction, tools: Tools, now: datetime, org: str | None) -> bool:
    """Announce the parts that are due, those of one bucket and rule together."""
    groups: dict[tuple[str, int, str, datetime | None], tuple[Bucket, list[str]]] = {}
    for found in dues.calendar(tx, tools.standard, now=now, org=org):
        if found.is_due(now):
            key = (found.bucket.org, found.bucket.id, found.due.rule, found.due.at)
            groups.setdefault(key, (found.bucket, []))[1].append(found.part)
    for (_, _, rule, at), (bucket, parts) in groups.items():
        intents.announce_destruction(
            tx, tools.log, standard_ref=tools.standard.ref, bucket=bucket, parts=parts, rule=rule,
            due=at, now=now,
        )  # fmt: skip
    return bool(groups)


def _complete(tools: Tools, org: str, now: datetime) -> list[Intent]:
    with tools.database.read() as tx:
        pending = [i for i in intents.open_intents(tx, org) if not _waits(tx, i, now)]
        names = {i.bucket: buckets.load(tx, org, i.bucket) for i in pending}
    if not pending:
        return []
    tools.step("destroy keys")
    tools.keys.destroy(
        org,
        punctures=[
            (names[i.bucket].name, part, i.n) for i in pending if i.n is not None for part in i.parts
        ],
        drops=[(names[i.bucket].name, part) for i in pending if i.kind == DESTROY for part in i.parts],
    )  # fmt: skip
    tools.step("keys destroyed")
    with tools.database.write() as tx:
        codes = _certify(tx, tools, pending, names, now)
    tools.step("certified")
    with tools.database.read() as tx:
        return [intents.load(tx, org, code) for code in codes]


def _waits(tx: Transaction, found: Intent, now: datetime) -> bool:
    """Tell whether a destruction was certified as incomplete and its leases are still out."""
    if found.entry_index is None:
        return False
    return bool(buckets.open_leases(tx, buckets.load(tx, found.org, found.bucket), now=now))


def _certify(
    tx: Transaction,
    tools: Tools,
    pending: Sequence[Intent],
    names: dict[int, Bucket],
    now: datetime,
) -> list[str]:
    said: list[tuple[Intent, entry.Entry, int | None, int | None, bool]] = []
    for found in sorted(pending, key=lambda i: i.kind == DESTROY):  # records before their buckets
        bucket = names[found.bucket]
        if found.kind == DESTROY:
            made = _certificate(tx, tools, found, bucket, now)
            said.append((found, made, made.first, made.last, made.complete))
        else:
            said.append((found, _erased(tx, tools, found, bucket, now), None, None, True))
    batch = tools.log.append(tx, [entry.encode(e) for _, e, *_ in said], now=now)
    for index, (found, _, first, last, finished) in enumerate(said, batch.first):
        intents.certify(
            tx, found, entry_index=index, first=first, last=last, now=now if finished else None
        )
    return [found.intent for found, *_ in said]


def _certificate(
    tx: Transaction, tools: Tools, found: Intent, bucket: Bucket, now: datetime
) -> entry.Certificate:
    buckets.retire_parts(tx, bucket, found.parts, DESTROYED, now=now)
    counted = count.of(tx, bucket, found.parts)
    leases = buckets.open_leases(tx, bucket, now=now)
    ends = sa.select(sa.func.min(vault.records.c.n), sa.func.max(vault.records.c.n)).where(
        vault.records.c.org == bucket.org, vault.records.c.bucket == bucket.id
    )
    first, last = tx.conn.execute(ends).one()
    return entry.Certificate(
        org=bucket.org, standard=tools.standard.ref, at=entry.stamp(now), destruction=found.intent,
        bucket=bucket.name, parts=list(found.parts), first=first or 0, last=last or 0,
        collected=counted.collected, erased=counted.erased, destroyed=counted.left, leases=leases,
        complete=not leases,
    )  # fmt: skip


def _erased(
    tx: Transaction, tools: Tools, found: Intent, bucket: Bucket, now: datetime
) -> entry.Erased:
    n = found.n or 0
    if found.to_bucket is not None and found.to_n is not None:
        removal.move(tx, found.org, found.bucket, n, to=(found.to_bucket, found.to_n))
    else:
        removal.erase(tx, found.org, found.bucket, n, found.parts)
    return entry.Erased(
        org=found.org, standard=tools.standard.ref, at=entry.stamp(now), erasure=found.intent,
        bucket=bucket.name, n=n, parts=list(found.parts),
    )  # fmt: skip
