"""What a published table promises: of no small cell can a reader tell that it is one."""

import subprocess
import sys
from itertools import product

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.deidentify.cells import audit as auditing
from epilock.deidentify.cells.audit import Interval, audit, intervals
from epilock.deidentify.cells.grid import Grid, as_table, count, grid
from epilock.deidentify.cells.protect import protect
from epilock.deidentify.cells.rounding import round_to
from epilock.errors import InputError, RefusedError


def made(*sizes, counts):
    """A grid of these sizes; ``counts`` fill it in order."""
    dimensions = {f"d{k}": [f"{k}.{i}" for i in range(n)] for k, n in enumerate(sizes)}
    cells = product(*(range(n) for n in sizes))
    return grid(dimensions, dict(zip(cells, counts, strict=True)))


def adds_up(of, numbers):
    return all(sum(numbers[c] for c in line) == numbers[total] for line, total in of.equations())


def hidden_of(protected):
    return protected.small | protected.complementary


SIZES = st.sampled_from([(4,), (2, 3), (3, 3), (2, 2, 3)])


@st.composite
def grids(draw, sizes=SIZES, most=30):
    size = draw(sizes)
    cells = 1
    for n in size:
        cells *= n
    return made(*size, counts=draw(st.lists(st.integers(0, most), min_size=cells, max_size=cells)))


class TestGrid:
    def test_totals_are_added(self):
        of = made(2, 2, counts=[1, 2, 3, 4])
        assert (of.counts[0, 2], of.counts[2, 0], of.counts[2, 2]) == (3, 4, 10)
        assert of.name((0, 2)) == {"d0": "0.0", "d1": "total"}

    @given(grids())
    def test_every_line_adds_up(self, of):
        assert adds_up(of, of.counts)

    def test_rows_are_counted(self):
        table = pa.table({"sex": ["F", "M", "F"], "area": ["N", "N", "S"], "name": ["x", "y", "z"]})
        of = count(table, {"sex": ["F", "M"], "area": ["N", "S"]})
        assert [of.counts[c] for c in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 2))] == [1, 1, 1, 0, 3]

    def test_a_value_that_is_no_category_is_named_by_its_row(self):
        with pytest.raises(InputError, match="row 2: column sex") as refused:
            count(pa.table({"sex": ["F", "Zhang San"]}), {"sex": ["F", "M"]})
        assert "Zhang" not in str(refused.value)

    @pytest.mark.parametrize(
        ("dimensions", "inner"),
        [
            ({}, {}), ({"a": []}, {}), ({"a": ["x", "x"]}, {}), ({"a": ["total"]}, {}),
            ({"count": ["x"]}, {}), ({n: ["x"] for n in "abcd"}, {}), ({"a": ["x"]}, {(1,): 3}),
            ({"a": ["x"]}, {(0,): -3}), ({"a": ["x"]}, {(0, 0): 3}),
            ({"a": [str(i) for i in range(20_000)]}, {}),
        ],
    )  # fmt: skip
    def test_what_is_no_table(self, dimensions, inner):
        with pytest.raises(InputError):
            grid(dimensions, inner)

    def test_a_missing_column(self):
        with pytest.raises(InputError, match="exactly one column sex"):
            count(pa.table({"a": ["x"]}), {"sex": ["F"]})


def tables(of, hidden):
    """Every table with the shown numbers, by brute force; what is hidden are no totals."""
    sizes = [len(categories) for categories in of.dimensions.values()]
    inner = {c: of.counts[c] for c in product(*map(range, sizes))}
    lines = [total for line, total in of.equations() if set(line) & set(hidden)]
    most = max(of.counts[total] for total in lines if sum(map(int.__eq__, total, sizes)) == 1)
    for values in product(range(1, most + 1), repeat=len(hidden)):
        other = grid(of.dimensions, inner | dict(zip(hidden, values, strict=True)))
        if all(other.counts[total] == of.counts[total] for total in lines):
            yield {c: other.counts[c] for c in hidden}


class TestAudit:
    @pytest.mark.parametrize(
        ("of", "hidden"),
        [
            (made(4, counts=[3, 4, 2, 8]), [(0,), (1,), (2,)]),
            (made(2, 2, counts=[1, 3, 2, 4]), [(0, 0), (0, 1), (1, 0), (1, 1)]),
            (made(3, 2, counts=[1, 3, 2, 2, 4, 4]), [(0, 0), (0, 1), (1, 0), (1, 1)]),
            (made(2, 2, 2, counts=[1, 1, 1, 2, 1, 1, 1, 1]), list(product(range(2), repeat=3))),
        ],
    )
    def test_is_what_counting_all_tables_gives(self, of, hidden):
        found = list(tables(of, hidden))
        for cell, interval in intervals(of, hidden).items():
            values = [t[cell] for t in found]
            assert interval == Interval(min(values), max(values))

    def test_one_hidden_cell_is_computed(self):
        of = made(2, 2, counts=[3, 40, 50, 60])
        assert intervals(of, [(0, 0)]) == {(0, 0): Interval(3, 3)}
        with pytest.raises(RefusedError, match=r"1 small cells .*: 0\.0, 1\.0"):
            audit(of, [(0, 0)])

    def test_a_small_cell_that_is_shown(self):
        with pytest.raises(RefusedError, match="small cells"):
            audit(made(3, counts=[3, 40, 50]), [(1,), (2,)])

    def test_too_narrow(self):
        """Two cells of 5 and 6: each is from 1 to 10, and could be 10."""
        audit(made(3, counts=[5, 6, 50]), [(0,), (1,)])
        with pytest.raises(RefusedError):
            audit(made(3, counts=[5, 5, 50]), [(0,), (1,)])

    def test_nothing_small_nothing_to_hide(self):
        audit(made(2, counts=[10, 0]), [])

    def test_a_hidden_zero_gives_others_away(self):
        with pytest.raises(InputError, match="always shown"):
            intervals(made(3, counts=[0, 3, 20]), [(0,), (1,)])


