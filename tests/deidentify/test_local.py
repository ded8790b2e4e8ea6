"""Local recoding: what a reader of the release sees keeps every model, and loses less than any one node."""

import csv
import random
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify.recoded import Case, values_of
from deidentify.tables import ADULT, ATTRIBUTES, adult, adult_hierarchy, made
from deidentify.test_search import CLASS_MODELS, cases
from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.search.local import mondrian, scheme
from epilock.errors import InputError, UnattainableError


def strict(*given):
    return mondrian.recode(*given, ordered=["q0"])


def relaxed(*given):
    return mondrian.recode(*given, ordered=["q0"], strict=False)


METHODS = [scheme.recode, strict, relaxed]
KEPT = ("row", "s")


@pytest.mark.parametrize("models", CLASS_MODELS, ids=lambda m: "+".join(x["kind"] for x in m))
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
@settings(max_examples=15)
@given(case=cases(), name=st.sampled_from(metric.NAMES), share=st.sampled_from([0, 0.1, 0.3, 1]))
def test_models_hold_and_nothing_is_lost(method, models, case, name, share):
    """Rows of the release are grouped and counted; its score is the formula's, and at most that of the full-domain optimum."""
    case = Case(case, models, name, int(share * len(case[1])))
    try:
        found = method(*case.given)
    except UnattainableError:
        return
    recoding = found.recoding(KEPT)
    case.check(recoding, found.suppressed, found.classes)
    if found.full_domain is not None:
        assert found.score <= found.full_domain.score + 1e-9 * abs(found.full_domain.score)
    # A node's own levels count in the full-domain optimum: forms may stand for one value, suppressed rows too.
    if found.method != "full-domain" or name not in {"entropy", "precision"}:
        assert found.score == pytest.approx(case.cost(name, recoding), rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(
    case=cases(),
    method=st.sampled_from(METHODS),
    share=st.sampled_from([0, 0.3, 1]),
    threshold=st.sampled_from([0.2, 0.34, 0.5]),
)
def test_a_model_of_the_release_holds_for_what_is_seen(method, case, share, threshold):
    """The average risk is counted over the classes of the output."""
    models = [{"kind": "average-risk", "threshold": threshold}]
    case = Case(case, models, "loss", int(share * len(case[1])))
    try:
        found = method(*case.given)
    except UnattainableError:
        return
    case.check(found.recoding(KEPT), found.suppressed, found.classes)


@settings(max_examples=30)
@given(case=cases(), method=st.sampled_from(METHODS), seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(method, case, seed):
    """The same rows in another order become the same rows."""
    hs, rows, sensitive, wide = case
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, no secret
    other = hs, [rows[i] for i in order], [sensitive[i] for i in order], wide
    models = [{"kind": "k-anonymity", "k": 2}]
    released = []
    for each in (case, other):
        made_of = Case(each, models, "loss", len(rows) // 4)
        try:
            found = method(*made_of.given)
        except UnattainableError:
            return
        released.append((found.score, sorted(made_of.released(found.recoding(KEPT)).values())))
    assert released[0] == released[1]


class TestForms:
    def test_two_levels_with_one_text_are_one_form(self):
        """What looks alike is one class, though x stands for two values on one level and for four above."""
        h = [["a", "x", "x"], ["b", "x", "x"], ["c", "y", "x"], ["d", "y", "x"]]
        other = [["1", "*"], ["2", "*"]]
        rows = [("a", "1")] * 2 + [("b", "1")] + [("c", "1"), ("d", "2"), ("a", "2"), ("b", "2")]
        case = Case(
            ({"q0": h, "q1": other}, rows, ["1"] * 7, rows), [{"kind": "k-anonymity", "k": 2}], "loss", 0
        )  # fmt: skip
        found = scheme.recode(*case.given)
        case.check(found.recoding(KEPT), found.suppressed, found.classes)

    def test_an_interval_names_the_values_at_its_ends(self):
        """Both ends are values of the class; one value stands as itself."""
        ages = [[str(v), "*"] for v in range(10)]
        rows = [(str(v),) for v in (1, 1, 3, 4, 9, 7, 9, 6)]
        case = Case(
            ({"q0": ages}, rows, ["1"] * 8, rows), [{"kind": "k-anonymity", "k": 2}], "loss", 0
        )
        found = mondrian.recode(*case.given)
        texts = case.released(found.recoding(KEPT))
        assert [texts[i][0] for i in (0, 1, 2, 3, 4, 5)] == [
            "1",
            "1",
            "[3-4]",
            "[3-4]",
            "9",
            "[6-7]",
        ]

    def test_values_with_a_dash_have_dots_between(self):
        days = [[f"2026-03-0{d}", "*"] for d in range(1, 5)]
        rows = [(day[0],) for day in days]
        case = Case(
            ({"q0": days}, rows, ["1"] * 4, rows), [{"kind": "k-anonymity", "k": 2}], "loss", 0
        )
        found = mondrian.recode(*case.given, ordered=["q0"])
        assert case.released(found.recoding(KEPT))[0] == ("[2026-03-01..2026-03-02]",)

    def test_relaxed_cuts_divide_the_rows_of_a_value(self):
        """Five of six rows have the value 2: strict cuts keep them together, relaxed ones may not."""
        numbers = [[str(v), "*"] for v in range(1, 4)]
        letters = [[v, "*"] for v in "abcdef"]
        rows = [("1", "a"), *(("2", v) for v in "bcdef")]
        found = {}
        for strict in (True, False):
            case = Case(({"q0": numbers, "q1": letters}, rows, ["1"] * 6, rows), [{"kind": "k-anonymity", "k": 3}], "loss", 0)  # fmt: skip
            found[strict] = mondrian.recode(*case.given, strict=strict)
            case.check(
                found[strict].recoding(KEPT), found[strict].suppressed, found[strict].classes
            )
        assert found[False].score < found[True].score

    def test_an_order_of_what_is_not_there(self):
        rows = [("1",), ("1",)]
        case = Case(
            ({"q0": [["1", "*"]]}, rows, ["1"] * 2, rows),
            [{"kind": "k-anonymity", "k": 2}],
            "loss",
            0,
        )
        with pytest.raises(InputError, match="ordered names age"):
            mondrian.recode(*case.given, ordered=["age"])

    def test_a_row_that_was_not_counted(self):
        """A table that changed since is refused, by row and without its values."""
        rows = [("1", "1"), ("2", "2")] * 2
        hs = {q: [["1", "*"], ["2", "*"]] for q in ("q0", "q1")}
        case = Case((hs, rows, ["1"] * 4, rows), [{"kind": "k-anonymity", "k": 2}], "loss", 0)
        recoding = scheme.recode(*case.given).recoding(KEPT)
        with pytest.raises(InputError, match="row 2: these values did not occur together"):
            case.released(recoding, [("1", "1"), ("1", "2")])


@pytest.fixture(scope="module")
def adult_given():
    """The Adult table, and what a method is given for k = 5 and 5 %."""
    table = adult()
    columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in ATTRIBUTES]))
    counted = counting.count(table.to_batches(), columns)
    judge = Judge.of(made([{"kind": "k-anonymity", "k": 5}]), counted)
    prepared = metric.prepare("loss", counted.classes)
    return table, (counted, columns, judge, prepared, int(0.05 * table.num_rows))


