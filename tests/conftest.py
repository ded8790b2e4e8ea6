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
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from epilock.db import Database, open_engine
from moulds import BEGAN, Mould, Moulds, Urls, files, nothing, schemas
from softhsm import SoftHsm

MAC_KEY = bytes(range(32))
RECURSION = 1000  # Python's own limit

# What tests write to a disk is flushed thousands of times; nobody pulls the plug here, so it lies in memory if that will do.
MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30  # noqa: S108 - a file system, in which pytest makes folders of its own
if "TMPDIR" not in os.environ and MEMORY.is_dir():
    has = os.statvfs(MEMORY)
    if has.f_bavail * has.f_frsize >= ENOUGH and not has.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None

# The same examples in each run, and none that fails because the machine was busy. `make fuzz` looks for others.
hypothesis.settings.register_profile("epilock", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("epilock")


class Clock:
    """A clock that a test moves by hand; called, it returns the instant."""

    def __init__(self) -> None:
        self.instant = BEGAN

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


@pytest.fixture(scope="session")
def moulds(tmp_path_factory: pytest.TempPathFactory) -> Moulds:
    return Moulds(tmp_path_factory.mktemp("moulds"))


@pytest.fixture
def mould() -> Mould:
    """What the databases of a test are a copy of; a folder of tests says another one."""
    return nothing


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, moulds: Moulds, mould: Mould, tmp_path: Path
) -> Iterator[Urls]:
    """URLs of two databases that were migrated: the main one and the key store's."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with moulds.copy(mould, tmp_path, server) as urls:
        yield urls


@pytest.fixture
def empty_url(database_url: Urls, tmp_path: Path) -> Urls:
    """The same without a table."""
    if database_url[0].startswith("sqlite"):
        return files(tmp_path / "empty")
    main = sa.make_url(database_url[0])
    return schemas(
        main.set(query={}, database="postgres").render_as_string(hide_password=False), main.database,
        "no_main", "no_keys",
    )  # fmt: skip


@pytest.fixture
def database(database_url: Urls) -> Iterator[Database]:
    """The main database."""
    database = Database(open_engine(database_url[0]), MAC_KEY)
    yield database
    database.close()


@pytest.fixture
def key_database(database_url: Urls) -> Iterator[Database]:
    """The key store's database."""
    database = Database(open_engine(database_url[1]), MAC_KEY)
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


@pytest.fixture(scope="session")
def hsm(tmp_path_factory):
    """A token; the library reads its configuration once in a process, so all tests of a process share one."""
    pytest.importorskip("pkcs11")
    made = SoftHsm(tmp_path_factory.mktemp("hsm"))
    os.environ["SOFTHSM2_CONF"] = str(made.config)
    yield made
    del os.environ["SOFTHSM2_CONF"]
