"""What a report promises: it says what was found in two languages, asks for nothing, and tells of nobody."""

import base64
import dataclasses
import hashlib
import json
import re
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect, sync_playwright

from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.model import DistinctLDiversity, KAnonymity
from epilock.deidentify.leaving.review import Review, Rule
from epilock.deidentify.reports import chart, distribution, frontier, report
from epilock.deidentify.reports.distribution import shown
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search import optimum
from epilock.deidentify.search.methods import METHODS, Task
from epilock.errors import ConflictError, InputError, TooLargeError

CHROMIUM = Path("/usr/bin/chromium")
HERE = Path(report.__file__).parent
AGE = Hierarchy.from_rows("age", [[str(a), f"{a // 10}0s", "*"] for a in range(20, 60)])
TOWN = Hierarchy.from_rows("town", [[t, "*"] for t in ("Jinan", "Dezhou", "<b>&Lu")])
LEAST = 10


def rows():
    """Three hundred ordinary rows, and one alone: 59 years old."""
    ages = [20 + i * 7 % 30 for i in range(300)]
    towns = [("Jinan", "Dezhou", "<b>&Lu")[i % 3] for i in range(300)]
    ill = [("flu", "cold", "tb")[i // 7 % 3] for i in range(300)]
    return pa.table(
        {"age": [*map(str, ages), "59"], "town": [*towns, "Jinan"], "ill": [*ill, "hiv"]}
    )


def made(table=None, k=5, *, hierarchies=(AGE, TOWN), sensitive=("ill",), least=LEAST, limit=0.05):
    """A release of ``table`` and its report, from the parts that the command is made of."""
    table = rows() if table is None else table
    columns = counting.Columns(Packing.of(list(hierarchies)), sensitive)
    counted = counting.count(table.to_batches(), columns)
    models = [KAnonymity(k)]
    if sensitive:
        models.append(DistinctLDiversity(sensitive[0], 2))
    judge = Judge.of(models, counted, sensitive, {})
    measured = metric.prepare("loss", counted.classes)
    most = int(limit * table.num_rows)
    best = optimum.search(counted.classes, judge, measured, limit=most)
    node = counted.classes.rolled_up(best.levels)
    fails, _ = judge.judge(node)
    recoding = FullDomain.of(columns, node, fails, sensitive)
    quasi = [h.attribute for h in hierarchies]
    review = Review(quasi)
    released = [*review.watch(recoding.recode(b, 0) for b in table.combine_chunks().to_batches())]
    names = recoding.schema(table.schema).names
    found = {
        "optimum": dict(zip(quasi, map(int, best.levels), strict=True)), "score": best.score,
        "suppressed": best.suppressed, "classes": best.classes, "lattice": best.tally.lattice,
        "checked": best.tally.checked, "over_limit": best.tally.over_limit,
        "not_better": best.tally.not_better, "ties": [], "rows": table.num_rows, "metric": "loss",
        "search": "optimal", "search_seconds": 0.1, "total_seconds": 0.2, "columns": names,
        "left_out": [],
        "models": [{"kind": "k-anonymity", "k": k, "measured": "smallest class", "value": k}],
    }  # fmt: skip
    told = report.Report(
        found=found, limit=limit, quasi=tuple(quasi), measures=review.measures(),
        reviewed=review.conclude(Rule(k=k, rule="release/<x>", source=("GB/T 37964",))),
        distributions=report.of_columns(
            names, distribution.of_full_domain(recoding, counted.classes, least=least),
            {name: review.frequencies(name) for name in names}, quasi=quasi, least=least,
        ),
        frontier=frontier.along(
            task_of(columns, counted, measured, most), models, sensitive=sensitive, series=(2, 20, 10_000)
        ),
        least=least, sha256="ab" * 32, at=datetime(2026, 3, 14, 1, tzinfo=UTC),
    )  # fmt: skip
    return told, pa.Table.from_batches(released)


def task_of(columns, counted, measured, limit):
    """What a method is given; its models are those that the frontier, or a test, puts in their place."""
    return Task(
        columns=columns, counted=counted, judge=Judge.of([KAnonymity(2)], counted), metric=measured, limit=limit,
        passing=(), hierarchies={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def told():
    return made()[0]


class TestPage:
    def test_it_asks_for_nothing(self, told):
        """No script, no address, no style that its own policy would not let be."""
        page = told.to_html()
        assert not re.search(r"<script|\sstyle=|https?://|url\(|@import|\son\w+=|<img|<link", page)
        (css,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;" in page

    def test_what_the_table_says_is_escaped(self, told):
        page = told.to_html()
        assert "<b>" not in page
        assert "<x>" not in page
        assert "&lt;b&gt;&amp;Lu" in page

    def test_both_languages_say_the_same(self, told):
        zh, en = re.findall(r"<main .*?</main>", told.to_html(), re.DOTALL)
        assert re.findall(r"<\w+", zh) == re.findall(r"<\w+", en)

    def test_the_proof_adds_up(self, told):
        found = told.found
        assert (
            f"{found['checked']} + {found['over_limit']} + {found['not_better']} = {found['lattice']}"
            in told.to_html()
        )

    def test_every_text_is_there_twice_and_used(self):
        texts = tomllib.loads((HERE / "report.toml").read_text("utf-8"))
        page = (HERE / "report.html").read_text("utf-8")
        used = set(re.findall(r't\("(\w+)"', page)) | set(
            re.findall(r'"(\w+_(?:before|after))"', page)
        )
        used |= {"homogeneous", "largest_distance", "guessed", "guessed_without"}
        made = {
            key for key in texts if key.startswith(("metric_", "measured_", "worth_", "learnt_"))
        }
        assert {key for key in used if not key.endswith("_")} | made == set(texts)
        assert {f"metric_{name}" for name in metric.NAMES} <= texts.keys()
        for key, text in texts.items():
            assert text.keys() == {"zh", "en"}, key
            zh, en = (sorted(re.findall(r"{\w+}", text[each])) for each in ("zh", "en"))
            assert zh == en

    def test_without_a_rule_or_a_lattice(self, told):
        """A local method has neither levels nor a lattice; all of the page still stands."""
        found = {**told.found, "optimum": None, "lattice": 0, "search": "local"}
        changed = {"found": found, "reviewed": None, "frontier": ()}
        page = report.Report(
            **{f: getattr(told, f) for f in told.__dataclass_fields__} | changed
        ).to_html()
        assert "does not prove an optimum" in page
        assert "It was not reviewed" in page

    def test_attacks_are_shown_and_nothing_else_of_them_passes(self, told):
        risk = {"rows": 300, "highest": 0.5, "average": 0.25, "above": 0.1, "unique": 7}
        linkage = {
            "threshold": 0.05, "looked": [],
            "known": [
                {"columns": ("age",), "before": risk, "after": {**risk, "highest": 0.125}, "secret": 1},
                {"columns": ("town",), "before": risk, "after": {**risk, "highest": 0.0625}, "secret": 1},
            ],
        }  # fmt: skip
        changed = report.Report(
            **{f: getattr(told, f) for f in told.__dataclass_fields__} | {"linkage": linkage}
        )
        assert "12.50%" in changed.to_html()
        assert "6.25%" not in changed.to_html()
        said = changed.to_json()["attacks"]["linkage"]["worst"]
        assert said == [{"columns": ["age"], "before": risk, "after": {**risk, "highest": 0.125}}]


class TestSecrets:
    def test_a_suppressed_row_leaves_no_trace(self, told):
        """The one who is 59 and the only one with HIV is counted, and not told."""
        assert told.found["suppressed"] >= 1
        for text in (told.to_html(), json.dumps(told.to_json())):
            assert "hiv" not in text
            assert not re.search(r">59<|\"59\"", text)

    @given(
        st.lists(st.tuples(st.integers(20, 59), st.sampled_from(["Jinan", "Dezhou"])), min_size=4, max_size=80),
        st.integers(2, 6),
    )  # fmt: skip
    @settings(max_examples=40)
    def test_no_small_number_is_told_or_can_be_computed(self, people, least):
        """Of each form: what is shown is large, what is not is a sum of two values at least, not small."""
        table = pa.table({"age": [str(a) for a, _ in people], "town": [t for _, t in people]})
        made_, released = made(table, 2, sensitive=(), least=least, limit=1.0)
        kept = released.num_rows
        for column in made_.distributions:
            assert sum(f.rows for f in column.forms) + column.rows == kept
            for form in column.forms:
                before = form.before
                assert form.rows >= least
                assert sum(n for _, n in before.cells) + before.rows == form.rows
                assert all(n >= least for _, n in before.cells)
                assert before.hidden != 1
                assert not before.hidden or before.rows >= least

    def test_the_smallest_is_hidden_with_another(self):
        assert shown({"a": 3, "b": 30, "c": 20}, 10).cells == (("b", 30),)
        assert shown({"a": 30, "b": 20}, 10).hidden == 0
        assert shown({"a": 4, "b": 5, "c": 11, "d": 20}, 10).cells == (("d", 20),)
        assert shown({}, 10) == distribution.Shown(cells=(), hidden=0, rows=0)


class TestLocal:
    @pytest.mark.parametrize("method", ["local", "mondrian"])
    def test_what_the_rows_of_a_form_said_before(self, method):
        """Of each form the values of its released rows, counted here row by row; no number below the least."""
        columns, table = counting.Columns(Packing.of([AGE, TOWN])), rows()
        counted = counting.count(table.to_batches(), columns)
        task = task_of(columns, counted, metric.prepare("loss", counted.classes), 5)
        judge = Judge.of([KAnonymity(5)], counted)
        recoding = METHODS[method](dataclasses.replace(task, judge=judge)).recoding
        before, after = Counter(), Counter()
        for place in range(table.num_rows):
            (row,) = table.slice(place, 1).combine_chunks().to_batches()
            for made in recoding.recode(row, 0).to_pylist():
                after.update(made.items())
                before.update((name, made[name], row[name][0].as_py()) for name in made)
        for told in distribution.of_mixed(recoding.mixed, least=LEAST):
            name = told.attribute
            assert sum(form.rows for form in told.forms) + told.rows == after.total() // 2
            for form in told.forms:
                assert form.rows == after[name, form.form]
                assert form.before.rows + sum(n for _, n in form.before.cells) == form.rows
                for value, n in form.before.cells:
                    assert LEAST <= n == before[name, form.form, value]


class TestFrontier:
    def test_points_rise_and_say_what_is_not_reached(self, told):
        points = told.frontier
        assert [p.k for p in points] == [2, 5, 20, 10_000]
        assert [p.chosen for p in points] == [False, True, False, False]
        assert points[0].score <= points[1].score <= points[2].score
        assert points[-1].score is None
        assert "not to be reached" in told.to_html()

    def test_the_chosen_point_is_the_release(self, told):
        (chosen,) = (p for p in told.frontier if p.chosen)
        assert (chosen.score, chosen.levels) == (told.found["score"], told.found["optimum"])
        assert chosen.highest == told.measures.highest
        assert chosen.average == told.measures.average

    def test_it_is_bounded(self):
        columns = counting.Columns(Packing.of([AGE]))
        counted = counting.count(rows().to_batches(), columns)
        measured = metric.prepare("loss", counted.classes)
        with pytest.raises(InputError, match="points at most"):
            frontier.along(
                task_of(columns, counted, measured, 0), [KAnonymity(2)], series=range(1, 20)
            )
        deep = [[str(a), *(str(a) for _ in range(40)), "*"] for a in range(2)]
        wide = Packing.of([Hierarchy.from_rows(f"a{i}", deep) for i in range(4)])
        table = pa.table({f"a{i}": ["0", "1"] for i in range(4)})
        deeper = counting.Columns(wide)
        many = counting.count(table.to_batches(), deeper)
        with pytest.raises(TooLargeError, match="not searched"):
            frontier.along(
                task_of(deeper, many, metric.prepare("loss", many.classes), 0), [KAnonymity(2)]
            )

    @pytest.mark.parametrize("method", ["local", "mondrian"])
    def test_other_methods_have_one_too(self, method):
        """Each point is what the method finds for that k, and loses no more than the optimum on one node."""
        columns = counting.Columns(Packing.of([AGE, TOWN]))
        counted = counting.count(rows().to_batches(), columns)
        task = task_of(columns, counted, metric.prepare("loss", counted.classes), 5)
        ours, best = (
            frontier.along(task, [KAnonymity(5)], search=search, series=(20,))
            for search in (method, "optimal")
        )
        assert [(p.k, p.chosen, p.levels) for p in ours] == [(5, True, None), (20, False, None)]
        assert all(
            p.score <= q.score and p.highest <= 1 / p.k for p, q in zip(ours, best, strict=True)
        )

    def test_all_dots_are_inside(self, told):
        plot = chart.frontier(told.frontier)
        assert all(0 < d.x < chart.WIDTH and 0 < d.y < chart.HEIGHT for d in plot.dots)
        assert chart.frontier(told.frontier[:1]) is None


class TestFile:
    def test_the_suffix_says_what(self, told, tmp_path):
        report.write(tmp_path / "r.html", told)
        report.write(tmp_path / "r.json", told)
        assert json.loads((tmp_path / "r.json").read_text())["sha256"] == "ab" * 32
        assert (tmp_path / "r.html").read_text("utf-8") == told.to_html()

    def test_what_is_in_the_way(self, told, tmp_path):
        (tmp_path / "r.html").write_text("mine")
        with pytest.raises(ConflictError):
            report.write(tmp_path / "r.html", told)
        report.write(tmp_path / "r.html", told, replace=True)
        with pytest.raises(InputError, match=r"\.html or \.json"):
            report.write(tmp_path / "r.pdf", told)
        with pytest.raises(InputError, match="no such directory"):
            report.write(tmp_path / "x/r.html", told)

    def test_least_is_that_of_the_rule(self, told):
        assert report.least_shown(told.reviewed, told.found["models"]) == report.LEAST
        assert report.least_shown(None, [{"kind": "k-anonymity", "k": 50}]) == 50


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
class TestBrowser:
    @pytest.mark.parametrize(("width", "language"), [(390, "zh"), (390, "en"), (1280, "en")])
    def test_it_fits_and_asks_nobody(self, told, tmp_path, width, language):
        """On a telephone and a desk; its own policy stops nothing of it."""
        report.write(tmp_path / "r.html", told)
        seen = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: seen.append(message.text))
            page.on("request", lambda request: seen.append(request.url))
            page.goto(f"file://{tmp_path}/r.html#{language}")
            assert page.evaluate("document.documentElement.scrollWidth") == width
            expect(page.locator("main:visible")).to_have_attribute("id", language)
            assert page.locator(f"#{language} svg").first.bounding_box()["width"] > 200
            browser.close()
        assert [each.partition("#")[0] for each in seen] == [f"file://{tmp_path}/r.html"]
