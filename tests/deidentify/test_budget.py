"""What a budget promises: paid before told, never overdrawn, told once; on both databases."""

import multiprocessing
import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from epilock import inventory
from epilock.db import Database, open_engine
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.answer import answer
from epilock.deidentify.noise.budget import Account, Book
from epilock.deidentify.noise.query import MICRO, Count, Request
from epilock.errors import BudgetError, ConflictError, EntryError, InputError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.note import Signer

ORIGIN = "log.example/epilock"
ACCOUNT = Account(org="jn-cdc", dataset="cases", purpose="situation-monitoring", recipient="public")
TABLE = pa.table({"age": pa.array([30, 40, 50])})
QUARTER = Request(query=Count(), epsilon=MICRO // 4)
MAC_KEY = bytes(range(32))
NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def made_book():
    log = Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, bytes(range(32))))
    return Book(log=log, standard_ref="2026.1+0123456789abcdef")


@pytest.fixture
def book():
    return made_book()


@pytest.fixture
def opened(database, book, clock):
    """A dataset with 4 epsilon, of which the public has 1."""
    with database.write() as tx:
        budget.declare(
            tx, book, org="jn-cdc", dataset="cases", ceiling=4 * MICRO, by="s-1", now=clock()
        )
        budget.allot(tx, book, ACCOUNT, MICRO, by="s-1", now=clock())
    return database


def ask(database, book, clock, release="q-1", **change):
    values = {"account": ACCOUNT, "request": QUARTER, "read": lambda: TABLE, "by": "s-2"} | change
    request, read = values["request"], values["read"]
    told, _ = budget.ask(
        database, book, values["account"], requests={release: request}, by=values["by"], now=clock(),
        draw=lambda fresh: {name: answer(request, read()) for name in fresh},
    )  # fmt: skip
    return told[release]


def left(database, account=ACCOUNT):
    with database.read() as tx:
        return budget.load(tx, account).left


def entries(database, book, kind):
    with database.read() as tx:
        told = [entry.decode(e) for e in book.log.entries(tx, 0, 1000)]
    return [said for said in told if entry.kind(said) == kind]


