"""What an answer with noise promises: its price, its error, and that no row shows.

Where chance decides, the thresholds are so loose that a right program fails less than once in 10**9 runs.
"""

import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.deidentify.noise import query as q
from epilock.deidentify.noise.answer import (
    OTHERS,
    answer,
    as_json,
    epsilon_for,
    from_json,
    preview,
)
from epilock.deidentify.noise.column import numbers
from epilock.deidentify.noise.mechanism import mechanism
from epilock.errors import InputError

TENTHS = Decimal("0.1")
TEMPERATURE = {"column": "t", "lower": Decimal(35), "upper": Decimal(42), "step": TENTHS}
ALL = [
    q.Count(),
    q.Histogram(column="sex", categories=["F", "M"]),
    q.Sum(**TEMPERATURE),
    q.Mean(**TEMPERATURE, rows=1000),
    q.Quantile(column="age", lower=0, upper=110, share=Decimal("0.5")),
]
TABLE = pa.table(
    {
        "age": pa.array([30, 40, None, 200, -5], pa.int16()),
        "t": pa.array([36.6, float("nan"), 38.04, float("inf"), None]),
        "sex": pa.array(["F", "M", "F", None, "X"]).dictionary_encode(),
    }
)


def request(query, epsilon=q.MICRO, **more):
    return q.Request(query=query, epsilon=epsilon, **more)


def name(query):
    return type(query).__name__


class TestPrice:
    @pytest.mark.parametrize("query", ALL, ids=name)
    @pytest.mark.parametrize(
        ("epsilon", "rows"), [(1000, 1), (333_333, 1), (10**6, 3), (10**7, 30)]
    )
    def test_is_what_opendp_says_of_what_is_run(self, query, epsilon, rows):
        """And never more than was asked for, to the last micro-epsilon."""
        made = mechanism(request(query, epsilon, contributions=rows))
        exact = Fraction(made.measure.map(rows)) * q.MICRO
        assert epsilon - 1 < exact <= epsilon
        assert answer(request(query, epsilon, contributions=rows), TABLE).epsilon == epsilon

    @pytest.mark.parametrize("query", ALL[:3] + ALL[4:], ids=name)
    def test_the_error_is_known_before_the_data_is(self, query):
        asked = request(query)
        assert preview(asked) == answer(asked, TABLE).accuracy

    def test_who_has_more_rows_needs_more_noise(self):
        one, ten = (preview(request(q.Count(), contributions=n)).within for n in (1, 10))
        assert ten > 5 * one

    def test_does_not_depend_on_the_data(self):
        """A bound that nobody reaches is paid for all the same."""
        near, far = (
            preview(request(q.Sum(column="age", lower=0, upper=upper))).within
            for upper in (100, 1000)
        )
        assert far > 9 * near


