"""Counting and recoding: whatever the batches, each row is counted once and comes out as its node says."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidentify.tables import FEW, hierarchies, table_of
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.counting import Columns
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.rows.recoding import FullDomain
from epilock.errors import InputError


def columns_of(hs, sensitive=()):
    return Columns(Packing.of([Hierarchy.from_rows(a, rows) for a, rows in hs.items()]), sensitive)


@st.composite
def tables(draw, attributes=3, values=5, most=20):
    hs = {f"q{a}": draw(hierarchies(prefix=f"{a}.", values=values)) for a in range(attributes)}
    one = st.tuples(
        *(st.sampled_from([r[0] for r in h]) for h in hs.values()), st.sampled_from("xyz")
    )
    return hs, draw(st.lists(one, min_size=1, max_size=most)), draw(st.integers(1, 7))


def arrow(hs, rows):
    return table_of(
        {
            **{a: [row[i] for row in rows] for i, a in enumerate(hs)},
            "s": [row[-1] for row in rows],
        }
    )


@FEW
@given(made=tables())
def test_every_row_is_counted_once(made):
    """Combinations, their counts and their sensitive values are those of a plain count."""
    hs, rows, size = made
    columns = columns_of(hs, ("s",))
    counted = counting.count(arrow(hs, rows).to_batches(max_chunksize=size), columns)
    classes, packing = counted.classes, columns.packing
    seen = Counter()
    histogram = classes.histograms[0]
    for c in range(len(classes)):
        key = tuple(
            h.forms[0][packing.codes(classes.keys, a)[c]] for a, h in enumerate(columns.quasi)
        )
        for j in range(histogram.starts[c], histogram.starts[c + 1]):
            seen[*key, counted.values[0][histogram.values[j]]] += int(histogram.rows[j])
        assert sum(n for k, n in seen.items() if k[:-1] == key) == classes.counts[c]
    assert seen == Counter(rows)


@FEW
@given(made=tables(), seed=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made, seed):
    hs, rows, size = made
    columns = columns_of(hs, ("s",))
    mixed = list(rows)
    seed.shuffle(mixed)
    one = counting.count(arrow(hs, rows).to_batches(), columns).classes
    two = counting.count(arrow(hs, mixed).to_batches(max_chunksize=size), columns).classes
    assert [w.tolist() for w in one.keys] == [w.tolist() for w in two.keys]
    assert one.counts.tolist() == two.counts.tolist()
    assert one.histograms[0].rows.tolist() == two.histograms[0].rows.tolist()


@FEW
@given(made=tables(), data=st.data())
def test_a_roll_up_is_the_same_from_any_node_below(made, data):
    """Classes at a node do not depend on the node from which they were rolled up."""
    hs, rows, _ = made
    columns = columns_of(hs, ("s",))
    finest = counting.count(arrow(hs, rows).to_batches(), columns).classes
    low = [data.draw(st.integers(0, h.height)) for h in columns.quasi]
    high = [data.draw(st.integers(at, h.height)) for at, h in zip(low, columns.quasi, strict=True)]
    one, two = finest.rolled_up(high), finest.rolled_up(low).rolled_up(high)

    def told(classes):
        found = classes.histograms[0]
        return {
            tuple(int(w[c]) for w in classes.keys): (
                int(classes.counts[c]),
                sorted(zip(
                    found.values[found.starts[c] : found.starts[c + 1]].tolist(),
                    found.rows[found.starts[c] : found.starts[c + 1]].tolist(),
                    strict=True,
                )),
            )
            for c in range(len(classes))
        }  # fmt: skip

    assert told(one) == told(two)


@FEW
@given(made=tables(attributes=2), data=st.data())
def test_the_release_is_the_node_less_what_is_suppressed(made, data):
    """Each kept row has its forms; rows of suppressed classes are gone; unnamed columns are left out."""
    hs, rows, size = made
    columns = columns_of(hs)
    finest = counting.count(arrow(hs, rows).to_batches(), columns).classes
    levels = [data.draw(st.integers(0, h.height)) for h in columns.quasi]
    node = finest.rolled_up(levels)
    fails = node.counts < 2
    keep = data.draw(st.sampled_from([(), ("s",)]))
    recoding = FullDomain.of(columns, node, fails, keep)
    out = []
    first = 0
    for batch in arrow(hs, rows).to_batches(max_chunksize=size):
        out += recoding.recode(batch, first).to_pylist()
        first += batch.num_rows
    of = [{r[0]: r[level] for r in h} for h, level in zip(hs.values(), levels, strict=True)]
    forms = [tuple(of[a][row[a]] for a in range(len(of))) for row in rows]
    many = Counter(forms)
    wanted = [
        {**dict(zip(hs, form, strict=True)), **({"s": row[-1]} if keep else {})}
        for form, row in zip(forms, rows, strict=True)
        if many[form] >= 2
    ]
    assert out == wanted


def test_keys_of_more_than_one_word():
    """Attributes that need more than 64 bits together are told apart as well."""
    hs = {f"q{a}": [[f"{i}", f"{i // 10}", "*"] for i in range(300)] for a in range(9)}
    columns = columns_of(hs)
    assert columns.packing.words == 2
    rows = [tuple(str((i * (a + 3)) % 300) for a in range(9)) for i in range(300)] * 2
    finest = counting.count(
        table_of({f"q{a}": [r[a] for r in rows] for a in range(9)}).to_batches(), columns
    ).classes
    assert (finest.counts == 2).all()
    assert len(finest) == 300
    top = finest.rolled_up([2] * 9)
    assert top.counts.tolist() == [600]
    middle = finest.rolled_up([1] * 9)
    assert len(middle) == len({tuple(int(v) // 10 for v in r) for r in rows})


class TestRefusals:
    HS = {"age": [["30", "*"], ["31", "*"]]}  # noqa: RUF012 - never changed

    @pytest.mark.parametrize("chunk", [1, 2, 10])
    def test_a_value_that_the_hierarchy_lacks(self, chunk):
        """Row and column are named, the value is not, whatever the batch it came in."""
        table = table_of({"age": ["30", "31", "30", "977"]})
        with pytest.raises(InputError, match="row 4, column age: the value is missing") as caught:
            counting.count(table.to_batches(max_chunksize=chunk), columns_of(self.HS))
        assert "977" not in str(caught.value)

    def test_nothing_where_a_value_should_be(self):
        table = pa.table({"age": pa.array(["30", None])})
        with pytest.raises(InputError, match="row 2, column age: nothing is given"):
            counting.count(table.to_batches(), columns_of(self.HS))

    def test_a_column_that_is_not_there(self):
        with pytest.raises(InputError, match="0 columns named age"):
            counting.count(table_of({"sex": ["m"]}).to_batches(), columns_of(self.HS))

    def test_a_population_that_lacks_rows(self):
        with pytest.raises(InputError, match="must hold every row"):
            counting.count(
                table_of({"age": ["30", "30"]}).to_batches(),
                columns_of(self.HS),
                population=table_of({"age": ["30", "31"]}).to_batches(),
            )

    def test_numbers_are_read_as_the_hierarchy_writes_them(self):
        """A Parquet column of integers has the values 30 and 31."""
        table = pa.table({"age": np.array([30, 31, 30])})
        found = counting.count(table.to_batches(), columns_of(self.HS)).classes
        assert sorted(found.counts.tolist()) == [1, 2]
