"""Write the next migration of a database from the tables in the code: ``python -m epilock.migrations.draft main words``."""

import sys
import tempfile
from pathlib import Path

import epilock.tables  # noqa: F401 - every room, and with them every table
from epilock import migrate
from epilock.db import open_engine

if __name__ == "__main__":
    which, message = sys.argv[1], " ".join(sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder)}/draft.sqlite")
        migrate.upgrade(engine, which)  # type: ignore[arg-type]  # main or keys
        migrate.draft(engine, which, message)  # type: ignore[arg-type]  # main or keys
