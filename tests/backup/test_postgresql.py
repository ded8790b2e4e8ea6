"""PostgreSQL comes back by its own tools, and is brought up to the log before it serves. A real server, twice."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from epilock import assemble, settings
from epilock.backup import archive, restore
from epilock.backup.restore import Outside
from epilock.demo import life
from epilock.demo.city import Clock
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.errors import ErasedError, InputError, StateError
from epilock.ledger import publish
from epilock.ledger.audit import StandardRules
from epilock.ledger.monitor import Monitor
from epilock.ledger.source import Folder
from epilock.store import bucket as buckets
from epilock.store import replica, vault

ORG = "sunny-garden"
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
WAIT = timedelta(seconds=30)


class Server:
    """One PostgreSQL server in a folder, as an unprivileged user."""

    def __init__(self, folder, name):
        self.folder, self.data, self.process = folder, folder / name, None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = int(s.getsockname()[1])

    def run(self, *words):
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        words = [*prefix, str(FOUND[-1].parent / words[0]), *words[1:]]
        subprocess.run(words, check=True, capture_output=True, cwd="/", timeout=120)

    def start(self, *more):
        words = [
            "pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", f"{self.data}.log", "-o",
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off " + " ".join(more),
        ]  # fmt: skip
        self.run(*words)

    def wait_promoted(self):
        """Return when the server has replayed its archive and takes writes."""
        engine = sa.create_engine(self.url("main"))
        for _ in range(300):
            with engine.connect() as conn:
                recovering = conn.scalar(sa.text("SELECT pg_is_in_recovery()"))
            if not recovering:
                break
            time.sleep(0.1)
        engine.dispose()

    def stop(self, mode):
        with contextlib.suppress(subprocess.CalledProcessError):  # not running
            self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data))

    def url(self, name):
        return f"postgresql+psycopg://epilock@127.0.0.1:{self.port}/{name}"

    def settings(self, home):
        return settings.read(self.environ, home=home)

    @property
    def environ(self):
        return {"EPILOCK_DATABASE": self.url("main"), "EPILOCK_KEY_DATABASE": self.url("keys")}


@pytest.fixture
def folder():
    if not FOUND:
        pytest.skip("PostgreSQL is not installed")
    made = Path(tempfile.mkdtemp(prefix="epilock-archive-"))
    if os.geteuid() == 0:
        shutil.chown(made, "postgres")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def server(folder):
    made = Server(folder, "first")
    made.run(
        "initdb", "-D", str(made.data), "-A", "trust", "-U", "epilock", "-E", "UTF8", "--no-sync"
    )
    arch = folder / "archive"
    arch.mkdir()
    if os.geteuid() == 0:
        shutil.chown(arch, "postgres")
    made.start(
        "-c archive_mode=on", f"-c archive_command='test ! -e {folder}/stop && cp %p {arch}/%f'"
    )
    admin = sa.create_engine(made.url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        for name in ("main", "keys"):
            conn.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield made
    made.stop("immediate")


@pytest.fixture
def second(folder):
    made = Server(folder, "second")
    yield made
    made.stop("immediate")


def erase(parts, stored, now):
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        erasure.erase(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket.id, n=stored.n,
            reason="unlawful", now=now,
        )  # fmt: skip
    destruction.complete(parts.tools, now=now)


def opens(parts, stored):
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        try:
            return bool(vault.open_record(tx, parts.keys, ORG, bucket.id, stored.n))
        except ErasedError:
            return False


def test_a_point_in_time_then_the_log(server, second, folder, tmp_path):
    """What was archived comes back; what came after is done again by the log, or named as lost."""
    clock, home, slots = Clock(life.START), tmp_path / "home", tmp_path / "replica"
    parts = assemble.found(server.settings(home), now=clock)
    life.prepare(parts, clock)
    form = life.open_gate(parts, clock, lambda _: None)
    server.run(
        "pg_basebackup", "-D", str(second.data), "-h", "127.0.0.1", "-p", str(server.port), "-U",
        "epilock", "-X", "none", "-c", "fast", "--no-manifest",
    )  # fmt: skip
    stays, goes, gone = (life.give(parts, clock, form, lambda _: None, number=n) for n in (1, 2, 3))
    archive.follow(parts.keys, home / "slots", slots, wait=WAIT)
    erase(parts, gone, clock())
    held = archive.follow(parts.keys, home / "slots", slots, wait=WAIT)
    assert held[ORG] == 2
    assert not replica.is_full(slots)

    erase(parts, goes, clock())  # after the last segment that is archived: the replica is behind
    lost = life.give(parts, clock, form, lambda _: None, number=4)
    publish.write(parts.database, parts.log, tmp_path / "published")
    parts.close()
    server.stop("immediate")

    new = tmp_path / "restored"
    new.mkdir(mode=0o700)
    shutil.copy(home / "root.key", new / "root.key")
    shutil.copytree(slots, new / "slots", ignore=shutil.ignore_patterns(replica.OWNER))
    (second.data / "recovery.signal").touch()
    second.start(f"-c restore_command='cp {folder}/archive/%f %p'", "-c archive_mode=off")
    second.wait_promoted()
    outside = Outside(sources=[Folder(tmp_path / "published")])
    with pytest.raises(StateError, match="nobody outside was asked"):
        restore.replay_only(second.settings(new), Outside(), now=clock())
    done = restore.replay_only(second.settings(new), outside, now=clock())
    assert done.replayed.lost == [(lost.bucket, lost.n)]
    assert done.damage == []
    said = subprocess.run(
        [sys.executable, "-m", "epilock", "replay", "--home", new, "--log", tmp_path / "published"],
        check=True, capture_output=True, text=True, env={**os.environ, **second.environ},
    ).stdout  # fmt: skip
    assert (
        "0 came after the backup\ndone again: 0 erasures, 0 destructions\nnothing is missing"
        in said
    )

    parts = assemble.build(second.settings(new), now=clock)
    assert [opens(parts, each) for each in (stays, goes, gone, lost)] == [True, False, False, False]
    life.give(parts, clock, form, lambda _: None, number=5)
    publish.write(parts.database, parts.log, tmp_path / "published")  # it goes on, in one history
    watch = Monitor(
        Folder(tmp_path / "published"), [parts.log.signer.verifier], StandardRules([parts.standard])
    )
    assert watch.round(clock()).findings == []
    parts.close()


class TestReplica:
    def test_both_epochs_stay_until_the_archive_has_the_new_one(self, server, tmp_path):
        clock, home, slots = Clock(life.START), tmp_path / "home", tmp_path / "replica"
        parts = assemble.found(server.settings(home), now=clock)
        try:
            parts.keys.add_bucket(ORG, "a/b/c/d", ["2-II"])
            archive.follow(parts.keys, home / "slots", slots, wait=WAIT)
            (server.folder / "stop").touch()
            parts.keys.destroy(ORG, drops=[("a/b/c/d", "2-II")])
            with pytest.raises(StateError, match="has the old and the new epoch"):
                archive.follow(parts.keys, home / "slots", slots, wait=timedelta(seconds=1))
            assert replica.is_full(slots)
            (server.folder / "stop").unlink()
            assert archive.follow(parts.keys, home / "slots", slots, wait=WAIT)[ORG] == 2
            assert not replica.is_full(slots)
            assert replica.newest(slots) == {ORG: 2}
            with pytest.raises(InputError, match="elsewhere"):
                archive.follow(parts.keys, home / "slots", home / "slots", wait=WAIT)
        finally:
            parts.close()

    def test_on_sqlite_it_goes_with_the_backup(self, estate):
        with pytest.raises(StateError, match="epilock backup make"):
            archive.follow(estate.parts.keys, estate.home / "slots", estate.slots, wait=WAIT)
