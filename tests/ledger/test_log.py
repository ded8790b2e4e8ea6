"""What the log promises, in the order in which an entry meets it."""

import pytest
from ledgers import NOW, new_log, some

from epilock.errors import EntryError, NotFoundError
from epilock.ledger import tree
from epilock.ledger.entry import MOST_BYTES
from epilock.ledger.tree import leaf_hash


def append(database, log, entries):
    with database.write() as tx:
        return log.append(tx, entries, now=NOW)


class TestAppend:
    @pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [255, 1, 1], [256, 256], [3, 700, 5]])
    def test_root_is_that_of_all_entries(self, database, sizes):
        log, entries = new_log(), some(sum(sizes))
        done = 0
        for size in sizes:
            batch = append(database, log, entries[done : done + size])
            assert (batch.first, batch.size) == (done, done + size)
            done += size
            assert batch.root == tree.root([leaf_hash(each) for each in entries[:done]])

    def test_entries_come_back(self, database):
        log, entries = new_log(), some(5)
        append(database, log, entries)
        with database.read() as tx:
            assert log.entries(tx, 1, 3) == entries[1:4]
            assert log.entry(tx, 4) == entries[4]
            assert log.size(tx) == 5
            with pytest.raises(NotFoundError, match="no entry 5"):
                log.entry(tx, 5)

    def test_an_entry_too_large(self, database):
        log = new_log()
        with pytest.raises(EntryError, match="at most 16384"):
            append(database, log, [bytes(MOST_BYTES + 1)])
        with database.read() as tx:
            assert log.size(tx) == 0
