"""The register of imports: how far each is, what was refused, and whose persons are still to be told.

An import goes through these states, and nothing else assigns one:

    running ──► done    its last row was passed

Rules kept in this file:
  1. A file is imported at a point once: organisation, point and fingerprint are unique.
  2. ``last_row`` moves in the transaction that stores the rows up to it.
  3. A problem is a row's number, a field and a code; a value is never kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.collect.intake.mapping import ColumnMap
from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import ConflictError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log

RUNNING, DONE = "running", "done"
MOST_PROBLEMS = 100_000  # that are listed of one import; more are counted

imports = sealed_table(
    "imports",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("import_id", sa.String(20), primary_key=True),
    sa.Column("point", sa.String(40), nullable=False),
    sa.Column("file", sa.LargeBinary(32), nullable=False),
    sa.Column("targets", Json, nullable=False),
    sa.Column("left_out", Json, nullable=False),
    sa.Column("afterwards", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.String(9), nullable=False),
    sa.Column("last_row", sa.Integer, nullable=False),
    sa.Column("stored", sa.Integer, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
    sa.Column("problems", sa.Integer, nullable=False),
    sa.Column("batches", sa.Integer, nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("finished", Instant),
    sa.UniqueConstraint("org", "point", "file", name="imports_file"),
)
"""Columns: ``file`` its fingerprint; ``targets`` target to place of a column; ``left_out`` header, category,
verdict and rule of each column that was not read; ``stored`` and ``refused`` count rows."""

batches = sealed_table(
    "import_batches",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("import_id", sa.String(20), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("first_row", sa.Integer, nullable=False),
    sa.Column("last_row", sa.Integer, nullable=False),
    sa.Column("stored", sa.Integer, nullable=False),
    sa.Column("problems", Json, nullable=False),
)
"""One row a transaction: rows ``first_row`` to ``last_row`` became records of ``bucket``, or problems."""

told = sealed_table(
    "import_told",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("import_id", sa.String(20), primary_key=True),
    sa.Column("first_row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last_row", sa.Integer, nullable=False),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("way", sa.String(20), nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("at", Instant, nullable=False),
)

Trouble = tuple[int, str, str]  # row, field, code


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column that was not read."""

    header: str
    category: str | None
    verdict: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import as it was when it was loaded; see the columns of ``imports``."""

    org: str
    id: str
    point: str
    file: bytes
    targets: dict[str, int]
    left_out: tuple[LeftOut, ...]
    afterwards: bool
    state: str
    last_row: int
    stored: int
    refused: int
    problems: int
    batches: int
    by: str
    started: datetime
    finished: datetime | None

    @property
    def done(self) -> bool:
        """Whether its last row was passed."""
        return self.state == DONE


def begin(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    point: str,
    notice: str,
    file: bytes,
    mapping: ColumnMap,
    by: str,
    now: datetime,
) -> Import:
    """Return the import of this file at this point, begun with its ledger entry or found as it stands.

    Raises:
        ConflictError: It was begun with another mapping. A field that a new notice asks, or asks no
            more, is none.
    """
    found = by_file(tx, org, point, file)
    if found is not None:
        return _resume(tx, found, mapping)
    code = new_id("i")
    tx.insert(
        imports, org=org, point=point, file=file, targets=mapping.targets,
        left_out=_left_out(mapping),
        afterwards=int(mapping.afterwards), state=RUNNING, last_row=0, stored=0, refused=0, problems=0,
        batches=0, by=by, started=now, import_id=code,
    )  # fmt: skip
    said = entry.Import(
        org=org, standard=standard_ref, at=entry.stamp(now), import_id=code, point=point,
        notice=notice, file=file.hex(), afterwards=mapping.afterwards, by=by,
        refused=sorted({c.category for c in mapping.left_out if c.category and c.verdict == "refused"}),
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, code)


def advance(
    tx: Transaction,
    known: Import,
    *,
    bucket: int,
    last_row: int,
    stored: int,
    problems: Sequence[Trouble],
) -> Import:
    """Note a batch in the transaction that stores it, and return the import as it is now.

    Raises:
        ConflictError: The import was moved by another process since ``known`` was loaded.
    """
    key = {"org": known.org, "import_id": known.id}
    row = tx.get(imports, lock=True, **key)
    if (row["last_row"], row["state"]) != (known.last_row, known.state):
        raise ConflictError(f"another process is running {known.id}; let it finish")
    listed = list(problems)[: max(0, MOST_PROBLEMS - known.problems)]
    tx.insert(
        batches, **key, batch=known.batches, bucket=bucket, first_row=known.last_row + 1,
        last_row=last_row, stored=stored, problems=listed,
    )  # fmt: skip
    tx.update(
        imports, key, last_row=last_row, stored=known.stored + stored,
        refused=known.refused + len({row for row, _, _ in problems}),
        problems=known.problems + len(listed), batches=known.batches + 1,
    )  # fmt: skip
    return load(tx, known.org, known.id)


def complete(
    tx: Transaction, log: Log, known: Import, *, standard_ref: str, now: datetime
) -> Import:
    """End an import with its ledger entry; one that is done is left alone."""
    key = {"org": known.org, "import_id": known.id}
    if tx.get(imports, lock=True, **key)["state"] == DONE:
        return load(tx, known.org, known.id)
    tx.update(imports, key, state=DONE, finished=now)
    said = entry.ImportCompleted(
        org=known.org, standard=standard_ref, at=entry.stamp(now), import_id=known.id,
        stored=known.stored, refused=known.refused,
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return load(tx, known.org, known.id)


def load(tx: Transaction, org: str, code: str) -> Import:
    """Return the import.

    Raises:
        NotFoundError: ``org`` has no such import.
        TamperedError: Its row was changed past this program.
    """
    row = tx.find(imports, org=org, import_id=code)
    if row is None:
        raise NotFoundError(f"{org} has no import of that code")
    return read(row)


def listing(tx: Transaction, org: str) -> list[Import]:
    """Return the imports of ``org``, the latest first."""
    rows = tx.all(imports, imports.c.org == org, order_by=[imports.c.started.desc()])
    return [read(row) for row in rows]


def points_of(tx: Transaction, org: str) -> list[str]:
    """Return the codes of the points at which ``org`` has imported."""
    query = sa.select(imports.c.point).distinct().where(imports.c.org == org)
    return sorted(tx.conn.execute(query).scalars())


def troubles(tx: Transaction, known: Import) -> list[Trouble]:
    """Return what was wrong with which row, in the file's order."""
    return [
        (row, field, code)
        for each in batches_of(tx, known)
        for row, field, code in each["problems"]
    ]


