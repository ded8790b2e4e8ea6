"""What the database layer promises: both databases, the same rows, and no silent change."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from epilock.db import MOST_ROWS, Instant, Json, Transaction, new_id, sealed_table
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
kinds = sa.Table(
    "test_kinds",
    sa.MetaData(),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("short", sa.String(5)),
    sa.Column("text", sa.Text),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("integer", sa.Integer),
    sa.Column("wide", sa.BigInteger),
    sa.Column("small", sa.SmallInteger),
    sa.Column("yes", sa.Boolean),
)


@pytest.fixture
def database(database):
    things.create(database.engine)
    kinds.create(database.engine)
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


def test_bulk_rows_of_every_kind_come_back_as_they_went_in(database):
    """The ends of each kind, nothing at all, and more rows than one statement takes."""
    full = ("中" * 5, "", b"\0\xff", 2**31 - 1, -(2**63), 2**15 - 1, True)
    low = ("a", "x\n\\N\t", b"", -(2**31), 2**63 - 1, -(2**15), False)
    for rows in ([[None] * 7], [full], [low, [None] * 7, full], [low] * (MOST_ROWS + 1)):
        numbered = [(n, *row) for n, row in enumerate(rows)]
        with database.write() as tx:
            tx.delete(kinds)
            tx.bulk(kinds, numbered)
        with database.read() as tx:
            found = tx.all(kinds, order_by=[kinds.c.n])
        assert [tuple(row.values()) for row in found] == numbered


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "bad",
    [("toolong", *[None] * 6), (*[None] * 3, 2**31, *[None] * 3), (None, "a\0b", *[None] * 5)],
)
def test_a_bulk_row_that_does_not_fit_is_refused_not_cut(database, bad):
    """Where columns have bounds; SQLite's have none."""
    with pytest.raises(sa.exc.DataError), database.write() as tx:
        tx.bulk(kinds, [(0, *bad)])


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
