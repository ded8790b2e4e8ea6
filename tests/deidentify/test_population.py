"""How many are unique in the population: the papers' equations hold, and ARX says the same where it follows them."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify import oracle
from deidentify.tables import adult
from epilock.deidentify.criteria import population
from epilock.deidentify.criteria.model import PopulationUniqueness
from epilock.deidentify.criteria.population import Sample, estimate, uniques
from epilock.errors import InputError

CLASSES = st.lists(st.integers(1, 9), min_size=2, max_size=40)

# (columns of Adult, its first rows, population, ARX's share by Pitman, by Zayatz); 0: ARX has none.
ARX = [
    ("sex,age,race", 30162, 3016200, 3.103073808297786e-5, 2.123173708594185e-5),
    ("sex,age,race", 30162, 60324, 0.001525275950281318, 7.123623423071529e-4),
    ("sex,age,race", 1000, 10000, 0.007594844132079372, 0.015033944544749621),
    ("sex,age,race", 200, 4000, 9.752720490254065e-4, 0.08793739745416407),
    ("sex,age,race,marital-status", 30162, 3016200, 6.820405046640467e-4, 8.272074800530325e-4),
    ("sex,age,race,marital-status", 30162, 60324, 0.01188067567171781, 0.009910221733113298),
    ("sex,age,race,marital-status", 1000, 10000, 0.04029894681184023, 0.0638358090167137),
    ("age,education,occupation", 30162, 3016200, 0.0015601360309279156, 0.004817073060491387),
    ("age,education,occupation", 30162, 60324, 0.037741839490634414, 0.03558429801288484),
    ("age,education,occupation", 200, 4000, 0, 0.7964597157232262),
    ("age,native-country", 30162, 60324, 0.015982910122526266, 0.01067467648203842),
    ("age,native-country", 200, 4000, 0.0014859728471712309, 0.03197729452404098),
    ("age,education,native-country,workclass", 1000, 10000, 0.13536837216957126, 0.18188474448621722),
]  # fmt: skip


@pytest.fixture(scope="module")
def adult_table():
    return adult()


def sizes_of(table, columns, rows):
    found = Counter(zip(*(table[c].to_pylist()[:rows] for c in columns.split(",")), strict=True))
    return np.array(list(found.values()))


@pytest.mark.parametrize("case", ARX, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}")
def test_arx_says_the_same(case, adult_table):
    """Zayatz to rounding; Pitman to the accuracy at which ARX stops; no estimate where it has none."""
    columns, rows, people, pitman, zayatz = case
    sizes = sizes_of(adult_table, columns, rows)
    assert estimate(sizes, people, "zayatz") == pytest.approx(zayatz, rel=1e-12)
    if pitman:
        assert estimate(sizes, people, "pitman") == pytest.approx(pitman, rel=1e-5)
    else:
        assert estimate(sizes, people, "pitman") is None


class TestZayatz:
    @settings(max_examples=60)
    @given(sizes=CLASSES, more=st.integers(0, 300))
    def test_the_hypergeometric_chances_are_exact(self, sizes, more):
        """Products of floats against binomials of whole numbers."""
        people = sum(sizes) + more
        exact = oracle.zayatz(sizes, people)
        assert estimate(np.array(sizes), people, "zayatz") == pytest.approx(float(exact), rel=1e-9)

    def test_everybody_sampled(self):
        """Who is unique among all is unique: two of seven."""
        assert uniques(np.array([1, 1, 2, 3]), 7, "zayatz") == pytest.approx(2 / 7)

    def test_a_class_of_a_million_among_a_billion(self):
        """Large numbers neither overflow nor take a table of their size."""
        assert 0 < uniques(np.array([1, 2, 1_000_000]), 10**9, "zayatz") < 1e-3


def slopes(sizes, theta, alpha):
    """The derivatives of Pitman's likelihood, term by term, and the size of what is added up."""
    u, n = len(sizes), sum(sizes)
    first = [1 / (theta + i * alpha) for i in range(1, u)] + [-1 / (theta + i) for i in range(1, n)]
    second = [i / (theta + i * alpha) for i in range(1, u)]
    second += [-1 / (i - alpha) for m in sizes for i in range(1, m)]
    return [(math.fsum(terms), math.fsum(map(abs, terms))) for terms in (first, second)]


