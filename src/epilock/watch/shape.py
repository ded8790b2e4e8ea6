"""The shape of a database: tables, columns, indexes, no triggers; and the file of SQLite.

A trigger, a rule or a view of a stranger could change what is written without going around the program, so
each is a finding.
"""

import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from epilock.db import Database, Transaction
from epilock.ledger.check import Damage

HEADER = 100  # bytes; https://sqlite.org/fileformat.html#the_database_header
MAGIC = b"SQLite format 3\0"
LARGEST_PAGE = 65_536  # which the header writes as 1
SECONDS = 30.0  # that reading a header may take
_READ = f"import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read({HEADER}))"
AGAIN = 0.3  # seconds: a checkpoint that is being written has grown the file by then

_COLUMNS = {
    "sqlite": "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    "postgresql": "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema()",
}
_INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()",
}
_STRANGERS = {
    "sqlite": "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')",
    "postgresql": "SELECT 'trigger', t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace s ON s.oid = c.relnamespace"
    " WHERE s.nspname = current_schema() AND NOT t.tgisinternal"
    " UNION ALL SELECT 'rule', r.rulename FROM pg_rules r WHERE r.schemaname = current_schema()"
    " UNION ALL SELECT 'view', v.viewname FROM pg_views v WHERE v.schemaname = current_schema()",
}


def check(tx: Transaction, meta: sa.MetaData) -> Iterator[Damage]:
    """Yield each table, column and index of ``meta`` that is gone, and what a stranger made."""
    dialect = tx.conn.dialect.name
    columns: dict[str, set[str]] = {}
    for table, column in tx.conn.exec_driver_sql(_COLUMNS[dialect]):
        columns.setdefault(table, set()).add(column)
    indexes = set(tx.conn.exec_driver_sql(_INDEXES[dialect]).scalars())
    for table_ in meta.sorted_tables:
        there = columns.get(table_.name)
        if there is None:
            yield Damage(str(table_.name), "the table is gone")
            continue
        for name in sorted({c.name for c in table_.columns} - there):
            yield Damage(f"{table_.name}.{name}", "the column is gone")
        for index in sorted(str(i.name) for i in table_.indexes if i.name not in indexes):
            yield Damage(index, "the index is gone")
    for kind, name in tx.conn.exec_driver_sql(_STRANGERS[dialect]):
        yield Damage(name, f"is a {kind} that no version of this program makes")


class File:
    """The file of one database, watched while this process lives; nothing on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        url = database.engine.url
        name = url.database if database.engine.dialect.name == "sqlite" else None
        self.path = None if name is None else Path(name.removeprefix("file:"))
        self._inode: int | None = None

    def check(self) -> Iterator[Damage]:
        """Yield what is wrong with it: gone, another file, no database, cut off."""
        if self.path is None:
            return
        name = f"file {self.path.name}"
        try:
            found = self.path.stat()
            if _is_short(self.path):
                time.sleep(AGAIN)
                if _is_short(self.path):
                    yield Damage(name, "is cut off, or no database")
        except OSError as error:
            yield Damage(name, f"can't be read: {error.strerror}")
            return
        if self._inode not in {None, found.st_ino}:
            yield Damage(name, "was replaced by another file while the program ran")
        self._inode = found.st_ino


def _header(path: Path) -> bytes:
    """Return the first bytes of the file, read by another process.

    To open and close it in this one would drop every lock that SQLite holds on it here
    (https://sqlite.org/howtocorrupt.html, section 2.2), and another process could take the write-ahead log away.
    """
    done = subprocess.run(  # noqa: S603 - our own few words
        [sys.executable, "-I", "-S", "-c", _READ, str(path)], capture_output=True, check=False,
        timeout=SECONDS,
    )  # fmt: skip
    return done.stdout


def _is_short(path: Path) -> bool:
    """Tell whether the file is shorter than its own header says, or has none."""
    head = _header(path)
    size = path.stat().st_size
    if not size:
        return not path.with_name(f"{path.name}-wal").exists()  # nothing was written to it yet
    if len(head) < HEADER or not head.startswith(MAGIC):
        return True
    page = int(struct.unpack(">H", head[16:18])[0])
    pages = int(struct.unpack(">I", head[28:32])[0])
    return size < pages * (LARGEST_PAGE if page == 1 else page)
