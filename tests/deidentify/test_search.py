"""The optimum is the optimum: brute force says so for every model and metric, and ARX for Adult."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify import oracle
from deidentify.tables import (
    ATTRIBUTES,
    adult,
    adult_hierarchy,
    cases_of_arx,
    hierarchies,
    made,
    searched,
    table_of,
)
from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.model import KAnonymity
from epilock.deidentify.release.config import Config
from epilock.deidentify.release.run import deidentify
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.search import optimum
from epilock.errors import InputError, TooLargeError, UnattainableError

CLASS_MODELS = [
    [{"kind": "k-anonymity", "k": 2}],
    [{"kind": "k-anonymity", "k": 3}],
    [{"kind": "strict-risk", "threshold": 0.4}],
    [{"kind": "distinct-l-diversity", "attribute": "s", "l": 2}],
    [{"kind": "entropy-l-diversity", "attribute": "s", "l": 2.0}],
    [{"kind": "entropy-l-diversity", "attribute": "s", "l": 1.5}],
    [{"kind": "recursive-l-diversity", "attribute": "s", "c": 2.0, "l": 2}],
    [{"kind": "recursive-l-diversity", "attribute": "s", "c": 0.9, "l": 2}],
    [{"kind": "t-closeness", "attribute": "s", "t": 0.3, "distance": "equal"}],
    [{"kind": "t-closeness", "attribute": "s", "t": 0.2, "distance": "ordered"}],
    [{"kind": "t-closeness", "attribute": "s", "t": 0.2, "distance": "hierarchical"}],
    [{"kind": "k-map", "k": 3}],
    [{"kind": "delta-presence", "low": 0.2, "high": 0.7}],
    [
        {"kind": "k-anonymity", "k": 2},
        {"kind": "t-closeness", "attribute": "s", "t": 0.25, "distance": "equal"},
    ],
    [
        {"kind": "k-map", "k": 4},
        {"kind": "k-anonymity", "k": 2},
        {"kind": "distinct-l-diversity", "attribute": "s", "l": 2},
    ],
]
SENSITIVE = [["1", "low", "*"], ["2", "low", "*"], ["3", "high", "*"], ["4", "high", "*"]]


@st.composite
def cases(draw):
    many = draw(st.integers(1, 3))
    hs = {f"q{a}": draw(hierarchies(prefix=f"{a}.")) for a in range(many)}
    rows = draw(
        st.lists(
            st.tuples(*(st.sampled_from([r[0] for r in h]) for h in hs.values())),
            min_size=1,
            max_size=14,
        )
    )
    sensitive = draw(st.lists(st.sampled_from("1234"), min_size=len(rows), max_size=len(rows)))
    more = draw(
        st.lists(st.tuples(*(st.sampled_from([r[0] for r in h]) for h in hs.values())), max_size=14)
    )
    return hs, rows, sensitive, rows + more


def both(case, models, name, limit, weights=None):
    """The engine's optimum and brute force's."""
    hs, rows, sensitive, wide = case
    of = {a: [row[i] for row in rows] for i, a in enumerate(hs)}
    kinds = {m["kind"] for m in models}
    with_sensitive = any("attribute" in m for m in models)
    population = wide if kinds & {"k-map", "delta-presence"} else None
    found, refused = None, False
    try:
        found = searched(
            table_of({**of, "s": sensitive}), hs, models, name, limit,
            sensitive="s" if with_sensitive else None,
            sensitive_rows=SENSITIVE if with_sensitive else None,
            population=None if population is None
            else table_of({a: [row[i] for row in population] for i, a in enumerate(hs)}),
            weights=weights,
        )  # fmt: skip
    except UnattainableError:
        refused = True
    listed = None if weights is None else [weights.get(a, 1.0) for a in hs]
    best, where = oracle.optimum(
        rows, list(hs.values()), models, name, limit=limit, sensitive=sensitive,
        sensitive_hierarchy=SENSITIVE, population_rows=population, weights=listed,
    )  # fmt: skip
    assert refused == (not where)
    return found, best, where


@pytest.mark.parametrize("models", CLASS_MODELS, ids=lambda m: "+".join(x["kind"] for x in m))
@settings(max_examples=40)
@given(case=cases(), name=st.sampled_from(metric.NAMES), share=st.sampled_from([0, 0.1, 0.3, 1]))
def test_no_node_is_better(models, case, name, share):
    """For every model, metric and limit: score, node, suppressed rows and classes are those of brute force."""
    limit = int(share * len(case[1]))
    found, best, where = both(case, models, name, limit)
    if found is not None:
        assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)
        assert (found.levels, found.suppressed, found.classes) in where
        assert found.suppressed <= limit


@settings(max_examples=60)
@given(
    case=cases(),
    name=st.sampled_from(["precision", "discernibility", "average-class-size"]),
    share=st.sampled_from([0, 0.2, 0.5, 1]),
    threshold=st.sampled_from([0.2, 0.34, 0.5]),
)
def test_the_average_risk_is_kept_by_suppressing_the_smallest(case, name, share, threshold):
    """A release model is kept as brute force keeps it, beside a class model."""
    models = [{"kind": "k-anonymity", "k": 2}, {"kind": "average-risk", "threshold": threshold}]
    found, best, _ = both(case, models, name, int(share * len(case[1])))
    if found is not None:
        assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(
    case=cases(),
    name=st.sampled_from(["precision", "discernibility", "average-class-size"]),
    share=st.sampled_from([0, 0.2, 0.5, 1]),
    threshold=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    people=st.sampled_from([28, 40, 500]),
)
def test_uniqueness_in_the_population_is_kept_likewise(case, name, share, threshold, people):
    """Unique rows go until those that the population is thought to have are few enough."""
    models = [
        {
            "kind": "population-uniqueness", "threshold": threshold, "population": people,
            "estimator": "zayatz",
        }
    ]  # fmt: skip
    found, best, _ = both(case, models, name, int(share * len(case[1])))
    if found is not None:
        assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(
    case=cases(),
    name=st.sampled_from(["loss", "precision", "entropy"]),
    weight=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_weights_say_which_attribute_matters(case, name, weight):
    """A weighted metric is minimised by its own formula."""
    weights = {"q0": 1.0, "q1": weight} if "q1" in case[0] else {"q0": 2.0}
    found, best, _ = both(case, [{"kind": "k-anonymity", "k": 2}], name, 1, weights)
    if found is not None:
        assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(case=cases(), name=st.sampled_from(metric.NAMES), models=st.sampled_from(CLASS_MODELS))
def test_ties_are_reported_and_nodes_add_up(case, name, models):
    """Every node with the best score is named, and each node of the lattice has one fate."""
    found, _, where = both(case, models, name, len(case[1]) // 4)
    if found is not None:
        assert {found.levels, *found.ties} == {node for node, _, _ in where}
        tally = found.tally
        assert tally.checked + tally.over_limit + tally.not_better == tally.lattice


@pytest.mark.parametrize("method", ["optimal", "local"])
def test_a_column_that_says_the_same_of_all_loses_nothing(method):
    """It was divided by next to nothing, and a rounding error could have become the whole loss."""
    config = Config(
        quasi_identifiers=("same", "other"), models=(KAnonymity(2),), suppression_limit=0.5,
        search=method,
    )  # fmt: skip
    table = pa.table({"same": [""] * 9, "other": ["a", "a", "b", "b", "c", "c", "d", "d", "e"]})
    assert deidentify(table, config).score < 0.2


NAMES = {"non-uniform entropy": "entropy"}


@pytest.mark.parametrize(
    "case", cases_of_arx(), ids=lambda c: f"{c['metric']}-{c['k']}-{c['suppression']}-{c['extra']}"
)
def test_adult_as_arx_found_it(case, adult_table):
    """Score to 1e-6, suppressed rows and classes are what ARX found on the same table."""
    sensitive = ("occupation",) if case["extra"] else ()
    if isinstance(case["qis"], list):
        attributes = case["qis"]
    else:
        attributes = [a for a in ATTRIBUTES if a not in sensitive]
    models = [{"kind": "k-anonymity", "k": case["k"]}]
    if case["extra"] and "diversity" in case["extra"]:
        models.append({"kind": "distinct-l-diversity", "attribute": "occupation", "l": 3})
    elif case["extra"]:
        models.append({"kind": "t-closeness", "attribute": "occupation", "t": 0.2})
    columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in attributes]), sensitive)
    counted = counting.count(adult_table.to_batches(), columns)
    rows = counted.classes.rows
    found = optimum.search(
        counted.classes,
        Judge.of(made(models), counted, sensitive),
        metric.prepare(NAMES.get(case["metric"], case["metric"]), counted.classes),
        limit=int(case["suppression"] * rows + 1e-9),
    )
    assert found.score == pytest.approx(case["score"], rel=1e-6)
    assert (found.suppressed, found.classes) == (case["suppressed"], case["classes"])
    assert dict(zip(attributes, found.levels, strict=True)) == case["optimum"]


# (metric, weights, sensitive, models, ARX's score, suppressed rows and classes) for Adult with 5 %.
OF_ARX_FOUND_LATER = [
    (
        "loss",
        {"race": 0.75, "age": 1.0, "marital-status": 0.5, "occupation": 1.0, "native-country": 0.5,
         "education": 0.75},
        "salary-class",
        [{"kind": "k-anonymity", "k": 5}, {"kind": "distinct-l-diversity", "l": 2}],
        (0.272879664242893, 1031, 177),
    ),
    (
        "precision",
        {"race": 0.1, "occupation": 0.5, "workclass": 1.0, "salary-class": 0.1, "marital-status": 1.0},
        "sex",
        [{"kind": "k-anonymity", "k": 10}, {"kind": "t-closeness", "t": 0.3}],
        (0.18789768582985217, 1459, 63),
    ),
    (
        "loss",
        {"sex": 0.7, "age": 0.5, "race": 0.5, "marital-status": 0.5},
        "occupation",
        [{"kind": "k-anonymity", "k": 5}, {"kind": "recursive-l-diversity", "c": 2, "l": 3}],
        (0.02310020915855615, 618, 262),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", OF_ARX_FOUND_LATER, ids=str)
def test_weights_are_those_of_arx(case, adult_table):
    """Two models at once and weights: score, suppressed rows and classes are ARX's (default weight there: 0.5)."""
    name, weights, sensitive, models, (score, suppressed, classes) = case
    columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in weights]), (sensitive,))
    counted = counting.count(adult_table.to_batches(), columns)
    of_models = [
        each if each["kind"] == "k-anonymity" else {**each, "attribute": sensitive}
        for each in models
    ]
    found = optimum.search(
        counted.classes,
        Judge.of(made(of_models), counted, (sensitive,)),
        metric.prepare(name, counted.classes, weights),
        limit=int(0.05 * counted.classes.rows),
    )
    assert found.score == pytest.approx(score, rel=1e-6)
    assert (found.suppressed, found.classes) == (suppressed, classes)


