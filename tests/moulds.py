"""What many tests begin with is made once in a process and copied for each: making it anew costs ten times as much.

A mould is a function that makes something in two migrated databases and a home. A test gets a copy of its own, so
that nothing which one test does is seen by another.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa

from epilock import migrate
from epilock.db import open_engine

Urls = tuple[str, str]
Mould = Callable[[Urls, Path], None]
BEGAN = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)  # when moulds are made, and a test's clock begins


def nothing(_urls: Urls, _home: Path) -> None:
    """Tables without a row, and no home."""


class Moulds:
    """The moulds of a process.

    Args:
        folder: An empty folder for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[Mould, bool], Path] = {}
        self._numbers = count()

    @contextmanager
    def copy(self, mould: Mould, folder: Path, server: str | None) -> Iterator[Urls]:
        """Yield URLs of the main database and the key store's of a copy; its home is in ``folder``.

        Args:
            mould: What is copied.
            folder: Where the files of the copy lie.
            server: URL of a PostgreSQL server's own database; None for SQLite.
        """
        made = self._find(mould, server)
        shutil.copytree(made, folder, dirs_exist_ok=True)
        if server is None:
            yield files(folder)
            return
        name = f"t{os.urandom(6).hex()}"
        execute(server, f"CREATE DATABASE {name} TEMPLATE {made.name}")
        yield schemas(server, name)
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")

    def _find(self, mould: Mould, server: str | None) -> Path:
        """Return the folder of a mould, whose name is that of its database too."""
        key = mould, server is None
        if key not in self._made:
            self._made[key] = self._make(
                mould, server, self._folder / f"mould_{next(self._numbers)}"
            )
        return self._made[key]

    def _make(self, mould: Mould, server: str | None, folder: Path) -> Path:
        if mould is nothing:
            folder.mkdir()
            _migrate(files(folder) if server is None else _make_schemas(server, folder.name))
            return folder
        with self.copy(nothing, folder, server) as urls:
            mould(urls, folder / "home")
            if server is not None:
                execute(server, f"CREATE DATABASE {folder.name} TEMPLATE {database_of(urls[0])}")
        return folder


def files(folder: Path) -> Urls:
    """Return the URLs of the SQLite files in ``folder``."""
    return f"sqlite:///{folder}/main.sqlite", f"sqlite:///{folder}/keys.sqlite"


def schemas(server: str, name: str, main: str = "main", keys: str = "keys") -> Urls:
    """Return the URLs of two schemas of the database ``name``."""
    base = server.removesuffix("postgres") + name
    return f"{base}?options=-csearch_path%3D{main}", f"{base}?options=-csearch_path%3D{keys}"


def database_of(url: str) -> str:
    """Return the name of the database of a URL."""
    return sa.make_url(url).database or ""


def execute(url: str, *statements: str) -> None:
    """Execute statements outside of a transaction."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
        for each in statements:
            conn.execute(each)


def _make_schemas(server: str, name: str) -> Urls:
    execute(server, f"CREATE DATABASE {name}")
    urls = schemas(server, name)
    execute(urls[0], *(f"CREATE SCHEMA {each}" for each in ("main", "keys", "no_main", "no_keys")))
    return urls


def _migrate(urls: Urls) -> None:
    for which, url in (("main", urls[0]), ("keys", urls[1])):
        engine = open_engine(url)
        migrate.upgrade(engine, which)
        engine.dispose()
