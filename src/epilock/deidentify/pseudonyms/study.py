"""Studies: the key under which a study's pseudonyms are made, from its first day to its destruction.

The key is a leaf of the key store (``store.keys``), where it lies like a bucket's seeds: wrapped under the
organisation's epoch key, and after ``end`` in no copy of the database that opens.

The end is asked for by one person and carried out by another; then, and what a crash leaves:

  1. The register says that the study is ending, with its ledger entry (``ending``).  Crash before its
     commit: as before the call. After: no more codes are made.
  2. The key store destroys the key.  Crash: announced and perhaps done.
  3. The register says that it is done, with its ledger entry (``destroyed``).

The same call again goes on where the crash was.

Rules kept in this file:
  1. Witness first, shred second: no key dies unannounced, and none is certified that lives.
  2. A study's code is never used again: its codes would be others for the same persons.
  3. It takes two persons and a cooling time, as all that destroys does (``destroy.order``); which roles,
     the edge decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from epilock.db import Database, Instant, Transaction, metadata, sealed_table
from epilock.deidentify.noise.budget import Book
from epilock.errors import (
    ApprovalError,
    ConflictError,
    ErasedError,
    InputError,
    NotDueError,
    NotFoundError,
    StateError,
)
from epilock.ledger import entry
from epilock.store.access import Keys

OPENED, ENDING, DESTROYED = "opened", "ending", "destroyed"
COOLING = timedelta(hours=24)  # from the request to the end, unless the installation says otherwise
CODE = re.compile(r"[a-z][a-z0-9-]{1,63}")  # as its ledger entry takes it
_PART = "pseudonym"

studies = sealed_table(
    "studies",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("study", sa.String(64), primary_key=True),
    sa.Column("purpose", sa.String(80), nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("destroyed", Instant),
)

study_ends = sealed_table(
    "study_ends",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("study", sa.String(64), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("asked", Instant, nullable=False),
)
"""Ends that were asked for and not refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study.

    Attributes:
        org: Organisation that holds its key.
        study: Its code.
        purpose: Of the standard.
        opened: When its key was made.
        ended: Since when no code is made, or None.
        destroyed: When its key was gone, or None.
        end_asked_by: Who asked for its end, or None.
    """

    org: str
    study: str
    purpose: str
    opened: datetime
    ended: datetime | None
    destroyed: datetime | None
    end_asked_by: str | None

    @property
    def waits(self) -> bool:
        """Whether its end waits for a second person, or for being carried out to the end."""
        return self.end_asked_by is not None and self.destroyed is None


def begin(
    tx: Transaction,
    keys: Keys,
    book: Book,
    *,
    org: str,
    study: str,
    purpose: str,
    by: str,
    now: datetime,
) -> None:
    """Open a study and make its key.

    The key is made before the transaction commits: a crash leaves a key that nobody used, which the next
    call takes.

    Raises:
        ConflictError: There is or was a study of this code.
        InputError: The code is none.
    """
    if not CODE.fullmatch(study):
        raise InputError(
            "a study's code is of small letters, digits and hyphens, such as long-covid"
        )
    if tx.find(studies, org=org, study=study) is not None:
        raise ConflictError(f"{org} has or had a study {study}; take another code")
    _witness(tx, book, org=org, study=study, purpose=purpose, stage=OPENED, by=by, now=now)
    tx.insert(studies, org=org, study=study, purpose=purpose, opened=now)
    keys.add_bucket(org, _place(study), [_PART])


def key_of(tx: Transaction, keys: Keys, org: str, study: str) -> bytes:
    """Return the 32-byte key for ``pseudonym``; hold it no longer than the table it is for.

    Raises:
        NotFoundError: There is no such study.
        ErasedError: It has ended: nobody can make its codes again.
        KeysError, TamperedError: As ``KeyStore.leaf``.
    """
    row = _row(tx, org, study)
    if row["ended"] is not None:
        raise ErasedError(f"the study {study} of {org} has ended, and its key with it")
    return keys.leaf(org, _place(study), _PART, 0)


def ask_end(tx: Transaction, *, org: str, study: str, by: str, now: datetime) -> None:
    """Ask for the end of a study; another person carries it out.

    Raises:
        NotFoundError: There is no such study.
        StateError: It has ended, or its end was asked for already.
    """
    found = load(tx, org, study)
    if found.ended is not None or found.end_asked_by is not None:
        raise StateError(f"the end of {study} was asked for already")
    tx.insert(study_ends, org=org, study=study, by=by, asked=now)


def refuse_end(tx: Transaction, *, org: str, study: str) -> None:
    """Let a study live on whose end was asked for.

    Raises:
        NotFoundError: There is no such study.
        StateError: It has ended, or nobody asked for its end.
    """
    found = load(tx, org, study)
    if found.ended is not None or found.end_asked_by is None:
        raise StateError(f"no end of {study} waits for a decision")
    tx.delete(study_ends, org=org, study=study)


def end(
    database: Database,
    keys: Keys,
    book: Book,
    *,
    org: str,
    study: str,
    by: str,
    cooling: timedelta = COOLING,
    now: datetime,
) -> None:
    """Destroy a study's key for ever, as the second person: its codes are anonymous from now on. Safe to repeat.

    Raises:
        NotFoundError: There is no such study.
        StateError: Nobody asked for its end.
        ApprovalError: ``by`` asked for it.
        NotDueError: It was asked for less than ``cooling`` ago.
        KeysError, TamperedError: As ``KeyStore.destroy``; it is announced, and not done.
    """
    with database.write() as tx:
        _check_two(load(tx, org, study), by)
        _check_cooled(tx, org, study, cooling, now)
        _advance(tx, book, ENDING, "ended", org=org, study=study, by=by, now=now)
    keys.destroy(org, drops=[key_place(study)])
    with database.write() as tx:
        _advance(tx, book, DESTROYED, "destroyed", org=org, study=study, by=by, now=now)


def key_place(study: str) -> tuple[str, str]:
    """Return where the key store has a study's key, as ``KeyStore.destroy`` drops it."""
    return _place(study), _PART


