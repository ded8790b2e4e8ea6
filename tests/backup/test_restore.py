"""What a restore promises: all of it or nothing, no second history, and no dead record comes back."""

import os
import shutil

import pytest

from epilock import settings
from epilock.backup.restore import Outside, restore
from epilock.errors import (
    ConflictError,
    ErasedError,
    InconsistentError,
    InputError,
    IntegrityError,
    KeysError,
    StateError,
)
from epilock.ledger import entry
from epilock.ledger.mirror import Mirror
from epilock.ledger.shards import entries_at
from epilock.ledger.source import Folder
from epilock.store import bucket as buckets
from epilock.store import replica, vault

ORG = "sunny-garden"


def opened(parts, stored):
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        return vault.open_record(tx, parts.keys, ORG, bucket.id, stored.n)


def size(parts):
    with parts.database.read() as tx:
        return parts.log.size(tx)


def said(parts, kind):
    with parts.database.read() as tx:
        entries = entries_at(tx, parts.log, 0, 10_000)
    return [e for e in map(entry.decode, entries) if isinstance(e, kind)]


def test_everything_comes_back(estate):
    stored = estate.give()
    estate.backup()
    done = estate.restore(estate.publish())
    assert (done.replayed.lost, done.damage) == ([], [])
    with estate.restored() as parts:
        assert opened(parts, stored) == opened(estate.parts, stored)
        assert size(parts) == size(estate.parts)


class TestAfterTheBackup:
    """Two records are in the backup; then one of them is erased and another is given."""

    @pytest.fixture
    def kept(self, estate):
        return estate.give()

    @pytest.fixture
    def erased(self, estate, kept):
        return estate.give()

    @pytest.fixture
    def lost(self, estate, erased):
        estate.backup()
        estate.erase(erased)
        return estate.give()

    def test_what_was_erased_is_erased_again(self, estate, kept, erased, lost):
        """The backup and the slots of before would open it; the log says that it is gone."""
        estate.restore(estate.publish())
        with estate.restored() as parts:
            assert opened(parts, kept)
            with pytest.raises(ErasedError):
                opened(parts, erased)
            with parts.database.read() as tx:
                bucket = buckets.load_by_name(tx, ORG, erased.bucket)
                gone = vault.find_record(tx, ORG, bucket.id, erased.n).erased
            assert gone
            for part in gone:
                with pytest.raises(ErasedError):
                    parts.keys.leaf(ORG, bucket.name, part, erased.n)

    def test_what_is_lost_is_named_and_said(self, estate, lost):
        """By bucket and number; the log says so too, and nothing else is missing."""
        done = estate.restore(estate.publish())
        assert done.replayed.lost == [(lost.bucket, lost.n)]
        assert done.replayed.erased == 1
        assert done.damage == []
        with estate.restored() as parts:
            told = [e for e in said(parts, entry.Erasure) if e.reason == "lost"]
            assert [(e.bucket, e.n) for e in told] == [(lost.bucket, lost.n)]
            assert estate.findings(parts, "again") == []

    def test_no_number_is_given_twice(self, estate, lost):
        estate.restore(estate.publish())
        with estate.restored() as parts:
            after = estate.give(parts)
            assert (after.bucket, after.n) != (lost.bucket, lost.n)
            places = [(e.bucket, e.n) for e in said(parts, entry.Collect)]
            assert len(places) == len(set(places))
            assert estate.findings(parts, "again") == []

    def test_the_log_goes_on_and_does_not_fork(self, estate, lost):
        """A mirror of the first installation follows the restored one."""
        published = estate.publish()
        keys = [estate.parts.log.signer.verifier]
        mirror = estate.folder / "mirror"
        before = Mirror(published, keys, mirror).round(estate.clock()).checkpoint
        estate.restore(Folder(mirror))
        with estate.restored() as parts:
            estate.give(parts)
            after = Mirror(estate.publish(parts, "again"), keys, mirror).round(estate.clock())
            assert after.checkpoint.size > before.size

    def test_backups_go_on_in_the_same_place(self, estate, kept, erased, lost):
        """Also where the burnt machine had left an epoch in the replica that no snapshot has."""
        assert replica.take(estate.home / "slots", estate.slots, {ORG: 2})
        estate.restore(estate.publish())
        estate.home = estate.folder / "restored"
        with estate.restored() as parts:
            after = estate.give(parts)
            published = estate.publish(parts, "again")
        assert estate.backup().snapshot.number == 2
        done = estate.restore(published, name="third")
        assert (done.replayed.lost, done.damage) == ([], [])
        with estate.restored("third") as parts:
            assert opened(parts, kept)
            assert opened(parts, after)
            with pytest.raises(ErasedError):
                opened(parts, erased)

    def test_bucket_and_all_that_came_after(self, estate, kept):
        """A whole day's bucket that the backup never saw is made again, empty, its records lost."""
        estate.backup()
        estate.clock.instant = estate.clock.instant.replace(day=16)
        stored = estate.give()
        done = estate.restore(estate.publish())
        assert done.replayed.lost == [(stored.bucket, stored.n)]
        assert done.damage == []

    def test_a_destruction_is_done_again(self, estate, kept):
        estate.backup()
        estate.destroy()
        done = estate.restore(estate.publish())
        assert done.replayed.destroyed
        assert done.damage == []
        with estate.restored() as parts:
            with pytest.raises(ErasedError):
                opened(parts, kept)
            assert estate.findings(parts, "again") == []


