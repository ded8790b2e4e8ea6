"""The root key at the terminal: moved into a token and back, put on paper and brought back."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from epilock import assemble, settings
from epilock.cli.failure import explain
from epilock.cli.gather import gathered
from epilock.errors import EpilockError
from transit import Engine, certificate

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    parts = assemble.found(settings.read({}, home=home), now=lambda: NOW)
    parts.keys.add_bucket("garden", "garden/flu/residential-entry/2026-03-14", ["2-IV"])
    parts.close()
    return home


@pytest.fixture
def run(home):
    """Run a command; return its exit code and what it said."""

    def run(*words, root=None, here=True):
        words = [*map(str, words), *(["--home", str(home)] if here else [])]
        env = {} if root is None else {"EPILOCK_ROOT_KEY": str(root)}
        result = CliRunner(env=env).invoke(gathered(words[:1]), words)
        if isinstance(result.exception, EpilockError):
            return explain(result.exception)[1], explain(result.exception)[0]
        return result.exit_code, result.output

    return run


def test_into_a_token_and_back(run, home, tmp_path, hsm):
    token, back = hsm.address(uuid4().hex, epochs=True), tmp_path / "again.key"
    code, said = run("keys", "status")
    assert (code, "in a file" in said, "garden epoch 1" in said) == (0, True, True)
    code, said = run("keys", "move", token)
    assert (code, "by it alone" in said) == (0, True), said
    code, said = run("check")
    assert (code, "another root key" in said) == (1, True)
    assert run("check", root=token) == (0, "everything is as it was stored\n")
    assert "in a token" in run("keys", "status", root=token)[1]
    code, said = run("keys", "split", tmp_path / "sheets", root=token)
    assert (code, "never lets its key out" in said) == (2, True)
    assert run("keys", "move", back, root=token)[0] == 0
    (home / "root.key").unlink()
    assert run("check", root=back) == (0, "everything is as it was stored\n")


def test_into_a_transit_engine_over_tls_and_back(home, tmp_path):
    """The program itself, which trusts the authority that the environment names."""
    pem = certificate(tmp_path)
    engine = Engine(tmp_path, certificate=pem)

    def run(*words, root=None):
        env = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "own.crt")}
        env |= {} if root is None else {"EPILOCK_ROOT_KEY": str(root)}
        done = subprocess.run(
            [sys.executable, "-m", "epilock", *words, "--home", str(home)],
            check=False, capture_output=True, text=True, env=env, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    try:
        root = engine.address(epochs=True)
        code, said = run("keys", "move", root)
        assert (code, "by it alone" in said) == (0, True), said
        (home / "root.key").unlink()
        assert run("check", root=root) == (0, "everything is as it was stored\n")
        assert "in a transit engine" in run("keys", "status", root=root)[1]
        engine.sealed = True
        code, said = run("check", root=root)
        assert (code, "is sealed" in said) == (1, True), said
        engine.sealed = False
        back = tmp_path / "again.key"
        assert run("keys", "move", str(back), root=root)[0] == 0
        assert run("check", root=back) == (0, "everything is as it was stored\n")
    finally:
        engine.stop()


def test_another_root_key_in_its_place(run, home):
    old = (home / "root.key").read_bytes()
    code, said = run("keys", "rotate", "root")
    assert (code, "by it alone" in said, "make a backup now" in said) == (0, True, True), said
    assert (home / "root.key").read_bytes() != old
    assert run("check") == (0, "everything is as it was stored\n")
    (home / "root.key").write_bytes(old)
    code, said = run("check")
    assert (code, "another root key" in said) == (1, True)


def test_the_age_of_a_key_file(run, home):
    os.utime(home / "root.key", (NOW.timestamp(), NOW.timestamp()))
    said = run("keys", "status", "--now", "2026-04-13T09:00:00+08:00")[1]
    assert "its file was written on 2026-03-14, 30 days ago" in said


@pytest.mark.parametrize("kind", ["token", "engine"])
def test_another_root_key_in_a_token_or_engine(run, home, tmp_path, hsm, kind):
    if kind == "token":
        root = hsm.address(uuid4().hex, epochs=True)
    else:
        engine = Engine(tmp_path)
        root = engine.address(epochs=True)
    assert run("keys", "move", root)[0] == 0
    (home / "root.key").unlink()
    for _ in range(2):
        code, said = run("keys", "rotate", "root", root=root)
        assert (code, "by it alone" in said, "by its maker's means" in said) == (0, True, True), (
            said
        )
        assert run("check", root=root) == (0, "everything is as it was stored\n")
    if kind == "engine":
        assert list(engine.keys["root"].versions) == [3]
        engine.stop()


def test_moving_needs_the_present_one(run, home, tmp_path):
    (home / "root.key").rename(tmp_path / "elsewhere")
    code, said = run("keys", "move", tmp_path / "new.key")
    assert (code, "without it nothing" in said) == (1, True)
    assert not (tmp_path / "new.key").exists()


def test_to_where_it_is(run, home):
    code, said = run("keys", "move", home / "root.key")
    assert (code, "where the root key is" in said) == (2, True)


def test_on_paper_and_back(run, home, tmp_path):
    sheets = tmp_path / "sheets"
    assert run("keys", "split", sheets, "--shares", "5", "--needed", "3")[0] == 0
    found = sorted(sheets.iterdir())
    assert [p.stat().st_mode & 0o777 for p in found] == [0o600] * 5
    assert "share 2 of 5. Any 3 give it back" in found[1].read_text()
    root = (home / "root.key").read_bytes()
    (home / "root.key").unlink()
    code, said = run("keys", "join", *found[:2], "--to", home / "root.key", here=False)
    assert (code, "3 different shares are needed" in said) == (2, True)
    typed = tmp_path / "typed.txt"  # without numbers, as somebody types it
    words = found[4].read_text().split("\n\n", 1)[1].split()
    typed.write_text(" ".join(w for w in words if w.isalpha()))
    code, said = run("keys", "join", *found[:2], typed, "--to", home / "root.key", here=False)
    assert code == 0, said
    assert (home / "root.key").read_bytes() == root
    assert (home / "root.key").stat().st_mode & 0o777 == 0o600
    assert run("check")[0] == 0
    code, said = run("keys", "join", *found[:3], "--to", home / "root.key", here=False)
    assert (code, "never overwritten" in said) == (2, True)


def test_a_folder_with_something_in_it_is_left_alone(run, tmp_path):
    (tmp_path / "note").touch()
    code, said = run("keys", "split", tmp_path)
    assert (code, "not empty" in said) == (2, True)
