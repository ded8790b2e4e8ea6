"""What every test may ask for: an empty database of each kind, and a clock that only moves when told.

PostgreSQL is really started, as an unprivileged user, in a directory of its own; where it is not
installed its half of the tests is skipped, and a skip fails the run when ``CI`` is set.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from epilock.db import Database, key_metadata, metadata, open_engine

MAC_KEY = bytes(range(32))
RECURSION = 1000  # Python's own limit

# The same examples in each run, and none that fails because the machine was busy. `make fuzz` looks for others.
hypothesis.settings.register_profile("epilock", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("epilock")


class Clock:
    """A clock that a test moves by hand; called, it returns the instant."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.instant

    def forward(self, **span: float) -> datetime:
        """Move by ``timedelta(**span)``."""
        self.instant += timedelta(**span)
        return self.instant


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _postgres_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a PostgreSQL server of this test process, without a database name."""
    bin_ = _postgres_bin()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed")
    home = Path(tempfile.mkdtemp(prefix="epilock-postgres-"))
    data, port = home / "data", _free_port()
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        shutil.chown(home, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*prefix, str(bin_ / "initdb"), "-D", str(data), "-A", "trust", "-U", "epilock", "-E", "UTF8",
         "--no-sync", "--locale=C"], check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    log = (home / "log").open("wb")
    server = subprocess.Popen(
        [*prefix, str(bin_ / "postgres"), "-D", str(data), "-p", str(port), "-k", str(home),
         "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=100"],
        stdout=log, stderr=log, cwd="/", start_new_session=True,
    )  # fmt: skip
    url = f"postgresql+psycopg://epilock@127.0.0.1:{port}/postgres"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    for _ in range(600):
        try:
            with admin.connect() as conn:
                conn.execute(sa.text("SELECT 1"))
            break
        except sa.exc.OperationalError:
            time.sleep(0.05)
    yield url
    admin.dispose()
    server.terminate()
    server.wait(timeout=20)
    log.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """URLs of two empty databases: the main one and the key store's."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/main.sqlite", f"sqlite:///{tmp_path}/keys.sqlite"
        return
    server = request.getfixturevalue("postgres")
    name = f"t{os.urandom(6).hex()}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:  # a schema is made in milliseconds, a database is not
        conn.execute(sa.text(f"CREATE SCHEMA {name}"))
        conn.execute(sa.text(f"CREATE SCHEMA {name}_keys"))
    yield tuple(f"{server}?options=-csearch_path%3D{n}" for n in (name, f"{name}_keys"))
    with admin.connect() as conn:
        conn.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
        conn.execute(sa.text(f"DROP SCHEMA {name}_keys CASCADE"))
    admin.dispose()


@pytest.fixture
def database(database_url: tuple[str, ...]) -> Iterator[Database]:
    """The main database, its tables made."""
    engine = open_engine(database_url[0])
    metadata.create_all(engine)
    database = Database(engine, MAC_KEY)
    yield database
    database.close()


@pytest.fixture
def key_database(database_url: tuple[str, ...]) -> Iterator[Database]:
    """The key store's database, its tables made."""
    engine = open_engine(database_url[1])
    key_metadata.create_all(engine)
    database = Database(engine, MAC_KEY)
    yield database
    database.close()


def pytest_runtest_setup() -> None:
    """Undo what py-evm does when it is imported: with its limit of 100,000 hostile JSON ends the process."""
    sys.setrecursionlimit(RECURSION)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """In CI a skip is a failure."""
    del exitstatus
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("skipped tests fail the run in CI")
        terminalreporter._session.exitstatus = 1  # type: ignore[union-attr]
