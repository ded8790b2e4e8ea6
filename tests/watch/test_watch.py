"""What a watcher promises: each way around the program is seen in its next round, and freezes destruction."""

import json
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from epilock.caretaker import Caretaker
from epilock.db import Database, open_engine
from epilock.destroy import freeze
from epilock.destroy import run as destruction
from epilock.errors import FrozenError
from epilock.inventory import check as inventory
from epilock.ledger import entry
from epilock.watch import memory
from epilock.watch.rolling import Sealed
from epilock.watch.round import Sight, Watcher

LOCKS = Path("/proc/locks")
RECORDS = "records (org=sunny-garden, bucket=2)"


@pytest.fixture
def seen(watched):
    """After a first round, which finds nothing."""
    assert watched.look() == {}
    return watched


def said(parts, kind):
    with parts.database.read() as tx:
        found = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return [e for e in found if isinstance(e, kind)]


class TestSilence:
    def test_nothing_is_found_while_all_goes_through_the_program(self, seen, clock):
        """Collecting, dying and destroying are no findings."""
        clock.forward(days=40)
        assert seen.look() == {}
        destruction.run(seen.parts.tools, now=clock())
        assert seen.look() == {}
        destruction.purge(seen.parts.tools, now=clock())
        assert seen.look() == {}
        assert not seen.watcher.frozen

    def test_its_memory_is_nobody_elses(self, seen):
        assert seen.parts.settings.seen.stat().st_mode & 0o777 == 0o600


ATTACKS = {
    "a record": ("DELETE FROM records WHERE org = 'sunny-garden' AND bucket = 2 AND n = 3", RECORDS),
    "all records": ("DELETE FROM records", RECORDS),
    "a sealed part": (
        "DELETE FROM parts WHERE org = 'sunny-garden' AND bucket = 2 AND n = 3",
        "parts (org=sunny-garden, bucket=2, part=",
    ),
    "a changed record": (
        "UPDATE records SET minor = 1 WHERE org = 'sunny-garden' AND bucket = 2 AND n = 3",
        "records (org=sunny-garden, bucket=2, n=3)",
    ),
    "changed ciphertext": (
        "UPDATE parts SET sealed = nonce WHERE org = 'sunny-garden' AND bucket = 2 AND n = 3",
        "parts (org=sunny-garden, bucket=2, part=",
    ),
    "a changed role": ("UPDATE staff SET roles = '[\"custodian\"]'", "staff (org="),
    "a deleted point": ("DELETE FROM points", "points (org="),
    "a count made smaller": ("UPDATE record_counts SET records = records - 1", RECORDS),
    "an entry": ("DELETE FROM ledger_entries WHERE idx = 3", "ledger_entries (log=1"),
    "the last entry": (
        "DELETE FROM ledger_entries WHERE idx = (SELECT max(idx) FROM ledger_entries)",
        "log localhost/epilock",
    ),
    "a changed entry": (
        "UPDATE ledger_entries SET entry = (SELECT entry FROM ledger_entries WHERE idx = 4) WHERE idx = 3",
        "ledger_entries (log=1",
    ),
    "a deleted decision": ("DELETE FROM decisions", "decisions (org="),
    "a dropped table": ("DROP TABLE decisions", "decisions"),
    "a dropped index": ("DROP INDEX records_handle", "records_handle"),
    "a dropped column": ("ALTER TABLE records DROP COLUMN minor", "records.minor"),
}  # fmt: skip
ATTACKS_ON_KEYS = {
    "a part key": ("DELETE FROM part_keys", "part_keys (org=sunny-garden"),
    "a seed": ("DELETE FROM seeds WHERE bucket LIKE 'sunny-garden/%'", "seeds (org=sunny-garden"),
    "a dropped table": ("DROP TABLE seeds", "seeds"),
    "an older epoch": ("UPDATE epochs SET epoch = 0", "epochs (org=sunny-garden)"),
}


ON_SERVER = ("a record", "a sealed part", "a changed record", "an entry", "a dropped table")


def named(found, place):
    return [row for row in found if row.startswith(place)]


@pytest.mark.parametrize(
    ("watched", "attack"),
    [
        *(("sqlite", attack) for attack in ATTACKS),
        *(("postgresql", attack) for attack in ON_SERVER),
    ],
    indirect=["watched"],
)
def test_what_sql_does_is_seen_in_the_next_round(seen, attack):
    text, place = ATTACKS[attack]
    seen.sql(text)
    found = seen.look()
    assert named(found, place), found
    assert seen.watcher.frozen


@pytest.mark.parametrize("attack", ATTACKS_ON_KEYS)
def test_what_sql_does_to_the_keys(seen, attack):
    text, place = ATTACKS_ON_KEYS[attack]
    seen.sql(text, keys=True)
    assert named(seen.look(), place)


