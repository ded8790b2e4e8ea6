"""A PostgreSQL server of our own, as it comes: every commit is synced to the disk."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bench.server import free_port, wait_for


@contextmanager
def server(home: Path) -> Iterator[str | None]:
    """Give the URL of a running server without a database's name, or None if none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        yield None
        return
    home.mkdir()
    data, port, programs = home / "data", free_port(), found[-1].parent
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        home.parent.chmod(0o711)
        shutil.chown(home, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*prefix, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "epilock",
         "-E", "UTF8", "--locale=C"], check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    process = subprocess.Popen(
        [*prefix, str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(home),
         "-c", "listen_addresses=127.0.0.1"], stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        wait_for(port, "PostgreSQL")
        yield f"postgresql+psycopg://epilock@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def databases(url: str, *names: str) -> None:
    """Make databases."""
    admin = sa.create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        for name in names:
            conn.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
