"""Attacks count what a patient person with both tables would count by hand."""

import itertools
import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify.tables import ATTRIBUTES, adult, adult_hierarchy, released_adult, table_of
from epilock.deidentify.evaluation import attack
from epilock.deidentify.evaluation.covers import ByHierarchy, Same
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.errors import InputError

AGE = Hierarchy.from_rows(
    "age", [["31", "30-39", "*"], ["38", "30-39", "*"], ["44", "40-49", "*"], ["47", "40-49", "*"]]
)
AREA = Hierarchy.from_rows("area", [["370102", "3701", "*"], ["370103", "3701", "*"], ["370202", "3702", "*"]])  # fmt: skip
MATCHERS = {"age": ByHierarchy(AGE), "area": ByHierarchy(AREA)}
BEFORE = table_of(
    {
        "age": ["31", "38", "44", "47", "47"],
        "area": ["370102", "370103", "370102", "370202", "370202"],
        "says": ["a", "b", "a", "c", "c"],
    }
)
# Local recoding: the last two rows keep their ages, the first three are one class on other levels.
AFTER = table_of(
    {
        "age": ["*", "*", "*", "47", "47"],
        "area": ["3701", "3701", "3701", "*", "*"],
        "says": ["a", "b", "a", "c", "c"],
    }
)


class TestByHand:
    def test_who_knows_age_finds_forms_of_every_level(self):
        """A person of 47 fits the two rows of 47 and the three of ``*``; one of 31 only those of ``*``."""
        found = attack.linkage(BEFORE, AFTER, ["age", "area"], MATCHERS, threshold=0.3)
        age = found.known[0]
        assert age.columns == ("age",)
        assert age.before == attack.Risk(rows=5, highest=1.0, average=0.8, above=1.0, unique=3)
        assert age.after == attack.Risk(
            rows=5, highest=1 / 3, average=pytest.approx((3 / 3 + 2 / 5) / 5), above=0.6, unique=0
        )

    def test_who_knows_all(self):
        """The classes as the engine would see them: three rows and two."""
        found = attack.linkage(BEFORE, AFTER, ["age", "area"], MATCHERS, threshold=0.3)
        assert found.known[-1].columns == ("age", "area")
        assert found.known[-1].after == attack.Risk(
            rows=5, highest=0.5, average=pytest.approx(2 / 5), above=1.0, unique=0
        )
        assert found.worst(2) is found.known[-1]
        assert json.loads(json.dumps(asdict(found)))["known"][-1]["after"]["highest"] == 0.5

    def test_the_population_hides(self):
        """A journalist who looks for one of ten people finds each row ten times over."""
        people = pa.concat_tables([BEFORE] * 2)
        found = attack.linkage(
            BEFORE, AFTER, ["age", "area"], MATCHERS, threshold=0.3, population=people
        )
        journalist = found.known[-1].journalist
        assert journalist == attack.Risk(
            rows=5, highest=0.25, average=pytest.approx((3 / 6 + 2 / 4) / 5), above=0.0, unique=0
        )

    def test_rows_left_out_are_nobody_in_the_release(self):
        """Without the last row who is 47 in Qingdao is found for certain, and there are four people."""
        found = attack.linkage(
            BEFORE, AFTER.slice(0, 4), ["age", "area"], MATCHERS, threshold=0.3,
            released=np.array([True] * 4 + [False]),
        )  # fmt: skip
        assert (found.known[-1].after.rows, found.known[-1].after.unique) == (4, 1)

    def test_who_fits_nothing_is_not_in_it(self):
        """Which rows were left out is seen from the release if they look like no other."""
        found = attack.linkage(BEFORE, AFTER.slice(0, 3), ["age", "area"], MATCHERS, threshold=0.3)
        assert found.known[-1].after.rows == 3

    def test_an_empty_release_endangers_nobody(self):
        found = attack.linkage(BEFORE, AFTER.slice(0, 0), ["age", "area"], MATCHERS, threshold=0.3)
        assert found.known[0].after == attack.Risk(
            rows=0, highest=0.0, average=0.0, above=0.0, unique=0
        )


