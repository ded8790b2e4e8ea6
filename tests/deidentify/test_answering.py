"""Answers with noise about a file, its budget in a register; codes in a file; tables of counts of a file."""

import contextlib
import csv
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from epilock.cli.gather import gathered
from epilock.deidentify import declared
from epilock.deidentify.cells import publication
from epilock.deidentify.noise import answering, asked, budget, budget_register
from epilock.deidentify.noise.budget import Account
from epilock.deidentify.noise.query import MICRO
from epilock.deidentify.pseudonyms.coding import pseudonymise_file
from epilock.errors import (
    BudgetError,
    ConflictError,
    EpilockError,
    FileFormatError,
    InputError,
    IntegrityError,
    NotFoundError,
)

HEAD = {
    "dataset": "cases", "release": "day-1", "purpose": "situation-monitoring", "recipient": "public",
}  # fmt: skip
POSITIVE = {
    "name": "positive", "kind": "count", "epsilon": Decimal("0.25"),
    "where": {"result": ["positive"]},
}  # fmt: skip
AGE = {
    "name": "age", "kind": "mean", "column": "age", "lower": 0, "upper": 110, "rows": 1000,
    "epsilon": Decimal("0.5"),
}  # fmt: skip
ACCOUNT = Account(
    org=budget_register.ORG, dataset="cases", purpose="situation-monitoring", recipient="public"
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cases.csv"
    rows = [f"{'positive' if n < 400 else 'negative'},{n % 90 + 1}" for n in range(1600)]
    path.write_text("\n".join(["result,age", *rows, "negative,unknown", "negative,"]) + "\n")
    return path


@pytest.fixture
def register(tmp_path, clock):
    """A register in which the public has 1 epsilon of the cases."""
    folder = tmp_path / "register"
    with budget_register.opened(folder, make=True) as (database, book), database.write() as tx:
        budget.declare(
            tx, book, org=ACCOUNT.org, dataset="cases", ceiling=4 * MICRO, by="system", now=clock()
        )
        budget.allot(tx, book, ACCOUNT, MICRO, by="system", now=clock())
    return folder


@pytest.fixture
def answered(table, register, tmp_path, clock):
    def answered(*questions, out=tmp_path / "answers.csv", **head):
        wanted = asked.parse({**HEAD, **head, "questions": list(questions)})
        with budget_register.opened(register) as (database, book):
            return answering.answer_file(
                table, wanted, out, database=database, book=book, org=ACCOUNT.org, by="system",
                now=clock(), replace=True,
            )  # fmt: skip

    return answered


def left(register):
    with budget_register.opened(register) as (database, _), database.read() as tx:
        return budget.load(tx, ACCOUNT).left


class TestAnswers:
    def test_paid_once_and_given_again(self, answered, register, tmp_path):
        said = answered(POSITIVE, AGE)
        assert abs(said.of["positive"].value - 400) < 100
        assert abs(said.of["age"].value - 45) < 10, "what is no number is left out"
        assert (said.charged, left(register)) == (750_000, 250_000)
        again = answered(POSITIVE, AGE)
        assert (again.of, again.charged) == (said.of, 0)
        rows = rows_of(tmp_path / "answers.csv")
        assert [r["question"] for r in rows] == ["positive", "age"]
        assert Decimal(rows[0]["value"]) == said.of["positive"].value
        assert rows[0]["within"] == "12"

    def test_all_questions_or_none_are_paid(self, answered, register, tmp_path):
        with pytest.raises(BudgetError, match=r"has 0.75 of 1 epsilon left"):
            answered(POSITIVE, {**AGE, "epsilon": 1})
        assert left(register) == MICRO
        assert not (tmp_path / "answers.csv").exists()

    def test_what_is_wrong_without_a_row_costs_nothing(self, answered, register, tmp_path):
        with pytest.raises(InputError, match="exactly one column weight"):
            answered(POSITIVE, {**AGE, "column": "weight"})
        with pytest.raises(InputError, match="suffix"):
            answered(POSITIVE, out=tmp_path / "answers.docx")
        assert left(register) == MICRO

    def test_what_breaks_later_is_paid_once(self, answered, register, table):
        whole = table.read_text()
        table.write_text(whole + "ragged\n")
        with pytest.raises(FileFormatError, match="row 1603"):
            answered(POSITIVE)
        assert left(register) == 750_000
        table.write_text(whole)
        assert answered(POSITIVE).charged == 0

    def test_the_name_of_an_answer_stands_for_one_question(self, answered):
        answered(POSITIVE)
        with pytest.raises(ConflictError, match="another question"):
            answered({**POSITIVE, "epsilon": 1})

    def test_an_error_has_its_price(self):
        (one,) = asked.parse({**HEAD, "questions": [_priced(within=12)]}).asked
        assert 200_000 < one.request.epsilon <= 250_000


def _priced(**price):
    return {k: v for k, v in POSITIVE.items() if k != "epsilon"} | price


class TestRegister:
    def test_none_is_begun_by_mistake(self, tmp_path):
        with pytest.raises(NotFoundError), budget_register.opened(tmp_path / "none"):
            pass
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize("name", ["key", "budgets.sqlite"])
    def test_half_a_register_is_none(self, register, name):
        (register / name).unlink()
        with pytest.raises(IntegrityError, match="put it back"), budget_register.opened(register):
            pass

    def test_only_its_owner_reads_it(self, register):
        assert {p.name: p.stat().st_mode & 0o777 for p in register.iterdir()} == {
            "key": 0o600, "budgets.sqlite": 0o600,
        }  # fmt: skip


class TestQuestions:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"kind": "sums"}, "kind must be one of count, sum, mean, histogram, quantile"),
            ({"epsilon": 0}, "above 0"),
            ({"epsilon": Decimal("0.0000001")}, "six digits"),
            ({"within": 3}, "one of both"),
            ({"epsilon": "1"}, r"questions\[1\].epsilon must be a number"),
            ({"where": ["positive"]}, r"where must be a table"),
            ({"where": {"result": "positive"}}, r"where.result must be a list"),
            ({"column": "age"}, "no key of the configuration"),
            ({"name": "Positive"}, "name must be a code"),
            ({"name": "p" * 60}, "at most 63 characters"),
        ],
    )
    def test_each_mistake_is_named(self, change, why):
        with pytest.raises(InputError, match=why):
            asked.parse({**HEAD, "questions": [POSITIVE | change]})

    def test_a_name_is_used_once(self):
        with pytest.raises(InputError, match="two questions have the name"):
            asked.parse({**HEAD, "questions": [POSITIVE, POSITIVE]})

    @given(st.dictionaries(st.sampled_from((*asked.KEYS, "x")), PLAIN))
    def test_whatever_is_given_is_read_or_refused(self, given):
        for parse in (asked.parse, publication.parse):
            try:
                parse({**HEAD, **given} if parse is asked.parse else given)
            except EpilockError:
                continue

    @given(st.binary(max_size=200))
    def test_any_file_is_toml_or_none(self, tmp_path_factory, data):
        path = tmp_path_factory.getbasetemp() / "any.toml"
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            declared.read(path, number=Decimal)


