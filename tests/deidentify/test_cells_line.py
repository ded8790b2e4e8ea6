"""What leaves of a table: no small number, and none that subtraction gives."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.deidentify.cells.line import SMALLEST, Table, is_small, suppress

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), max_size=8)


class TestOneTable:
    def test_nothing_small_nothing_hidden(self):
        table = suppress({"a": 10, "b": 200})
        assert (table.cells, table.others, table.total) == ({"a": 10, "b": 200}, 0, 210)

    def test_one_small_cell_takes_the_next_with_it(self):
        """Else it would be the total less the others."""
        table = suppress({"a": 3, "b": 40, "c": 20})
        assert (table.cells, table.others) == ({"b": 40}, 23)

    def test_two_small_cells_that_are_small_together(self):
        assert suppress({"a": 2, "b": 3, "c": 20, "d": 50}).cells == {"d": 50}

    def test_two_small_cells_that_are_not(self):
        table = suppress({"a": 6, "b": 7, "c": 20})
        assert (table.cells, table.others) == ({"c": 20}, 13)

    @pytest.mark.parametrize("counts", [{"a": 3}, {"a": 3, "b": 4}, {}])
    def test_where_nothing_can_be_shown(self, counts):
        table = suppress(counts)
        assert table.cells == {}
        assert table.total in {None, 0}

    @given(COUNTS)
    def test_no_number_that_leaves_is_small(self, counts):
        table = suppress(counts)
        assert not any(map(is_small, table.cells.values()))
        assert table.others is None or not is_small(table.others)
        assert all(counts[value] == n for value, n in table.cells.items())

    @given(COUNTS)
    def test_a_small_cell_is_never_the_only_one_that_fits(self, counts):
        """Whoever knows the whole table but two hidden cells can't tell which of them is small."""
        table = suppress(counts)
        hidden = [n for value, n in counts.items() if n and value not in table.cells]
        assert table.others is None or len(hidden) != 1
        if table.others is not None and any(map(is_small, hidden)):
            others = [
                pair
                for pair in product(range(1, table.others), repeat=2)
                if sum(pair) == table.others
            ]
            assert len(others) > 1


class TestBesideEarlierTables:
    def test_a_cell_that_grew_by_few_is_hidden(self):
        before = Table(cells={"positive": 30, "negative": 200}, others=0)
        now = suppress({"positive": 32, "negative": 240}, [before])
        assert "positive" not in now.cells

    def test_one_that_grew_by_many_is_shown(self):
        before = Table(cells={"positive": 30, "negative": 200}, others=0)
        counts = {"positive": 45, "negative": 240}
        assert suppress(counts, [before]).cells == counts

    def test_the_same_again_is_the_same(self):
        counts = {"a": 6, "b": 7, "c": 20}
        assert suppress(counts, [suppress(counts)]) == suppress(counts)

    def test_a_total_that_differs_by_few_shows_nothing(self):
        """A person withdrew between the two."""
        before = Table(cells={"a": 30, "b": 20}, others=0)
        assert suppress({"a": 29, "b": 20}, [before]) == Table(cells={}, others=None)

    def test_what_is_hidden_differs_by_few(self):
        before = Table(cells={"a": 50, "b": 60}, others=15)
        now = suppress({"a": 80, "b": 90, "c": 8, "d": 9}, [before])
        assert now.others is None or abs(now.others - 15) >= SMALLEST

    @given(COUNTS, COUNTS)
    def test_no_difference_of_two_tables_is_small(self, first, more):
        one = suppress(first)
        both = {v: first.get(v, 0) + more.get(v, 0) for v in first | more}
        two = suppress(both, [one])
        for value in one.cells.keys() & two.cells.keys():
            assert not is_small(two.cells[value] - one.cells[value])
        if one.total is not None and two.total is not None:
            assert not is_small(two.total - one.total)
        if one.others is not None and two.others:
            assert not is_small(two.others - one.others)
