"""What a review promises: no release passes below its rule, alone or beside the earlier ones."""

import itertools
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.deidentify.leaving.intersection import PART, Earlier, cells, check_together
from epilock.deidentify.leaving.review import Review, Rule
from epilock.errors import InputError, RefusedError

KEY = b"k" * 32
TWO = Rule(k=2, l=1, rule="release/test", source=("GB/T 37964",))


def table(*rows):
    """Rows of id, age, town, illness."""
    names = ["id", "age", "town", "illness"]
    return pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)})


def reviewed(released, *, record="id", key=KEY, quasi=("age", "town"), size=2):
    review = Review(quasi, record=record, key=key)
    left = list(review.watch(released.to_batches(max_chunksize=size)))
    return review, pa.Table.from_batches(left) if left else None


FOUR = table(
    ("1", "30-39", "Jinan", "flu"), ("2", "30-39", "Jinan", "cold"),
    ("3", "40-49", "Jinan", "flu"), ("4", "40-49", "Jinan", "flu"),
)  # fmt: skip


class TestAlone:
    def test_what_is_measured(self):
        review, _ = reviewed(FOUR)
        found = review.measures()
        assert (found.rows, found.classes, found.smallest, found.unique) == (4, 2, 2, 0.0)
        assert (found.average, found.highest, found.fewest) == (0.5, 0.5, {"illness": 1})

    def test_ids_never_pass(self):
        _, left = reviewed(FOUR)
        assert left.column_names == ["age", "town", "illness"]

    def test_it_passes_at_exactly_k(self):
        review, _ = reviewed(FOUR)
        assert review.conclude(TWO).smallest == 2

    def test_a_class_below_k_is_refused_with_the_numbers(self):
        review, _ = reviewed(FOUR)
        with pytest.raises(
            RefusedError, match="smallest class has 2 rows where 3 are asked"
        ) as told:
            review.conclude(Rule(k=3, rule="release/school", source=("A",)))
        assert (told.value.rule, told.value.source) == ("release/school", ("A",))
        assert "k = 3" in told.value.allowed

    def test_too_few_different_values_are_refused(self):
        review, _ = reviewed(FOUR)
        with pytest.raises(RefusedError, match="1 different values of illness where 2") as told:
            review.conclude(Rule(k=2, l=2))
        assert "distinct-l-diversity with l = 2 for each of illness" in told.value.allowed

    def test_a_column_that_only_passes_is_sensitive(self):
        """Else a name that was kept by mistake would be no one's affair."""
        review, _ = reviewed(FOUR, quasi=("age",))
        assert review.measures().fewest == {"town": 1, "illness": 1}

    def test_nothing_is_a_value(self):
        one = pa.table({"age": ["", None], "illness": ["x", "y"]})
        review, _ = reviewed(one, record=None, quasi=("age",))
        assert review.measures().classes == 1

    def test_an_empty_release_is_refused(self):
        review, _ = reviewed(FOUR.slice(0, 0))
        with pytest.raises(RefusedError, match="it has no rows"):
            review.conclude(TWO)

    def test_the_ids_are_no_quasi_identifier(self):
        with pytest.raises(InputError, match="never released"):
            Review(["id"], record="id")

    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("uvw")),
            max_size=30,
        ),
        st.integers(1, 7),
    )
    def test_numbers_are_those_of_a_plain_count(self, rows, size):
        """Whatever the batches."""
        given_ = pa.table(
            {n: pa.array([r[i] for r in rows], pa.string()) for i, n in enumerate("pqs")}
        )
        review, _ = reviewed(given_, record=None, quasi=("p", "q"), size=size)
        classes = defaultdict(list)
        for p, q, s in rows:
            classes[p, q].append(s)
        found = review.measures()
        assert review.classes == {key: len(each) for key, each in classes.items()}
        assert found.smallest == min(map(len, classes.values()), default=0)
        if rows:
            assert found.fewest["s"] == min(len(set(each)) for each in classes.values())
            assert found.unique == sum(len(e) == 1 for e in classes.values()) / len(rows)
            assert review.frequencies("p") == {
                p: sum(r[0] == p for r in rows) for p in dict.fromkeys(r[0] for r in rows)
            }


