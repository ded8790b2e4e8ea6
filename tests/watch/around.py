"""Going around the program: SQL and files under an installation that is watched."""

import shutil
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from epilock.caretaker import watcher


class Watched:
    """An installation, its watcher, and what an intruder does to it."""

    def __init__(self, parts):
        self.parts = parts
        self.watcher = watcher(parts, seconds=30, pause=0)

    def look(self):
        """What a round finds: place and problem."""
        return {each.row: each.problem for each in self.watcher.round(self.parts.now())}

    def sql(self, text, *, keys=False, **values):
        database = self.parts.keys.database if keys else self.parts.database
        with database.write() as tx:
            return tx.conn.execute(sa.text(text), values)

    def one(self, text):
        with self.parts.database.read() as tx:
            return tx.conn.execute(sa.text(text)).first()

    def on_sqlite(self):
        return self.parts.database.engine.dialect.name == "sqlite"

    def path(self, *, keys=False):
        database = self.parts.keys.database if keys else self.parts.database
        return Path(database.engine.url.database)

    def save(self, folder, *, keys=False):
        """Take a copy of one database as it is now."""
        source = self.path(keys=keys)
        with sqlite3.connect(source) as raw, sqlite3.connect(folder / source.name) as copy:
            raw.backup(copy)
        return folder / source.name

    def put_back(self, copy, *, keys=False):
        """Put a copy into the place of a database, which nobody has open."""
        database = self.parts.keys.database if keys else self.parts.database
        database.engine.dispose()
        path = self.path(keys=keys)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.copy(copy, path)
