"""What the log promises, in the order in which an entry meets it; above all across failures."""

import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from ledgers import NOW, ORIGIN, new_log, signer, some

from epilock.db import Transaction
from epilock.errors import EntryError, IntegrityError, NotFoundError, ProofError, StateError
from epilock.ledger import checkpoint, shards, tree
from epilock.ledger.entry import MOST_BYTES
from epilock.ledger.log import Log
from epilock.ledger.nodes import MOST_EDGES
from epilock.ledger.tree import leaf_hash
from epilock.ledger.verify import open_checkpoint, verify


class CrashError(Exception):
    """Made up: what a test raises where the power fails."""


@contextmanager
def crashing(begin):
    """A transaction (or savepoint) in which the power fails before its end."""
    with suppress(CrashError), begin() as tx:
        yield tx
        raise CrashError


def append(database, log, entries):
    with database.write() as tx:
        return log.append(tx, entries, now=NOW)


def check_everything(database, log, entries):
    """The log holds exactly ``entries``, proves each, and has no damage."""
    with database.read() as tx:
        assert log.entries(tx, 0, len(entries) + 1) == entries
        head = log.head(tx)
        assert (head.size, head.root) == (len(entries), tree.root([leaf_hash(e) for e in entries]))
        assert open_checkpoint(log.checkpoint(tx), [signer().verifier])[0] == head
        for index in {0, len(entries) // 2, len(entries) - 1} if entries else ():
            assert verify(log.proof(tx, index), [signer().verifier]).entry == entries[index]
        assert list(log.check(tx)) == []


class TestDays:
    def test_the_first_entry_of_a_day_is_found_without_reading_all(self, database, monkeypatch):
        log, at, said = new_log(), NOW, {}
        with database.write() as tx:
            for n in range(60):
                at += timedelta(hours=n % 5)
                batch = log.append(tx, some(1 + n % 3), now=at)
                said.setdefault(at, batch.first)
            size = log.size(tx)
        seen = []
        monkeypatch.setattr(
            Transaction,
            "all",
            lambda *a, _all=Transaction.all, **k: seen.append(a) or _all(*a, **k),
        )
        with database.read() as tx:
            for instant, first in said.items():
                seen.clear()
                assert shards.position_of(tx, log, instant) == first
                assert len(seen) <= 2 * size.bit_length()
            assert shards.position_of(tx, log, at + timedelta(hours=1)) == size

    def test_in_an_empty_log_every_day_begins_at_its_beginning(self, database):
        with database.read() as tx:
            assert shards.position_of(tx, new_log(), NOW) == 0


class TestAppend:
    @pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [255, 1, 1], [256, 256], [3, 700, 5], []])
    def test_root_is_that_of_all_entries(self, database, sizes):
        log, entries = new_log(), some(sum(sizes))
        done = 0
        for size in sizes:
            batch = append(database, log, entries[done : done + size])
            assert (batch.first, batch.size) == (done, done + size)
            done += size
            assert batch.root == tree.root([leaf_hash(each) for each in entries[:done]])
        check_everything(database, log, entries)

    def test_a_log_of_another_process_goes_on(self, database):
        entries = some(600)
        for first, end in pairwise((0, 256, 300, 511, 512, 513, 600)):
            append(database, new_log(), entries[first:end])
        check_everything(database, new_log(), entries)

    def test_entries_come_back(self, database):
        log, entries = new_log(), some(5)
        append(database, log, entries)
        with database.read() as tx:
            assert log.entries(tx, 1, 3) == entries[1:4]
            assert log.entry(tx, 4) == entries[4]
            with pytest.raises(NotFoundError, match="no entry 5"):
                log.entry(tx, 5)

    def test_an_entry_too_large(self, database):
        log = new_log()
        append(database, log, [bytes(MOST_BYTES)])
        with pytest.raises(EntryError, match="at most 16384"):
            append(database, log, [bytes(MOST_BYTES + 1)])
        check_everything(database, log, [bytes(MOST_BYTES)])

    def test_nothing_appended_is_nothing_written(self, database):
        log = new_log()
        append(database, log, some(3))
        batch = append(database, log, [])
        assert (batch.first, batch.size, log.proofs(batch)) == (3, 3, [])
        assert log.proof_texts(batch, log.sign(batch)) == []
        check_everything(database, log, some(3))

    def test_several_appends_in_one_transaction(self, database):
        log = new_log()
        with database.write() as tx:
            for index in range(5):
                assert log.append(tx, some(1, index), now=NOW).first == index
        check_everything(database, log, some(5))

    def test_logs_of_one_database_do_not_mix(self, database):
        one, other = new_log(), new_log("other.example/log", 2)
        append(database, one, some(300))
        append(database, other, some(7, 1000))
        append(database, one, some(1, 300))
        check_everything(database, one, some(301))
        with database.read() as tx:
            assert other.entries(tx, 0, 99) == some(7, 1000)
            assert list(other.check(tx)) == []

    def test_a_key_is_named_by_its_log(self):
        with pytest.raises(StateError, match="named by its origin"):
            Log("log.example/epilock", lambda _: signer("other.example"))