class TestChoice:
    def test_all_subsets_of_each_size_and_all_columns(self):
        subsets, looked = attack.choose(4, 2, 100, seed=1)
        assert subsets[:4] == [(0,), (1,), (2,), (3,)]
        assert subsets[4:10] == list(itertools.combinations(range(4), 2))
        assert subsets[10:] == [(0, 1, 2, 3)]
        assert [(each.size, each.looked_at) for each in looked] == [(1, 4), (2, 6), (4, 1)]

    def test_beyond_the_limit_subsets_are_drawn_and_counted(self):
        """The same seed draws the same ones; what was not looked at can be read off."""
        subsets, looked = attack.choose(20, 4, 300, seed=7)
        assert [(each.subsets, each.looked_at) for each in looked] == [
            (20, 20), (190, 93), (1140, 93), (4845, 94), (1, 1),
        ]  # fmt: skip
        assert len(set(subsets)) == len(subsets) == sum(each.looked_at for each in looked)
        assert attack.choose(20, 4, 300, seed=7) == (subsets, looked)
        assert attack.choose(20, 4, 300, seed=8) != (subsets, looked)

    def test_one_column(self):
        assert attack.choose(1, 3, 100, seed=0)[0] == [(0,)]


class TestRefusals:
    def test_a_form_of_another_hierarchy(self):
        """The message counts forms and names the column, never a form."""
        after = table_of({"age": ["30-34"], "area": ["*"]})
        with pytest.raises(InputError, match="1 forms of the release's column age") as refused:
            attack.linkage(BEFORE, after, ["age", "area"], MATCHERS, threshold=0.2)
        assert "30-34" not in str(refused.value)

    def test_a_value_that_the_hierarchy_lacks(self):
        with pytest.raises(InputError, match="1 values of column age are missing"):
            attack.linkage(
                table_of({"age": ["99"]}), AFTER, ["age"], MATCHERS, threshold=0.2
            )  # fmt: skip

    def test_released_rows_that_fit_nothing(self):
        """A release that is not of this table is not measured as if it were."""
        with pytest.raises(InputError, match="2 rows said to be released fit no row"):
            attack.linkage(
                BEFORE, AFTER.slice(0, 3), ["age", "area"], MATCHERS, threshold=0.2,
                released=np.ones(5, np.bool_),
            )  # fmt: skip

    def test_a_flag_for_each_row(self):
        with pytest.raises(InputError, match="something of 3 rows; the table has 5"):
            attack.linkage(
                BEFORE, AFTER, ["age"], MATCHERS, threshold=0.2, released=np.ones(3, np.bool_)
            )

    def test_a_population_without_the_people(self):
        with pytest.raises(InputError, match="fit nobody in the population"):
            attack.linkage(
                BEFORE, AFTER, ["age", "area"], MATCHERS, threshold=0.2, population=BEFORE.slice(0, 3)
            )  # fmt: skip

    @pytest.mark.parametrize("columns", [["no"], ["age", "no"]])
    def test_a_column_that_is_not_there(self, columns):
        with pytest.raises(InputError, match="0 columns named no"):
            attack.linkage(BEFORE, AFTER, columns, MATCHERS, threshold=0.2)

    def test_no_column_at_all(self):
        with pytest.raises(InputError, match="at least one column"):
            attack.linkage(BEFORE, AFTER, [], MATCHERS, threshold=0.2)

    def test_a_size_that_was_not_looked_at(self):
        found = attack.linkage(BEFORE, AFTER, ["age", "area"], MATCHERS, threshold=0.2)
        with pytest.raises(InputError, match="no subset of 5 columns"):
            found.worst(5)


def test_a_column_released_as_it_was_needs_no_matcher():
    """``*`` still covers everything."""
    values, forms = Same().covers(["a", "b"], ["b", "*"])
    assert sorted(zip(values.tolist(), forms.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 1)]
    found = attack.linkage(BEFORE, AFTER, ["says"], {}, threshold=0.2)
    assert found.known[0].before == found.known[0].after