class TestProtection:
    @given(grids())
    @settings(max_examples=80)
    def test_holds_what_the_audit_asks_for(self, of):
        """And no small cell is shown, and only hidden cells are missing."""
        try:
            found = protect(of)
        except RefusedError:
            return
        audit(of, hidden_of(found))
        assert all(n is None or n == of.counts[c] for c, n in found.shown.items())
        assert not any(n is not None and 0 < n < 10 for n in found.shown.values())

    @given(grids())
    @settings(max_examples=80)
    def test_each_small_cell_has_a_witness(self, of):
        """Checked by adding up, without the solver."""
        try:
            found = protect(of)
        except RefusedError:
            return
        assert found.witnesses.keys() == found.small
        for cell, change in found.witnesses.items():
            other = {c: n + change.get(c, 0) for c, n in of.counts.items()}
            assert adds_up(of, other)
            assert change.keys() <= hidden_of(found)
            assert all(other[c] >= 1 for c in change)
            assert other[cell] == of.counts[cell] + 9

    def test_the_cheapest_partners(self):
        """Of a table in which one cell is small, the smallest that will do go with it."""
        of = made(3, 3, counts=[3, 20, 90, 30, 25, 80, 70, 60, 95])
        found = protect(of)
        assert found.small == {(0, 0)}
        assert found.complementary == {(0, 1), (1, 0), (1, 1)}

    def test_nothing_small(self):
        of = made(2, 2, counts=[10, 11, 0, 13])
        assert hidden_of(protect(of)) == set()

    def test_another_threshold(self):
        of = made(2, 2, counts=[4, 11, 12, 13])
        assert hidden_of(protect(of, smallest=4)) == set()
        assert (0, 0) in protect(of, smallest=5).small
        with pytest.raises(InputError, match="2 at least"):
            protect(of, smallest=1)

    def test_totals_are_hidden_where_nothing_else_helps(self):
        """One person in a whole table: all that could be said of it is how many there are."""
        found = protect(made(2, 2, counts=[1, 0, 0, 0]))
        assert set(found.shown.values()) == {0, None}
        assert found.complementary == set()

    def test_of_three_dimensions(self):
        counts = [(7 * i * i + 3 * i) % 41 for i in range(48)]
        of = made(3, 4, 4, counts=counts)
        found = protect(of)
        assert found.small
        audit(of, hidden_of(found))

    def test_the_same_again(self):
        of = made(3, 4, counts=[(5 * i * i) % 23 for i in range(12)])
        assert protect(of) == protect(of)

    def test_as_a_table(self):
        found = protect(made(2, counts=[4, 30])).table
        assert found.schema.names == ["d0", "count"]
        assert found.to_pylist() == [
            {"d0": "0.0", "count": None}, {"d0": "0.1", "count": None}, {"d0": "total", "count": 34},
        ]  # fmt: skip


class TestRounding:
    @given(grids(), st.sampled_from([3, 5, 10]))
    @settings(max_examples=80)
    def test_is_a_multiple_next_to_it_and_adds_up(self, of, base):
        found = round_to(of, base)
        assert adds_up(of, found)
        farther = [c for c in of.cells if abs(found[c] - of.counts[c]) >= base]
        assert not farther or len(of.dimensions) == 3
        for cell in of.cells:
            assert found[cell] % base == 0
            assert found[cell] >= 0

    def test_the_nearer_one(self):
        of = made(3, counts=[1, 5, 9])
        assert list(round_to(of, 3).values()) == [0, 6, 9, 15]

    def test_a_table_that_has_no_rounding_to_the_next(self):
        """Of three dimensions there are such (Causey, Cox and Ernst 1985): few numbers go farther."""
        of = made(2, 2, 2, counts=[1, 1, 1, 1, 1, 1, 1, 1])
        found = round_to(of, 2)
        assert adds_up(of, found)

    @pytest.mark.parametrize("base", [0, 1, 1001])
    def test_a_base_that_is_none(self, base):
        with pytest.raises(InputError, match="base"):
            round_to(made(2, counts=[1, 2]), base)


def test_a_table_of_what_is_rounded():
    of = made(2, counts=[4, 30])
    assert as_table(of, round_to(of, 5))["count"].to_pylist() == [5, 30, 35]
    assert isinstance(of, Grid)
    assert auditing.most(of) > 68


def test_the_solver_is_silent(capfd):
    """What it prints would stand in a command's JSON."""
    audit(made(3, counts=[5, 6, 50]), [(0,), (1,)])
    assert capfd.readouterr() == ("", "")


def test_without_the_extra_the_program_says_what_to_install():
    code = (
        "import sys; sys.modules['highspy'] = None\n"
        "from epilock.errors import StateError\n"
        "from epilock.deidentify.cells.program import Program\n"
        "try: Program(1, [])\n"
        "except StateError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'epilock[privacy]'" in done.stdout
