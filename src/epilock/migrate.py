"""Bring a database's schema to the version of this program.

The two databases have a line of versions each: ``main`` and ``keys``. A migration runs in one
transaction: after a crash the schema is the old one or the new one. Of two programs that start at once one
migrates and the other waits: SQLite by its write lock, PostgreSQL by an advisory lock of the transaction.
Where who serves may not change tables (``roles``), their owner migrates: ``epilock database migrate``.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege

from epilock.db import key_metadata, metadata
from epilock.errors import StateError

Which = Literal["main", "keys"]
LOCK = 0x6570696C6F636B  # "epilock": the number of the advisory lock
FOLDER = Path(__file__).parent / "migrations"


def upgrade(engine: sa.Engine, which: Which) -> None:
    """Bring the schema up to date; repeating is harmless.

    Raises:
        StateError: The schema is of a later version than this program knows, or of an earlier one and this
            account may not change it.
    """
    with engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        config = _config(conn, which)
        head, known = _versions(which)
        current = MigrationContext.configure(conn).get_current_revision()
        if current is not None and current not in known:
            raise StateError(
                f"the {which} database was made by a later version of epilock (schema {current}); "
                "install that version or restore an older backup"
            )
        if current == head:
            return
        try:
            command.upgrade(config, "head")
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, InsufficientPrivilege):
                raise
            raise StateError(
                f"the {which} database is of an earlier version, and this account may not change it: its"
                " owner runs `epilock database migrate`"
            ) from None


@lru_cache(maxsize=2)
def _versions(which: Which) -> tuple[str | None, frozenset[str]]:
    """Return the newest version and all that this program knows; their files are read once in a process."""
    scripts = ScriptDirectory(str(FOLDER / which))
    return scripts.get_current_head(), frozenset(s.revision for s in scripts.walk_revisions())


def draft(engine: sa.Engine, which: Which, message: str) -> None:
    """Write a new migration file from the difference between ``engine`` and the tables in the code."""
    with engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
        command.revision(_config(conn, which), message=message, autogenerate=True)


def _config(conn: sa.Connection, which: Which) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER / which).replace("%", "%%"))
    config.attributes["connection"] = conn
    config.attributes["metadata"] = metadata if which == "main" else key_metadata
    return config