def batches_of(tx: Transaction, known: Import) -> list[dict[str, Any]]:
    """Return the rows of ``batches`` of one import, in order."""
    c = batches.c
    return tx.all(batches, c.org == known.org, c.import_id == known.id, order_by=[c.batch])


def _resume(tx: Transaction, found: Import, mapping: ColumnMap) -> Import:
    moved = [t for t, place in mapping.targets.items() if found.targets.get(t, place) != place]
    if moved or found.afterwards != mapping.afterwards:
        raise ConflictError(
            f"this file was imported here as {found.id} with another mapping; repeat it with that one"
        )
    if found.done or found.targets == mapping.targets:
        return found
    key = {"org": found.org, "import_id": found.id}
    tx.update(imports, key, targets=mapping.targets, left_out=_left_out(mapping))
    return load(tx, found.org, found.id)


def _left_out(mapping: ColumnMap) -> list[list[str | None]]:
    return [[c.header, c.category, c.verdict, c.rule] for c in mapping.left_out]


def by_file(tx: Transaction, org: str, point: str, file: bytes) -> Import | None:
    """Return the import of a file, by its fingerprint, at a point; None if none was begun."""
    c = imports.c
    rows = tx.all(imports, c.org == org, c.point == point, c.file == file)
    return read(rows[0]) if rows else None


def read(row: dict[str, Any]) -> Import:
    """Return the import that a row of ``imports`` states."""
    return Import(
        org=row["org"], id=row["import_id"], point=row["point"], file=row["file"], targets=row["targets"],
        left_out=tuple(
            LeftOut(header=header, category=category, verdict=verdict, rule=rule)
            for header, category, verdict, rule in row["left_out"]
        ),
        afterwards=bool(row["afterwards"]), state=row["state"], last_row=row["last_row"],
        stored=row["stored"], refused=row["refused"], problems=row["problems"],
        batches=row["batches"], by=row["by"], started=row["started"], finished=row["finished"],
    )  # fmt: skip