def earlier(number, *rows):
    review, _ = reviewed(table(*rows))
    review.conclude(TWO)  # by itself each of these passes
    return Earlier(name=f"release {number}", assignment=review.assignment())


def refusal(*rows, beside, rule=TWO):
    review, _ = reviewed(table(*rows))
    review.conclude(rule)
    with pytest.raises(RefusedError) as told:
        review.conclude(rule, beside)
    return str(told.value)


class TestAttacks:
    """Each release here passes by itself; what the adversary does with two of them is what is refused."""

    BY_AGE = (
        ("1", "30", "*", "flu"), ("2", "30", "*", "cold"), ("3", "40", "*", "flu"), ("4", "40", "*", "hiv"),
    )  # fmt: skip
    BY_TOWN = (
        ("1", "*", "Jinan", "flu"), ("2", "*", "Dezhou", "cold"),
        ("3", "*", "Jinan", "flu"), ("4", "*", "Dezhou", "hiv"),
    )  # fmt: skip

    def test_intersection(self):
        """Who is forty and of Dezhou is one person, though each table says two."""
        said = refusal(*self.BY_TOWN, beside=[earlier(1, *self.BY_AGE)])
        assert "in one class of release 1 too are 1 where 2 are asked" in said

    def test_somebody_joined(self):
        """The one who is new is the difference of two classes."""
        more = (*self.BY_AGE, ("5", "40", "*", "flu"))
        said = refusal(*more, beside=[earlier(1, *self.BY_AGE)])
        assert "that are not in release 1 are 1" in said

    def test_somebody_left(self):
        before = (*self.BY_AGE, ("5", "40", "*", "flu"))
        said = refusal(*self.BY_AGE, beside=[earlier(1, *before)])
        assert "of release 1 that this release has no more are 1" in said

    def test_somebody_was_suppressed_before(self):
        """A coarser second release with one row more tells what was left out of the first."""
        all_ = tuple((i, "*", "*", ill) for i, _, _, ill in (*self.BY_AGE, ("5", "80", "*", "tb")))
        assert "are 1 where 2" in refusal(*all_, beside=[earlier(1, *self.BY_AGE)])

    def test_values_that_differ_by_themselves_and_not_together(self):
        """Two by two they differ; who is in both classes has one illness only."""
        rows = [
            (str(i), "30" if i < 4 else "40", "*", "flu" if i in {0, 1, 6, 7} else "cold")
            for i in range(8)
        ]
        others = [
            (i, "*", "Jinan" if int(i) in {0, 1, 4, 5} else "Dezhou", s) for i, _, _, s in rows
        ]
        review, _ = reviewed(table(*rows))
        first = Earlier(name="release 1", assignment=review.assignment())
        assert "1 different values" in refusal(*others, beside=[first], rule=Rule(k=2, l=2))

    def test_three_releases_of_which_each_two_are_harmless(self):
        """Pairs leave two records together; the three leave one."""
        bits = [f"{i:03b}" for i in range(8)]

        def by(place):
            return [(b, b[place], "*", "flu" if i % 2 else "tb") for i, b in enumerate(bits)]

        beside = [earlier(1, *by(0)), earlier(2, *by(1))]
        said = refusal(*by(2), beside=beside)
        assert "beside release 1 and release 2: " in said

    def test_what_the_first_was_held_to_holds_beside_the_second(self):
        """A weaker rule for the second does not undo what the first promised of the same people."""
        all_ = [(i, "*", "*", s) for i, _, _, s in self.BY_AGE]
        review, _ = reviewed(table(*all_))
        first = Earlier(name="release 1", assignment=review.assignment(), k=3)
        assert "are 2 where 3 are asked" in refusal(*self.BY_AGE, beside=[first])

    def test_the_same_recoding_again_passes(self):
        review, _ = reviewed(table(*self.BY_AGE))
        joint = review.conclude(TWO, [earlier(1, *self.BY_AGE)]).joint
        assert (joint.earlier, joint.cells, joint.smallest, joint.fewest) == (1, 2, 2, 2)

    def test_a_coarser_one_passes(self):
        coarse = [(i, "*", "*", s) for i, _, _, s in self.BY_AGE]
        review, _ = reviewed(table(*coarse))
        assert review.conclude(TWO, [earlier(1, *self.BY_AGE)]).smallest == 2

    def test_k_who_joined_together_pass(self):
        more = (*self.BY_AGE, ("5", "40", "*", "flu"), ("6", "40", "*", "tb"))
        review, _ = reviewed(table(*more))
        assert review.conclude(TWO, [earlier(1, *self.BY_AGE)]).joint.cells == 3

    def test_without_ids_nothing_is_held_against_another(self):
        review, _ = reviewed(FOUR.drop_columns(["id"]), record=None)
        with pytest.raises(InputError, match="name their column"):
            review.conclude(TWO, [earlier(1, *self.BY_AGE)])

    def test_an_id_that_stands_twice(self):
        review, _ = reviewed(table(("1", "a", "b", "c"), ("1", "a", "b", "c")))
        with pytest.raises(InputError, match="more than one row"):
            review.assignment()

    def test_a_row_without_an_id(self):
        with pytest.raises(InputError, match="a row has no id"):
            reviewed(table((None, "a", "b", "c")))

    def test_ids_are_hashed(self):
        """The file of records names nobody to who does not have the key."""
        review, _ = reviewed(FOUR)
        other, _ = reviewed(FOUR, key=b"o" * 32)
        assert review.assignment()["record"] != other.assignment()["record"]