@pytest.mark.parametrize("watched", ["sqlite", "postgresql"], indirect=True)
def test_a_trigger_and_truncate(seen):
    """SQLite has no such statement."""
    if seen.on_sqlite():
        seen.sql("CREATE TRIGGER spy AFTER INSERT ON records BEGIN DELETE FROM sessions; END")
    else:
        body = "BEGIN RETURN NULL; END"
        seen.sql(f"CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS '{body}'")
        seen.sql("CREATE TRIGGER spy AFTER INSERT ON records EXECUTE FUNCTION spy()")
    assert "trigger" in seen.look()["spy"]
    seen.sql("DROP TRIGGER spy" if seen.on_sqlite() else "DROP TRIGGER spy ON records")
    seen.sql("DELETE FROM records" if seen.on_sqlite() else "TRUNCATE records")
    assert "rows that are missing" in seen.look()[RECORDS]


class TestFiles:
    @pytest.fixture(autouse=True)
    def files(self, seen):
        self.town = seen

    def test_an_older_main_database(self, tmp_path):
        copy = self.town.save(tmp_path)
        self.more()
        assert self.town.look() == {}
        self.town.put_back(copy)
        assert "an older copy was put back" in self.town.look()["log localhost/epilock"]
        assert said(self.town.parts, entry.Freeze) == []  # a log of yesterday is not gone on with

    def test_an_older_key_database(self, tmp_path, clock):
        copy = self.town.save(tmp_path, keys=True)
        clock.forward(days=40)
        destruction.run(self.town.parts.tools, now=clock())
        assert self.town.look() == {}
        self.town.put_back(copy, keys=True)
        assert "an old copy" in self.town.look()["epochs (org=sunny-garden)"]

    def test_an_older_slot(self, clock):
        slot = self.town.parts.keys.slot("sunny-garden").path
        old = slot.read_bytes()
        clock.forward(days=40)
        destruction.run(self.town.parts.tools, now=clock())
        slot.write_bytes(old)
        assert "does not hold" in self.town.look()["slot sunny-garden.slot"]

    @pytest.mark.parametrize("keys", [False, True])
    def test_a_file_that_is_cut_off(self, keys):
        path = self.town.path(keys=keys)
        self.town.sql("CREATE TABLE x (y INTEGER)", keys=keys)
        database = self.town.parts.keys.database if keys else self.town.parts.database
        database.engine.dispose()  # what waits in the write-ahead log goes into the file
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        assert self.town.look()[f"file {path.name}"] == "is cut off, or no database"

    def test_a_file_that_is_gone(self):
        path = self.town.path()
        path.unlink()
        assert "No such file" in self.town.look()[f"file {path.name}"]
        assert not path.exists()  # looking makes nothing

    @pytest.mark.skipif(not LOCKS.exists(), reason="only Linux shows its locks")
    def test_looking_drops_no_lock_of_this_process(self):
        """A file that is opened and closed loses every POSIX lock that SQLite holds on it in the process."""
        with self.town.parts.database.read() as tx:
            tx.conn.exec_driver_sql("SELECT count(*) FROM records").scalar()
            before = self.locks()
            assert before
            for file in self.town.watcher._files:
                assert list(file.check()) == []
            assert self.locks() == before

    def locks(self):
        inode = self.town.path().stat().st_ino
        mine = f" {os.getpid()} "
        lines = [line.split(":", 1)[1] for line in LOCKS.read_text().splitlines()]
        return sorted(line for line in lines if mine in line and f":{inode} " in line)

    def more(self):
        with self.town.parts.database.write() as tx:
            self.town.parts.log.append(tx, [b"{}"], now=self.town.parts.now())


