"""What is learnt of a person who is found, and of whether a person is in the release."""

import json
import math
from collections import Counter
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify.tables import ATTRIBUTES, adult, adult_hierarchy, released_adult, table_of
from deidentify.test_attack import AFTER, BEFORE, MATCHERS, fits, recoded
from epilock.deidentify.evaluation import inference
from epilock.deidentify.evaluation.covers import ByHierarchy
from epilock.errors import InputError, TooLargeError

QUASI = ["age", "area"]


class TestDisclosure:
    def test_by_hand(self):
        """Three rows say a, b, a; two say c, c: the two are homogeneous and learn 3/5 more than they knew."""
        found = inference.disclosure(BEFORE, AFTER, QUASI, "says", MATCHERS)
        assert found.homogeneous == (0.4, 1.0, 1.0)
        # Whole release: a 2/5, b 1/5, c 2/5. First class: a 2/3, b 1/3, c 0; second: c 1.
        assert found.largest_distance == pytest.approx(3 / 5)
        assert found.mean_distance == pytest.approx((3 * (2 / 5) + 2 * (3 / 5)) / 5)
        assert found.largest_gain == pytest.approx(3 / 5)
        assert found.mean_gain == pytest.approx((3 * (2 / 3) + 2) / 5 - 2 / 5)
        assert found.guessed == pytest.approx(4 / 5)
        assert found.guessed_without == pytest.approx(2 / 5)
        assert json.loads(json.dumps(asdict(found)))["column"] == "says"

    @settings(max_examples=150)
    @given(case=recoded(), data=st.data())
    def test_any_recoding_row_by_row(self, case, data):
        """The definitions, with plain loops over people and rows."""
        rows, kept, forms = case
        if not forms:
            return
        says = [data.draw(st.sampled_from("abc")) for _ in rows]
        said = [s for s, stays in zip(says, kept, strict=True) if stays]
        found = inference.disclosure(
            table_of({"age": [r[0] for r in rows], "area": [r[1] for r in rows], "says": says}),
            table_of({"age": [f[0] for f in forms], "area": [f[1] for f in forms], "says": said}),
            QUASI, "says", MATCHERS, released=np.array(kept),
        )  # fmt: skip
        whole = Counter(said)
        distance, gain, sure, right, best = [], [], [], 0.0, []
        for row, own, stays in zip(rows, says, kept, strict=True):
            if not stays:
                continue
            seen = Counter(s for f, s in zip(forms, said, strict=True) if fits(row, f, (0, 1)))
            n = sum(seen.values())
            off = {v: seen[v] / n - whole[v] / len(said) for v in whole}
            distance.append(sum(map(abs, off.values())) / 2)
            gain.append(max(off.values()))
            sure.append(len(seen) == 1)
            best.append(max(seen.values()) / n)
            top = [v for v in seen if seen[v] == max(seen.values())]
            right += (own in top) / len(top)
        many = len(said)
        assert found.rows == many
        assert found.homogeneous[0] == pytest.approx(sum(sure) / many)
        assert found.largest_distance == pytest.approx(max(distance))
        assert found.mean_distance == pytest.approx(sum(distance) / many)
        assert found.largest_gain == pytest.approx(max(gain))
        assert found.mean_gain == pytest.approx(sum(best) / many - max(whole.values()) / many)
        assert found.guessed == pytest.approx(right / many)

    def test_adult(self):
        """Nobody's occupation is certain at k = 5, but guesses are twice as good as without: that is said."""
        table = adult()
        quasi = [a for a in ATTRIBUTES if a != "occupation"]
        after = released_adult(table, quasi, k=5, kept=("occupation",))
        matchers = {a: ByHierarchy(adult_hierarchy(a)) for a in quasi}
        found = inference.disclosure(table, after, quasi, "occupation", matchers)
        assert found.rows == 28816
        assert found.homogeneous[0] == 0
        assert found.guessed == pytest.approx(0.30497, abs=1e-5)
        assert found.guessed_without == pytest.approx(0.13562, abs=1e-5)

    def test_an_empty_release(self):
        with pytest.raises(InputError, match="no row of the table"):
            inference.disclosure(BEFORE, AFTER.slice(0, 0), QUASI, "says", MATCHERS)

    def test_a_column_of_free_text_is_too_large(self):
        """Twenty thousand people with a value each: the message says what to do."""
        own = [str(i) for i in range(20_000)]
        table = table_of({"q": own, "says": own})
        with pytest.raises(TooLargeError, match="group the values first"):
            inference.disclosure(table, table, ["q"], "says", {})


class TestMembership:
    def test_a_release_without_change_tells_all(self):
        """Who has a row of their own is in, who has none is not."""
        members = table_of({"q": [f"in{i}" for i in range(40)]})
        held_out = table_of({"q": [f"out{i}" for i in range(40)]})
        found = inference.membership(members, held_out, members, ["q"], {})
        assert (found.told_in, found.told_out, found.advantage) == (1.0, 0.0, 1.0)
        assert (found.rows_in, found.rows_out, found.least) == (20, 20, 1)
        assert found.low == pytest.approx(1 - math.hypot(*[1 - inference._wilson(20, 20)[1]] * 2))

    def test_a_release_of_stars_tells_nothing(self):
        members = table_of({"q": [f"in{i}" for i in range(40)]})
        held_out = table_of({"q": [f"out{i}" for i in range(40)]})
        found = inference.membership(members, held_out, table_of({"q": ["*"] * 40}), ["q"], {})
        assert found.advantage == 0
        assert found.low < 0 < found.high

    def test_newcombes_own_example(self):
        """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
        assert inference._interval((56, 48), (70, 80)) == pytest.approx((0.0524, 0.3339), abs=1e-4)

    def test_adult_at_k_5(self):
        """The same by the same seed; far from what the table itself would tell."""
        table = adult()
        inside = np.random.default_rng(1).random(table.num_rows) < 0.5
        members, held_out = table.filter(pa.array(inside)), table.filter(pa.array(~inside))
        quasi = [a for a in ATTRIBUTES if a != "occupation"]
        matchers = {a: ByHierarchy(adult_hierarchy(a)) for a in quasi}
        after = released_adult(members, quasi, k=5)
        found = inference.membership(members, held_out, after, quasi, matchers, seed=3)
        assert found == inference.membership(members, held_out, after, quasi, matchers, seed=3)
        assert found.low <= found.advantage <= found.high
        assert found.advantage < 0.02
        raw = inference.membership(members, held_out, members, quasi, {}, seed=3)
        assert raw.advantage > 0.3

    def test_a_group_of_one(self):
        one = table_of({"q": ["a"]})
        with pytest.raises(InputError, match="two rows or more"):
            inference.membership(one, one, one, ["q"], {})