class TestPaying:
    def test_an_answer_costs_what_was_said(self, opened, book, clock):
        said = ask(opened, book, clock)
        assert said.epsilon == MICRO // 4
        assert left(opened) == 3 * MICRO // 4
        (paid,) = entries(opened, book, "noisy-release")
        assert (paid.query, paid.epsilon, paid.by) == (QUARTER.sha256, MICRO // 4, "s-2")

    def test_it_is_paid_before_the_data_is_read(self, opened, book, clock):
        def read():
            assert left(opened) == 3 * MICRO // 4
            assert len(entries(opened, book, "noisy-release")) == 1
            return TABLE

        assert ask(opened, book, clock, read=read)

    def test_to_the_last_micro_epsilon(self, opened, book, clock):
        for n in range(4):
            ask(opened, book, clock, f"q-{n}")
        assert left(opened) == 0
        with pytest.raises(BudgetError, match="told all it may"):
            ask(opened, book, clock, "q-4", request=replace(QUARTER, epsilon=1))

    def test_a_refusal_says_what_is_left_and_what_it_would_buy(self, opened, book, clock):
        ask(opened, book, clock, "q-0", request=replace(QUARTER, epsilon=900_000))
        with pytest.raises(BudgetError) as refused:
            ask(opened, book, clock)
        assert str(refused.value) == (
            "cases of jn-cdc, for situation-monitoring to public has 0.1 of 1 epsilon left, and this "
            "asks for 0.25; for 0.1 it would be answered with ±30 at 95 % instead of ±12 at 95 %"
        )
        assert left(opened) == 100_000

    def test_who_has_no_account_gets_nothing(self, opened, book, clock):
        other = replace(ACCOUNT, recipient="jinan")
        with pytest.raises(NotFoundError, match="nothing was allotted"):
            ask(opened, book, clock, account=other)

    def test_an_id_that_is_none_costs_nothing(self, opened, book, clock):
        with pytest.raises(EntryError):
            ask(opened, book, clock, release="Not An Id")
        assert left(opened) == MICRO


class TestAgain:
    def test_the_same_answer_and_no_charge(self, opened, book, clock):
        def read():
            raise AssertionError("read again")

        first = ask(opened, book, clock)
        assert ask(opened, book, clock, read=read) == first
        assert left(opened) == 3 * MICRO // 4

    @pytest.mark.parametrize("change", [
        {"request": replace(QUARTER, epsilon=1000)}, {"by": "s-3"},
        {"account": replace(ACCOUNT, recipient="jinan")},
    ])  # fmt: skip
    def test_an_id_stands_for_one_question(self, opened, book, clock, change):
        ask(opened, book, clock)
        with opened.write() as tx:
            budget.allot(
                tx, book, replace(ACCOUNT, recipient="jinan"), MICRO, by="s-1", now=clock()
            )
        with pytest.raises(ConflictError, match="another question"):
            ask(opened, book, clock, **change)

    def test_what_was_paid_for_is_listed(self, opened, book, clock):
        first, second = (ask(opened, book, clock, f"q-{n}") for n in (1, 2))
        with opened.read() as tx:
            listed = budget.releases(tx, ACCOUNT)
        assert [r.answer for r in listed] == [first, second]
        assert listed[0].request.startswith('{"contributions":1,"epsilon":250000')


class TestCrash:
    def test_between_charge_and_answer_loses_budget(self, opened, book, clock):
        def crash():
            raise OSError("power cut")

        with pytest.raises(OSError, match="power cut"):
            ask(opened, book, clock, read=crash)
        assert left(opened) == 3 * MICRO // 4

    def test_and_is_taken_up_again_without_paying_twice(self, opened, book, clock):
        def crash():
            raise OSError("power cut")

        with pytest.raises(OSError, match="power cut"):
            ask(opened, book, clock, read=crash)
        assert ask(opened, book, clock)
        assert left(opened) == 3 * MICRO // 4

    def test_a_charge_that_does_not_commit_leaves_nothing(self, opened, book, clock):
        def run():
            with opened.write() as tx:
                budget.charge(
                    tx, book, ACCOUNT, release="q-1", request=QUARTER, by="s-2", now=clock()
                )
                raise OSError("no")

        with pytest.raises(OSError, match="no"):
            run()
        assert left(opened) == MICRO
        assert entries(opened, book, "noisy-release") == []

    def test_of_two_who_draw_for_one_charge_one_answer_leaves(self, opened, book, clock):
        """Two draws for one price would be half the noise."""
        with opened.write() as tx:
            charged = budget.charge(
                tx, book, ACCOUNT, release="q-1", request=QUARTER, by="s-2", now=clock()
            )
        drawn = [answer(QUARTER, TABLE) for _ in range(5)]
        kept = []
        for each in drawn:
            with opened.write() as tx:
                kept.append(budget.keep(tx, charged, each))
        assert kept == [drawn[0]] * 5


def _spend(url, names, results):
    database = Database(open_engine(url), MAC_KEY)
    book = made_book()
    for name in names:
        try:
            ask(database, book, lambda: NOW, name)
            results.put((name, "paid"))
        except BudgetError:
            results.put((name, "refused"))
    database.close()


class TestMany:
    def test_processes_never_overdraw(self, opened, database_url):
        """Two processes want ten answers; four are paid for."""
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        names = [[f"a-{n}" for n in range(5)], [f"b-{n}" for n in range(5)]]
        started = [
            context.Process(target=_spend, args=(database_url[0], n, results)) for n in names
        ]
        for each in started:
            each.start()
        told = [results.get(timeout=60) for _ in range(10)]
        for each in started:
            each.join(60)
        assert sorted(what for _, what in told) == ["paid"] * 4 + ["refused"] * 6
        assert left(opened) == 0

    def test_threads_that_ask_the_same_pay_once(self, opened, book, clock):
        said = []

        def run():
            said.append(ask(opened, book, clock))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert said == [said[0]] * 4
        assert left(opened) == 3 * MICRO // 4


class TestAllotting:
    def test_accounts_are_taken_out_of_the_whole(self, opened, book, clock):
        """Recipients who put their answers together know no more than the ceiling."""
        jinan = replace(ACCOUNT, recipient="jinan")
        said = "leaves 3 epsilon: jinan can have at most 3 in all"
        with pytest.raises(BudgetError, match=said), opened.write() as tx:
            budget.allot(tx, book, jinan, 3 * MICRO + 1, by="s-1", now=clock())
        with opened.write() as tx:
            assert budget.allot(tx, book, jinan, 3 * MICRO, by="s-1", now=clock()).left == 3 * MICRO
        with pytest.raises(BudgetError, match="at most 1 in all"), opened.write() as tx:
            budget.allot(tx, book, ACCOUNT, 2 * MICRO, by="s-1", now=clock())

    def test_more_later(self, opened, book, clock):
        ask(opened, book, clock)
        with opened.write() as tx:
            found = budget.allot(tx, book, ACCOUNT, 2 * MICRO, by="s-1", now=clock())
        assert (found.allotted, found.spent) == (2 * MICRO, MICRO // 4)

    def test_never_less(self, opened, book, clock):
        with pytest.raises(InputError, match="only grows"), opened.write() as tx:
            budget.allot(tx, book, ACCOUNT, MICRO, by="s-1", now=clock())

    def test_a_ceiling_is_said_once(self, opened, book, clock):
        with pytest.raises(ConflictError), opened.write() as tx:
            budget.declare(
                tx, book, org="jn-cdc", dataset="cases", ceiling=9 * MICRO, by="s-1", now=clock()
            )

    @pytest.mark.parametrize("ceiling", [0, 1000 * MICRO + 1])
    def test_a_ceiling_that_is_none(self, database, book, clock, ceiling):
        with pytest.raises(InputError, match="ceiling"), database.write() as tx:
            budget.declare(
                tx, book, org="jn-cdc", dataset="cases", ceiling=ceiling, by="s-1", now=clock()
            )

    def test_a_dataset_without_one(self, database, book, clock):
        with pytest.raises(NotFoundError, match="declare it first"), database.write() as tx:
            budget.allot(tx, book, ACCOUNT, MICRO, by="s-1", now=clock())

    def test_each_is_witnessed(self, opened, book):
        told = [
            (b.purpose, b.recipient, b.epsilon) for b in entries(opened, book, "privacy-budget")
        ]
        assert told == [
            (None, None, 4 * MICRO), ("situation-monitoring", "public", MICRO)
        ]  # fmt: skip


class TestRegister:
    def test_silence(self, opened, book, clock):
        ask(opened, book, clock)
        assert list(inventory.check(opened, book.log)) == []

    @pytest.mark.parametrize("table", ["privacy_datasets", "privacy_budgets", "noisy_releases"])
    def test_a_deleted_row_is_named(self, opened, book, clock, table):
        ask(opened, book, clock)
        with opened.write() as tx:
            tx.conn.execute(sa.text(f"DELETE FROM {table}"))
        (damage,) = inventory.check(opened, book.log)
        assert damage.row.startswith(table)

    def test_a_budget_put_back_as_it_was_is_named(self, opened, book, clock):
        with opened.read() as tx:
            before = tx.conn.execute(sa.text("SELECT spent, mac FROM privacy_budgets")).one()
        ask(opened, book, clock)
        with opened.write() as tx:
            tx.conn.execute(
                sa.text("UPDATE privacy_budgets SET spent = :spent, mac = :mac"), before._asdict()
            )
        (damage,) = inventory.check(opened, book.log)
        assert "another spent" in damage.problem


@pytest.mark.parametrize(("micro", "text"), [(250_000, "0.25"), (1, "0.000001"), (4 * MICRO, "4")])
def test_epsilon_as_people_write_it(micro, text):
    assert budget.shown(micro) == text
    assert Decimal(text) * MICRO == micro
