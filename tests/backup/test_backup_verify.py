"""What ``verify`` promises: it restores, opens one record, shows one erased one shut, and finds what would be wrong."""

import pytest

from epilock.backup.verify import verify
from epilock.errors import ErasedError


def tried(estate, **change):
    return verify(
        estate.repository, estate.folder / "scratch", estate.told, slots=estate.slots,
        root_key=estate.home / "root.key", now=estate.clock(), **change,
    )  # fmt: skip


def test_one_opens_and_one_stays_shut(estate):
    kept, erased = estate.give(), estate.give()
    estate.erase(erased)
    estate.backup()
    found = tried(estate)
    assert found.is_good
    assert found.opened[0] == (kept.bucket, kept.n)
    assert found.opened[1] > 100
    assert {place for place, _ in found.shut} == {(erased.bucket, erased.n)}


def test_after_a_destruction_nothing_lives(estate):
    gone = estate.give()
    estate.destroy()
    estate.backup()
    found = tried(estate)
    assert found.is_good
    assert found.opened is None
    assert {place for place, _ in found.shut} == {(gone.bucket, gone.n)}


def test_a_row_that_was_deleted_before_the_backup_is_named(estate):
    stored = estate.give()
    with estate.parts.database.write() as tx:
        tx.conn.exec_driver_sql("DELETE FROM parts")
        tx.conn.exec_driver_sql("DELETE FROM tags")
    estate.backup()
    with pytest.raises(Exception, match="is missing"):
        tried(estate)
    assert stored.n == 0


def test_an_old_one_can_no_longer_be_restored(estate):
    erased = estate.give()
    estate.backup()
    estate.erase(erased)
    estate.backup()
    with pytest.raises(ErasedError, match="copy of before a destruction"):
        tried(estate, number=1)
