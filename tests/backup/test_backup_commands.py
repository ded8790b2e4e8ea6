"""What the terminal says of backups when something is wrong, and with which exit code."""

import pytest

from epilock.cli import main


@pytest.fixture
def words(estate):
    return ["--key", str(estate.key_file), "--slots", str(estate.slots)]


def ended(capsys, *words):
    """The exit code of a command and what it said."""
    code = 0
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        code = end.code or 0
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_folder_locks_nothing(estate, words, capsys):
    code, said = ended(
        capsys, "backup", "make", estate.place, *words, "--home", estate.home, "--retain", 30
    )
    assert (code, said) == (
        2,
        "epilock: only a store with object lock can --retain; a folder can't\n",
    )


def test_another_key_is_told(estate, words, capsys):
    estate.backup()
    other = estate.folder / "other.key"
    assert ended(capsys, "backup", "key", other)[0] == 0
    code, said = ended(capsys, "backup", "list", estate.place, "--key", other)
    assert code == 1
    assert "sealed under another key" in said


def test_what_follows_goes_on_when_the_place_is_gone(estate, words, capsys):
    """The next look may find it again; what was committed meanwhile is not forgotten."""
    estate.place.write_bytes(b"no folder")
    code, said = ended(
        capsys, "backup", "follow", estate.place, *words, "--home", estate.home, "--every", 1,
        "--rounds", 2,
    )  # fmt: skip
    assert code == 0
    assert said.count("not backed up: ") == 2


def test_a_restore_says_what_is_lost(estate, words, capsys):
    estate.give()
    estate.backup()
    lost = estate.give()
    published = estate.publish().folder
    code, said = ended(
        capsys, "restore", estate.place, "--home", estate.folder / "new", *words, "--root-key",
        estate.home / "root.key", "--log", published, "--now", "2026-03-14T10:00:00+08:00",
    )  # fmt: skip
    assert code == 0
    assert f"lost: {lost.bucket} number {lost.n}\n" in said
    assert "missing" not in said
    code, said = ended(capsys, "check", "--home", estate.folder / "new")
    assert (code, said) == (0, "everything is as it was stored\n")


def test_a_restore_that_is_refused_says_why(estate, words, capsys):
    estate.backup()
    code, said = ended(
        capsys, "restore", estate.place, "--home", estate.folder / "new", *words, "--root-key",
        estate.home / "root.key",
    )  # fmt: skip
    assert code == 1
    assert "give --log with a mirror" in said


def test_verify_fails_where_a_backup_is_not_good(estate, words, capsys):
    estate.give()
    with estate.parts.database.write() as tx:
        tx.conn.exec_driver_sql("DELETE FROM grants")
        tx.conn.exec_driver_sql("UPDATE points SET closed = 1")
    estate.backup()
    code, said = ended(
        capsys, "backup", "verify", estate.place, *words, "--root-key", estate.home / "root.key"
    )
    assert code == 1
    assert "points (" in said
    assert "was changed past this program" in said
