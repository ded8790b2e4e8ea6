"""What the database layer promises: both databases, the same rows, and no silent change."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, new_id, sealed_table
from epilock.errors import ConflictError, NotFoundError, TamperedError

things = sealed_table(
    "test_things",
    sa.MetaData(),  # not the program's own
    sa.Column("org", sa.String(40), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant),
    sa.Column("what", Json),
    sa.Column("raw", sa.LargeBinary),
)


@pytest.fixture
def database(database):
    things.create(database.engine)
    return database


AT = datetime(2026, 3, 14, 1, 2, 3, 456789, tzinfo=UTC)


def _one(tx: Transaction, n: int = 1) -> None:
    tx.insert(things, org="a", n=n, at=AT, what={"b": [1, None], "a": "中"}, raw=b"\0\xff")


def test_a_row_comes_back_as_it_went_in(database):
    with database.write() as tx:
        _one(tx)
    with database.read() as tx:
        row = tx.get(things, org="a", n=1)
    assert row == {
        "org": "a",
        "n": 1,
        "at": AT,
        "what": {"b": [1, None], "a": "中"},
        "raw": b"\0\xff",
    }


def test_bulk_rows_and_single_rows_carry_the_same_seal(database):
    """The fast path writes what the plain path reads."""
    with database.write() as tx:
        tx.bulk(things, [("a", n, 1_000_000 * n, '{"a":1}', b"x") for n in range(3)])
    with database.read() as tx:
        assert [r["n"] for r in tx.all(things, order_by=[things.c.n])] == [0, 1, 2]


@pytest.mark.parametrize("change", ["raw = NULL", "n = 7", "at = 5", "what = '{}'", "org = 'b'"])
def test_a_row_changed_by_sql_is_named(database, change):
    """Whoever holds the database but not the integrity key cannot change a row unseen."""
    with database.write() as tx:
        _one(tx)
        tx.conn.execute(sa.text(f"UPDATE test_things SET {change}"))
    with database.read() as tx, pytest.raises(TamperedError, match="test_things"):
        tx.all(things)


def test_update_returns_the_row_and_reseals_it(database):
    with database.write() as tx:
        _one(tx)
        assert tx.update(things, {"org": "a", "n": 1}, raw=b"new")["raw"] == b"new"
    with database.read() as tx:
        assert tx.get(things, org="a", n=1)["raw"] == b"new"


def test_a_second_row_with_the_key_is_a_conflict_and_harms_nothing(database):
    """The transaction goes on after the refusal."""
    with database.write() as tx:
        _one(tx)
        with pytest.raises(ConflictError):
            _one(tx)
        _one(tx, 2)
    with database.read() as tx:
        assert len(tx.all(things)) == 2


def test_a_missing_row_is_an_error(database):
    with database.read() as tx, pytest.raises(NotFoundError):
        tx.get(things, org="a", n=404)


def test_an_error_rolls_everything_back(database):
    def fail() -> None:
        with database.write() as tx:
            _one(tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as tx:
        assert tx.all(things) == []


def test_a_naive_instant_is_refused(database):
    with database.write() as tx, pytest.raises((ValueError, sa.exc.StatementError), match="offset"):
        tx.insert(things, org="a", n=1, at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_ids_are_opaque_and_do_not_repeat():
    ids = {new_id("s") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(i) == 14 for i in ids)
