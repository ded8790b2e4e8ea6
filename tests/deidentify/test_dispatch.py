"""A file's release from beginning to end: what passes is there with its report, what is refused leaves nothing."""

import csv
import json
import random
import re
from datetime import UTC, datetime

import pytest

from epilock.cli import main
from epilock.deidentify.leaving import register
from epilock.deidentify.leaving.review import Rule
from epilock.deidentify.release import config
from epilock.deidentify.release.dispatch import deidentify_file
from epilock.deidentify.search.methods import METHODS
from epilock.errors import ConflictError, InputError, RefusedError

NOW = datetime(2026, 3, 14, 1, tzinfo=UTC)
SETUP = """
quasi_identifiers = ["age", "town"]
suppression_limit = 0.1
dataset = "cases"
record = "id"
hierarchies.age = { rule = "age", bands = [10, 20] }
[[models]]
kind = "k-anonymity"
k = 20
[[models]]
kind = "distinct-l-diversity"
attribute = "illness"
l = 2
"""
RULE = Rule(k=20, l=2, rule="release/school", source=("A",))


@pytest.fixture
def desk(tmp_path):
    """Four hundred people, and one whom nobody is like."""
    draw = random.Random(3)  # noqa: S311 - the same people each time
    people = [
        [
            f"r{i:04}",
            f"P{i}",
            str(draw.randint(20, 59)),
            draw.choice(["Jinan", "Dezhou"]),
            draw.choice("abc"),
        ]
        for i in range(400)
    ]
    people.append(["r9999", "Methuselah", "97", "Qingdao", "rare"])
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "name", "age", "town", "illness"], *people])
    (tmp_path / "c.toml").write_text(SETUP, "utf-8")
    return tmp_path


def released(desk, setup=SETUP, out="out.csv", **how):
    (desk / "c.toml").write_text(setup, "utf-8")
    wanted = config.read(desk / "c.toml")
    return deidentify_file(desk / "in.csv", wanted, desk / out, now=NOW, **how)


