"""``epilock standard list``, ``show`` and ``diff`` at a terminal."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from epilock.cli.standard import app
from epilock.errors import InputError, StandardFileError
from epilock.standard import load
from epilock.standard.files import NAMES
from epilock.standard.load import FOLDER, VERSION
from epilock.standard.sheet import tables

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "standard.md"


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def lines(*words):
    """Return what a command prints, which must end well."""
    found = run(*words)
    assert found.exit_code == 0, found.output
    return found.output.splitlines()


class TestList:
    @pytest.mark.parametrize("table", tables(load()))
    def test_tables(self, table):
        """Each table, a line a row, each with its code and name."""
        rows = tables(load())[table]
        assert [line.split()[0] for line in lines("list", table)] == list(rows)
        found = json.loads(run("list", table, "--json").output)
        assert (found["standard"], found["table"]) == (load().ref, table)
        assert [r["code"] for r in found["rows"]] == list(rows)

    def test_default(self):
        assert "小区出入" in lines("list", "--language", "zh")[0]

    def test_what_may_be_asked(self):
        """With circumstance and level: what the standard answers."""
        found = lines("list", "categories", "--circumstance", "school", "--level", "iii")
        assert [x.split()[0] for x in found] == [
            "identity.name", "education.school", "family.guardian", "health.temperature", "health.symptoms",
        ]  # fmt: skip
        assert not lines("list", "categories", "--circumstance", "school", "--level", "E")

    def test_filters(self):
        grave = lines("list", "categories", "--grade", "4", "--sensitive", "--word", "bio")
        assert len(grave) == 4
        assert all("grade 4, sensitive" in x for x in grave)
        assert all("unverified" in x for x in lines("list", "sources", "--unverified"))
        assert lines("list", "categories", "--word", "体温")[0].startswith("health.temperature")

    def test_versions(self):
        assert lines("list", "versions") == [f"{VERSION}  {load().hash}"]
        assert (
            json.loads(run("list", "versions", "--json").output)["rows"][0]["hash"] == load().hash
        )

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("purposes", "--grade", "4"), "about categories"),
            (("categories", "--level", "I"), "needs --circumstance"),
            (("categories", "--circumstance", "x"), "no circumstance 'x'"),
            (("categories", "--circumstance", "school", "--level", "V"), "no level 'V'"),
            (("categories", "--standard", "1999"), "there are 2026.1"),
        ],
    )
    def test_wrong_option(self, words, says):
        found = run("list", *words)
        assert isinstance(found.exception, InputError)
        assert says in str(found.exception)


class TestShow:
    def test_text(self):
        found = lines("show", "school", "--language", "zh")
        assert found[0] == "school  学校  [circumstances]"
        assert "  四级起：" in found

    def test_json(self):
        (sheet,) = json.loads(run("show", "R3", "--json").output)["sheets"]
        assert (sheet["kind"], sheet["code"]) == ("ranges", "R3")
        assert all(set(x["label"]) == {"zh", "en"} for x in sheet["lines"])

    def test_rule(self):
        found = lines("show", "never/school/biometric.*")
        assert found[0] == "never/school/biometric.*  It is not collected at any level.  [rules]"


class TestDiff:
    @pytest.fixture
    def next_version(self, tmp_path):
        """Return a folder in which school no longer asks for symptoms, and keeps a week."""
        folder = shutil.copytree(FOLDER / VERSION, tmp_path / "next")
        path = folder / "circumstances.toml"
        text = path.read_text("utf-8")
        start = text.index("[school]")
        school = (
            text[start:]
            .replace('ask.III = ["health.symptoms"]\n', "", 1)
            .replace("days = 14", "days = 7", 1)
        )
        path.write_text(text[:start] + school, "utf-8")
        return folder

    def test_same(self):
        assert lines("diff", VERSION, VERSION)[-1] == "no answer changes"

    def test_differs(self, next_version):
        found = run("diff", VERSION, next_version)
        assert found.exit_code == 1
        assert "may no longer be asked (1)" in found.output
        assert "  school  health.symptoms: from Level III -> refused" in found.output
        assert (
            "  school  identity.name: 14 days from collection, then destroy -> 7 days"
            in found.output
        )

    def test_json(self, next_version):
        found = run("diff", next_version, VERSION, "--json")
        assert found.exit_code == 1
        changes = json.loads(found.output)["changes"]
        (asked,) = (c for c in changes if c["kind"] == "asked")
        assert (asked["where"], asked["what"]) == ("school", "health.symptoms")
        assert asked["after"] == {"zh": "三级起", "en": "from Level III"}

    def test_a_folder_with_an_error(self, next_version):
        """A folder that contradicts itself is not compared; its file and line are named."""
        path = next_version / "purposes.toml"
        path.write_text(path.read_text("utf-8").replace('["aggregate"]', '["gossip"]', 1), "utf-8")
        found = run("diff", VERSION, next_version)
        assert isinstance(found.exception, StandardFileError)
        assert str(found.exception).startswith(
            "purposes.toml:6: [situation-monitoring] forms: 'gossip'"
        )


class TestReference:
    """``docs/reference/standard.md`` names what there is, and its commands run."""

    def test_examples(self):
        text = REFERENCE.read_text("utf-8")
        runs = re.findall(r"\$ epilock standard (.*?)\n```\n<!-- exit: (\d) -->", text)
        assert len(runs) == 5
        assert [run(*words.split()).exit_code for words, _ in runs] == [int(c) for _, c in runs]

    def test_complete(self):
        """Every table and file is named."""
        text = REFERENCE.read_text("utf-8")
        assert [t for t in tables(load()) if f"`{t}`" not in text] == []
        assert [n for n in NAMES if f"`{n}.toml`" not in text] == []