@pytest.mark.parametrize("each", [1, 2, 7, 49, 1000])
@pytest.mark.parametrize("l", [2, 3, 5, 6, 7, 10])
def test_a_class_of_exactly_ln_l_passes(l, each):  # noqa: E741 - the model's own letter
    """Equally frequent values, l of them, pass whatever the rounding of logarithms; one fewer does not."""
    hs, models = {"q0": [["a", "*"]]}, [{"kind": "entropy-l-diversity", "attribute": "s", "l": l}]
    alike, less = (
        table_of({"q0": ["a"] * many * each, "s": [str(v) for v in range(many)] * each})
        for many in (l, l - 1)
    )
    found = searched(alike, hs, models, "loss", 0, sensitive="s")
    assert (found.levels, found.suppressed) == ((0,), 0)
    with pytest.raises(UnattainableError):
        searched(less, hs, models, "loss", 0, sensitive="s")


def test_a_class_just_below_ln_l_fails():
    """One row in thirty thousand too many: the entropy is below ln 2 by less than a billionth."""
    table = table_of({"q0": ["a"] * 30_001, "s": ["x"] * 15_001 + ["y"] * 15_000})
    models = [{"kind": "entropy-l-diversity", "attribute": "s", "l": 2}]
    with pytest.raises(UnattainableError):
        searched(table, {"q0": [["a", "*"]]}, models, "loss", 0, sensitive="s")


