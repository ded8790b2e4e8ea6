"""What can still be read off a release, counted by hand and by plain loops."""

import itertools
import json
import math
from collections import Counter
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify import oracle
from deidentify.tables import ATTRIBUTES, adult, adult_hierarchy, released_adult, table_of
from deidentify.test_attack import AGE, AREA, MATCHERS, recoded
from epilock.deidentify.evaluation import utility
from epilock.deidentify.evaluation.covers import ByHierarchy
from epilock.errors import InputError

BEFORE = table_of({"age": ["31", "38", "44", "47", "47"]})
AFTER = table_of({"age": ["30-39", "30-39", "*", "47"]})


class TestDistributions:
    def test_forms_are_spread_over_what_they_cover(self):
        """30-39 is half 31, half 38; ``*`` a quarter of each of the four values of the table."""
        (found,) = utility.distributions(BEFORE, AFTER, ["age"], MATCHERS)
        spread = {"31": 1.25 / 4, "38": 1.25 / 4, "44": 0.25 / 4, "47": 1.25 / 4}
        was = {"31": 1 / 5, "38": 1 / 5, "44": 1 / 5, "47": 2 / 5}
        assert found.distance == pytest.approx(sum(abs(spread[v] - was[v]) for v in was) / 2)
        assert [bar.label for bar in found.before] == ["47", "31", "38", "44"]
        assert [(bar.label, bar.share) for bar in found.after] == [
            ("30-39", 0.5), ("*", 0.25), ("47", 0.25),
        ]  # fmt: skip
        assert found.numbers_before == utility.Numbers(
            mean=pytest.approx(41.4), quantiles=(31, 38, 44, 47, 47)
        )
        assert found.numbers_after.mean == pytest.approx(sum(int(v) * s for v, s in spread.items()))
        assert found.numbers_after.quantiles == (31, 31, 38, 47, 47)
        assert json.loads(json.dumps(asdict(found)))["column"] == "age"

    def test_the_table_itself_is_at_no_distance(self):
        (found,) = utility.distributions(BEFORE, BEFORE, ["age"], MATCHERS)
        assert found.distance == 0
        assert found.numbers_before == found.numbers_after

    def test_words_have_no_mean(self):
        table = table_of({"says": ["a", "b"]})
        (found,) = utility.distributions(table, table, ["says"], {})
        assert found.numbers_before is None

    def test_a_form_that_covers_nobody(self):
        """A release that is not of this table is named as such."""
        with pytest.raises(InputError, match="1 forms of the release's column age cover no value"):
            utility.distributions(
                BEFORE.slice(0, 2), table_of({"age": ["40-49"]}), ["age"], MATCHERS
            )


class TestMeasures:
    @settings(max_examples=100)
    @given(case=recoded())
    def test_any_recoding_cell_by_cell(self, case):
        """Loss by the share of values behind each cell; rows left out count as lost in full."""
        rows, _, forms = case
        before = table_of({"age": [r[0] for r in rows], "area": [r[1] for r in rows]})
        after = table_of({"age": [f[0] for f in forms], "area": [f[1] for f in forms]})
        domains = {"age": AGE.forms[0], "area": AREA.forms[0]}
        was, found = utility.measures(before, after, ["age", "area"], MATCHERS, domains=domains)
        n, gone = len(rows), len(rows) - len(forms)
        total = 1.0
        for a, h in enumerate((AGE, AREA)):
            behind = 0.0
            for row in forms:
                covered = [
                    v for v, place in h.number_of.items()
                    if any(level[codes[place]] == row[a] for level, codes in zip(h.forms, h.codes, strict=True))
                ]  # fmt: skip
                behind += len(covered) / h.size
            m = n / h.size
            total *= 1 + max(0.0, (behind + gone - m) / (n - m))
        assert found.loss == pytest.approx(math.sqrt(total) - 1)
        classes = Counter(map(tuple, forms))
        assert found.discernibility == sum(c * c for c in classes.values()) + n * gone
        assert found.average_class_size == pytest.approx(n / max(1, len(classes) + (gone > 0)))
        assert (found.rows, found.suppressed, found.classes) == (len(forms), gone, len(classes))
        assert (was.loss, was.suppressed, was.rows) == (0.0, 0, n)

    @pytest.mark.parametrize("name", ["loss", "discernibility", "average-class-size"])
    def test_adult_as_the_search_scores_it(self, name):
        """Measured on the two tables alone, the optimum has the score that the search (and ARX) gives it."""
        table = adult()
        after = released_adult(table, ATTRIBUTES, k=5, name=name)
        matchers = {a: ByHierarchy(adult_hierarchy(a)) for a in ATTRIBUTES}
        domains = {a: m.hierarchy.forms[0] for a, m in matchers.items()}
        _, found = utility.measures(table, after, ATTRIBUTES, matchers, domains=domains)
        score = released_adult(table, ATTRIBUTES, k=5, name=name, scored=True)
        assert getattr(found, name.replace("-", "_")) == pytest.approx(score, rel=1e-9)

    def test_more_rows_than_the_table(self):
        with pytest.raises(InputError, match="the release has 5 rows, the table only 2"):
            utility.measures(BEFORE.slice(0, 2), BEFORE, ["age"], MATCHERS)


def plain_cramer(pairs):
    """Bergsma 2013, from the cells of the whole table, empty ones too."""
    n = len(pairs)
    rows, columns, cells = (
        Counter(a for a, _ in pairs),
        Counter(b for _, b in pairs),
        Counter(pairs),
    )
    chi = sum(
        (cells[a, b] - rows[a] * columns[b] / n) ** 2 / (rows[a] * columns[b] / n)
        for a, b in itertools.product(rows, columns)
    )
    r, c = len(rows), len(columns)
    if n < 2 or min(r, c) < 2:
        return 0.0
    phi = max(0.0, chi / n - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return math.sqrt(min(1.0, phi / least)) if least > 1e-12 else 0.0


class TestDependencies:
    @settings(max_examples=150)
    @given(
        pairs=st.lists(
            st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=40
        )
    )
    def test_cramers_v(self, pairs):
        table = table_of({"p": [a for a, _ in pairs], "q": [b for _, b in pairs]})
        (found,) = utility.dependencies(table, table, ["p", "q"])
        assert found.before == found.after == pytest.approx(plain_cramer(pairs), abs=1e-7)

    def test_a_copy_depends_in_full_and_a_star_on_nothing(self):
        table = table_of({"p": ["a", "b"] * 50, "q": ["x", "y"] * 50})
        stars = table_of({"p": ["*"] * 100, "q": ["x", "y"] * 50})
        (found,) = utility.dependencies(table, stars, ["p", "q"])
        assert (found.before, found.after) == (pytest.approx(1), 0)
        assert found.columns == ("p", "q")


def test_the_oracle_agrees_on_a_full_domain_release():
    """Measures need no engine: brute force's own formula gives the same loss."""
    rows = [["31"], ["38"], ["44"], ["44"]]
    hierarchy = [["31", "30-39", "*"], ["38", "30-39", "*"], ["44", "40-49", "*"], ["47", "40-49", "*"]]  # fmt: skip
    kept = {("30-39",): [0, 1], ("40-49",): [2, 3]}
    after = table_of({"age": ["30-39", "30-39", "40-49", "40-49"]})
    _, found = utility.measures(
        table_of({"age": [r[0] for r in rows]}), after, ["age"], MATCHERS, domains={"age": AGE.forms[0]}
    )  # fmt: skip
    assert found.loss == pytest.approx(
        oracle.cost("loss", rows, [hierarchy], (1,), kept=kept, gone=[])
    )
