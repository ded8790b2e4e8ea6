"""The database: one MetaData, transactions that the edges open, rows that carry their own seal.

SQLite (WAL, ``synchronous=FULL``) and PostgreSQL (psycopg 3) serve the same code.

Rules kept in this file:
  1. Only an edge opens a transaction; functions below it take the ``Transaction`` as an argument.
  2. A row of a table made by ``sealed_table`` carries a MAC over its table's name and all its
     columns under the installation's integrity key, so that a row changed past this program is
     named when it is read. Tables whose bytes are proved otherwise (sealed parts by AES-GCM, the
     ledger by its Merkle tree, tags by recomputation) are plain tables.
  3. Instants are stored as whole microseconds since 1970 UTC, so that both databases give back
     what they were given.
"""

import hashlib
import hmac
import os
from base64 import b32encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from epilock.errors import ConflictError, NotFoundError, TamperedError

metadata = sa.MetaData()
key_metadata = sa.MetaData()

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAC_BYTES = 16
ONE, SETTING = (
    "epilock_one",
    "epilock.org",
)  # role and setting of what is about one organisation: see ``roles``
_STEP_DOWN = f"SELECT set_config('role', '{ONE}', true), set_config('{SETTING}', %s, true)"
_MAY_STEP_DOWN = f"""
    SELECT has_schema_privilege(one.oid, current_schema(), 'USAGE') AND pg_has_role(one.oid, 'MEMBER')
    FROM pg_roles one JOIN pg_roles me ON me.rolname = current_user
    WHERE one.rolname = '{ONE}' AND NOT me.rolsuper
"""
MOST_ROWS = 4096  # of one statement: what is sent at once is built in memory
WIDEST = 63  # bits of a number in a column, beside its sign
T = TypeVar("T")


class Instant(sa.TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970-01-01 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect | None) -> int | None:
        """Return microseconds; a naive datetime is a programming error."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(
        self, value: int | None, dialect: sa.Dialect | None
    ) -> datetime | None:
        """Return the instant in UTC."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(sa.TypeDecorator[Any]):
    """A JSON value, kept as text with sorted keys, so that equal values are equal bytes."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect | None) -> str | None:
        """Return the text."""
        del dialect
        return None if value is None else msgspec.json.encode(value, order="sorted").decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect | None) -> Any:
        """Return the value."""
        del dialect
        return None if value is None else msgspec.json.decode(value)


def microseconds(instant: datetime) -> int:
    """Return whole microseconds since 1970 of an aware ``instant``.

    Raises:
        ValueError: ``instant`` has no offset.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant without an offset cannot be stored")
    return (instant - EPOCH) // timedelta(microseconds=1)


def new_id(prefix: str) -> str:
    """Return a fresh opaque id, such as ``s-k3f7q2xw5mza``: 60 random bits, base32 in lower case."""
    return _id(prefix, os.urandom(8))


def id_from(prefix: str, form: UUID) -> str:
    """Return the opaque id of what a form makes that carries the random id ``form``.

    It is the same however often the form is sent, so that what is made by it is made once.
    """
    return _id(prefix, hashlib.sha256(form.bytes).digest())


def _id(prefix: str, random: bytes) -> str:
    return f"{prefix}-{b32encode(random).decode().lower()[:12]}"


def sealed_table(name: str, meta: sa.MetaData, *items: sa.schema.SchemaItem, **kw: Any) -> sa.Table:
    """Declare a table whose rows carry a MAC (rule 2); written only through ``Transaction``."""
    mac = sa.Column("mac", sa.LargeBinary(MAC_BYTES), nullable=False)
    return sa.Table(name, meta, *items, mac, sqlite_with_rowid=False, **kw)


def _stored(column: sa.Column[Any], value: Any) -> Any:
    """Return ``value`` in the form that is stored and hashed."""
    store = _storer(column)
    return value if store is None or value is None else store(value)