class TestCrash:
    """The table in the module: each effect fails once not done, once done but reported failed."""

    @pytest.mark.parametrize("count", [1, 200, 600])
    def test_before_the_commit(self, database, count):
        """Not done: no entry, no index, no checkpoint; the next append takes the same numbers."""
        log = new_log()
        append(database, log, some(100))
        with crashing(database.write) as tx:
            log.append(tx, some(count, 5000), now=NOW)
        check_everything(database, log, some(100))
        assert append(database, log, some(count, 100)).first == 100
        check_everything(database, log, some(100 + count))

    def test_before_the_very_first_commit(self, database):
        log = new_log()
        with crashing(database.write) as tx:
            log.append(tx, some(3), now=NOW)
        with database.read() as tx:
            assert log.size(tx) == 0
        append(database, log, some(3))
        check_everything(database, log, some(3))

    def test_inside_a_savepoint(self, database):
        """What a caller takes back in the middle of a transaction is taken back in the log too."""
        log = new_log()
        append(database, log, some(250))
        with database.write() as tx:
            with crashing(tx.conn.begin_nested):
                log.append(tx, some(10, 5000), now=NOW)
            log.append(tx, some(20, 250), now=NOW)
        check_everything(database, log, some(270))

    def test_a_later_statement_is_refused(self, database):
        """Not done, and said so by the database itself."""
        log = new_log()
        append(database, log, some(10))
        with pytest.raises(sa.exc.DBAPIError):
            self.append_then_insert_twice(database, log)
        check_everything(database, log, some(10))

    def append_then_insert_twice(self, database, log):
        with database.write() as tx:
            log.append(tx, some(5, 10), now=NOW)
            tx.conn.execute(sa.text("INSERT INTO ledger_entries SELECT * FROM ledger_entries"))

    def test_after_the_commit(self, database):
        """Done but reported failed: the entries stand, and the log goes on behind them."""
        log = new_log()
        with pytest.raises(CrashError):
            self.commit_then_fail(database, log, some(300))
        check_everything(database, log, some(300))
        assert append(database, log, some(1, 300)).first == 300
        check_everything(database, log, some(301))

    def commit_then_fail(self, database, log, entries):
        with database.write() as tx:
            log.append(tx, entries, now=NOW)
        raise CrashError

    def test_after_the_commit_and_a_new_start(self, database):
        """The checkpoint that no one signed is signed when it is asked for, with the same bytes."""
        log = new_log()
        batch = append(database, log, some(300))
        expected = log.sign(batch)
        fresh = new_log()
        with database.read() as tx:
            fresh.check_at_start(tx)
            assert fresh.checkpoint(tx) == expected == fresh.checkpoint(tx, 300)

    def test_what_was_taken_back_is_forgotten(self, database):
        """Full tiles that were read before a rollback never serve a proof afterwards."""
        log = new_log()
        with crashing(database.write) as tx:
            log.append(tx, some(600, 5000), now=NOW)
            log.inclusion(tx, 3)
        append(database, log, some(600))
        check_everything(database, log, some(600))

    def test_a_tile_lost_meanwhile(self, database):
        """What memory says is no excuse for rows that are gone."""
        log = new_log()
        append(database, log, some(10))
        with database.write() as tx:
            tx.conn.execute(sa.text("DELETE FROM ledger_tiles"))
        with pytest.raises(IntegrityError, match=r"level=0, n=0"):
            append(database, log, some(1, 10))