def test_of_classes_of_one_size_the_general_one_goes():
    """An average of 1/3 needs one class of two to go: with ``cd``, not ``b``, a node is as good as the one below."""
    tree = [["a", "a", "*"], ["b", "b", "*"], ["c", "cd", "*"], ["d", "cd", "*"]]
    table = table_of({"q0": ["c", "d", "b", "b", "a", "a", "a", "a"]})
    found = searched(table, {"q0": tree}, [{"kind": "average-risk", "threshold": 0.34}], "loss", 2)
    assert (found.suppressed, found.levels, found.ties) == (2, (0,), ((1,),))


@pytest.fixture(scope="module")
def adult_table():
    return adult()


# (models, limit, ARX's precision and node) for every third row of Adult in a population of all rows.
IN_A_POPULATION = [
    ({"kind": "k-map", "k": 5}, 0.05, 0.07536801273125124, (0, 1, 0, 0)),
    ({"kind": "k-map", "k": 20}, 1.0, 0.11676944499701611, (0, 1, 0, 0)),
    ({"kind": "k-map", "k": 100}, 0.05, 0.27200616669982103, (0, 4, 0, 0)),
    ({"kind": "delta-presence", "low": 0.0, "high": 0.6}, 0.05, 0.04495723095285459, (0, 0, 0, 0)),
    ({"kind": "delta-presence", "low": 0.2, "high": 0.6}, 0.05, 0.375, (0, 4, 0, 1)),
    ({"kind": "delta-presence", "low": 0.1, "high": 1.0}, 1.0, 0.375, (0, 4, 0, 1)),
]