RELEASES = st.lists(
    st.dictionaries(st.integers(0, 9), st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))),
    min_size=2, max_size=3,
)  # fmt: skip


def assigned(release):
    rows = [(str(i), cls, "*", value) for i, (cls, value) in release.items()]
    return reviewed(table(*rows))[0].assignment()


def what_can_be_told(releases):
    """Every non-empty set of records made of classes by cutting, joining and subtracting, by brute force."""
    classes = [
        frozenset(i for i, (cls, _) in release.items() if cls == name)
        for release in releases
        for name in sorted({cls for cls, _ in release.values()})
    ]
    everybody = frozenset().union(*classes)
    sets = set()
    for inside in itertools.product([True, False], repeat=len(classes)):
        found = everybody
        for yes, each in zip(inside, classes, strict=True):
            found = found & each if yes else found - each
        if found:
            sets.add(found)
    return sets  # the atoms: any other such set is a union of them


def test_more_records_than_are_joined_at_once():
    """Cells are those of all records, wherever the parts are cut: here counted by their remainders."""
    many, gone = PART + 1000, 1000
    number = np.arange(many)
    octets = pa.py_buffer(np.stack([number, number], axis=1).astype(np.uint64))
    ids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), many, [None, octets])
    first, second = (
        pa.table({"record": ids, "class": number % classes, "sensitive0": number // 35 % 3})
        for classes in (7, 5)
    )
    found = cells([first, second.slice(0, many - gone)], k=150)
    absent = np.bincount(number[-gone:] % 7)
    assert (found.cells, found.smallest, found.small) == (35 + 7, absent.min(), 7)
    assert (found.records, found.fewest, found.where) == (gone, 3, (True, False))


class TestBruteForce:
    @given(RELEASES, st.integers(1, 4), st.integers(1, 3))
    @settings(max_examples=120)
    def test_refused_if_and_only_if_a_set_is_too_small(self, releases, k, l):  # noqa: E741
        """Of all that the adversary can compute, the least is what is judged."""
        *before, last = releases
        told = what_can_be_told(releases)
        small = any(len(each) < k for each in told)
        alike = any(
            len({release[i][1] for i in each}) < l
            for each in told
            for release in releases
            if each <= release.keys()
        )
        beside = [
            Earlier(name=f"release {i}", assignment=assigned(r)) for i, r in enumerate(before, 1)
        ]
        try:
            check_together(assigned(last), beside, k=k, l=l)
        except RefusedError:
            assert small or alike
        else:
            assert not small
            assert not alike
            assert cells([assigned(r) for r in releases], k=k).cells == len(told)
