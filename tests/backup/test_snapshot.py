"""What a snapshot promises: small steps, nothing changed, nothing told to the destination, whole or not at all."""

import sqlite3
import threading
from contextlib import closing
from itertools import chain

import pytest

from epilock.backup import key as keys
from epilock.backup import make as making
from epilock.backup.place import Folder
from epilock.backup.snapshot import BLOCK, KEYS, MAIN, Repository
from epilock.errors import ConflictError, InputError, IntegrityError, NotFoundError, StateError
from epilock.settings import read


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Failing(Folder):
    """A folder on a machine that stops before the file of a number is put."""

    def __init__(self, folder, at):
        super().__init__(folder)
        self.left = at

    def put(self, path, data):
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "the machine stopped")
        return super().put(path, data)


class TestIncremental:
    def test_what_did_not_change_is_not_written_again(self, estate):
        first = estate.backup()
        second = estate.backup()
        assert second.new == 0
        assert first.new > second.size / 40
        third = estate.give() and estate.backup()
        assert 0 < third.new < first.new

    def test_nothing_that_is_there_is_ever_changed(self, estate):
        estate.backup()
        before = files(estate.place)
        estate.give()
        estate.backup()
        after = files(estate.place)
        assert before.items() <= after.items()
        assert len(after) > len(before)

    def test_a_snapshot_is_what_the_databases_held(self, estate):
        """Also what still stands in SQLite's write-ahead log."""
        estate.give()
        made = estate.backup()
        with estate.parts.database.read() as tx:
            assert made.snapshot.logs[-1].size == estate.parts.log.size(tx)
        data = b"".join(estate.repository.blocks(made.snapshot.files[MAIN]))
        assert len(data) == made.snapshot.files[MAIN].size
        assert data.startswith(b"SQLite format 3\0")
        assert len(data) > BLOCK

    def test_it_is_one_state_while_others_write(self, estate):
        """Each snapshot that is made meanwhile opens, and is whole."""
        stop = threading.Event()

        def go_on():
            while not stop.is_set():
                estate.give()

        writing = threading.Thread(target=go_on)
        writing.start()
        try:
            made = [estate.backup() for _ in range(3)]
        finally:
            stop.set()
            writing.join()
        for each in made:
            path = estate.folder / f"{each.snapshot.number}.sqlite"
            path.write_bytes(b"".join(estate.repository.blocks(each.snapshot.files[MAIN])))
            with closing(sqlite3.connect(path)) as reading:
                assert reading.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                (found,) = reading.execute("SELECT count(*) FROM ledger_entries").fetchone()
            assert found == each.snapshot.logs[-1].size
        done = estate.restore(estate.publish(), number=made[0].snapshot.number)
        assert done.damage == []
        assert done.adopted.end > done.adopted.first


class TestWholeOrNot:
    @pytest.mark.parametrize("at", [0, 1, 5, 9])
    def test_a_crash_leaves_no_half_snapshot(self, estate, at):
        """The next backup goes on with what is there."""
        place = Failing(estate.place, at)
        with pytest.raises(OSError, match="the machine stopped"):
            estate.backup(Repository(place, keys.read(estate.key_file)))
        assert estate.repository.numbers() == []
        estate.backup()
        assert estate.restore(estate.publish()).damage == []

    def test_a_crash_between_two_snapshots_leaves_the_first(self, estate):
        """The replica has the slots of both: the last whole snapshot opens, whichever it is."""
        kept, erased = estate.give(), estate.give()
        estate.backup()
        estate.erase(erased)
        place = Failing(estate.place, 1)
        with pytest.raises(OSError, match="the machine stopped"):
            estate.backup(Repository(place, keys.read(estate.key_file)))
        assert estate.repository.numbers() == [1]
        done = estate.restore(estate.publish())
        assert (done.damage, done.replayed.erased) == ([], 1)
        assert estate.backup().snapshot.number == 2
        assert estate.restore(estate.publish(), name="again").damage == []
        assert kept.bucket == erased.bucket

    def test_no_copy_stays_in_the_home(self, estate):
        """Not even one that a backup left which was killed."""
        left = estate.home / f".backup-{estate.backup().snapshot.repository[:12]}"
        left.mkdir()
        (left / "keys").write_bytes(b"half")
        estate.backup()
        assert not list(estate.home.glob(".backup*"))

    def test_one_backup_at_a_time(self, estate):
        with Folder(estate.place).alone(), pytest.raises(ConflictError, match="another backup"):
            estate.backup()

    def test_no_file_has_its_name_before_it_is_durable(self, tmp_path):
        """What a machine that stopped had put is not there; the same is put again."""
        place = Folder(tmp_path / "backups")
        with place.alone():
            assert place.put("objects/ab/abcd", b"one")
            assert not place.put("objects/ab/abcd", b"two")
        after = Folder(tmp_path / "backups")
        with after.alone():
            assert after.names("objects/ab") == []
            assert after.put("objects/ab/abcd", b"one")
            after.settle()
        assert place.get("objects/ab/abcd") == b"one"
        assert {p.name for p in (tmp_path / "backups").iterdir()} == {".lock", ".drafts", "objects"}
        assert list((tmp_path / "backups/.drafts").iterdir()) == []


