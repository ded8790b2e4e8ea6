"""One record's life, as the demonstration walks it, and the terminal that shows it."""

from pathlib import Path

import pytest

from epilock import assemble, settings
from epilock.demo import life
from epilock.errors import ConflictError, NotFoundError
from epilock.migrate import upgrade
from epilock.store.check import check
from epilock.store.root.keyfile import KeyFileRoot


def test_from_the_code_to_the_certificate(tmp_path):
    """Every step of the demonstration holds; the stranger at its end has neither network nor database."""
    said = []
    life.live(settings.read({}, home=tmp_path / "home"), said.append)
    assert said[-1].strip().startswith("every part of the record is certified as gone")
    assert any("sent twice, stored once: True" in line for line in said)


def test_everything_is_as_it_was_stored_afterwards(tmp_path, clock):
    told = settings.read({}, home=tmp_path / "home")
    life.live(told, lambda _line: None)
    parts = assemble.build(told, now=clock)
    assert list(check(parts.database, parts.keys, parts.log)) == []
    parts.close()


def test_an_installation_is_made_once(tmp_path, clock):
    told = settings.read({}, home=tmp_path / "home")
    with pytest.raises(NotFoundError, match="epilock init"):
        assemble.build(told, now=clock)
    assemble.found(told, now=clock).close()
    with pytest.raises(ConflictError):
        assemble.found(told, now=clock)


def test_an_installation_that_a_crash_kept_from_being_made_is_made_again(tmp_path, clock):
    """Killed between its keys and its first entry: there is nothing yet that could be lost."""
    told = settings.read({}, home=tmp_path / "home")
    KeyFileRoot(Path(told.root_key), make=True)
    assemble.build(told, now=clock).close()
    parts = assemble.found(told, now=clock)
    with parts.database.read() as tx:
        assert parts.log.size(tx) == 1
    parts.close()


def test_secrets_are_for_their_owner_alone(tmp_path, clock):
    told = settings.read({}, home=tmp_path / "home")
    assemble.found(told, now=clock).close()
    for path in told.home.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path.name


def test_repeating_a_migration_is_harmless(tmp_path, clock):
    told = settings.read({}, home=tmp_path / "home")
    parts = assemble.found(told, now=clock)
    upgrade(parts.database.engine, "main")
    upgrade(parts.keys.database.engine, "keys")
    parts.close()