DIMENSIONS = {"sex": ["F", "M"], "result": ["positive", "negative"]}
COUNTS = "sex,result,n\nF,positive,3\nF,negative,20\nM,positive,30\nM,negative,25\n"


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


class TestSmallCells:
    def publish(self, tmp_path, text, **change):
        (tmp_path / "in.csv").write_text(text)
        wanted = publication.parse({"dimensions": DIMENSIONS, **change})
        out = tmp_path / "out.csv"
        told = publication.publish_file(tmp_path / "in.csv", wanted, out, replace=True)
        return told, [row["count"] for row in rows_of(out)]

    def test_what_is_small_is_hidden_with_what_tells_it(self, tmp_path):
        told, counts = self.publish(tmp_path, COUNTS, count="n")
        assert (told.cells, told.small, told.complementary) == (9, 1, 3)
        assert counts == ["", "", "23", "", "", "55", "33", "45", "78"]

    def test_persons_are_counted(self, tmp_path):
        rows = [("F", "negative")] * 20 + [("M", "positive")] * 30 + [("M", "negative")] * 25
        text = "sex,result,name\n" + "".join(f"{s},{r},x\n" for s, r in rows)
        assert self.publish(tmp_path, text)[1] == [
            "0",
            "20",
            "20",
            "30",
            "25",
            "55",
            "30",
            "45",
            "75",
        ]

    def test_or_rounded(self, tmp_path):
        told, counts = self.publish(tmp_path, COUNTS, count="n", method="round", base=5)
        assert counts == ["5", "20", "25", "30", "25", "55", "35", "45", "80"]
        assert told.farthest == 2

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("X,positive,1", "row 5: column sex"),
            ("F,positive,-1", "row 5: column n"),
            ("F,positive,1e3", "row 5: column n"),
        ],
    )
    def test_a_row_that_is_wrong_is_named(self, tmp_path, line, why):
        with pytest.raises(InputError, match=why):
            self.publish(tmp_path, COUNTS + line + "\n", count="n")
        assert not (tmp_path / "out.csv").exists()

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"base": 1}, "base must be"), ({"method": "hide"}, "one of 'suppress', 'round'"),
            ({"dimensions": {}}, "1 to 3 dimensions"), ({"count": "sex"}, "is a dimension"),
            ({"smallest": 1}, "smallest must be"), ({"cells": 1}, "no key"),
        ],
    )  # fmt: skip
    def test_each_mistake_is_named(self, tmp_path, change, why):
        with pytest.raises(InputError, match=why):
            self.publish(tmp_path, COUNTS, **change)


