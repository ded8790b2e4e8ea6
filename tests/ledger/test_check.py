"""What the check promises: whatever row was changed, it is named, and no other is accused."""

import pytest
import sqlalchemy as sa
from ledgers import NOW, new_log, some

from epilock.errors import InconsistentError, IntegrityError
from epilock.ledger import rows
from epilock.ledger.checkpoint import Checkpoint

COUNT = 256 * 3 + 44


@pytest.fixture
def log(database):
    log = new_log()
    entries = some(COUNT)
    for first, end in ((0, 300), (300, 301), (301, 700), (700, COUNT)):
        with database.write() as tx:
            log.append(tx, entries[first:end], now=NOW)
    return log


def damages(database, log):
    with database.read() as tx:
        return [f"{d.row} {d.problem}" for d in log.check(tx)]


def spoil(database, statement, **values):
    with database.write() as tx:
        assert tx.conn.execute(sa.text(statement), values).rowcount >= 1


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def change_entry(database, index):
    with database.write() as tx:
        old = tx.conn.execute(
            sa.text("SELECT entry FROM ledger_entries WHERE idx = :i"), {"i": index}
        )
        new = flip(old.scalar(), -1)
    spoil(database, "UPDATE ledger_entries SET entry = :e WHERE idx = :i", e=new, i=index)


def change_tile(database, level, n, at):
    key = {"l": level, "n": n}
    with database.write() as tx:
        query = "SELECT hashes FROM ledger_tiles WHERE level = :l AND n = :n"
        new = flip(tx.conn.execute(sa.text(query), key).scalar(), at)
    spoil(database, "UPDATE ledger_tiles SET hashes = :h WHERE level = :l AND n = :n", h=new, **key)


class TestWhole:
    def test_a_whole_log_has_no_damage(self, database, log):
        assert damages(database, log) == []

    def test_nor_has_an_empty_one(self, database):
        assert damages(database, new_log()) == []
        log = new_log()
        with database.write() as tx:
            log.append(tx, [], now=NOW)
        assert damages(database, log) == []

    @pytest.mark.parametrize("count", [1, 255, 256, 257, 512])
    def test_nor_one_of_an_awkward_size(self, database, count):
        log = new_log()
        with database.write() as tx:
            log.append(tx, some(count), now=NOW)
        assert damages(database, log) == []


class TestEntries:
    @pytest.mark.parametrize("index", [0, 255, 256, 767, 768, COUNT - 1])
    def test_a_flipped_byte(self, database, log, index):
        change_entry(database, index)
        assert damages(database, log) == [
            f"ledger_entries (log=1, idx={index}) is not what was stored"
        ]

    @pytest.mark.parametrize("index", [5, COUNT - 1])
    def test_a_missing_row(self, database, log, index):
        spoil(database, "DELETE FROM ledger_entries WHERE idx = :i", i=index)
        assert damages(database, log) == [f"ledger_entries (log=1, idx={index}) is missing"]

    def test_two_rows_swapped(self, database, log):
        for old, new in ((7, -1), (8, 7), (-1, 8)):
            spoil(
                database, "UPDATE ledger_entries SET idx = :new WHERE idx = :old", old=old, new=new
            )
        told = [f"ledger_entries (log=1, idx={i}) is not what was stored" for i in (7, 8)]
        assert damages(database, log) == told

    def test_a_row_too_many(self, database, log):
        spoil(database, "INSERT INTO ledger_entries VALUES (1, :i, :e)", i=COUNT, e=b"x")
        assert damages(database, log) == [
            f"ledger_entries (log=1, idx={COUNT}) is beyond the head's size"
        ]

    def test_a_row_of_no_log(self, database, log):
        spoil(database, "INSERT INTO ledger_entries VALUES (3, 0, :e)", e=b"x")
        assert damages(database, log) == ["ledger_entries (log=3) belongs to no log"]


class TestTiles:
    @pytest.mark.parametrize(
        ("level", "n", "at"), [(0, 0, 0), (0, 2, 8191), (0, 3, 40), (1, 0, 40)]
    )
    def test_a_flipped_byte(self, database, log, level, n, at):
        change_tile(database, level, n, at)
        told = [f"ledger_tiles (log=1, level={level}, n={n}) is not what was stored"]
        assert damages(database, log) == told

    @pytest.mark.parametrize(("level", "n"), [(0, 1), (0, 3), (1, 0)])
    @pytest.mark.parametrize("how", ["gone", "short", "long"])
    def test_a_tile_gone_or_of_another_length(self, database, log, level, n, how):
        where = "WHERE level = :l AND n = :n"
        if how == "gone":
            spoil(database, f"DELETE FROM ledger_tiles {where}", l=level, n=n)
        else:
            with database.write() as tx:
                query = sa.text(f"SELECT hashes FROM ledger_tiles {where}")
                old = tx.conn.execute(query, {"l": level, "n": n}).scalar()
            new = old[:-1] if how == "short" else old + bytes(32)
            spoil(database, f"UPDATE ledger_tiles SET hashes = :h {where}", h=new, l=level, n=n)
        told = [f"ledger_tiles (log=1, level={level}, n={n}) is not what was stored"]
        assert damages(database, log) == told

    def test_a_tile_too_many(self, database, log):
        spoil(database, "INSERT INTO ledger_tiles VALUES (1, 0, 4, :h)", h=bytes(32))
        spoil(database, "INSERT INTO ledger_tiles VALUES (1, 2, 0, :h)", h=bytes(32))
        assert damages(database, log) == [
            "ledger_tiles (log=1, level=0, n=4) is beyond the head's size",
            "ledger_tiles (log=1, level=2, n=0) is beyond the head's size",
        ]

    def test_an_entry_and_another_tile(self, database, log):
        change_entry(database, 5)
        change_tile(database, 0, 3, 0)
        assert damages(database, log) == [
            "ledger_entries (log=1, idx=5) is not what was stored",
            "ledger_tiles (log=1, level=0, n=3) is not what was stored",
        ]

    def test_an_entry_and_its_own_tile(self, database, log):
        """Neither can be believed, so both are named."""
        change_entry(database, 5)
        change_tile(database, 0, 0, 320)
        assert damages(database, log)[:2] == [
            "ledger_tiles (log=1, level=0, n=0) is not what was stored",
            "ledger_entries (log=1, idx=5) is not what was stored",
        ]


