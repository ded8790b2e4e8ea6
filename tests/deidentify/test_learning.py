"""A model trained on a release is judged as fairly as one trained on the table."""

import json
import math
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify.tables import ATTRIBUTES, adult, adult_hierarchy, released_adult, table_of
from epilock.deidentify.evaluation import learning
from epilock.deidentify.evaluation.covers import ByHierarchy
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.errors import InputError

AGE = Hierarchy.from_rows(
    "age", [["31", "30-39", "*"], ["38", "30-39", "*"], ["44", "40-49", "*"], ["47", "40-49", "*"]]
)
MATCHERS = {"age": ByHierarchy(AGE)}
AGES = ["31", "38", "44", "47"] * 25
ILL = ["no", "no", "yes", "yes"] * 25
TABLE = table_of({"age": AGES, "ill": ILL})


class TestByHand:
    def test_what_the_forms_keep_is_learnt(self):
        """Illness follows the decade: decades lose nothing, a star loses all."""
        decades = table_of({"age": [f"{a[0]}0-{a[0]}9" for a in AGES], "ill": ILL})
        found = learning.learn(TABLE, decades, ["age"], "ill", MATCHERS)
        perfect = learning.Score(accuracy=1.0, balanced_accuracy=1.0, auc=1.0)
        assert found.before == found.after == perfect
        stars = table_of({"age": ["*"] * 100, "ill": ILL})
        nothing = learning.learn(TABLE, stars, ["age"], "ill", MATCHERS).after
        assert nothing == learning.Score(accuracy=0.5, balanced_accuracy=0.5, auc=0.5)

    def test_the_majority_is_a_coin(self):
        """Its area is one half, and it is right as often as its value occurs."""
        table = table_of({"age": AGES, "ill": ["yes"] * 30 + ["no"] * 70})
        found = learning.learn(table, table, ["age"], "ill", MATCHERS)
        assert found.majority == learning.Score(accuracy=0.7, balanced_accuracy=0.5, auc=0.5)
        assert json.loads(json.dumps(asdict(found)))["folds"] == 5

    def test_the_table_as_it_was_gives_the_same_model(self):
        found = learning.learn(TABLE, TABLE, ["age"], "ill", MATCHERS, seed=5)
        assert found.before == found.after

    def test_a_record_left_out_is_asked_about_too(self):
        """All hundred records are judged, though 28 are in no model of the release."""
        stays = np.array([i % 7 > 1 for i in range(100)])
        after = TABLE.filter(stays)
        found = learning.learn(TABLE, after, ["age"], "ill", MATCHERS, released=stays)
        assert (found.rows, found.after.accuracy) == (100, 1.0)

    def test_nothing_released_teaches_nothing(self):
        found = learning.learn(
            TABLE, TABLE.slice(0, 0), ["age"], "ill", MATCHERS, released=np.zeros(100, np.bool_)
        )
        assert found.after == learning.Score(accuracy=0.5, balanced_accuracy=0.5, auc=0.5)


def plain(rows, label, asked, values):
    """Naive Bayes with one row more for each value, from the definition: log of each class's chance."""
    many = Counter(label)
    out = []
    for c in values:
        log = math.log((many[c] + 1) / (len(label) + len(values)))
        for a, value in enumerate(asked):
            same = sum(
                1 for row, own in zip(rows, label, strict=True) if own == c and row[a] == value
            )
            different = len({row[a] for row in [*rows, asked]} | {"u", "v", "w"})
            log += math.log((same + 1) / (many[c] + different))
        out.append(math.exp(log))
    return [each / sum(out) for each in out]


@settings(max_examples=80)
@given(
    data=st.lists(
        st.tuples(st.sampled_from("uvw"), st.sampled_from("uvw"), st.sampled_from("yn")),
        min_size=8,
        max_size=30,
    )
)
def test_beliefs_are_those_of_the_definition(data):
    """The compiled tables against counting row by row."""
    rows, label = [(a, b) for a, b, _ in data], [c for _, _, c in data]
    spreads = [learning.Spread.of("q", learning.Same(), "uvw", "uvw")] * 2
    codes = np.array([["uvw".index(row[a]) for row in rows] for a in range(2)])
    model = learning._train(codes, np.array(["yn".index(c) for c in label]), 2, spreads)
    found = learning._ask(model, codes)
    for row, belief in zip(rows, found, strict=True):
        assert belief.tolist() == pytest.approx(plain(rows, label, row, "yn"))


@settings(max_examples=100)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.9]), st.booleans()), min_size=2, max_size=30
    ).filter(lambda p: len({has for _, has in p}) == 2)
)
def test_the_area_is_the_chance_to_be_put_first(pairs):
    """Every pair of one who has it and one who has not, ties half."""
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, has in pairs if has
        for b, too in pairs if not too
    ]  # fmt: skip
    found = learning._area(np.array([b for b, _ in pairs]), np.array([h for _, h in pairs]))
    assert found == pytest.approx(sum(wins) / len(wins))


def test_adult_income():
    """From the release at k = 5 income is told nearly as well; the figures are a regression."""
    table = adult()
    quasi = [a for a in ATTRIBUTES if a != "salary-class"]
    after = released_adult(table, quasi, k=5, kept=("salary-class",))
    matchers = {a: ByHierarchy(adult_hierarchy(a)) for a in quasi}
    found = learning.learn(table, after, quasi, "salary-class", matchers)
    assert found.majority.accuracy == pytest.approx(0.75108, abs=1e-5)
    assert found.before.auc == pytest.approx(0.874, abs=2e-3)
    assert found.after.auc == pytest.approx(0.839, abs=2e-3)
    assert found == learning.learn(table, after, quasi, "salary-class", matchers)


class TestRefusals:
    def test_rows_that_cannot_be_matched(self):
        """Two rows went, but which is not to be seen: the message says what to give."""
        with pytest.raises(InputError, match="say which rows were left out"):
            learning.learn(TABLE, TABLE.slice(0, 98), ["age"], "ill", MATCHERS)

    def test_another_order(self):
        turned = TABLE.take(list(range(99, -1, -1)))
        with pytest.raises(InputError, match="in the table's order"):
            learning.learn(TABLE, turned, ["age"], "ill", MATCHERS)

    def test_nothing_to_tell(self):
        table = table_of({"age": AGES, "ill": ["no"] * 100})
        with pytest.raises(InputError, match="ill has 1 values"):
            learning.learn(table, table, ["age"], "ill", MATCHERS)

    @pytest.mark.parametrize("folds", [1, 101])
    def test_parts_that_cannot_be(self, folds):
        with pytest.raises(InputError, match=f"2 to 100 parts, not into {folds}"):
            learning.learn(TABLE, TABLE, ["age"], "ill", MATCHERS, folds=folds)