# (estimator, population, threshold, limit, ARX's precision and suppressed rows) for five columns of Adult.
IN_A_LARGER_ONE = [
    ("pitman", 60_000, 0.001, 0.05, 0.0850242026390823, 1112),
    ("zayatz", 400_000, 0.001, 0.05, 0.07308699688349578, 733),
    ("zayatz", 60_000, 0.001, 0.0, 0.26666666666666666, 0),
    ("dankar", 400_000, 0.0001, 0.05, 0.0850242026390823, 1112),
    ("dankar", 60_000, 0.0001, 0.05, 0.08354386313904913, 1065),
]


class TestPopulationsAsArxFoundThem:
    QUASI: ClassVar = ["sex", "age", "race", "marital-status"]

    def found(self, model, rows, quasi, limit, population=None):
        columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in quasi]))
        counted = counting.count(rows.to_batches(), columns, population=population)
        return optimum.search(
            counted.classes,
            Judge.of(made([model]), counted),
            metric.prepare("precision", counted.classes),
            limit=int(limit * rows.num_rows + 1e-9),
        )

    @pytest.mark.parametrize(("model", "limit", "score", "node"), IN_A_POPULATION, ids=str)
    def test_a_third_of_everybody(self, model, limit, score, node, adult_table):
        third = adult_table.take(list(range(0, adult_table.num_rows, 3)))
        found = self.found(model, third, self.QUASI, limit, adult_table.to_batches())
        assert found.score == pytest.approx(score, rel=1e-9)
        assert node in {found.levels, *found.ties}

    @pytest.mark.parametrize("case", IN_A_LARGER_ONE, ids=str)
    def test_uniqueness_among_more_people(self, case, adult_table):
        estimator, people, threshold, limit, score, suppressed = case
        model = {
            "kind": "population-uniqueness", "threshold": threshold, "population": people,
            "estimator": estimator,
        }  # fmt: skip
        found = self.found(model, adult_table, [*self.QUASI, "education"], limit)
        assert found.score == pytest.approx(score, rel=1e-9)
        assert found.suppressed == suppressed

    def test_better_than_arx_where_its_solver_gives_up(self, adult_table):
        """ARX suppresses 1,068 rows; 1,010 are enough, and 1,009 are not."""
        model = {
            "kind": "population-uniqueness", "threshold": 0.001, "population": 400_000,
            "estimator": "pitman",
        }  # fmt: skip
        found = self.found(model, adult_table, [*self.QUASI, "education"], 0.05)
        assert (found.levels, found.suppressed) == ((0, 1, 0, 0, 0), 1010)
        columns = counting.Columns(
            Packing.of([adult_hierarchy(a) for a in [*self.QUASI, "education"]])
        )
        counted = counting.count(adult_table.to_batches(), columns)
        sizes = sorted(counted.classes.rolled_up(found.levels).counts.tolist())
        (kept,) = made([model])
        assert next(n for n in range(900, 1112) if kept.holds(np.array(sizes[n:]))) == 1010