class TestCodes:
    def test_codes_in_place_of_identifiers_and_all_else_unchanged(self, tmp_path):
        (tmp_path / "in.csv").write_text("phone,age\n138 0013 8000,30\n,31\n+86 13800138000,32\n")
        out = tmp_path / "out.csv"
        rows = pseudonymise_file(tmp_path / "in.csv", {"phone": "phone"}, out, key=bytes(32))
        found = rows_of(out)
        assert rows == 3
        assert found[0]["phone"] == found[2]["phone"] != ""
        assert "138" not in out.read_text()
        assert [(r["age"], bool(r["phone"])) for r in found] == [
            ("30", True), ("31", False), ("32", True),
        ]  # fmt: skip

    def test_what_is_wrong_leaves_no_file(self, tmp_path):
        (tmp_path / "in.csv").write_text(f"phone,age\n1,1\n{'9' * 201},2\n")
        out = tmp_path / "out.csv"
        for columns, why in (
            ({"phone": "phone"}, "column phone: row 2"), ({"mobile": "phone"}, "no column mobile"),
            ({"phone": "telephone"}, "no kind of identifier"),
        ):  # fmt: skip
            with pytest.raises(InputError, match=why):
                pseudonymise_file(tmp_path / "in.csv", columns, out, key=bytes(32))
        assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


class TestTerminal:
    def test_a_dry_run_says_error_and_price_and_charges_nothing(self, table, register, tmp_path):
        config = tmp_path / "q.toml"
        config.write_text(
            'dataset="cases"\nrelease="day-1"\npurpose="situation-monitoring"\nrecipient="public"\n'
            '[[questions]]\nname="positive"\nkind="count"\nepsilon=0.25\nwhere={result=["positive"]}\n'
        )
        words = ["noise", str(table), "--config", str(config), "--register", str(register)]
        done = CliRunner().invoke(gathered(["noise"]), [*words, "--dry-run"])
        assert done.output == (
            "positive: ±12 at 95 %, costs 0.25\nin all: 0.25 epsilon; nothing was charged\n"
            "left: 1 of 1 epsilon\n"
        )
        assert left(register) == MICRO
        assert "name the output" in str(CliRunner().invoke(gathered(["noise"]), words).exception)