def load(tx: Transaction, org: str, study: str) -> Study:
    """Return a study.

    Raises:
        NotFoundError: There is none of this code.
    """
    return read(tx, [_row(tx, org, study)])[0]


def listing(tx: Transaction, org: str) -> list[Study]:
    """Return the studies of an organisation, the latest first."""
    c = studies.c
    rows = tx.all(studies, c.org == org, order_by=[c.opened.desc(), c.study])
    return read(tx, rows)


def read(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[Study]:
    """Return the studies of one organisation that rows of ``studies`` state."""
    c = study_ends.c
    some = c.study.in_([row["study"] for row in rows])
    asked = tx.all(study_ends, c.org == rows[0]["org"], some) if rows else []
    by = {row["study"]: row["by"] for row in asked}
    return [Study(**row, end_asked_by=by.get(row["study"])) for row in rows]


def waiting() -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``study_ends`` waits: its study's key is not destroyed yet."""
    c = studies.c
    return ~sa.exists().where(
        c.org == study_ends.c.org, c.study == study_ends.c.study, c.destroyed.is_not(None)
    )


def _check_two(found: Study, by: str) -> None:
    """Return if ``by`` is the second person."""
    if found.end_asked_by is None:
        raise StateError(f"the end of {found.study} must be asked for first, by another person")
    if found.end_asked_by == by:
        raise ApprovalError("who asks for a study's end cannot carry it out (decision 11)")


def _check_cooled(tx: Transaction, org: str, study: str, cooling: timedelta, now: datetime) -> None:
    """Return if supervisors had the time to see that the end was asked for."""
    first = tx.get(study_ends, org=org, study=study)["asked"] + cooling
    if now < first:
        raise NotDueError(
            f"the end of {study} is carried out not before {first.isoformat(timespec='minutes')}",
            rule="cooling", allowed="wait until then, or let the study live on",
        )  # fmt: skip


def _advance(
    tx: Transaction,
    book: Book,
    stage: str,
    column: str,
    *,
    org: str,
    study: str,
    by: str,
    now: datetime,
) -> None:
    """Note a stage that the study has not reached yet."""
    book.log.append(tx, [], now=now)  # holds the log's head: of two who end it one is witnessed
    row = _row(tx, org, study)
    if row[column] is None:
        tx.update(studies, {"org": org, "study": study}, **{column: now})
        purpose = row["purpose"]
        _witness(tx, book, org=org, study=study, purpose=purpose, stage=stage, by=by, now=now)


def _row(tx: Transaction, org: str, study: str) -> dict[str, Any]:
    row = tx.find(studies, org=org, study=study)
    if row is None:
        raise NotFoundError(f"{org} has no study {study}")
    return row


def _place(study: str) -> str:
    """Return the name under which the key store keeps it; no bucket begins so, for none has two parts."""
    return f"study/{study}"


def _witness(tx: Transaction, book: Book, *, now: datetime, **said: object) -> None:
    told = entry.Study(standard=book.standard_ref, at=entry.stamp(now), **said)  # type: ignore[arg-type]  # encode checks
    book.log.append(tx, [entry.encode(told)], now=now)