class TestSealedRows:
    @pytest.mark.parametrize("change", ["size = size + 1", "root = :b", "at = at + 1", "mac = :b"])
    def test_a_changed_checkpoint(self, database, log, change):
        values = {"b": bytes(32)} if ":b" in change else {}
        spoil(database, f"UPDATE ledger_checkpoints SET {change} WHERE size = 301", **values)
        told = damages(database, log)
        size = 302 if change.startswith("size") else 301
        assert f"ledger_checkpoints (log=1, size={size}) was changed past this program" in told
        assert all("ledger_checkpoints" in each for each in told)

    @pytest.mark.parametrize(
        "change", ["size = 4611686018427387904", "size = 5", "root = :b", "mac = :b"]
    )
    def test_a_changed_head(self, database, log, change):
        """The largest sealed checkpoint takes its place, so that the rest is still checked."""
        values = {"b": bytes(32)} if ":b" in change else {}
        spoil(database, f"UPDATE ledger_head SET {change}", **values)
        change_entry(database, 5)
        assert damages(database, log) == [
            "ledger_head (log=1) was changed past this program",
            "ledger_entries (log=1, idx=5) is not what was stored",
        ]

    def test_the_last_checkpoint_gone(self, database, log):
        spoil(database, "DELETE FROM ledger_checkpoints WHERE size = :s", s=COUNT)
        assert damages(database, log) == [f"ledger_checkpoints (log=1, size={COUNT}) is missing"]


@pytest.mark.usefixtures("log")
class TestStart:
    """A database is looked at before anything is signed from it."""

    def start(self, database, known=None):
        with database.read() as tx:
            new_log().check_at_start(tx, known)

    def test_a_good_start(self, database, log):
        self.start(database)
        with database.read() as tx:
            self.start(database, log.head(tx))
            self.start(database, Checkpoint(log.origin, 300, log.root(tx, 300)))

    def test_an_older_backup(self, database, log):
        with pytest.raises(
            InconsistentError, match=f"has {COUNT} entries, but {COUNT + 1} were published"
        ):
            self.start(database, Checkpoint(log.origin, COUNT + 1, bytes(32)))

    def test_another_branch(self, database, log):
        with pytest.raises(InconsistentError, match="another root was published for 300"):
            self.start(database, Checkpoint(log.origin, 300, bytes(32)))

    def test_another_log(self, database):
        with pytest.raises(InconsistentError, match="of another log"):
            self.start(database, Checkpoint("other.example", 1, bytes(32)))

    def test_tiles_that_do_not_fit_the_head(self, database):
        change_tile(database, 0, 3, 40)
        with pytest.raises(IntegrityError, match="right edge"):
            self.start(database)

    def test_last_entries_that_do_not_fit_their_tile(self, database):
        change_entry(database, COUNT - 1)
        with pytest.raises(IntegrityError, match="idx from 768"):
            self.start(database)


@pytest.mark.usefixtures("log")
class TestRefusals:
    """Nothing is appended to a damaged log, and no false proof is given from one."""

    @pytest.mark.parametrize("statement", [
        "UPDATE ledger_tiles SET hashes = :h WHERE level = 0 AND n = 3",
        "DELETE FROM ledger_tiles WHERE level = 1",
    ])  # fmt: skip
    def test_append_to_tiles_that_do_not_fit(self, database, log, statement):
        spoil(database, statement, **({"h": bytes(44 * 32)} if ":h" in statement else {}))
        with pytest.raises(IntegrityError, match="ledger_tiles"), database.write() as tx:
            new_log().append(tx, some(1), now=NOW)
        with database.read() as tx:
            assert rows.find_head(tx, log.origin).size == COUNT

    def test_append_to_a_changed_head(self, database, log):
        spoil(database, "UPDATE ledger_head SET size = size - 1")
        with pytest.raises(IntegrityError, match="ledger_head"), database.write() as tx:
            log.append(tx, some(1), now=NOW)

    def test_a_proof_over_a_changed_tile(self, database):
        change_tile(database, 0, 1, 40)
        with database.read() as tx, pytest.raises(IntegrityError, match=r"level=0, n=1"):
            new_log().inclusion(tx, 300)

    def test_a_proof_of_a_changed_entry(self, database, log):
        change_entry(database, 300)
        with database.read() as tx, pytest.raises(IntegrityError, match="idx=300"):
            log.proof(tx, 300)
