"""What the key service gives, and how much of it: each bound is checked here, whatever asks.

It trusts no word of a client. What a client that was taken over can still learn or destroy, per organisation:

====================  ==========================================================================
what                  bound
====================  ==========================================================================
records opened        ``Limits.openings`` different records a day (China); with ``site`` also no more than
                      their signed grant says (``granted``), and ``Limits.alone`` a day without a grant
whole parts           ``Limits.parts`` different parts a day: tables and releases need them; with ``site``
                      also no more than their signed grant says, and none without one
leases                each block once, to the process that asked first
records erased        ``Limits.erasures`` different records a day
parts destroyed       none before ``Limits.wait`` has passed since they were announced, and none that
                      was stopped meanwhile
signatures            never two roots for one size of a log
====================  ==========================================================================

What it does give out: the secrets of ``HANDED``, tag keys, and leases of the day.

Rules kept in this file:
  1. What is counted is committed before the key leaves: a crash between counts too much, never too little.
  2. Counters and registers carry row seals under a secret that no client is given.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Database, Instant, Transaction, key_metadata, sealed_table
from epilock.errors import ForbiddenError, IntegrityError, LeasedError, RateError, StateError
from epilock.ledger import checkpoint
from epilock.ledger.note import SeedKey
from epilock.standard.level import CHINA
from epilock.store import file
from epilock.store.access import Waiting
from epilock.store.approval import Site
from epilock.store.keys import KeyStore
from epilock.store.keyservice import granted
from epilock.store.keyservice.wire import SuiteIs
from epilock.store.keytree import Node

HANDED = frozenset(
    {
        "integrity",
        "receipts",
        "imports",
        "session",
        "rates",
        "totp",
        "challenges",
        "anchor",
        "provider",
        "found",
    }
)
_SIGNING = re.compile(r"log(\.[1-9]\d{0,3})?(-[1-9]\d{0,3})?|notice")
SECRET = "key-service"  # noqa: S105 - the name under which the secret of the seals lies
_OPEN, _ALONE, _WHOLE, _ERASE = "open", "alone", "whole", "erase"
_DROP, _TAG = "drop", "tag"
KEPT_SIZES = 100_000  # of a log, whose roots are remembered
_SWEEP = 1_000  # signatures between two sweeps

accounts = sealed_table(
    "service_accounts",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("kind", sa.String(5), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
)
counted = sealed_table(
    "service_counted",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("kind", sa.String(5), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("bucket", sa.String(261), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
)
leased = sealed_table(
    "service_leases",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.String(200), primary_key=True),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("session", sa.LargeBinary(16), nullable=False),
)
announced = sealed_table(
    "service_announced",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("kind", sa.String(4), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("stopped", Instant),
)
signed = sealed_table(
    "service_signed",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary(32), nullable=False),
)
"""Tables of the key database: how much was opened and erased on a day; which records that were; which blocks
were leased to which process; what was announced for destruction; which root of a size was signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the key service gives, for each organisation.

    Attributes:
        openings: Different records that are opened in a day.
        alone: Those of them that no grant is said for: the person's own, treatment in an emergency. It
            counts where grants are signed; so do the next two.
        subjects: Most records of one grant.
        longest: Longest time from registering a grant to its end.
        parts: Different parts whose seeds are given out whole in a day; and most of one signed grant.
        erasures: Different records that are erased in a day.
        wait: From announcing a destruction to carrying it out.
    """

    openings: int = 1_000
    alone: int = 100
    subjects: int = 10_000
    longest: timedelta = timedelta(days=31)
    parts: int = 0
    erasures: int = 1_000
    wait: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A destruction that was announced.

    Attributes:
        org: Organisation.
        kind: ``drop`` or ``tag``.
        name: Bucket, or emergency.
        part: The part, or "".
        at: When it was announced.
        stopped: When it was stopped, or None.
    """

    org: str
    kind: str
    name: str
    part: str
    at: datetime
    stopped: datetime | None