@st.composite
def recoded(draw):
    """A table, and a release of it in which each cell stands on a level of its own; some rows are left out."""
    levels = {"age": AGE, "area": AREA}
    many = draw(st.integers(1, 14))
    rows = [
        [draw(st.sampled_from(h.forms[0])) for h in levels.values()] for _ in range(many)
    ]  # fmt: skip
    kept = [draw(st.booleans()) for _ in rows]
    forms = [
        [
            h.forms[level][h.codes[level][h.number_of[value]]]
            for h, value in zip(levels.values(), row, strict=True)
            for level in [draw(st.integers(0, 2))]
        ]
        for row, stays in zip(rows, kept, strict=True)
        if stays
    ]
    return rows, kept, forms


def fits(row, forms, places):
    """Whether a person fits a row of the release, by the hierarchy's rows."""
    for place in places:
        hierarchy = (AGE, AREA)[place]
        of = [
            level[codes[hierarchy.number_of[row[place]]]]
            for level, codes in zip(hierarchy.forms, hierarchy.codes, strict=True)
        ]
        if forms[place] not in of:
            return False
    return True


def by_hand(sizes, threshold):
    chances = [1 / size for size in sizes]
    many = len(sizes)
    return attack.Risk(
        rows=many, highest=max(chances, default=0.0),
        average=pytest.approx(sum(chances) / max(1, many)),
        above=pytest.approx(sum(c > threshold + 1e-9 for c in chances) / max(1, many)),
        unique=sizes.count(1),
    )  # fmt: skip


@settings(max_examples=200)
@given(case=recoded(), told=st.booleans(), threshold=st.sampled_from([0.1, 0.34, 0.5]))
def test_any_recoding_is_counted_row_by_row(case, told, threshold):
    """Every subset, with and without the knowledge of which rows were left out; prosecutor and journalist."""
    rows, kept, forms = case
    before = table_of({"age": [r[0] for r in rows], "area": [r[1] for r in rows]})
    after = table_of({"age": [f[0] for f in forms], "area": [f[1] for f in forms]})
    found = attack.linkage(
        before, after, ["age", "area"], MATCHERS, threshold=threshold, population=before,
        released=np.array(kept) if told else None,
    )  # fmt: skip
    targets = [
        row
        for row, stays in zip(rows, kept, strict=True)
        if (stays if told else any(fits(row, f, (0, 1)) for f in forms))
    ]
    for known, places in zip(found.known, [(0,), (1,), (0, 1)], strict=True):
        alike = [sum(all(a[p] == b[p] for p in places) for b in rows) for a in rows]
        assert known.before == by_hand(alike, threshold)
        assert known.after == by_hand(
            [sum(fits(row, f, places) for f in forms) for row in targets], threshold
        )
        assert known.journalist == by_hand(
            [sum(fits(row, f, places) for row in rows) for f in forms], threshold
        )


class TestAdult:
    """Numbers of the release at k = 5, 5 % suppression, loss: they change only if the release does."""

    def test_no_adversary_is_above_one_in_five(self):
        """All 129 subsets up to three of nine columns, and all nine: the release holds what it promised."""
        table = adult()
        after = released_adult(table, ATTRIBUTES, k=5)
        matchers = {a: ByHierarchy(adult_hierarchy(a)) for a in ATTRIBUTES}
        found = attack.linkage(table, after, ATTRIBUTES, matchers, threshold=0.2)
        assert len(found.known) == 130
        assert all(each.after.highest <= 0.2 for each in found.known)
        whole = found.known[-1]
        assert (whole.before.unique, whole.before.rows) == (15512, 30162)
        assert (whole.after.unique, whole.after.rows) == (0, 28816)
        assert whole.after.average == pytest.approx(397 / 28816)
        assert found.worst(3).before.unique == 284