class TestError:
    DRAWS = 1000

    @pytest.mark.parametrize(
        ("query", "rows", "truth"),
        [
            (q.Count(), np.zeros(50, dtype=np.int64), 50),
            (q.Sum(column="x", lower=0, upper=20), np.full(50, 7), 350),
        ],
        ids=["count", "sum"],
    )
    def test_is_as_stated(self, query, rows, truth):
        """19 of 20 answers lie within it; and it is not stated wider than it is."""
        made = mechanism(request(query, 300_000))
        stated = preview(request(query, 300_000)).within
        off = np.array([abs(made.measure(rows) - truth) for _ in range(self.DRAWS)])
        assert (off <= stated).mean() > 0.895
        assert (off <= float(stated) / 2).mean() < 0.9

    def test_of_all_cells_together(self):
        query = q.Histogram(column="sex", categories=list("abcdefghi"))
        made = mechanism(request(query, 300_000))
        stated = preview(request(query, 300_000))
        rows = np.arange(9).repeat(10)
        truth = np.array([10] * 9 + [0])
        off = np.array([np.abs(made.measure(rows) - truth).max() for _ in range(self.DRAWS)])
        assert (off <= float(stated.together)).mean() > 0.895
        assert stated.together > stated.within

    def test_of_a_mean_rests_on_the_answer_alone(self):
        rng = np.random.default_rng(1)
        true = rng.normal(37, 1, 400).clip(35, 42).round(1)
        table = pa.table({"t": true})
        asked = request(q.Mean(**TEMPERATURE, rows=400), 2_000_000)
        held = 0
        for _ in range(60):
            said = answer(asked, table)
            held += abs(float(said.value) - true.mean()) <= float(said.accuracy.within)
        assert held > 40

    def test_of_a_mean_of_nobody_is_everything(self):
        """But where chance counts far more rows than it should; and it is never more than everything."""
        asked = request(q.Mean(**TEMPERATURE, rows=400), 1000)
        said = [answer(asked, TABLE.slice(0, 0)) for _ in range(100)]
        stated = sorted(each.accuracy.within for each in said)
        assert stated[len(stated) // 5] == stated[-1] == 7
        assert all(35 <= each.value <= 42 for each in said)

    def test_of_a_rank(self):
        query = q.Quantile(column="age", lower=0, upper=999, share=Decimal("0.9"))
        made = mechanism(request(query, 500_000))
        stated = float(preview(request(query, 500_000)).within)
        rows = np.arange(1000)
        off = np.array([abs(made.measure(rows) - 900) for _ in range(self.DRAWS)])
        assert (off <= stated + 1).mean() > 0.895

    def test_is_written_for_people(self):
        assert str(preview(request(q.Count(), 250_000))) == "±12 at 95 %"

    def test_the_epsilon_for_an_error(self):
        """The least that does: one micro-epsilon less does not."""
        least = epsilon_for(q.Count(), Decimal(12))
        assert preview(request(q.Count(), least)).within == 12
        assert preview(request(q.Count(), least - 1)).within > 12

    def test_that_no_epsilon_gives(self):
        with pytest.raises(InputError, match="no epsilon"):
            epsilon_for(q.Sum(column="age", lower=0, upper=10**6), Decimal(1))


class TestNeighbours:
    DRAWS = 4000

    @pytest.mark.parametrize(
        ("query", "one", "other"),
        [
            (q.Count(), [0] * 9, [0] * 10),
            (q.Sum(column="x", lower=0, upper=1), [1] * 9, [1] * 10),
            (q.Histogram(column="x", categories=["a"]), [0] * 9, [0] * 9 + [-1]),
            (
                q.Quantile(column="x", lower=0, upper=3, share=Decimal("0.5")),
                [0] * 3,
                [0] * 3 + [3],
            ),
        ],
        ids=lambda v: name(v) if isinstance(v, q.Query) else "",
    )
    def test_can_hardly_be_told_apart(self, query, one, other):
        """No answer is more than e**epsilon times as likely with a person as without."""
        measure = mechanism(request(query)).measure
        seen = []
        for rows in (one, other):
            array = np.array(rows, dtype=np.int64)
            drawn, count = np.unique(
                [str(measure(array)) for _ in range(self.DRAWS)], return_counts=True
            )
            seen.append({k: n / self.DRAWS for k, n in zip(drawn, count, strict=True)})
        common = [k for k in seen[0].keys() & seen[1].keys() if min(s[k] for s in seen) > 0.06]
        assert common
        for k in common:
            assert abs(math.log(seen[0][k] / seen[1][k])) < 1 + 0.6

    @given(
        st.lists(st.one_of(st.none(), st.floats(), st.integers(-(10**9), 10**9).map(float))),
        st.data(),
    )
    @settings(max_examples=60)
    def test_a_row_moves_one_number(self, values, data):
        """Whatever stands in a row, it becomes at most one number, within the bounds; others stay."""
        column = pa.array(values, pa.float64())
        query = q.Sum(**TEMPERATURE)
        found = list(numbers(query, pa.table({"t": column})))
        assert all(350 <= n <= 420 for n in found)
        if values:
            gone = data.draw(st.integers(0, len(values) - 1))
            rest = list(
                numbers(
                    query,
                    pa.table({"t": column.filter(pa.array(i != gone for i in range(len(values))))}),
                )
            )
            at = list(numbers(query, pa.table({"t": column.slice(gone, 1)})))
            before = list(numbers(query, pa.table({"t": column.slice(0, gone)})))
            assert found == before + at + rest[len(before) :]


class TestRows:
    def test_null_and_nan_are_left_out_and_infinity_is_the_bound(self):
        assert list(numbers(q.Sum(**TEMPERATURE), TABLE)) == [366, 380, 420]

    def test_or_count_as_what_was_said(self):
        query = q.Sum(**TEMPERATURE, missing=Decimal(37))
        assert list(numbers(query, TABLE)) == [366, 370, 380, 420, 370]

    def test_what_lies_beyond_counts_as_the_bound(self):
        query = q.Sum(column="age", lower=0, upper=110)
        assert list(numbers(query, TABLE)) == [30, 40, 110, 0]

    def test_where(self):
        query = q.Sum(column="age", lower=0, upper=110, where={"sex": ["F", "X"]})
        assert list(numbers(query, TABLE)) == [30, 0]

    def test_a_category_that_was_not_listed_and_null_are_others(self):
        said = answer(request(ALL[1], q.MOST_EPSILON), pa.concat_tables([TABLE] * 100))
        assert {k: round(n, -1) for k, n in said.value.items()} == {"F": 200, "M": 100, OTHERS: 200}

    @pytest.mark.parametrize(
        ("type_", "value", "text"),
        [(pa.int8(), 3, "3"), (pa.bool_(), True, "true"), (pa.large_string(), "北", "北")],
    )
    def test_categories_of_other_types(self, type_, value, text):
        table = pa.table({"c": pa.array([value], type_)})
        assert list(numbers(q.Histogram(column="c", categories=["z", text]), table)) == [1]

    @pytest.mark.parametrize("type_", [pa.uint64(), pa.decimal128(20, 0), pa.float32(), pa.null()])
    def test_numbers_of_other_types(self, type_):
        table = pa.table({"c": pa.array([None], type_)})
        assert list(numbers(q.Sum(column="c", lower=0, upper=9), table)) == []

    def test_the_largest_numbers_there_are(self):
        table = pa.table({"c": pa.array([2**64 - 1, 0], pa.uint64())})
        assert list(numbers(q.Sum(column="c", lower=0, upper=9), table)) == [9, 0]

    def test_sums_of_the_largest_steps_do_not_overflow(self):
        table = pa.table({"c": pa.array([2**31] * 1000)})
        said = answer(
            request(q.Sum(column="c", lower=-(2**31), upper=2**31), q.MOST_EPSILON), table
        )
        assert abs(said.value - 1000 * 2**31) < 100 * 2**31

    @pytest.mark.parametrize("query", ALL, ids=name)
    def test_an_empty_table_has_an_answer(self, query):
        """A refusal would say that nobody is in it."""
        assert answer(request(query), TABLE.slice(0, 0))

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            (q.Sum(column="sex", lower=0, upper=1), "column sex holds"),
            (q.Histogram(column="t", categories=["1"]), "column t holds double"),
            (q.Count(where={"nobody": ["1"]}), "exactly one column nobody"),
        ],
    )
    def test_what_a_column_is_not(self, query, said):
        with pytest.raises(InputError, match=said):
            answer(request(query), TABLE)


