"""Rows as they are stored: read raw, so that whatever a flipped byte made of them is still a row.

A flipped byte can make an undecodable text, a number of another type, an invalid instant. So rows are read
here without conversion and compared as bytes and numbers; the type of a column is never trusted.
"""

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from epilock.db import Database, Transaction, metadata
from epilock.ledger.check import Damage

CHUNK = 1000
OF_THE_LOG = frozenset({"ledger_head", "ledger_checkpoints"})  # `Log.check` has those

Row = tuple[Any, ...]


def check_file(database: Database) -> Iterator[Damage]:
    """Yield what SQLite itself finds wrong with its file: pages, indexes, free list."""
    if database.engine.dialect.name != "sqlite":
        return
    name = str(database.engine.url.database).rsplit("/", 1)[-1]
    try:
        with database.read() as tx:
            for line in tx.conn.exec_driver_sql("PRAGMA integrity_check").scalars():
                if line != "ok":
                    yield Damage(f"file {name}", line)
    except sa.exc.DatabaseError as error:
        yield Damage(f"file {name}", f"can't be read: {error.orig}")


@contextmanager
def as_stored(tx: Transaction) -> Iterator[None]:
    """Let SQLite give texts that are not UTF-8, with their bytes escaped, instead of an error."""
    if tx.conn.dialect.name != "sqlite":
        yield
        return
    raw = tx.conn.connection.dbapi_connection
    assert raw is not None  # noqa: S101 - an open transaction has its connection
    raw.text_factory = lambda data: data.decode(errors="surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = str


def stream(
    tx: Transaction, table: sa.Table, *where: sa.ColumnElement[bool], limit: int | None = None
) -> Iterator[Row]:
    """Yield the rows of ``table`` as they are stored, in the order of its key."""
    columns = [sa.type_coerce(c, sa.types.NullType()).label(c.name) for c in table.columns]
    query = sa.select(*columns).where(*where).order_by(*table.primary_key.columns).limit(limit)
    with tx.conn.execute(query, execution_options={"yield_per": CHUNK}) as found:
        for row in found:
            yield tuple(row)


def is_sealed(tx: Transaction, table: sa.Table, row: Row) -> bool:
    """Tell whether the MAC, the last column of a raw ``row``, fits the rest."""
    *values, mac = row
    for i, column in enumerate(table.columns):
        if isinstance(column.type, sa.Boolean) and values[i] in {0, 1}:
            values[i] = bool(values[i])  # SQLite has no booleans
    try:
        return isinstance(mac, bytes) and hmac.compare_digest(tx.mac(table, values), mac)
    except UnicodeEncodeError:  # an escaped byte: not what was stored
        return False


def name(table: sa.Table, row: Sequence[Any]) -> str:
    """Return table and key of a raw row, such as ``records (org=a, bucket=1, n=7)``.

    ``row`` may be the beginning of one.
    """
    values = dict(zip((c.name for c in table.columns), row, strict=False))
    keys = (
        f"{c.name}={shown(values[c.name])}" for c in table.primary_key.columns if c.name in values
    )
    return f"{table.name} ({', '.join(keys)})"


def shown(value: Any) -> str:
    """Return a value of a key as text that can always be written."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value).encode("ascii", "backslashreplace").decode()


def check_sealed(tx: Transaction, tables: sa.MetaData = metadata) -> Iterator[Damage]:
    """Yield each row of each sealed table whose MAC does not fit, and each table that can't be read."""
    for table in tables.sorted_tables:
        if "mac" not in table.columns or table.name in OF_THE_LOG:
            continue
        try:
            for row in stream(tx, table):
                if not is_sealed(tx, table, row):
                    yield Damage(name(table, row), "was changed past this program")
        except sa.exc.DatabaseError as error:
            yield Damage(table.name, f"can't be read: {error.orig}")


def places(tx: Transaction, table: sa.Table, width: int) -> Iterator[Row]:
    """Yield the first ``width`` columns of the key of ``table``, each combination once, in order.

    It jumps from one to the next, so it costs a look-up for each and not a scan.
    """
    key = list(table.primary_key.columns)[:width]
    columns = [sa.type_coerce(c, sa.types.NullType()) for c in key]
    query = sa.select(*columns).order_by(*key).limit(1)
    found = tx.conn.execute(query).first()
    while found is not None:
        yield tuple(found)
        after = sa.tuple_(*key) > tuple(found)
        found = tx.conn.execute(query.where(after)).first()