class TestFile:
    def test_all_of_it(self, desk):
        """Release, register and report say the same, and none of them names anybody."""
        result = released(desk, rule=RULE, register=desk / "reg", report=desk / "r.json")
        head, *rows = csv.reader((desk / "out.csv").read_text("utf-8").splitlines())
        assert head == ["age", "town", "illness"]
        assert result.columns == tuple(head)
        told = json.loads((desk / "r.json").read_text("utf-8"))
        with register.opened(desk / "reg", "cases") as shelf:
            (said,) = shelf.releases()
        assert said.rows == len(rows) == told["measures"]["rows"] == result.rows - result.suppressed
        assert said.sha256 == told["sha256"] == register.sha256_of(desk / "out.csv")
        assert said.levels == told["optimum"] == result.optimum
        assert told["review"]["rule"]["rule"] == "release/school"
        assert told["attacks"]["linkage"]["worst"][-1]["after"]["highest"] <= 1 / 20
        assert told["attacks"]["disclosure"][0]["column"] == "illness"
        text = (desk / "r.json").read_text("utf-8") + (desk / "out.csv").read_text("utf-8")
        assert not re.search(r'Methuselah|Qingdao|rare|r\d{4}|"97"', text)

    def test_what_it_is_still_worth_and_who_is_in_it(self, desk):
        """Measures, a model trained on both, and membership by rows that a release of the rest did not see."""
        result = released(desk, report=desk / "r.json")
        told = json.loads((desk / "r.json").read_text("utf-8"))
        before, after = told["utility"]["before"], told["utility"]["after"]
        assert (before["rows"], after["rows"]) == (401, 401 - result.suppressed)
        assert after["loss"] == pytest.approx(result.score)
        assert after["classes"] == result.classes
        (learnt,) = told["learnt"]
        assert (learnt["target"], learnt["rows"]) == ("illness", 401)
        assert all(0 <= learnt[name]["auc"] <= 1 for name in ("majority", "before", "after"))
        membership = told["attacks"]["membership"]
        assert (
            membership["low"] <= 0 <= membership["high"]
        )  # a coin, of forms that stand for twenty

    def test_without_a_second_release_membership_is_not_told(self, desk):
        """Where the rest alone cannot be released the report says nothing, and the release stands."""
        hard = SETUP.replace("k = 20", "k = 380")
        released(desk, hard, report=desk / "r.json")
        told = json.loads((desk / "r.json").read_text("utf-8"))
        assert told["attacks"]["linkage"] is not None
        assert told["attacks"]["membership"] is None

    def test_a_large_table_is_attacked_too(self, desk):
        """Linkage counts all rows; membership is told of as many as are drawn, and the report says how many."""
        lines = (desk / "in.csv").read_text("utf-8").splitlines()
        many = [f"{i:06}{line[5:]}" for i, line in enumerate(lines[1:] * 500)]
        (desk / "in.csv").write_text("\n".join([lines[0], *many, ""]), "utf-8")
        released(desk, report=desk / "r.json")
        told = json.loads((desk / "r.json").read_text("utf-8"))
        assert told["attacks"]["drawn"] == 200_000
        assert told["attacks"]["linkage"]["worst"][-1]["after"]["rows"] == told["measures"]["rows"]
        assert told["learnt"][0]["rows"] == 200_000

    def test_what_is_refused_leaves_nothing(self, desk):
        with pytest.raises(RefusedError, match="where 300 are asked"):
            released(desk, rule=Rule(k=300), register=desk / "reg", report=desk / "r.html")
        assert not (desk / "out.csv").exists()
        assert not (desk / "r.html").exists()
        assert sorted(p.name for p in (desk / "reg/cases").iterdir()) == ["key", "lock"]
        assert not list(desk.glob(".*"))

    def test_a_finer_one_beside_the_first(self, desk):
        """By itself it passes; beside the first it shows who stood out."""
        released(desk, register=desk / "reg")
        other = SETUP.replace("suppression_limit = 0.1", "suppression_limit = 0").replace(
            "l = 2", "l = 1"
        )
        released(desk, other, out="alone.csv")
        with pytest.raises(RefusedError, match="that are not in release 1 are 1 where 20"):
            released(desk, other, out="second.csv", register=desk / "reg")
        assert not (desk / "second.csv").exists()

    @pytest.mark.parametrize("search", [each for each in METHODS if each != "optimal"])
    def test_other_methods_are_reviewed_and_told_too(self, search, desk):
        """What is no optimum has a frontier too, and attacks where its forms are those of hierarchies."""
        setup = SETUP.replace("suppression_limit", f'search = "{search}"\nsuppression_limit')
        released(desk, setup, rule=RULE, register=desk / "reg", report=desk / "r.json")
        released(
            desk, setup, out="again.csv", rule=RULE, register=desk / "reg", report=desk / "r.html"
        )
        told = json.loads((desk / "r.json").read_text("utf-8"))
        assert told["measures"]["smallest"] >= 20
        assert [p["k"] for p in told["frontier"] if p["chosen"]] == [20]
        assert (told["attacks"]["linkage"] is None) == (search == "mondrian")
        assert "<svg" in (desk / "r.html").read_text("utf-8")

    def test_without_ids_there_is_no_register(self, desk):
        with pytest.raises(InputError, match="name dataset"):
            released(desk, SETUP.replace('record = "id"', ""), register=desk / "reg")

    def test_ids_have_no_other_role(self, desk):
        with pytest.raises(InputError, match="another role"):
            released(desk, 'keep = ["id"]' + SETUP)

    def test_a_report_that_is_there(self, desk):
        """Told before the work: the release is not written either."""
        (desk / "r.html").write_text("mine")
        with pytest.raises(ConflictError):
            released(desk, report=desk / "r.html")
        assert not (desk / "out.csv").exists()


class TestCommand:
    def words(self, desk, *more):
        return [
            "deidentify",
            f"{desk}/in.csv",
            "--config",
            f"{desk}/c.toml",
            "--out",
            f"{desk}/o.csv",
            *more,
        ]

    def test_a_rule_of_the_standard(self, desk, capsys):
        with pytest.raises(SystemExit) as ended:
            main(self.words(desk, "--rule", "school", "--report", f"{desk}/r.html"))
        assert not ended.value.code
        assert "smallest class" in capsys.readouterr().out
        assert "release/school" in (desk / "r.html").read_text("utf-8")

    def test_it_is_refused_by_rule_source_and_remedy(self, desk, capsys):
        with pytest.raises(SystemExit) as ended:
            main(self.words(desk, "--rule", "epi-investigation"))
        said = capsys.readouterr().err
        assert ended.value.code == 1
        assert "rule: release/epi-investigation (" in said
        assert "k = 50" in said
        assert not (desk / "o.csv").exists()

    def test_a_circumstance_that_there_is_not(self, desk, capsys):
        with pytest.raises(SystemExit) as ended:
            main(self.words(desk, "--rule", "schule"))
        assert ended.value.code == 2
        assert "it has " in capsys.readouterr().err
