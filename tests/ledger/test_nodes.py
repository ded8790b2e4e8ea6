"""What reading a stored tree promises: few statements, each by its key, and memory that stays as it is."""

import pytest
from ledgers import NOW, new_log, some

from epilock import db
from epilock.db import Database
from epilock.ledger.nodes import Recent


@pytest.fixture
def filled(tmp_path):
    """A log of three levels of tiles on SQLite, whose planner the second promise is about."""
    engine = db.open_engine(f"sqlite:///{tmp_path}/log.sqlite")
    db.metadata.create_all(engine)
    base = Database(engine, bytes(32))
    with base.write() as tx:
        new_log().append(tx, some(70_000), now=NOW)
    yield base
    base.close()


@pytest.mark.parametrize(
    "ask", [lambda log, tx: log.inclusion(tx, 5), lambda log, tx: log.consistency(tx, 5_001)]
)
def test_a_log_that_remembers_nothing_asks_three_times(filled, ask):
    """For the head, the right edge, and all tiles on the way down; and never reads a whole table."""
    seen = []
    with filled.read() as tx:
        driver = tx.conn.connection.dbapi_connection
        driver.set_trace_callback(seen.append)
        ask(new_log(), tx)
        driver.set_trace_callback(None)
        plans = [step[-1] for text in seen for step in driver.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert len(seen) == 3
    assert [step for step in plans if step.startswith("SCAN")] == []


def test_what_was_not_used_for_longest_makes_room():
    recent = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.recall("a") == 1
    recent.keep("c", 3)
    assert (recent.recall("a"), recent.recall("b"), recent.recall("c")) == (1, None, 3)
    assert len(recent) == 2
