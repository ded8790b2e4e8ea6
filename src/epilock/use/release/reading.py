"""Reading: the records of a release become a table in memory. This is where a release opens records.

Rules kept in this file:
  1. Nothing is opened but for a decision that is in the database, allowed, and waits for it.
  2. On consent only records are read whose person gave the purpose.
  3. A value that its field's rule does not fit counts as not given. A sensitive value that fewer than ``SMALLEST``
     records have becomes ``*``: what somebody typed freely names people.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from epilock.beside import Told, nobody
from epilock.db import Transaction
from epilock.deidentify.cells.line import SMALLEST
from epilock.deidentify.rows.hierarchy import ROOT
from epilock.deidentify.rules.rule import fits
from epilock.errors import ErasedError, ForbiddenError
from epilock.store import tags, vault
from epilock.store.bucket import LIVE, Bucket
from epilock.store.seal import Unsealer
from epilock.store.vault import Record
from epilock.use.decision import OPENED
from epilock.use.gate import Gate
from epilock.use.release.question import DAY, RECORD, Question
from epilock.use.release.register import UNDER_WAY, Release, buckets_of, count_days, load
from epilock.use.tally import NOT_GIVEN, Given, living, slices

EACH = 500  # records, after which it is told how far it is
Plain = Mapping[str, Mapping[str, str]]  # category, field: value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Which record a row of the table is, and what was opened of it.

    Attributes:
        bucket: Its bucket.
        n: Its number there.
        used: The parts that were opened.
    """

    bucket: Bucket
    n: int
    used: tuple[str, ...]

    @property
    def id(self) -> str:
        """As the column ``record`` has it."""
        return f"{self.bucket.id}/{self.n}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """The records of a release.

    Attributes:
        table: The column ``record`` and the fields, in their order.
        rows: Which record each row is.
        state: Which records there were; see ``state_of``.
    """

    table: pa.Table
    rows: tuple[Row, ...]
    state: bytes


def open_records(gate: Gate, tx: Transaction, found: Release, told: Told = nobody) -> Opened:
    """Return the records of a release as they are now; they must not leave.

    ``tx`` is a reading transaction begun after the decision's has committed; ``told`` is told how far it is.

    Raises:
        ForbiddenError: The decision is not in the database, or refused, or nothing waits for its records.
        TamperedError: A row is missing or was changed, moved, cut or put back; it is named.
    """
    known = load(tx, found.org, found.release)
    if known != found or found.verdict != OPENED or found.stage not in UNDER_WAY:
        raise ForbiddenError("nothing is opened without a decision that allows it")
    question = found.question
    state = state_of(tx, found)
    rows: list[Row] = []
    columns: dict[str, list[str]] = {name: [] for name in (RECORD, *question.fields)}
    living_ones = sum(count_days(gate, tx, question).values())
    for row, plain in _opened(gate, tx, found):
        if len(rows) % EACH == 0:
            told("read", len(rows), living_ones)
        rows.append(row)
        columns[RECORD].append(row.id)
        for name in question.fields:
            columns[name].append(_said(row, plain, name))
    _tidy(question, columns)
    table = pa.table({name: pa.array(each, pa.string()) for name, each in columns.items()})
    return Opened(table=table, rows=tuple(rows), state=state)


def state_of(tx: Transaction, found: Release) -> bytes:
    """Return a hash of which records a release reaches and what is left of each: equal if it is the same."""
    digest = hashlib.sha256()
    c = vault.records.c
    for bucket in buckets_of(tx, found.question):
        digest.update(f"{bucket.id} {' '.join(bucket.live)}\n".encode())
        query = (
            sa.select(c.n, sa.type_coerce(c.erased, sa.Text))
            .where(c.org == bucket.org, c.bucket == bucket.id, c.state == LIVE)
            .order_by(c.n)
        )
        for n, erased in tx.conn.execute(query):
            digest.update(f"{n} {erased}\n".encode())
    return digest.digest()


def _opened(gate: Gate, tx: Transaction, found: Release) -> Iterator[tuple[Row, Plain]]:
    given = Given(gate, tx, found.purpose)
    for bucket in buckets_of(tx, found.question):
        parts = [part for part in found.parts if part in bucket.live]
        unsealers = {
            part: Unsealer(
                bucket,
                part,
                gate.keys.cover(bucket.org, bucket.name, part),
                suite=gate.keys.suite_of(bucket.org),
            )
            for part in parts
        }
        for records in slices(living(tx, bucket)):
            sealed = _sealed(tx, bucket, parts, records[0].n, records[-1].n)
            for record in records:
                used = tuple(part for part in parts if part in record.left)
                if not used or not given(record):
                    continue
                try:
                    opened = {
                        part: unsealers[part].open(record.n, *_of(sealed, record, part))
                        for part in used
                    }
                except ErasedError:  # erased since this transaction began
                    continue
                plain = {c: v for part in tags.parse(opened).values() for c, v in part.items()}
                yield Row(bucket=bucket, n=record.n, used=used), plain


def _sealed(
    tx: Transaction, bucket: Bucket, parts: list[str], first: int, last: int
) -> dict[tuple[int, str], tuple[bytes, bytes]]:
    c = vault.parts.c
    query = sa.select(c.n, c.part, c.nonce, c.sealed).where(
        c.org == bucket.org, c.bucket == bucket.id, c.part.in_(parts), c.n >= first, c.n <= last
    )
    return {(n, part): (nonce, sealed) for n, part, nonce, sealed in tx.conn.execute(query)}


def _of(
    sealed: Mapping[tuple[int, str], tuple[bytes, bytes]], record: Record, part: str
) -> tuple[bytes, bytes]:
    if (record.n, part) not in sealed:
        raise vault.missing(record, part)
    return sealed[record.n, part]


def _said(row: Row, plain: Plain, name: str) -> str:
    if name == DAY:
        return row.bucket.day.isoformat()
    return "; ".join(v.strip() for v in plain.get(name, {}).values() if v.strip()) or NOT_GIVEN


def _tidy(question: Question, columns: dict[str, list[str]]) -> None:
    """Take out what must not be told apart (rule 3)."""
    for name, rule in question.coarse.items():
        fit = {value: fits(rule, value) for value in set(columns[name])}
        columns[name] = [value if fit[value] else NOT_GIVEN for value in columns[name]]
    for name in question.sensitive:
        many = Counter(columns[name])
        columns[name] = [value if many[value] >= SMALLEST else ROOT for value in columns[name]]