class Desk:
    """Gives keys, counts them and refuses.

    Args:
        keys: The key store.
        limits: The bounds.
        now: The clock.
        site: Where the pages are whose passkeys sign grants; None: grants are not asked for.
    """

    def __init__(
        self,
        keys: KeyStore,
        limits: Limits,
        now: Callable[[], datetime],
        *,
        site: Site | None = None,
    ) -> None:
        self.keys = keys
        self.limits = limits
        self.site = site
        self._now = now
        self._database = sealing(keys)
        self._signed = 0

    # -- secrets and signatures ------------------------------------------------------------------------

    def secret(self, org: str, name: str) -> bytes:
        """Return a secret that clients need.

        Raises:
            ForbiddenError: It is none of these.
        """
        if name not in HANDED:
            raise ForbiddenError("the key service gives out no secret of this name")
        return self.keys.secret(org, name)

    def public_key(self, org: str, name: str) -> bytes:
        """Return the public half of a signing key.

        Raises:
            ForbiddenError: It is none.
        """
        return self._signer(org, name).public()

    def sign(self, org: str, name: str, data: bytes) -> bytes:
        """Return the signature of ``data``; of a log's key it is a checkpoint (c2sp.org/tlog-checkpoint).

        Raises:
            ForbiddenError: It is no signing key.
            NoteError: A log's key was to sign something else than a checkpoint.
            IntegrityError: Another root of this size was signed before.
        """
        key = self._signer(org, name)
        if name != "notice":
            self._note_root(org, name, data)
        return key.sign(data)

    def _signer(self, org: str, name: str) -> SeedKey:
        if not _SIGNING.fullmatch(name):
            raise ForbiddenError("the key service signs with keys of logs and notices")
        return SeedKey(self.keys.secret(org, name))

    def _note_root(self, org: str, name: str, data: bytes) -> None:
        said = checkpoint.parse(data.decode("utf-8", "replace"))
        place: dict[str, Any] = {"org": org, "name": name, "size": said.size}
        with self._database.write() as tx:
            known = tx.find(signed, **place)
            if known is None:
                tx.insert(signed, **place, root=said.root)
            elif bytes(known["root"]) != said.root:
                raise IntegrityError(
                    f"another root of size {said.size} was signed before: the log was rewritten"
                )
            self._signed += 1
            if self._signed % _SWEEP == 0:
                old = (signed.c.size < said.size - KEPT_SIZES,)
                tx.conn.execute(
                    sa.delete(signed).where(signed.c.org == org, signed.c.name == name, *old)
                )

    def suite_of(self, org: str) -> SuiteIs:
        """Return which algorithms ``org`` has; errors as ``KeyStore.suite_of``."""
        suite, settled = self.keys.look_up_suite(org)
        return SuiteIs(suite.name, settled)

    # -- sealing ---------------------------------------------------------------------------------------

    def lease(self, org: str, bucket: str, part: str, block: int, session: bytes) -> bytes:
        """Return the seed of a block.

        Raises:
            LeasedError: It was given to another process.
            ErasedError, KeysError, TamperedError: As ``KeyStore.lease_seed``.
        """
        seed = self.keys.lease_seed(org, bucket, part, block)
        place: dict[str, Any] = {"org": org, "bucket": bucket, "part": part, "block": block}
        with self._database.write() as tx:
            known = tx.find(leased, **place)
            if known is None:
                tx.insert(leased, **place, session=session)
            elif bytes(known["session"]) != session:
                raise LeasedError(f"block {block} of {bucket} was leased before; take the next one")
        return seed

    def adopt(self, places: Iterable[tuple[str, str, Sequence[str], int]]) -> int:
        """Take (organisation, bucket, parts, block) that were leased before for given; return how many.

        Repeating is harmless.
        """
        found = 0
        with self._database.write() as tx:
            for org, bucket, parts, block in places:
                for part in parts:
                    place: dict[str, Any] = {
                        "org": org,
                        "bucket": bucket,
                        "part": part,
                        "block": block,
                    }
                    if tx.find(leased, **place) is None:
                        tx.insert(leased, **place, session=b"")
                        found += 1
        return found

    # -- opening ---------------------------------------------------------------------------------------

    def register(self, statement: bytes, assertion: str) -> None:
        """Take a grant that its approver signed; errors as ``granted.register``. Safe to repeat.

        Raises:
            StateError: Grants are not signed here.
        """
        if self.site is None:
            raise StateError("grants are not signed here: start the service with --signed-grants")
        granted.register(
            self._database, statement, assertion, at=self.site, most=self.limits.subjects,
            parts=self.limits.parts, longest=self.limits.longest, now=self._now(),
        )  # fmt: skip

    def leaf(
        self, org: str, bucket: str, part: str, n: int, under: tuple[str, str] | None = None
    ) -> bytes:
        """Return the key of one part of one record.

        Args:
            org: Organisation that collected it.
            bucket: Its bucket.
            part: The part.
            n: Its number.
            under: Organisation and code of the grant under which it opens, or None.

        Raises:
            ForbiddenError: The grant is not signed, is over, or reaches other records.
            RateError: So many records were opened today; how long to wait is in it.
            ErasedError, KeysError, TamperedError: As ``KeyStore.leaf``.
        """
        key = self.keys.leaf(org, bucket, part, n)
        with self._database.write() as tx:
            if self.site is not None and under is None:
                self._count(tx, org, _ALONE, [(bucket, n)], self.limits.alone)
            elif self.site is not None and under is not None:
                granted.count(tx, under, org, [(bucket, n)], now=self._now())
            self._count(tx, org, _OPEN, [(bucket, n)], self.limits.openings)
        return key

    def whole(
        self, org: str, bucket: str, part: str, under: tuple[str, str] | None = None
    ) -> dict[Node, bytes]:
        """Return all seeds of a part.

        Args:
            org: Organisation that collected it.
            bucket: Its bucket.
            part: The part.
            under: Organisation and code of the grant under which it is read, or None.

        Raises:
            ForbiddenError: There is no grant, or it is not signed, is over, or reaches other parts.
            RateError: So many parts were given out today, or under the grant.
            ErasedError, KeysError, TamperedError: As ``KeyStore.cover``.
        """
        cover = self.keys.cover(org, bucket, part)
        with self._database.write() as tx:
            if self.site is not None and under is None:
                raise ForbiddenError(
                    "a whole part is given out under a grant that an approver's passkey signed"
                )
            if self.site is not None and under is not None:
                granted.count_part(tx, under, org, bucket, part, now=self._now())
            self._count(tx, org, _WHOLE, [(f"{bucket} {part}", 0)], self.limits.parts)
        return cover

    def _count(
        self,
        tx: Transaction,
        org: str,
        kind: str,
        records: Sequence[tuple[str, int]],
        most: int,
    ) -> None:
        """Count records that were not counted today, all or none (rule 1)."""
        today = self._now().astimezone(CHINA).date().isoformat()
        fresh = _fresh(tx, org, kind, today, records)
        if not fresh:
            return
        place: dict[str, Any] = {"org": org, "kind": kind, "day": today}
        row = tx.find(accounts, lock=True, **place)
        used = row["used"] if row else 0
        if used + len(fresh) > most:
            raise RateError(
                f"{org}: {used} of the {most} {_SAID[kind]} already, {len(fresh)} more were asked for; "
                "ask tomorrow, or have the key service's bound raised",
                wait=self._until_tomorrow(),
            )
        if row is None:
            _forget(tx, org, kind)
            tx.insert(accounts, **place, used=len(fresh))
        else:
            tx.update(accounts, place, used=used + len(fresh))
        tx.bulk(counted, [(org, kind, today, bucket, n) for bucket, n in fresh])

    def _until_tomorrow(self) -> int:
        here = self._now().astimezone(CHINA)
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return int((midnight - here).total_seconds()) + 1

    # -- destroying ------------------------------------------------------------------------------------

    def waiting(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> Waiting:
        """Announce what was not announced; return what has to wait, also for tomorrow's erasures."""
        now = self._now()
        today = now.astimezone(CHINA).date().isoformat()
        with self._database.write() as tx:
            late = frozenset(d for d in drops if self._waits(tx, org, _DROP, *d, now=now))
            late_tags = frozenset(t for t in tags if self._waits(tx, org, _TAG, t, "", now=now))
            row = tx.find(accounts, org=org, kind=_ERASE, day=today)
            left = self.limits.erasures - (row["used"] if row else 0)
            records = list(dict.fromkeys((bucket, n) for bucket, _, n in punctures))
            fresh = _fresh(tx, org, _ERASE, today, records)
        over = frozenset(fresh[max(left, 0) :])
        return Waiting(
            punctures=frozenset(p for p in punctures if (p[0], p[2]) in over),
            drops=late, tags=late_tags,
        )  # fmt: skip

    def destroy(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> int:
        """Destroy keys for ever; return the epoch that counts now. Safe to repeat.

        Raises:
            StateError: Something was stopped, or announced (now) and has to wait; nothing was destroyed.
            RateError: So many records were erased today; nothing was destroyed.
            ErasedError, KeysError, TamperedError: As ``KeyStore.destroy``.
        """
        found = self.waiting(org, drops=drops, tags=tags)
        if found.drops or found.tags:
            hours = int(self.limits.wait.total_seconds() // 3600)
            raise StateError(
                f"{org}: what is to be destroyed was announced, and waits {hours} hours or until whoever "
                "stopped it lets it go on; nothing was destroyed"
            )
        records = list(dict.fromkeys((bucket, n) for bucket, _, n in punctures))
        with self._database.write() as tx:
            self._count(tx, org, _ERASE, records, self.limits.erasures)
        epoch = self.keys.destroy(org, punctures=punctures, drops=drops, tags=tags)
        with self._database.write() as tx:
            for bucket, part in drops:
                tx.delete(announced, org=org, kind=_DROP, name=bucket, part=part)
            for emergency in tags:
                tx.delete(announced, org=org, kind=_TAG, name=emergency, part="")
        return epoch

    def listing(self) -> list[Announced]:
        """Return what was announced and is not destroyed, the oldest first."""
        with self._database.read() as tx:
            rows = tx.all(announced, order_by=[announced.c.at, announced.c.name, announced.c.part])
        return [Announced(**row) for row in rows]

    def stop(self, org: str, name: str) -> int:
        """Stop the announced destruction of a bucket's parts, or of a tag key; return how many that are."""
        return self._set_stopped(org, name, self._now())

    def let_go_on(self, org: str, name: str) -> int:
        """Let what was stopped go on; return how many destructions that are."""
        return self._set_stopped(org, name, None)

    def ripe(self, found: Announced) -> datetime:
        """Return when an announced destruction may be carried out."""
        return found.at + self.limits.wait

    def _set_stopped(self, org: str, name: str, stopped: datetime | None) -> int:
        c = announced.c
        with self._database.write() as tx:
            rows = tx.all(announced, c.org == org, c.name == name, lock=True)
            for row in rows:
                place = {key: row[key] for key in ("org", "kind", "name", "part")}
                tx.update(announced, place, stopped=stopped)
        return len(rows)

    def _waits(
        self, tx: Transaction, org: str, kind: str, name: str, part: str, *, now: datetime
    ) -> bool:
        """Tell whether a destruction has to wait; it is announced by being asked for.

        Files go with their grant or with a record that they show, and nothing is lost with them.
        """
        if file.is_place(name):
            return False
        place: dict[str, Any] = {"org": org, "kind": kind, "name": name, "part": part}
        row = tx.find(announced, **place)
        if row is None:
            tx.insert(announced, **place, at=now)
            return self.limits.wait > timedelta()
        return row["stopped"] is not None or now < row["at"] + self.limits.wait


def sealing(keys: KeyStore) -> Database:
    """Return the key database with the key that seals the key service's rows, made on first use."""
    return Database(keys.database.engine, keys.secret("", SECRET))


_SAID = {
    _OPEN: "records that are opened in a day are opened",
    _ALONE: "records that are opened without a grant in a day are opened",
    _WHOLE: "parts that are given out whole in a day are given out",
    _ERASE: "records that are erased in a day are erased",
}


def _fresh(
    tx: Transaction, org: str, kind: str, day: str, records: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Return those of ``records`` that were not counted on that day."""
    place: dict[str, Any] = {"org": org, "kind": kind, "day": day}
    return [
        (bucket, n)
        for bucket, n in records
        if tx.find(counted, **place, bucket=bucket, n=n) is None
    ]


def _forget(tx: Transaction, org: str, kind: str) -> None:
    """Forget earlier days: called when a new one begins."""
    tx.delete(accounts, org=org, kind=kind)
    tx.delete(counted, org=org, kind=kind)