class TestManyWriters:
    def test_two_logs_in_turn(self, database):
        """Two processes, each with its own memory of the edge."""
        logs, entries, done = [new_log(), new_log()], some(900), 0
        for turn, size in enumerate([1, 200, 90, 300, 1, 1, 7, 256, 44]):
            batch = append(database, logs[turn % 2], entries[done : done + size])
            assert batch.first == done
            done += size
        for log in logs:
            check_everything(database, log, entries)

    def test_one_fails_and_the_other_goes_on(self, database):
        one, other = new_log(), new_log()
        append(database, one, some(100))
        with crashing(database.write) as tx:
            one.append(tx, some(200, 5000), now=NOW)
        append(database, other, some(200, 100))
        append(database, one, some(10, 300))
        for log in (one, other):
            check_everything(database, log, some(310))

    @pytest.mark.parametrize("shared", [True, False])
    def test_at_the_same_time(self, database, shared):
        """No index twice, none left out, whoever comes first."""
        log = new_log()
        batches = {}

        def work(name):
            mine = log if shared else new_log()
            for turn in range(6):
                entries = [f"{name} {turn} {i}".encode() for i in range(20)]
                batch = append(database, mine, entries)
                batches[batch.first] = (batch, entries)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(batches) == list(range(0, 360, 20))
        check_everything(database, log, [e for first in sorted(batches) for e in batches[first][1]])
        for batch, entries in batches.values():
            for entry, text in zip(entries, log.proof_texts(batch, log.sign(batch)), strict=True):
                assert verify(text, [signer().verifier]).entry == entry

    def test_memory_is_bounded(self, database):
        log = new_log()
        for index in range(3 * MOST_EDGES):
            batch = append(database, log, some(1, index))
        assert len(log._nodes.edges) == MOST_EDGES
        edge = log._nodes.edges.recall((batch.size, batch.root))
        assert sum(len(row) for row in edge.rows) < 512 * tree.HASH_BYTES


class TestCheckpoint:
    def test_only_what_is_committed_is_signed(self, database):
        log = new_log()
        with database.write() as tx:
            log.append(tx, some(3), now=NOW)
            with pytest.raises(StateError, match="what is committed"):
                log.checkpoint(tx)
            with pytest.raises(StateError, match="what is committed"):
                log.proof(tx, 0)

    def test_an_empty_log_has_one_too(self, database):
        with database.read() as tx:
            said, _ = open_checkpoint(new_log().checkpoint(tx), [signer().verifier])
        assert said == checkpoint.Checkpoint(ORIGIN, 0, tree.EMPTY_ROOT)

    def test_of_each_batch(self, database):
        log, entries = new_log(), some(10)
        signed = [log.sign(append(database, log, entries[a:b])) for a, b in pairwise((0, 1, 4, 10))]
        with database.read() as tx:
            assert [log.checkpoint(tx, size) for size in (1, 4, 10)] == signed
            with pytest.raises(NotFoundError, match="no checkpoint of size 3"):
                log.checkpoint(tx, 3)


class TestProofs:
    @pytest.fixture
    def log(self, database):
        log = new_log()
        for first, end in pairwise((0, 3, 256, 300, 700)):
            append(database, log, some(end - first, first))
        return log

    def test_of_any_size_and_index(self, database, log):
        append(database, log, some(69_300, 700))
        leaves = [leaf_hash(each) for each in some(70_000)]
        with database.read() as tx:
            for size in (1, 255, 256, 257, 512, 65_536, 65_537, 69_999, 70_000):
                root = log.root(tx, size)
                assert root == tree.root(leaves[:size])
                for index in {0, 3, size // 2, size - 1}:
                    if index < size:
                        path = log.inclusion(tx, index, size)
                        tree.verify_inclusion(index, size, leaves[index], path, root)
            for old, new in ((1, 3), (3, 256), (256, 300), (257, 65_537), (69_999, 70_000), (0, 9)):
                path = log.consistency(tx, old, new)
                tree.verify_consistency(old, new, log.root(tx, old), log.root(tx, new), path)

    def test_against_an_older_checkpoint(self, database, log):
        with database.read() as tx:
            done = verify(log.proof(tx, 1, 300), [signer().verifier])
        assert (done.index, done.checkpoint.size) == (1, 300)

    def test_what_there_is_no_proof_of(self, database, log):
        with database.read() as tx:
            for refused in (
                lambda: log.inclusion(tx, 700),
                lambda: log.inclusion(tx, -1),
                lambda: log.inclusion(tx, 0, 701),
                lambda: log.inclusion(tx, 300, 300),
                lambda: log.consistency(tx, 5, 4),
                lambda: log.consistency(tx, -1, 4),
                lambda: log.consistency(tx, 5, 701),
                lambda: log.root(tx, 701),
            ):
                with pytest.raises(ProofError):
                    refused()

    def test_a_reader_is_not_disturbed_by_a_writer(self, database):
        """It goes on seeing, and proving, the state that it began with."""
        log = new_log()
        append(database, log, some(300))
        with database.read() as tx:
            before = log.head(tx)
            for turn in range(MOST_EDGES + 1):
                append(database, log, some(300, 300 * (turn + 1)))
            assert log.head(tx) == before
            path = log.inclusion(tx, 299)
            tree.verify_inclusion(299, 300, leaf_hash(some(300)[299]), path, before.root)

    def test_the_batchs_own_way_is_the_same(self, database):
        log = new_log()
        append(database, log, some(250))
        batch = append(database, log, some(300, 250))
        with database.read() as tx:
            assert [tuple(log.inclusion(tx, i)) for i in range(250, 550)] == log.proofs(batch)
