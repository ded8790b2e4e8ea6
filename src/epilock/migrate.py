"""Bring a database's schema to the version of this program.

The two databases have a line of versions each: ``main`` and ``keys``. A migration runs in one
transaction: after a crash the schema is the old one or the new one.
"""

from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from epilock.db import key_metadata, metadata
from epilock.errors import StateError

Which = Literal["main", "keys"]
FOLDER = Path(__file__).parent / "migrations"


def upgrade(engine: sa.Engine, which: Which) -> None:
    """Bring the schema up to date; repeating is harmless.

    Raises:
        StateError: The schema is of a later version than this program knows.
    """
    with engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
        config = _config(conn, which)
        known = {s.revision for s in ScriptDirectory.from_config(config).walk_revisions()}
        current = MigrationContext.configure(conn).get_current_revision()
        if current is not None and current not in known:
            raise StateError(
                f"the {which} database was made by a later version of epilock (schema {current}); "
                "install that version or restore an older backup"
            )
        command.upgrade(config, "head")


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
