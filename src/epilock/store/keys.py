"""The key store: seeds, tag keys and secrets in a database of their own; what dies here is gone.

root key > epoch key (in the slot) > part keys and tag keys > seeds > leaves. ``keyrows`` says how each
lies in its row, ``slot`` what each step of a rotation leaves behind.

A destruction (``destroy``), and what a crash leaves:

  1. The new epoch key is written into the slot's free cell.  Crash: the old epoch counts.
  2. One transaction of the key database takes away what dies and rewraps what lives under the new
     epoch.  Crash before its commit: as before the call. After: the new epoch counts; the old key is
     still in the slot, so that an old copy of the database could still be opened.
  3. The old epoch key is overwritten in the slot.  From here on no copy opens what died.
  4. The write-ahead log of SQLite is emptied.  Crash: what is left in it is wrapped under a dead key.

The same call again completes what a crash left: it sees what is gone already, and settles the slot.

Rules kept in this file:
  1. Nothing is destroyed but by ``destroy``, and after it returned no copy of the database of before
     opens what was destroyed, whatever the root key.
  2. Keys are read from database and slot each time and held by nobody here: what another process
     destroyed is gone for this one too.
  3. A row says which epoch it is under; the slot says which epochs there are. A reader who falls
     between the two by a rotation reads again.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.errors import (
    ConflictError,
    ErasedError,
    InputError,
    KeysError,
    RootKeyError,
    StateError,
)
from epilock.ledger.note import Ed25519Key, SeedKey
from epilock.store import keyrows, keytree, rotation
from epilock.store.access import Waiting
from epilock.store.keyrows import epochs, part_keys, secrets, tag_keys
from epilock.store.keytree import LEASE_DEPTH, ROOT, Node
from epilock.store.root import RootKey
from epilock.store.rotation import Epoch
from epilock.store.slot import Slot, Step, go_on, storing
from epilock.store.suite import INTERNATIONAL, KEY_BYTES, SUITES, Suite, named

ORG = re.compile(r"[a-z][a-z0-9-]{1,30}")
NAME = re.compile(r"[A-Za-z0-9.+/-]{1,200}")
SUITE = "suite"  # the secret that says which suite was chosen, so that nobody without the root key can say another
MOST_GENERATIONS = 64  # of a tag key

T = TypeVar("T")


class KeyStore:
    """The keys of all organisations of one installation.

    Args:
        database: The key database (``key_metadata``), of an engine opened with ``overwrite=True``.
        root: The root key.
        slots: Folder of the epoch slots, one file for each organisation.
        step: For tests: called before and after each effect with its name; see ``slot.Slot``.
    """

    def __init__(
        self,
        database: Database,
        root: RootKey,
        slots: Path,
        *,
        step: Step = go_on,
    ) -> None:
        self.database = database
        self._suites: dict[str, Suite] = {}
        self._root = root
        self._slots = slots
        self._step = step

    @property
    def notice(self) -> timedelta:
        """How long before its day a destruction is to be announced: not at all."""
        return timedelta()

    def suite_of(self, org: str) -> Suite:
        """Return the algorithms that everything of ``org`` is sealed with; international if none were chosen.

        Raises:
            KeysError: This program doesn't know the one that was chosen.
            RootKeyError, TamperedError: As ``secret``.
        """
        return self._suites.get(org) or self.look_up_suite(org)[0]

    def look_up_suite(self, org: str) -> tuple[Suite, bool]:
        """Return the suite of ``org``, and whether it is never another; errors as ``suite_of``."""
        with self.database.read() as tx:
            row = tx.find(secrets, org=org, name=SUITE)
            begun = tx.find(epochs, org=org) is not None
        found: Suite = INTERNATIONAL
        if row is not None:
            mark = self.unwrap_secret(org, SUITE, row["wrapped"])
            known = [suite for suite in SUITES.values() if _mark(suite) == mark]
            if not known:
                raise KeysError(f"{org} has a suite of algorithms that this program doesn't know")
            found = known[0]
        settled = begun or row is not None
        if settled:
            self._suites[org] = found
        return found, settled

    def choose_suite(self, org: str, name: str) -> None:
        """Choose the algorithms of ``org``, before anything of it is sealed; repeating is harmless.

        Raises:
            InputError: There is no suite of this name.
            StateError: The organisation has another, or something that is sealed under another.
        """
        suite = named(name)
        with storing(self._slots):
            mark = self._root.wrap(_mark(suite), keyrows.secret_context(org, SUITE))
            with self.slot(org).lock(), self.database.write() as tx:
                known = tx.find(secrets, org=org, name=SUITE) or tx.find(epochs, org=org)
                if known is None:
                    tx.insert(secrets, org=org, name=SUITE, wrapped=mark)
        has = self.suite_of(org)
        if has is not suite:
            raise StateError(
                f"{org} has the suite {has.name} and keeps it, so that what is sealed stays readable; "
                "register another organisation with the other suite"
            )

    @property
    def signed(self) -> bool:
        """Whether records open only under signed grants: who has the keys is asked for none."""
        return False

    def under(self, org: str, grant: str) -> "KeyStore":
        """Return the keys for opening under a grant: here the same, for nobody counts."""
        del org, grant
        return self

    def register(self, statement: bytes, assertion: str) -> None:
        """Take a signed grant: here it is the gate's alone."""
        del statement, assertion

    def secret(self, org: str, name: str) -> bytes:
        """Return the 32-byte secret ``name`` of ``org`` ("": the installation), made on first use.

        Raises:
            RootKeyError: Another root key wrapped it.
            TamperedError: Its row was altered.
        """
        for last in (False, True):
            with self.database.read() as tx:
                row = tx.find(secrets, org=org, name=name)
            if row is not None:
                try:
                    return self.unwrap_secret(org, name, row["wrapped"])
                except RootKeyError:  # unless it was wrapped anew since it was read
                    if last:
                        raise
                    continue
            _check(NAME, name, "a secret's name")
            context = keyrows.secret_context(org, name)
            with storing(self._slots):
                wrapped = self._root.wrap(os.urandom(KEY_BYTES), context)
                with self.database.write() as tx, suppress(ConflictError):  # another was first
                    tx.insert(secrets, org=org, name=name, wrapped=wrapped)
        raise KeysError(f"the secret {name} could not be stored")

    def unwrap_secret(self, org: str, name: str, wrapped: bytes) -> bytes:
        """Return the secret that a row holds; errors as ``secret``."""
        return self._root.unwrap(wrapped, keyrows.secret_context(org, name))

    def signing_key(self, org: str, name: str) -> Ed25519Key:
        """Return the Ed25519 key whose seed is the secret ``name``, made on first use; errors as ``secret``."""
        return SeedKey(self.secret(org, name))

    def add_bucket(self, org: str, bucket: str, parts: Sequence[str]) -> None:
        """Make a seed for each of ``parts`` of ``bucket`` that has none; repeating is harmless."""
        for name in (bucket, *parts):
            _check(NAME, name, "a bucket's or part's name")
        with self._writing(org) as (tx, _, current):
            for part in parts:
                if tx.find(part_keys, org=org, bucket=bucket, part=part) is None:
                    cover = {ROOT: os.urandom(KEY_BYTES)}
                    rotation.insert_part(
                        tx, self.suite_of(org), (org, bucket, part), current, cover
                    )

    def add_tag_key(self, org: str, emergency: str) -> None:
        """Make the tag key of ``emergency`` if it has none; repeating is harmless."""
        _check(NAME, emergency, "an emergency's code")
        with self._writing(org) as (tx, _, current):
            if tx.find(tag_keys, org=org, emergency=emergency) is None:
                aad = keyrows.tag_aad(self.suite_of(org), org, emergency, current.number)
                key = os.urandom(KEY_BYTES)
                wrapped = keyrows.wrap(self.suite_of(org).cipher(current.key), key, aad)
                tx.bulk(tag_keys, [(org, emergency, current.number, wrapped)])

    def extend_tag_key(self, org: str, emergency: str, generations: int) -> None:
        """Give the tag key of ``emergency`` one more generation, the last of ``generations``; repeating is harmless.

        Raises:
            InputError: It has fewer than one less, or would have too many.
            ErasedError, KeysError, TamperedError: As ``tag_key``.
        """
        with self._writing(org) as (tx, _, current):
            row = tx.find(tag_keys, lock=True, org=org, emergency=emergency)
            if row is None:
                raise ErasedError(f"{org} has no tag key for {emergency}: dropped, or never made")
            suite = self.suite_of(org)
            aad = keyrows.tag_aad(suite, org, emergency, current.number)
            above = suite.cipher(current.key)
            key = keyrows.unwrap(suite, above, row["wrapped"], aad)
            has = len(key) // KEY_BYTES
            if has >= generations:
                return
            if has != generations - 1 or generations > MOST_GENERATIONS:
                raise InputError(
                    f"a tag key gets one generation at a time, {MOST_GENERATIONS} at most; this one has {has}"
                )
            wrapped = keyrows.wrap(above, key + os.urandom(KEY_BYTES), aad)
            tx.update(tag_keys, {"org": org, "emergency": emergency}, wrapped=wrapped)

    def tag_key(self, org: str, emergency: str) -> bytes:
        """Return the tag key of ``emergency``: 32 bytes for each of its generations (``tags``).

        Raises:
            ErasedError: It was dropped, or never made.
            KeysError, TamperedError: As ``leaf``.
        """

        def read(tx: Transaction, cells: dict[int, bytes]) -> bytes:
            row = tx.find(tag_keys, org=org, emergency=emergency)
            if row is None:
                raise ErasedError(f"{org} has no tag key for {emergency}: dropped, or never made")
            aad = keyrows.tag_aad(self.suite_of(org), org, emergency, row["epoch"])
            above = self.suite_of(org).cipher(rotation.epoch_key(cells, row["epoch"]))
            return keyrows.unwrap(self.suite_of(org), above, row["wrapped"], aad)

        return self._reading(org, read)

    def cover(
        self, org: str, bucket: str, part: str, nodes: Collection[Node] | None = None
    ) -> dict[Node, bytes]:
        """Return the seeds of a part, by node: all, or those among ``nodes``.

        Hold it no longer than the batch it was read for: it does not know what is destroyed later.

        Raises:
            ErasedError: The part was destroyed, or never made.
            KeysError, TamperedError: As ``leaf``.
        """

        def read(tx: Transaction, cells: dict[int, bytes]) -> dict[Node, bytes]:
            cover = rotation.read_cover(tx, self.suite_of(org), (org, bucket, part), cells, nodes)
            if cover is None:
                raise ErasedError(f"{bucket} has no key for part {part}: destroyed, or never made")
            return cover

        return self._reading(org, read)

    def leaf(self, org: str, bucket: str, part: str, n: int) -> bytes:
        """Return the leaf key of record number ``n``.

        Raises:
            ErasedError: The record was erased or the part destroyed; or the key database is a copy
                of before a destruction, which is dead as a whole.
            KeysError: The slot is missing, or an old copy.
            RootKeyError: Another root key wrapped the slot.
            TamperedError: A row was altered.
        """
        cover = self.cover(org, bucket, part, keytree.path(n))
        return keytree.find(cover, (keytree.DEPTH, n), self.suite_of(org).child)

    def lease_seed(self, org: str, bucket: str, part: str, block: int) -> bytes:
        """Return the seed of ``block``: the 4,096 leaves from ``block * 4096`` on.

        Raises:
            ErasedError: The part was destroyed, or a leaf of the block erased (then it was leased
                before, and is not leased again); or as ``leaf``.
            KeysError, RootKeyError, TamperedError: As ``leaf``.
        """
        nodes = keytree.path(block * keytree.LEASE_LEAVES, LEASE_DEPTH)
        cover = self.cover(org, bucket, part, nodes)
        return keytree.find(cover, (LEASE_DEPTH, block), self.suite_of(org).child)

    def waiting(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> Waiting:
        """Return what of all this must wait before it may be destroyed: here nothing."""
        del org, punctures, drops, tags
        return Waiting()

    def organisations(self) -> list[str]:
        """Return the organisations that have a tag key, sorted."""
        with self.database.read() as tx:
            found = tx.conn.scalars(sa.select(tag_keys.c.org).distinct().order_by(tag_keys.c.org))
            return list(found)

    def emergencies(self, org: str) -> list[str]:
        """Return the emergencies of ``org`` whose tag key is there, sorted."""
        c = tag_keys.c
        with self.database.read() as tx:
            query = sa.select(c.emergency).where(c.org == org).order_by(c.emergency)
            return list(tx.conn.scalars(query))

    def close(self) -> None:
        """Close the key database; repeating is harmless."""
        self.database.close()

    def destroy(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> int:
        """Destroy keys for ever; return the epoch that counts now. Safe to repeat.

        Args:
            org: The organisation.
            punctures: (bucket, part, record number) of single records.
            drops: (bucket, part) of whole parts.
            tags: Emergencies whose tag key goes.

        Raises:
            ErasedError, KeysError: Key database and slot do not fit: one of them is an old copy.
            TamperedError: A row that lives on was altered; nothing was destroyed. A damaged part can
                itself be dropped.
        """
        with self._writing(org) as (tx, slot, current):
            dying = rotation.plan(
                tx, self.suite_of(org), org, current, punctures=punctures, drops=drops, tags=tags
            )
            if dying:
                number = current.number + 1
                new = Epoch(number, slot.next(number, current=current.number))
                rotation.rotate(tx, self.suite_of(org), org, old=current, new=new, dying=dying)
                self._step("commit")
        if dying:
            self._step("commit done")
            with self._writing(org) as (_, _, current):
                pass  # settled: the old epoch key is overwritten
        self._empty_log()
        return current.number

    def settle(self) -> None:
        """Complete what crashes left in the slots; call it at start-up."""
        for path in sorted(self._slots.glob("*.slot")):
            with self._writing(path.stem) as (_, slot, current):
                slot.forget_others(current.number)
        self._empty_log()

    @contextmanager
    def _writing(self, org: str) -> Iterator[tuple[Transaction, Slot, Epoch]]:
        """Hold the slot and a transaction; give both and the epoch that counts, settled."""
        slot = self.slot(org)
        with slot.lock():
            suite = self.suite_of(org)
            with self.database.write() as tx:
                yield tx, slot, rotation.settle(tx, slot, suite, org)

    def _reading(self, org: str, read: Callable[[Transaction, dict[int, bytes]], T]) -> T:
        """Return ``read(transaction, epoch keys)``.

        What it raises counts only if no rotation fell between slot and database (rule 3).
        """
        slot = self.slot(org)
        cells = slot.read()
        while True:
            try:
                with self.database.read() as tx:
                    return read(tx, cells)
            except KeysError:
                before, cells = cells, slot.read()
                if cells.keys() == before.keys():
                    raise

    def slot(self, org: str) -> Slot:
        """Return the epoch slot of ``org``, which may not be there yet."""
        _check(ORG, org, "an organisation's code")
        return Slot(self._slots / f"{org}.slot", org, self._root, step=self._step)

    def _empty_log(self) -> None:
        """Copy SQLite's write-ahead log into the file and cut it to nothing.

        While others read, it stays: what it holds is wrapped under keys that are dead. PostgreSQL
        recycles its log by itself.
        """
        if self.database.engine.dialect.name != "sqlite":
            return
        self._step("empty log")
        raw = self.database.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            raw.close()
        self._step("empty log done")


def _mark(suite: Suite) -> bytes:
    """Return the 32 bytes that stand for a suite."""
    return sha256(f"epilock/suite/v1|{suite.name}".encode()).digest()


def _check(pattern: re.Pattern[str], value: str, what: str) -> None:
    if not pattern.fullmatch(value):
        raise InputError(f"{what} must match {pattern.pattern}")