@pytest.mark.parametrize(
    ("method", "most"),
    [(scheme.recode, 0.058), (mondrian.recode, 0.053)],
    ids=["local", "mondrian"],
)
def test_a_quarter_of_the_full_domain_loss(method, most, adult_given):
    """Adult: 0.2419 becomes less than 0.06; groups are counted in Arrow, values priced one by one."""
    table, given = adult_given
    found = method(*given)
    recoding = found.recoding()
    out = pa.Table.from_batches([recoding.recode(b, 0) for b in table.to_batches()])
    sizes = out.group_by(list(ATTRIBUTES)).aggregate([([], "count_all")])["count_all"]
    assert pc.min(sizes).as_py() >= 5
    assert table.num_rows - out.num_rows == found.suppressed <= 1508
    assert len(sizes) == found.classes
    assert found.full_domain.score == pytest.approx(0.2419323650662908, rel=1e-6)
    assert found.score == pytest.approx(loss_of(table, out, recoding), rel=1e-9)
    assert found.score <= most


def test_long_work_says_how_far_it_is():
    """Stages are counted up, to the last one or less."""
    rows = [(str(i % 5), str(i % 3)) for i in range(30)]
    hs = {q: [[str(v), "*"] for v in range(5)] for q in ("q0", "q1")}
    case = Case((hs, rows, ["1"] * 30, rows), [{"kind": "k-anonymity", "k": 3}], "loss", 0)
    told = []
    scheme.recode(*case.given, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {of for _, of in told} == {scheme.STAGES}
    assert len(told) <= scheme.STAGES


def loss_of(table, out, recoding):
    """The metric by its formula, from the table before and after; suppressed rows cost 1."""
    gone = table.num_rows - out.num_rows
    marked = table.append_column("row", pa.array(range(table.num_rows)))
    named = replace(recoding, kept=("row",))
    rows = pa.Table.from_batches([named.recode(b, 0) for b in marked.to_batches()])["row"]
    before = table.take(rows)
    total = 1.0
    for a in ATTRIBUTES:
        with (ADULT / f"adult_hierarchy_{a}.csv").open(encoding="utf-8") as file:
            hierarchy = list(csv.reader(file, delimiter=";"))
        pairs = Counter(zip(before[a].to_pylist(), out[a].to_pylist(), strict=True))
        values = len(hierarchy)
        t = gone + sum(
            n * len(values_of(hierarchy, value, text)) / values
            for (value, text), n in pairs.items()
        )
        m = table.num_rows / len(hierarchy)
        total *= (max(0.0, (t - m) / (table.num_rows - m)) + 1) ** (1 / len(ATTRIBUTES))
    return total - 1
