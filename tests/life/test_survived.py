"""Full disks, broken disks, slow disks, clocks that step, no memory, kill -9: what was answered is there, once.

The short form of ``make soak``. Whether it is there is said by a program that imports nothing of this one.
"""

import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yard
from cluster import Cluster, binaries
from crowd import bodies
from program import Program
from yard import BROKEN, NO_SPACE, Faults, PatientCrowd, Yard

pytestmark = pytest.mark.timeout(300 + 2 * float(os.environ.get("SOAK", "0")))
SHORT = 0.7  # seconds of each fault
SCARCE = 20  # of so many large pieces of memory one is refused
SOAK = float(os.environ.get("SOAK", "0"))  # seconds of each test; 0: each fault once


@pytest.fixture
def database_url(tmp_path):
    """SQLite, whose files lie on the disk that is made faulty."""
    home = tmp_path / "home"
    return f"sqlite:///{home}/main.sqlite", f"sqlite:///{home}/keys.sqlite"


@pytest.fixture
def clock(clock):
    """The program looks at the machine's clock, whatever that says today."""
    clock.instant = datetime.now(UTC) - timedelta(hours=1)
    return clock


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.fixture
def faults(tmp_path, home):
    made = Faults(tmp_path, home)
    yield made
    made.close()


@pytest.fixture
def key(town):
    return town.parts.log.signer.vkey


@pytest.fixture
def ground(town, key, faults, environ, home, tmp_path):  # noqa: PLR0917 - fixtures
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    town.parts.close()
    people = bodies(form.notice, given, seed=9)
    crowd = PatientCrowd(f"/api/points/garden/{town.point}/submissions", people)
    program = Program({**environ, **faults.environ, "EPILOCK_HOME": str(home)}, tmp_path / "said")
    yield Yard(program, crowd, print)
    program.close()


def again(faults):
    """Yield the faults once; in a soak in a new order again and again, until its time is over."""
    chance, end = random.Random(13), time.monotonic() + SOAK  # noqa: S311 - an order, no secret
    some = list(faults.items())
    while True:
        yield from some
        if time.monotonic() >= end:
            return
        chance.shuffle(some)


def report(where, ground, faults, found):
    """Write what a soak came to."""
    said = {
        "where": where, **found, "told_to_come_back": ground.crowd.turned_away, "memory_refused": faults.refused,
        "faults_survived": Counter(ground.survived),
    }  # fmt: skip
    if SOAK:
        build = Path(__file__).parents[2] / "build"
        build.mkdir(exist_ok=True)
        (build / f"soak-{where}.json").write_text(json.dumps(said, indent=1) + "\n")
    sys.stdout.write(json.dumps(said) + "\n")


def test_whatever_was_answered_is_there_once(ground, faults, key, home, tmp_path):
    ground.open()
    for name, fault in again({
        "slow disk": {"milliseconds": 30},
        "full disk": {"fault": NO_SPACE},
        "broken disk": {"fault": BROKEN},
        "clock an hour ahead": {"seconds": 3600},
        "clock an hour behind": {"seconds": -3600},
        "little memory": {"memory": SCARCE},
        "kill -9": None,
    }):  # fmt: skip
        if name == "kill -9":
            ground.kill()
        else:
            ground.suffer(name, lambda fault=fault: faults.set(**fault), faults.set, SHORT)
    ground.close()
    assert faults.refused > 0
    assert (
        ground.crowd.turned_away > 0
    )  # the faults were felt, and each was answered with a time to come back
    assert ground.crowd.faults == []
    found = yard.check(ground.crowd, str(home / "main.sqlite"), key, tmp_path)
    assert found["answered"] == found["records"] == len(ground.crowd.answered) > 100
    report("SQLite", ground, faults, found)


class TestPostgres:
    @pytest.fixture
    def cluster(self):
        if binaries() is None:
            pytest.skip("PostgreSQL is not installed")
        folder = Path(tempfile.mkdtemp(prefix="epilock-cluster-"))
        made = Cluster(folder)
        yield made
        made.close()
        shutil.rmtree(folder, ignore_errors=True)

    @pytest.fixture
    def database_url(self, cluster):
        return cluster.url("main"), cluster.url("keys")

    def test_a_restart_and_a_failover_lose_nothing(self, ground, cluster, faults, key, tmp_path):
        """The same process goes on: after little memory, and with the standby, whose commits were waited for."""
        ground.open()
        for name, (fault, end) in again({
            "restart": (cluster.restart, lambda: None),
            "little memory": (lambda: faults.set(memory=SCARCE), faults.set),
        }):  # fmt: skip
            ground.suffer(name, fault, end, SHORT)
        ground.suffer("failover", cluster.fail_over, lambda: None, 0)
        ground.close()
        assert faults.refused > 0
        assert ground.crowd.faults == []
        found = yard.check(ground.crowd, cluster.primary.address("main"), key, tmp_path)
        assert found["answered"] == found["records"] > 60
        report("PostgreSQL", ground, faults, found)

    def test_without_memory_it_says_that_it_is_not_ready(
        self, ground, cluster, faults, key, tmp_path
    ):
        """And the same process is, and stores again, once memory is there."""
        ground.open()
        ground.wait_until(ready=True)
        faults.set(memory=SCARCE)
        ground.wait_until(ready=False)
        faults.set()
        ground.recover("little memory")
        ground.wait_until(ready=True)
        ground.close()
        assert ground.crowd.faults == []
        found = yard.check(ground.crowd, cluster.primary.address("main"), key, tmp_path)
        assert found["answered"] == found["records"]


class TestTheChecker:
    """A check that cannot fail is none: each kind of damage is named by it."""

    @pytest.fixture
    def kept(self, town, key, home, tmp_path):
        stored = town.store(*(town.accepted() for _ in range(5)))
        town.parts.close()
        answers = {
            str(number): {"bucket": s.bucket, "n": s.n, "index": s.index, "proof": s.proof}
            for number, s in enumerate(stored)
        }
        crowd = PatientCrowd("", iter(()))
        crowd.answered = answers
        return lambda: yard.check(crowd, str(home / "main.sqlite"), key, tmp_path), answers

    def test_all_is_well(self, kept):
        check, _ = kept
        assert check()["receipts_bad"] == 0

    @pytest.mark.parametrize(
        ("harm", "named"),
        [
            ("DELETE FROM records WHERE n = 0", "lost"),
            ("UPDATE records SET handle = (SELECT handle FROM records ORDER BY n LIMIT 1)", "duplicated"),
            ("UPDATE ledger_entries SET entry = x'00' WHERE idx = 1", "log_bad"),
            ("DELETE FROM ledger_entries WHERE idx = (SELECT max(idx) FROM ledger_entries)", "log_bad"),
        ],
    )  # fmt: skip
    def test_harm_to_the_database(self, kept, home, harm, named):
        check, _ = kept
        with sqlite3.connect(home / "main.sqlite") as database:
            database.execute(harm)
        database.close()
        with pytest.raises(AssertionError) as caught:
            check()
        assert f"'{named}': 0" not in str(caught.value)

    def test_a_receipt_that_was_altered(self, kept):
        check, answers = kept
        proof = answers["1"]["proof"]
        answers["1"]["proof"] = proof.replace("index ", "index 1", 1)
        with pytest.raises(AssertionError) as caught:
            check()
        assert "'receipts_bad': 1" in str(caught.value)
        assert json.dumps(answers)
