"""``epilock watch``: a process of its own sees what the server's may have been kept from."""

import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from epilock.accounts import credentials, staff
from epilock.cli.app import app
from epilock.db import open_engine
from epilock.errors import EpilockError

PASSWORD = "a sentence that is long enough"


def environ(parts):
    """What the program is told about an installation."""
    return {
        "EPILOCK_HOME": str(parts.settings.home),
        "EPILOCK_DATABASE": parts.settings.database,
        "EPILOCK_KEY_DATABASE": parts.settings.key_database,
    }


@pytest.fixture
def command(watched):
    """Run ``epilock watch ...`` on the installation; return exit code and what it said or refused."""

    def run(*words, typed=""):
        done = CliRunner().invoke(
            app, ["watch", *words], input=typed, env=environ(watched.parts), catch_exceptions=True
        )
        refused = isinstance(done.exception, EpilockError)
        return done.exit_code, str(done.exception) if refused else done.output

    return run


def hire(watched, login, role):
    parts = watched.parts
    with parts.database.write() as tx:
        made, once = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="qinghe", login=login, roles=(role,),
            now=parts.now(),
        )  # fmt: skip
        credentials.change_password(tx, org="qinghe", code=made.staff, old=once, new=PASSWORD)


def test_two_persons_at_a_terminal(watched, command):
    for login, role in (("ren", "supervisor"), ("hua", "custodian")):
        hire(watched, login, role)
    assert command("once") == (0, "nothing went around the program\n")
    watched.sql("DELETE FROM records WHERE n = 3")
    code, said = command("once", "--seconds", "30")
    assert (code, "rows that are missing: 1" in said) == (1, True)
    code, said = command("list")
    assert (code, "frozen since" in said) == (1, True)
    typed = f"{PASSWORD}\n\n"
    assert "cannot be lifted" in command("lift", "--as", "hua@qinghe", typed=typed)[1]
    asked = command("ask", "--reason", "exercise", "--as", "ren@qinghe", typed=typed)
    assert "waits for a second person" in asked[1]
    assert "this takes the role" in command("lift", "--as", "ren@qinghe", typed=typed)[1]
    assert command("lift", "--as", "hua@qinghe", typed=typed)[1].endswith("is lifted\n")
    assert command("once")[0] == 0
    assert "nothing is frozen" in command("list")[1]


def test_it_runs_until_it_is_stopped(watched, tmp_path):
    """A real process, without the installation's keys."""
    memory = tmp_path / "seen.json"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EPILOCK_")}
    words = ("watch", "run", "--every", "1", "--without-keys", "--memory", str(memory))
    with subprocess.Popen(
        [sys.executable, "-m", "epilock", *words], env=kept | environ(watched.parts),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as program:  # fmt: skip
        assert program.stdout.readline().startswith("watching every 1 seconds")
        end = time.monotonic() + 30
        while not memory.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        watched.sql("DELETE FROM records WHERE n = 3")
        assert "rows that are missing: 1" in program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0


def test_an_account_that_may_only_read_is_enough(watched, tmp_path):
    """The engine itself refuses to write."""
    engine = open_engine(watched.parts.settings.database, read_only=True)
    with engine.connect() as conn, pytest.raises(sa.exc.OperationalError, match="readonly"):
        conn.exec_driver_sql("DELETE FROM records")
