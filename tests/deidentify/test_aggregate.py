"""Micro-aggregation: no number stands for fewer than k rows, and groups are those of the definitions."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.deidentify.microaggregation.aggregate import micro_aggregate, micro_aggregate_table
from epilock.errors import InputError


def by_definition(rows, k):
    """MDAV in plain Python: rows are tuples, scaled as the module says; the groups as sets of row numbers."""
    n, d = len(rows), len(rows[0])
    mean = [sum(r[a] for r in rows) / n for a in range(d)]
    spread = [(sum((r[a] - mean[a]) ** 2 for r in rows) / n) ** 0.5 or 1.0 for a in range(d)]
    at = [tuple((r[a] - mean[a]) / spread[a] for a in range(d)) for r in rows]

    def away(p, q):
        return sum((x - y) ** 2 for x, y in zip(p, q, strict=True))

    left = sorted(range(n), key=lambda i: at[i])
    groups = []

    def take(centre):
        near = sorted(left, key=lambda i: away(at[i], centre))[:k]
        groups.append(set(near))
        left[:] = [i for i in left if i not in near]

    def from_mean():
        middle = tuple(sum(at[i][a] for i in left) / len(left) for a in range(d))
        return at[max(left, key=lambda i: away(at[i], middle))]

    while len(left) >= 3 * k:
        r = from_mean()
        take(r)
        take(at[max(left, key=lambda i: away(at[i], r))])
    if len(left) >= 2 * k:
        take(from_mean())
    groups.append(set(left))
    return groups


def least_variance(column, k):
    """The least sum of squares over all ways to cut the sorted column into groups of k and more."""
    column = sorted(column)
    n, best = len(column), float("inf")
    for many in range(n // k):
        for ends in itertools.combinations(range(k, n - k + 1), many):
            parts = [column[i:j] for i, j in itertools.pairwise((0, *ends, n))]
            if min(map(len, parts)) >= k:
                best = min(best, sum(sum((v - sum(p) / len(p)) ** 2 for v in p) for p in parts))
    return best


def sets(groups):
    found = {}
    for row, group in enumerate(groups.tolist()):
        found.setdefault(group, set()).add(row)
    return sorted(map(sorted, found.values()))


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(*[st.integers(-1000, 1000)] * 3), min_size=4, max_size=40, unique=True),
    k=st.integers(2, 4),
    statistic=st.sampled_from(["mean", "median"]),
)
def test_every_number_stands_for_k_rows(rows, k, statistic):
    """Groups have k to 2k - 1 rows, and each row has its group's statistic."""
    columns = [np.array(c, float) for c in zip(*rows, strict=True)]
    found = micro_aggregate(columns, k, statistic=statistic)
    sizes = np.bincount(found.groups)
    assert k <= found.smallest == sizes.min()
    assert sizes.max() == found.largest <= 2 * k - 1
    for before, after in zip(columns, found.columns, strict=True):
        for group in range(len(sizes)):
            own = before[found.groups == group]
            expected = own.mean() if statistic == "mean" else np.median(own)
            assert after[found.groups == group] == pytest.approx(expected, abs=1e-9)
    assert -1e-9 <= found.lost <= (1 + 1e-9 if statistic == "mean" else 2)


def test_groups_are_those_of_the_definition():
    """MDAV step by step in plain Python, for numbers without ties."""
    lot = np.random.default_rng(7)
    for n, k in ((9, 3), (11, 3), (40, 4), (57, 5)):
        table = lot.normal(size=(n, 2)) * [1, 100]
        found = micro_aggregate(list(table.T), k)
        assert sets(found.groups) == sorted(
            map(sorted, by_definition([tuple(r) for r in table], k))
        )


@settings(max_examples=60)
@given(
    column=st.lists(st.integers(-50, 50), min_size=4, max_size=13),
    k=st.integers(2, 4),
)
def test_one_column_is_grouped_best(column, k):
    """No other groups of k and more lose less variance."""
    numbers = np.array(column, float)
    found = micro_aggregate([numbers], k).columns[0]
    assert np.square(numbers - found).sum() == pytest.approx(least_variance(column, k), abs=1e-6)


def test_the_order_of_rows_does_not_matter():
    lot = np.random.default_rng(3)
    table = lot.normal(size=(50, 3))
    order = lot.permutation(50)
    one = micro_aggregate(list(table.T), 4)
    other = micro_aggregate(list(table[order].T), 4)
    for a, b in zip(one.columns, other.columns, strict=True):
        assert a[order] == pytest.approx(b, abs=1e-12)


def test_many_rows_are_divided_first():
    """More rows than one part holds: groups are as small as ever."""
    lot = np.random.default_rng(5)
    found = micro_aggregate(list(lot.normal(size=(2, 45_001))), 5)
    assert (found.smallest, found.largest <= 9) == (5, True)
    assert found.lost < 0.01


def test_a_table_gets_its_columns_batch_by_batch():
    """Other columns stay; text that is a number is one."""
    table = pa.table({"name": ["a", "b", "c", "d"], "age": ["20", "22", "60", "64"]})
    found = micro_aggregate_table(table, ["age"], 2)
    batches = table.to_batches(max_chunksize=3)
    out = pa.Table.from_batches(
        [found.recode(batches[0], 0), found.recode(batches[1], batches[0].num_rows)]
    )
    assert out.to_pydict() == {"name": ["a", "b", "c", "d"], "age": [21.0, 21.0, 62.0, 62.0]}


class TestRefusals:
    def test_a_value_that_is_no_number(self):
        """Row and column are named, the value is not."""
        table = pa.table({"age": ["20", "about thirty", "60"]})
        with pytest.raises(InputError, match=r"^row 2, column age: the value is no number$"):
            micro_aggregate_table(table, ["age"], 2)

    @pytest.mark.parametrize(
        ("columns", "k", "why"),
        [
            ([], 3, "at least one column"),
            ([[1.0, 2.0], [1.0]], 2, "same number of rows"),
            ([[1.0, float("nan"), 2.0]], 2, "row 2, numeric column 1: a number is missing"),
            ([[1.0, 2.0]], 1, "k must be 2 or more"),
            ([[1.0, 2.0]], 3, "2 rows can't make a group of 3"),
        ],
    )
    def test_the_message_says_what_is_wrong(self, columns, k, why):
        with pytest.raises(InputError, match=why):
            micro_aggregate([np.array(c) for c in columns], k)