class TestFreeze:
    @pytest.fixture
    def frozen(self, seen):
        seen.sql(ATTACKS["a record"][0])
        seen.look()
        return seen

    def test_destruction_waits_and_collecting_goes_on(self, frozen, clock):
        parts, caretaker = frozen.parts, Caretaker(frozen.parts)
        clock.forward(days=40)
        with parts.keys.database.read() as tx:
            before = tx.conn.exec_driver_sql("SELECT count(*) FROM part_keys").scalar()
        with pytest.raises(FrozenError, match="findings: 1"):
            destruction.run(parts.tools, now=clock())
        with pytest.raises(FrozenError):
            destruction.purge(parts.tools, now=clock())
        assert destruction.complete(parts.tools, now=clock()) == []
        caretaker.round()
        with parts.keys.database.read() as tx:
            assert tx.conn.exec_driver_sql("SELECT count(*) FROM part_keys").scalar() == before

    def test_it_is_witnessed_once(self, frozen):
        frozen.look()
        frozen.look()
        (told,) = said(frozen.parts, entry.Freeze)
        assert (told.org, told.findings) == ("", 1)

    def test_it_outlives_the_process_and_the_row(self, frozen):
        """Whoever deletes the freeze itself finds it again, with one finding more."""
        frozen.sql("DELETE FROM freezes")
        again = type(frozen)(frozen.parts)
        found = again.look()
        assert any(row.startswith("freezes (") for row in found)
        with frozen.parts.database.read() as tx:
            assert freeze.current(tx).count == len(found)

    @pytest.mark.parametrize("watched", ["sqlite", "postgresql"], indirect=True)
    def test_two_persons_lift_it_and_what_they_saw_is_known(self, frozen, clock):
        parts = frozen.parts
        with parts.database.write() as tx:
            freeze.ask(
                tx,
                by="s-one",
                by_org="qinghe",
                roles={"supervisor"},
                reason="repaired",
                now=clock(),
            )
        with parts.database.write() as tx:
            freeze.lift(
                tx, parts.log, standard_ref=parts.standard.ref, by="s-two", by_org="qinghe",
                roles={"custodian"}, now=clock(),
            )  # fmt: skip
        assert frozen.look() == {}
        assert not frozen.watcher.frozen
        (told,) = said(parts, entry.FreezeLifted)
        assert (told.by, told.approved_by, told.reason) == ("s-one", "s-two", "repaired")
        assert [d.row for d in inventory(parts.database, parts.log)] == []
        frozen.sql(ATTACKS["a record"][0].replace("n = 3", "n = 2"))
        assert frozen.look() == {RECORDS: "rows that are missing: 2"}


def test_the_alert_names_rows_and_no_person(seen, tmp_path, caplog, clock):
    heard = tmp_path / "heard.json"
    script = f"import sys; open({str(heard)!r}, 'w').write(sys.stdin.read())"
    sight = seen.watcher._sight
    command = f'{sys.executable} -c "{script}"'
    alarmed = Watcher(
        Sight(
            main=sight.main, keys=sight.keys, path=sight.path, seconds=30, pause=0, command=command,
            trusted=sight.trusted,
        )
    )  # fmt: skip
    seen.sql(ATTACKS["a record"][0])
    with caplog.at_level(logging.CRITICAL):
        alarmed.round(clock())
        alarmed.round(clock())
    told = json.loads(heard.read_text())
    assert told["findings"] == [{"row": RECORDS, "problem": "rows that are missing: 1"}]
    assert told["freeze"].startswith("f-")
    assert len(caplog.records) == 1  # told once


def test_without_keys_it_sees_what_needs_none(seen, tmp_path, clock):
    """Another account on another machine, with rights to read and no more."""
    told = seen.parts.settings
    stranger = Watcher(
        Sight(
            main=Database(open_engine(told.database, read_only=True), b""),
            keys=Database(open_engine(told.key_database, read_only=True), b""),
            path=tmp_path / "elsewhere" / "seen.json", seconds=30, pause=0,
        )
    )  # fmt: skip
    assert stranger.round(clock()) == []
    seen.sql(ATTACKS["a record"][0])
    assert [d.row for d in stranger.round(clock())] == [RECORDS]
    assert said(seen.parts, entry.Freeze) == []


def test_what_is_cut_short_goes_on_where_it_stopped(seen, clock):
    """With no time for a scan a round still ends, and the next one begins there."""
    hasty = Watcher(
        Sight(
            main=seen.watcher._sight.main, keys=seen.watcher._sight.keys, path=seen.watcher._sight.path,
            seconds=0, trusted=seen.watcher._sight.trusted,
        )
    )  # fmt: skip
    remembered = memory.load(seen.parts.settings.seen)
    remembered.lane, remembered.cursors = "rows", {"rows": ["records", "sunny-garden", 2, 1]}
    memory.save(remembered, seen.parts.settings.seen)
    assert hasty.round(clock() + timedelta(minutes=1)) == []
    assert memory.load(seen.parts.settings.seen).cursors == remembered.cursors
    seen.sql(ATTACKS["a changed record"][0])
    assert hasty.round(clock()) == []
    assert named(seen.look(), "records (org=sunny-garden, bucket=2, n=3)")


def test_wherever_a_look_stops_it_can_be_remembered(seen, tmp_path):
    with seen.parts.database.read() as tx:
        look, cursor, stops = Sealed(tx), None, 0
        while stops == 0 or cursor is not None:
            _, cursor = look.step(cursor)
            kept = {} if cursor is None else {"rows": cursor}
            memory.save(memory.Memory(cursors=kept), tmp_path / "seen")
            assert memory.load(tmp_path / "seen").cursors == kept
            stops += 1
    assert stops > 10