class TestClosed:
    """A restored log stays closed until it is known how long it is."""

    def test_nobody_was_asked(self, estate):
        estate.backup()
        with pytest.raises(StateError, match="nobody outside was asked"):
            estate.restore()
        assert not (estate.folder / "restored").exists()
        assert estate.restore(unheard=True).damage == []

    def test_the_source_shows_another_history(self, estate):
        """The backup itself was of a branch: none of it is restored."""
        shutil.copytree(estate.home, estate.folder / "shadow")
        estate.give()
        estate.backup()
        with estate.restored("shadow") as other:
            estate.give(other)
            estate.give(other)
            published = estate.publish(other, "other")
        with pytest.raises(InconsistentError, match="does not begin with"):
            estate.restore(published)
        assert not (estate.folder / "restored").exists()

    def test_two_sources_disagree(self, estate):
        estate.backup()
        shutil.copytree(estate.home, estate.folder / "shadow")
        estate.give()
        with estate.restored("shadow") as other:
            estate.give(other)
            estate.give(other)
            published = estate.publish(other, "other")
        with pytest.raises(InconsistentError):
            estate.restore(estate.publish(), published)

    def test_a_source_that_lies(self, estate):
        """An entry that the checkpoint does not prove is not adopted."""
        estate.backup()
        estate.give()
        published = estate.publish()
        bundle = next((published.folder / "tile/entries").rglob("*.p/*"))
        bundle.write_bytes(bundle.read_bytes().replace(b'"n":0', b'"n":7'))
        with pytest.raises(Exception, match="does not hold what its tile proves"):
            estate.restore(published)
        assert not (estate.folder / "restored").exists()


class TestOldKeys:
    def test_an_old_snapshot_is_dead_after_a_destruction(self, estate):
        """The slots have gone on: even with root key, backup key and replica it opens nothing."""
        erased = estate.give()
        estate.backup()
        estate.erase(erased)
        estate.backup()
        with pytest.raises(ErasedError, match="copy of before a destruction"):
            estate.restore(estate.publish(), number=1)
        assert estate.restore(estate.publish(), number=2).damage == []

    def test_without_the_replica_it_is_dead(self, estate):
        estate.give()
        estate.backup()
        shutil.rmtree(estate.slots)
        with pytest.raises(KeysError, match=r"the replica of the slots has no .*\.slot"):
            estate.restore(estate.publish())


class TestWholeOrNot:
    def test_a_home_that_is_there_is_left_alone(self, estate):
        estate.backup()
        with pytest.raises(ConflictError, match="is there already"):
            estate.restore(estate.publish(), name="home")

    def test_what_a_crash_left_is_thrown_away(self, estate):
        estate.backup()
        left = estate.folder / ".restored.restoring"
        left.mkdir()
        (left / "epilock.sqlite").write_bytes(b"half")
        assert estate.restore(estate.publish()).damage == []
        assert not left.exists()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("EPILOCK_DATABASE", "postgresql+psycopg://epilock@127.0.0.1:1/live"),
            ("EPILOCK_KEY_DATABASE", "sqlite:////srv/epilock/keys.sqlite"),
            ("EPILOCK_SLOTS", "/srv/epilock/slots"),
            ("EPILOCK_ROOT_KEY", "/srv/epilock/root.key"),
        ],
    )
    def test_the_installation_of_the_environment_is_left_alone(self, estate, name, value):
        """Who restores on the old machine's shell must not replay into the live databases."""
        estate.backup()
        with pytest.raises(InputError, match=f"unset {name}"):
            restore(
                estate.repository, estate.folder / "restored",
                lambda folder: settings.read({name: value}, home=folder), slots=estate.slots,
                root_key=estate.home / "root.key", outside=Outside(unheard=True), now=estate.clock(),
            )  # fmt: skip

    def test_a_slot_that_was_written_in_vain_is_overwritten(self, estate):
        """A refused restore leaves no copy of a slot behind: not even in what the disk has freed."""
        estate.give()
        estate.backup()
        work = estate.folder / ".restored.restoring"
        work.mkdir()
        shutil.copytree(estate.slots, work / "slots")
        (slot,) = [p for p in (work / "slots").glob("*.slot") if p.stem == ORG]
        kept = estate.folder / "inode"
        os.link(slot, kept)
        with pytest.raises(StateError):
            estate.restore()
        assert kept.read_bytes() == bytes(len(kept.read_bytes()))

    @pytest.mark.parametrize("harm", ["altered", "missing"])
    def test_each_block_is_proved(self, estate, harm):
        estate.backup()
        block = sorted((estate.place / "objects").rglob("*/*"))[3]
        block.chmod(0o600)
        if harm == "missing":
            block.unlink()
        else:
            data = bytearray(block.read_bytes())
            data[-1] ^= 1
            block.write_bytes(data)
        with pytest.raises((IntegrityError, StateError), match=block.name):
            estate.restore(estate.publish())
        assert not (estate.folder / "restored").exists()

    def test_files_are_for_their_owner_alone(self, estate):
        estate.backup()
        estate.restore(estate.publish())
        home = estate.folder / "restored"
        assert home.stat().st_mode & 0o777 == 0o700
        assert {p.stat().st_mode & 0o077 for p in home.rglob("*") if p.is_file()} == {0}


def test_it_names_the_snapshot_it_has_not(estate):
    estate.backup()
    with pytest.raises(StateError, match="no snapshot 7"):
        estate.restore(estate.publish(), number=7)