class TestRefusals:
    HS: ClassVar = {"q0": [["a", "*"], ["b", "*"]]}

    def test_a_limit_that_cannot_be_met_says_what_could(self):
        """Five rows never make a class of ten: the message says how many would go."""
        table = table_of({"q0": ["a", "a", "b", "b", "b"]})
        with pytest.raises(UnattainableError, match=r"at q0 1 it would be 5 \(1\.0000\)"):
            searched(table, self.HS, [{"kind": "k-anonymity", "k": 10}], "loss", 2)

    def test_a_lattice_that_is_too_large_names_the_other_way(self):
        hs = {f"q{i}": [["a", *(f"x{j}" for j in range(7)), "*"]] for i in range(9)}
        table = table_of({a: ["a"] for a in hs})
        with pytest.raises(TooLargeError, match="beam"):
            searched(table, hs, [{"kind": "k-anonymity", "k": 1}], "loss", 0)

    def test_an_ordered_distance_needs_an_order(self):
        table = table_of({"q0": ["a", "b"], "s": ["red", "blue"]})
        models = [{"kind": "t-closeness", "attribute": "s", "t": 0.1, "distance": "ordered"}]
        with pytest.raises(InputError, match="needs an order"):
            searched(table, self.HS, models, "loss", 0, sensitive="s")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "k-anonymity", "k": 0},
            {"kind": "strict-risk", "threshold": 0},
            {"kind": "average-risk", "threshold": 1.5},
            {"kind": "t-closeness", "attribute": "s", "t": -0.1},
            {"kind": "population-uniqueness", "threshold": 1.5, "population": 10},
            {"kind": "population-uniqueness", "threshold": 0.5, "population": 0},
            {
                "kind": "population-uniqueness",
                "threshold": 0.5,
                "population": 9,
                "estimator": "guess",
            },
            {"kind": "delta-presence", "low": 0.5, "high": 0.2},
            {"kind": "entropy-l-diversity", "attribute": "s", "l": float("nan")},
            {"kind": "recursive-l-diversity", "attribute": "s", "c": 0, "l": 2},
        ],
        ids=lambda m: m["kind"],
    )
    def test_a_parameter_out_of_its_range(self, wrong):
        """The message names the model and what its parameter may be."""
        with pytest.raises(InputError, match=wrong["kind"]):
            made([wrong])

    def test_weights_for_a_metric_of_classes(self):
        table = table_of({"q0": ["a", "b"]})
        with pytest.raises(InputError, match="takes no weights"):
            searched(
                table, self.HS, [{"kind": "k-anonymity", "k": 1}], "discernibility", 0,
                weights={"q0": 2.0},
            )  # fmt: skip