class TestTold:
    """The destination learns the size of what is stored, and nothing else."""

    def test_nothing_is_readable(self, estate):
        estate.give()
        estate.backup()
        everything = b"".join(files(estate.place).values())
        for word in (b"SQLite", b"sunny-garden", b"outbreak", b"snapshot", b'"type"'):
            assert word not in everything

    def test_neither_root_key_nor_slots_are_there(self, estate):
        """Not even for whoever holds the backup's key."""
        estate.give()
        made = estate.backup()
        held = b"".join(
            b"".join(estate.repository.blocks(made.snapshot.files[name])) for name in (MAIN, KEYS)
        )
        root = (estate.home / "root.key").read_bytes()
        cells = [p.read_bytes()[26:86] for p in (estate.home / "slots").glob("*.slot")]
        assert cells
        assert all(secret not in held for secret in (root, *cells))

    def test_another_key_gives_other_names(self, estate):
        estate.backup()
        other = estate.folder / "other.key"
        keys.make(other)
        with pytest.raises(IntegrityError, match="sealed under another key"):
            Repository(Folder(estate.place), keys.read(other)).snapshot()
        assert keys.read(other).name("block", b"x") != keys.read(estate.key_file).name(
            "block", b"x"
        )

    def test_a_block_is_no_other_block(self, estate):
        """Whoever swaps two files of the destination is found out."""
        made = estate.backup()
        one, two = sorted((estate.place / "objects").rglob("*/*"))[:2]
        data = one.read_bytes(), two.read_bytes()
        for path, other in ((one, data[1]), (two, data[0])):
            path.chmod(0o600)
            path.write_bytes(other)
        stored = made.snapshot.files.values()
        with pytest.raises(IntegrityError, match="was altered"):
            list(chain.from_iterable(map(estate.repository.blocks, stored)))


class TestKey:
    def test_it_is_made_once_and_for_its_owner(self, tmp_path):
        path = tmp_path / "backup.key"
        keys.make(path)
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(ConflictError, match="is there already"):
            keys.make(path)

    def test_one_that_others_read_is_refused(self, tmp_path):
        path = tmp_path / "backup.key"
        keys.make(path)
        path.chmod(0o640)
        with pytest.raises(InputError, match="chmod 600"):
            keys.read(path)

    def test_one_that_is_cut_is_refused(self, tmp_path):
        path = tmp_path / "backup.key"
        keys.make(path)
        path.write_bytes(b"short")
        with pytest.raises(InputError, match="32 bytes"):
            keys.read(path)

    def test_a_block_that_swells_is_refused(self, tmp_path):
        """A megabyte of zeros is a kilobyte deflated; what may have 64 KiB is not inflated further."""
        keys.make(tmp_path / "backup.key")
        key = keys.read(tmp_path / "backup.key")
        data = bytes(1 << 20)
        name = key.name("block", data)
        with pytest.raises(IntegrityError, match="larger than 65536 bytes"):
            key.open("block", name, key.seal("block", name, data), most=BLOCK)


class TestRefused:
    def test_a_place_without_backups(self, estate):
        with pytest.raises(NotFoundError, match="no backups"):
            estate.repository.snapshot()

    def test_the_slots_are_no_replica_of_themselves(self, estate):
        with pytest.raises(InputError, match="elsewhere"):
            making.make(
                estate.told(estate.home), estate.repository, estate.home / "slots",
                now=estate.clock(),
            )  # fmt: skip

    def test_a_replica_follows_one_destination(self, estate):
        estate.backup()
        other = Repository(Folder(estate.folder / "other"), keys.read(estate.key_file))
        with pytest.raises(ConflictError, match="another place"):
            estate.backup(other)

    def test_postgresql_has_tools_of_its_own(self, estate):
        url = "postgresql+psycopg://epilock@127.0.0.1:1/none"
        told = read({"EPILOCK_DATABASE": url}, home=estate.home)
        with pytest.raises(StateError, match="pg_basebackup"):
            making.make(told, estate.repository, estate.slots, now=estate.clock())


def test_keys_in_a_process_of_their_own_are_told(estate):
    """It would else back up an empty key database that happens to lie there."""
    told = read({"EPILOCK_KEY_SERVICE": "unix:/run/epilock/keys"}, home=estate.home)
    with pytest.raises(StateError, match="without EPILOCK_KEY_SERVICE"):
        making.make(told, estate.repository, estate.slots, now=estate.clock())


def test_a_watch_tells_what_was_committed(estate):
    with making.Watch(estate.told(estate.home)) as watch:
        assert watch.has_changed()
        assert not watch.has_changed()
        estate.give()
        assert watch.has_changed()
        assert not watch.has_changed()
        watch.forget()
        assert watch.has_changed()