class TestPitman:
    @settings(max_examples=150)
    @given(sizes=CLASSES)
    def test_the_likelihood_is_flat_at_the_estimate(self, sizes):
        """Where an estimate is found, both derivatives vanish and every factor is positive."""
        found = population._most_likely(Sample.of(np.array(sizes), 10**6))
        if found is not None:
            theta, alpha = found
            assert alpha < 1
            assert theta >= 0
            assert theta + (len(sizes) - 1) * alpha > 0
            for total, scale in slopes(sizes, theta, alpha):
                assert abs(total) <= 1e-7 * scale

    def test_no_root_from_outside_the_model(self, adult_table):
        """There is a second flat place at alpha -0.6 where factors are negative; ARX takes it, and says 0.00003."""
        ages = [int(age) // 20 for age in adult_table["age"].to_pylist()]
        rest = [adult_table[c].to_pylist() for c in ("sex", "race", "marital-status", "education")]
        sizes = np.array(list(Counter(zip(ages, *rest, strict=True)).values()))
        theta, alpha = population._most_likely(Sample.of(sizes, 400_000))
        assert theta > 0
        assert 0 < alpha < 1

    def test_even_classes_have_no_estimate(self):
        """Sizes that vary less than chance would have it: alpha runs away, and nothing is said."""
        sizes = np.array([2] * 30 + [1])
        assert population._most_likely(Sample.of(sizes, 10**6)) is None

    def test_all_different_rows_have_no_estimate(self):
        """The likelihood grows up to alpha = 1: nothing is said, rather than nothing found."""
        assert estimate(np.ones(50, np.int64), 1000, "pitman") is None
        with pytest.raises(InputError, match="take zayatz"):
            uniques(np.ones(50, np.int64), 1000, "pitman")


def expected(i, f, many, alpha, beta):
    """How many classes of the sample have i rows, from the sizes of the population's classes one by one."""
    total, chance = 0.0, beta**alpha
    for size in range(1, 900):
        if size >= i:
            total += chance * math.comb(size, i) * f**i * (1 - f) ** (size - i)
        chance *= (alpha + size - 1) / size * (1 - beta)
    return many * total


class TestSNB:
    @pytest.mark.parametrize("f", [0.2, 0.5, 0.9])
    def test_classes_of_one_and_two_are_as_the_model_expects(self, f, adult_table):
        """The solution, put into the model's definition, gives back what was seen."""
        sizes = sizes_of(adult_table, "sex,age,race,marital-status", 1000)
        people = round(1000 / f)
        many, alpha, beta = population._slide(Sample.of(sizes, people))
        for i in (1, 2):
            found = expected(i, 1000 / people, many, alpha, beta)
            assert found == pytest.approx((sizes == i).sum(), rel=1e-9)
        unique_in_population = many * beta**alpha
        assert uniques(sizes, people, "snb") == pytest.approx(unique_in_population / people)

    def test_shlosser_with_whole_numbers(self):
        """Haas and Stokes' formula, in fractions."""
        sizes, f = [1, 1, 1, 2, 4], Fraction(9, 20)
        g = 1 - f
        first = sum(m * f**2 * (1 - f**2) ** (m - 1) for m in sizes)
        second = sum(g**m * ((1 + f) ** m - 1) for m in sizes)
        third = sum(g**m for m in sizes) / sum(m * f * g ** (m - 1) for m in sizes)
        exact = len(sizes) + 3 * first / second * third**2
        assert population._shlosser(Sample.of(np.array(sizes), 20)) == pytest.approx(float(exact))

    def test_everybody_sampled(self):
        assert uniques(np.array([1, 1, 2, 3]), 7, "snb") == pytest.approx(2 / 7)

    def test_no_pairs_no_estimate(self):
        """The second equation has no solution."""
        assert estimate(np.array([1, 1, 3, 4]), 100, "snb") is None


class TestDankar:
    SIZES = np.array([1] * 30 + [2] * 12 + [3] * 8 + [7, 9])

    def test_the_fraction_decides(self):
        """Up to a tenth Pitman, above it the lesser of Zayatz and SNB."""
        n = int(self.SIZES.sum())
        assert uniques(self.SIZES, 10 * n) == uniques(self.SIZES, 10 * n, "pitman")
        people = 4 * n
        two = [uniques(self.SIZES, people, name) for name in ("zayatz", "snb")]
        assert uniques(self.SIZES, people) == min(two)

    def test_zayatz_where_snb_has_none(self):
        sizes = np.array([1, 1, 3, 4])
        assert uniques(sizes, 20) == uniques(sizes, 20, "zayatz")

    def test_no_other_takes_pitmans_place(self):
        """What can't be estimated is not released: the rule names one estimator for a small fraction."""
        assert estimate(np.ones(50, np.int64), 1000) is None


@settings(max_examples=100)
@given(
    sizes=CLASSES,
    times=st.floats(1, 1e5),
    estimator=st.sampled_from(population.ESTIMATORS),
)
def test_an_estimate_is_a_share(sizes, times, estimator):
    """Nothing raises, warns or leaves 0 to 1; without a unique row it is 0."""
    found = estimate(np.array(sizes), math.ceil(sum(sizes) * times), estimator)
    assert found is None or 0 <= found <= 1 + 1e-12
    if 1 not in sizes:
        assert found == 0


def test_a_population_smaller_than_its_sample():
    with pytest.raises(InputError, match="a population of 5 can't hold the 6 rows"):
        uniques(np.array([2, 4]), 5)


def test_an_unknown_estimator_names_those_there_are():
    with pytest.raises(InputError, match="dankar, pitman, zayatz, snb"):
        uniques(np.array([2, 4]), 50, "guess")


class TestModel:
    def test_what_has_no_estimate_is_not_released(self):
        """Unique rows that can't be estimated fail; no rows at all, or none unique, hold."""
        model = PopulationUniqueness(1.0, 1000, "pitman")
        assert not model.holds(np.ones(50, np.int64))
        assert model.holds(np.array([2, 2, 5]))
        assert model.holds(np.empty(0, np.int64))

    def test_exactly_at_the_threshold(self):
        sizes = np.array([1, 1, 2, 3])
        assert PopulationUniqueness(2 / 7, 7, "zayatz").holds(sizes)
        assert not PopulationUniqueness(2 / 7 - 1e-6, 7, "zayatz").holds(sizes)