@lru_cache(maxsize=4096)
def _storer(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    """Return what makes the stored form of a column's values, or None if they have it already.

    Found once for each column: a page of a list proves hundreds of rows.
    """
    kind = column.type
    if isinstance(kind, Json):
        return lambda value: kind.process_bind_param(value, None)
    if isinstance(kind, Instant):
        return microseconds
    return bytes if isinstance(kind, sa.LargeBinary) else None


@lru_cache(maxsize=256)
def _storers(table: sa.Table) -> Mapping[str, Callable[[Any], Any] | None]:
    return {column.name: _storer(column) for column in table.columns}


def missing(table: sa.Table) -> NotFoundError:
    """Return the error of a key that nothing in ``table`` has, which is also said of what is another's."""
    return NotFoundError(f"there is nothing of this code ({table.name})")


class Transaction:
    """One open transaction of one database.

    Attributes:
        conn: The SQLAlchemy connection, for selects.
        mac_key: 32 bytes, the installation's integrity key.
    """

    __slots__ = ("conn", "mac_key")

    def __init__(self, conn: sa.Connection, mac_key: bytes) -> None:
        self.conn = conn
        self.mac_key = mac_key

    def widen(self, megabytes: int) -> None:
        """Let SQLite keep so many megabytes of pages for this connection; nothing on PostgreSQL.

        For bulk work whose index pages lie scattered: with the usual 16 MB each of a million rows would
        read and write pages that it has just dropped.
        """
        if self.conn.dialect.name == "sqlite":
            self.conn.exec_driver_sql(f"PRAGMA cache_size=-{megabytes * 1024}")

    def mac(self, table: sa.Table, values: Sequence[Any]) -> bytes:
        """Return the MAC of a row: keyed BLAKE2s of the table's name and its stored ``values``."""
        text = msgspec.json.encode([f"{table.name}", *values])
        return hashlib.blake2s(
            text, key=self.mac_key, digest_size=MAC_BYTES, person=b"epi-row"
        ).digest()

    def _mac_of(self, table: sa.Table, row: Mapping[str, Any]) -> bytes:
        storers = _storers(table)
        return self.mac(
            table,
            [
                value if value is None or (store := storers[name]) is None else store(value)
                for name, value in row.items()
            ],
        )

    def insert(self, table: sa.Table, /, **values: Any) -> None:
        """Insert one row; columns not named are NULL.

        Raises:
            ConflictError: A row with this key is there.
        """
        row = {c.name: values.pop(c.name, None) for c in table.columns if c.name != "mac"}
        if values:
            raise TypeError(f"{table.name} has no column {', '.join(values)}")
        if "mac" in table.columns:
            row["mac"] = self._mac_of(table, row)
        try:
            with self.conn.begin_nested():
                self.conn.execute(sa.insert(table), row)
        except sa.exc.IntegrityError as error:
            raise ConflictError(f"{table.name}: a row with this key is there already") from error

    def bulk(self, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows given as tuples in the table's column order, without ``mac``.

        Values are already in their stored form (instants as microseconds): nothing is converted.
        """
        if not rows:
            return
        if "mac" in table.columns:
            rows = [(*row, self.mac(table, row)) for row in rows]
        if self.conn.dialect.name != "postgresql":
            text = _rows_text(table)
            self._drive(text, lambda cursor: cursor.executemany(text, rows))
            return
        text = _columns_text(table, self.conn.dialect)

        def put(cursor: Any) -> None:
            for first in range(0, len(rows), MOST_ROWS):
                some = rows[first : first + MOST_ROWS]
                cursor.execute(text, [list(column) for column in zip(*some, strict=True)])

        self._drive(text, put)

    def update(self, table: sa.Table, key: Mapping[str, Any], /, **values: Any) -> dict[str, Any]:
        """Change one row found by its full primary ``key``; return it as it is now.

        Raises:
            NotFoundError: There is no such row.
            TamperedError: The row was changed past this program.
        """
        row = self.get(table, lock=True, **key)
        row.update(values)
        stored = [_stored(table.columns[name], row[name]) for name in row]
        if "mac" in table.columns:
            stored.append(self.mac(table, stored))
        self.run(_update_text(table, tuple(key)), [*stored, *_stored_key(table, key)])
        return row

    def delete(self, table: sa.Table, /, **key: Any) -> int:
        """Delete the rows with ``key``; return how many."""
        return self.conn.execute(sa.delete(table).where(*_match(table, key))).rowcount

    def get(self, table: sa.Table, /, *, lock: bool = False, **key: Any) -> dict[str, Any]:
        """Return one row by ``key``, its MAC checked.

        Raises:
            NotFoundError: There is no such row.
            TamperedError: The row was changed past this program.
        """
        row = self.find(table, lock=lock, **key)
        if row is None:
            raise missing(table)
        return row

    def find(self, table: sa.Table, /, *, lock: bool = False, **key: Any) -> dict[str, Any] | None:
        """Return one row by ``key`` or None, its MAC checked."""
        rows = self.rows(table, lock=lock, limit=1, **key)
        return rows[0] if rows else None

    def rows(
        self, table: sa.Table, /, *, lock: bool = False, limit: int | None = None, **key: Any
    ) -> list[dict[str, Any]]:
        """Return the rows whose columns equal ``key`` (none of it None), as ``all`` does.

        The text of such a query is made once: building it anew costs five times what running it does,
        and there are some ten of them in each batch of submissions.
        """
        text = _select_text(table, tuple(key)) + ("" if limit is None else f" LIMIT {limit:d}")
        if lock and self.conn.dialect.name == "postgresql":
            text += " FOR UPDATE"  # SQLite has locked the whole database already
        values, readers = _stored_key(table, key), _readers(table)
        if any(isinstance(value, int) and value.bit_length() > WIDEST for value in values):
            return []  # no column holds such a number, and SQLite's driver takes none
        found = []
        for raw in self.query(text, values):
            row = {
                c.name: value if read is None or value is None else read(value)
                for c, read, value in zip(table.columns, readers, raw, strict=True)
            }
            found.append(self._proved(table, row))
        return found

    def run(self, text: str, values: Sequence[Any]) -> int:
        """Run a statement of the hot path, its marks ``?``, by the driver alone; return the rows it changed.

        That is a tenth of what building it anew would cost. Values are in their stored form.
        """
        return self._drive(text, lambda cursor: int(self._execute(cursor, text, values).rowcount))

    def query(self, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows that a query of the hot path finds, as the driver has them; see ``run``."""
        return self._drive(
            text, lambda cursor: list(self._execute(cursor, text, values).fetchall())
        )

    def _execute(self, cursor: Any, text: str, values: Sequence[Any]) -> Any:
        if self.conn.dialect.name == "postgresql":
            text = text.replace("?", "%s")
        cursor.execute(text, tuple(values))
        return cursor

    def _drive(self, text: str, work: Callable[[Any], T]) -> T:
        """Let ``work`` use the driver; what goes wrong is raised as SQLAlchemy would, without values."""
        cursor = self.conn.connection.cursor()
        try:
            return work(cursor)
        except self.conn.dialect.loaded_dbapi.Error as error:
            dialect = self.conn.dialect
            raise sa.exc.DBAPIError.instance(
                text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
            ) from error
        finally:
            cursor.close()

    def _proved(self, table: sa.Table | sa.Subquery, row: dict[str, Any]) -> dict[str, Any]:
        """Return ``row`` without its MAC, which was checked."""
        if isinstance(table, sa.Table) and "mac" in table.columns:
            mac = row.pop("mac")
            if not hmac.compare_digest(self._mac_of(table, row), bytes(mac)):
                key = ", ".join(f"{c.name}={row[c.name]}" for c in table.primary_key.columns)
                raise TamperedError(f"{table.name} ({key}) was changed past this program")
        return row

    def all(
        self,
        table: sa.Table | sa.Subquery,
        /,
        *where: sa.ColumnElement[bool],
        order_by: Sequence[sa.ColumnElement[Any]] = (),
        limit: int | None = None,
        lock: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the rows that match, as dicts without ``mac``, each MAC checked; a subquery's have none.

        Raises:
            TamperedError: A row was changed past this program; table and key are named.
        """
        query = sa.select(table).where(*where).order_by(*order_by)
        if limit is not None:
            query = query.limit(limit)
        if lock:
            query = query.with_for_update()
        return [self._proved(table, dict(row)) for row in self.conn.execute(query).mappings()]


@lru_cache(maxsize=1024)
def _select_text(table: sa.Table, names: tuple[str, ...]) -> str:
    return f"SELECT {_names_text(table)} FROM {table.name} WHERE {_where_text(names)}"


@lru_cache(maxsize=1024)
def _update_text(table: sa.Table, names: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{c.name}" = ?' for c in table.columns)
    return f"UPDATE {table.name} SET {columns} WHERE {_where_text(names)}"


@lru_cache(maxsize=256)
def _rows_text(table: sa.Table) -> str:
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({_names_text(table)}) VALUES ({marks})"


@lru_cache(maxsize=256)
def _columns_text(table: sa.Table, dialect: sa.Dialect) -> str:
    """Return a statement for PostgreSQL that takes each column of many rows as one array, in binary.

    It is as fast as ``COPY``, at whose beginning libpq, if it has no memory for the server's answer, waits for
    more of it (``getCopyStart``), while the server waits for rows: without end, and with the locks held.
    """
    kinds = [c.type.compile(dialect).partition("(")[0] for c in table.columns]
    arrays = ", ".join(f"%b::{kind}[]" for kind in kinds)
    return f"INSERT INTO {table.name} ({_names_text(table)}) SELECT * FROM unnest({arrays})"


def _names_text(table: sa.Table) -> str:
    return ", ".join(f'"{c.name}"' for c in table.columns)


def _where_text(names: tuple[str, ...]) -> str:
    return " AND ".join(f'"{name}" = ?' for name in names)


def _stored_key(table: sa.Table, key: Mapping[str, Any]) -> list[Any]:
    return [_stored(table.columns[name], value) for name, value in key.items()]


@lru_cache(maxsize=256)
def _readers(table: sa.Table) -> tuple[Callable[[Any], Any] | None, ...]:
    """Return for each column what makes a value of what the driver gives, or None if that is it."""
    return tuple(_reader(c.type) for c in table.columns)


def _reader(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(kind, Instant | Json):
        return lambda stored: kind.process_result_value(stored, None)
    return bool if isinstance(kind, sa.Boolean) else None  # SQLite keeps 0 and 1


def _match(table: sa.Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.columns[name] == value for name, value in key.items()]


class Database:
    """An engine and the key its rows are sealed with.

    Attributes:
        engine: The SQLAlchemy engine.
        mac_key: 32 bytes; see ``Transaction.mac_key``.
    """

    def __init__(self, engine: sa.Engine, mac_key: bytes) -> None:
        self.engine = engine
        self.mac_key = mac_key
        self._steps_down: bool | None = None  # None: not asked yet

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that holds the write lock (SQLite) from its start; commit at the end."""
        with self.engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
            yield Transaction(conn, self.mac_key)

    @contextmanager
    def read(self, org: str | None = None) -> Iterator[Transaction]:
        """Open a transaction for reading one consistent state.

        With ``org`` nothing of another organisation is seen where the database has the roles for that
        (``epilock.roles``), whatever a query forgets to say; shared registers and the log are.
        """
        conn = self.engine.connect()
        if self.engine.dialect.name == "postgresql":
            conn = conn.execution_options(isolation_level="REPEATABLE READ")
        with conn, conn.begin():
            if org is not None and self._may_step_down(conn):
                conn.exec_driver_sql(_STEP_DOWN, (org,))
            yield Transaction(conn, self.mac_key)

    def _may_step_down(self, conn: sa.Connection) -> bool:
        """Tell whether the account can step down to one organisation; asked once."""
        if self._steps_down is None:
            postgres = self.engine.dialect.name == "postgresql"
            self._steps_down = postgres and bool(conn.exec_driver_sql(_MAY_STEP_DOWN).scalar())
        return self._steps_down

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_engine(url: str | URL, *, overwrite: bool = False, read_only: bool = False) -> sa.Engine:
    """Return an engine for ``sqlite:///path`` or ``postgresql+psycopg://...``.

    A SQLite file is made with mode 0600. WAL with ``synchronous=FULL``: a commit that returned is on
    the disk (https://sqlite.org/pragma.html#pragma_synchronous). With ``overwrite`` deleted content
    is overwritten with zeros at once (the key store; ``secure_delete=ON``). An error of the database names
    the statement and never its values. With ``read_only`` nothing is made, and nothing can be written.
    """
    parsed = make_url(url)
    if read_only:
        return _read_only_engine(parsed)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_size=8, max_overflow=8, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = sa.create_engine(
        parsed, connect_args={"timeout": 30, "check_same_thread": False}, hide_parameters=True
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # SQLAlchemy emits BEGIN itself, below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"secure_delete={'ON' if overwrite else 'FAST'}",
            "cache_size=-16384",
            "wal_autocheckpoint=4000",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(conn: sa.Connection) -> None:
        writing = conn.get_execution_options().get("epilock_write", False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _read_only_engine(parsed: URL) -> sa.Engine:
    """Return an engine that can only read; every connection is a new one, so that it sees the file of now."""
    if parsed.get_backend_name() != "sqlite":
        options = {"options": "-c default_transaction_read_only=on"}
        given = parsed.query.get("options")
        if given:
            options["options"] += f" {given}"
        return sa.create_engine(
            parsed, poolclass=sa.NullPool, connect_args=options, hide_parameters=True
        )
    address = parsed.set(
        database=f"file:{parsed.database}", query={"mode": "ro", "uri": "true"}
    )  # https://sqlite.org/uri.html
    engine = sa.create_engine(
        address, poolclass=sa.NullPool, connect_args={"timeout": 30}, hide_parameters=True
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA cache_size=-16384")

    @sa.event.listens_for(engine, "begin")
    def _begin(conn: sa.Connection) -> None:
        conn.exec_driver_sql("BEGIN")

    return engine