class TestQuestion:
    def test_spelling_never_changes(self):
        """Golden vector: charges that were kept name its hash."""
        query = q.Mean(**TEMPERATURE, rows=10, where={"sex": ["M", "F"]})
        assert q.canonical(request(query, 250_000)) == (
            b'{"contributions":1,"epsilon":250000,"query":{"column":"t","kind":"mean","lower":"35",'
            b'"missing":null,"step":"0.1","upper":"42","where":{"sex":["F","M"]}},"version":1}'
        )

    def test_what_does_not_change_the_answer(self):
        one, other = (
            request(q.Mean(column="t", lower=lower, upper=42, step=step, rows=rows))
            for lower, step, rows in ((Decimal("35.0"), Decimal("0.10"), 10), (35, TENTHS, 20))
        )
        assert one.sha256 == other.sha256

    @pytest.mark.parametrize(
        "change",
        [
            {"lower": 0.5}, {"lower": True}, {"lower": 9, "upper": 9}, {"step": 0}, {"step": Decimal("NaN")},
            {"upper": Decimal("9.5")}, {"upper": 2**31 + 1}, {"missing": 10}, {"column": ""},
            {"where": {"sex": []}}, {"where": {"sex": "F"}}, {"where": {"sex": ["F", "F"]}},
            {"where": {"": ["F"]}},
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, change):
        with pytest.raises(InputError):
            q.Sum(**{"column": "age", "lower": 0, "upper": 9} | change)

    @pytest.mark.parametrize("share", [Decimal(0), Decimal(1), Decimal("0.12345"), 0.5])
    def test_a_share_that_is_none(self, share):
        with pytest.raises(InputError):
            q.Quantile(column="age", lower=0, upper=9, share=share)

    def test_too_many_candidates(self):
        with pytest.raises(InputError, match="larger step"):
            q.Quantile(column="age", lower=0, upper=10_000, share=Decimal("0.5"))

    def test_a_mean_of_no_rows(self):
        with pytest.raises(InputError, match="at least 1"):
            q.Mean(**TEMPERATURE, rows=0)

    @pytest.mark.parametrize(
        "change", [{"epsilon": 0}, {"epsilon": 10**7 + 1}, {"contributions": 0}]
    )
    def test_what_it_cannot_cost(self, change):
        with pytest.raises(InputError):
            q.Request(**{"query": q.Count(), "epsilon": 1} | change)


@pytest.mark.parametrize("query", ALL, ids=name)
def test_what_is_kept_is_what_left(query):
    said = answer(request(query), TABLE)
    assert from_json(as_json(said)) == said


def test_without_the_extra_the_program_says_what_to_install():
    code = (
        "import sys; sys.modules['opendp'] = None; sys.modules['opendp.prelude'] = None\n"
        "from epilock.errors import StateError\n"
        "from epilock.deidentify.noise.answer import preview\n"
        "from epilock.deidentify.noise.query import Count, Request\n"
        "try: preview(Request(query=Count(), epsilon=1))\n"
        "except StateError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'epilock[privacy]'" in done.stdout
