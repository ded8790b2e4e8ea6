"""``epilock standard check``: what it prints, and with which exit code it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from epilock.cli.standard_check import check
from epilock.errors import InputError

FORMS = Path(__file__).parents[1] / "data" / "forms"
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "check-a-form.md"
KEYS = ["field", "label", "category", "verdict", "rule", "source", "advice"]

app = typer.Typer()
app.command()(check)


def run(*words):
    """Return the result of the command with ``words``."""
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, list(map(str, words)))


def report(*words):
    return json.loads(run(*words, "--json").stdout)


class TestJson:
    """The report, with exactly the keys of issue 3."""

    def test_whole(self):
        file = FORMS / "compound-entry.csv"
        found = report(file, "--circumstance", "residential-entry", "--level", "II")
        assert list(found) == ["file", "circumstance", "level", "fields"]
        assert found["file"] == str(file)
        assert (found["circumstance"], found["level"]) == ("residential-entry", "II")
        assert all(list(f) == KEYS for f in found["fields"])

    def test_one_field(self):
        found = report(
            FORMS / "shop-scan.csv", "--circumstance", "venue-check-in", "--level", "III"
        )
        assert found["fields"][3] == {
            "field": "人脸照片",
            "label": "人脸照片",
            "category": "biometric.face",
            "verdict": "refused",
            "rule": "never/venue-check-in/biometric.*",
            "source": found["fields"][3]["source"],
            "advice": "此时可以收集：到访记录、手机号。",
        }
        assert "PIPL-28" in found["fields"][3]["source"]

    def test_language(self):
        """The advice is in the form's language unless another is asked for."""
        words = (FORMS / "shop-scan.csv", "--circumstance", "venue-check-in", "--level", "III")
        assert report(*words, "--language", "en")["fields"][3]["advice"].startswith(
            "What may be asked"
        )

    def test_lone_surrogate(self, tmp_path):
        """A label that is no valid text still makes valid JSON."""
        form = tmp_path / "f.json"
        item = r'{"linkId":"\ud800","type":"string","text":"Name"}'
        form.write_text(f'{{"resourceType":"Questionnaire","item":[{item}]}}', encoding="utf-8")
        found = report(form, "--circumstance", "staffing", "--level", "N")
        assert found["fields"][0]["field"] == "\ud800"


class TestExit:
    """0 only if nothing is refused or unknown."""

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ("姓名,联系电话,登记日期", 0),
            ("姓名,身份证号", 1),
            ("姓名,政治面貌", 1),
            ("日期,序号", 0),
        ],
    )
    def test_code(self, tmp_path, header, code):
        form = tmp_path / "form.csv"
        form.write_text(header + "\n", encoding="utf-8")
        assert run(form, "--circumstance", "residential-entry", "--level", "II").exit_code == code

    def test_small_letters(self, tmp_path):
        form = tmp_path / "form.csv"
        form.write_text("姓名\n", encoding="utf-8")
        assert run(form, "--circumstance", "residential-entry", "--level", "iv").exit_code == 0

    @pytest.mark.parametrize(
        "words",
        [
            ("--circumstance", "gate", "--level", "I"),
            ("--circumstance", "school", "--level", "VII"),
        ],
    )
    def test_wrong_option(self, words):
        assert isinstance(run(FORMS / "shop-scan.csv", *words).exception, InputError)

    def test_from_the_shell(self, tmp_path):
        """The real command: exit code 2 and one line on standard error."""
        program = "from epilock.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "standard", "check", str(tmp_path / "none.csv"),
             "--circumstance", "school", "--level", "IV"], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("epilock: none.csv: cannot be read")
        assert done.stderr.count("\n") == 1


class TestTable:
    """The answer for people."""

    def test_words(self):
        shown = run(FORMS / "school-daily.csv", "--circumstance", "school", "--level", "IV").stdout
        assert "never/school/contact.address" in shown
        assert "可以 4 · 不可以 3" in shown

    def test_no_control_characters(self, tmp_path):
        """A label cannot steer the terminal."""
        form = tmp_path / "f.json"
        item = {
            "linkId": "a\x1b]0;x\x07",
            "type": "string",
            "text": "[bold]Name[/bold] \u202e\x1b[31m",
        }
        questionnaire = {"resourceType": "Questionnaire", "title": "[red]\x1b[2J", "item": [item]}
        form.write_text(json.dumps(questionnaire), encoding="utf-8")
        shown = run(form, "--circumstance", "staffing", "--level", "N").stdout
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown)
        assert "[bold]Name[/bold]" in shown


class TestHowto:
    """The commands of ``docs/howto/check-a-form.md`` do what it says."""

    def files(self, folder):
        """Write the files that the page shows into ``folder``, and WHO's form; return the page."""
        text = HOWTO.read_text("utf-8")
        shown = re.findall(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", text, re.DOTALL)
        for name, content in shown:
            (folder / name).write_text(content, encoding="utf-8")
        who = "who-crf-2020-2.json"
        (folder / who).write_bytes((FORMS / who).read_bytes())
        return text

    def test_examples(self, tmp_path, monkeypatch):
        text = self.files(tmp_path)
        runs = re.findall(
            r"\$ epilock standard check (.*?)\n.*?<!-- exit: (\d) -->", text, re.DOTALL
        )
        monkeypatch.chdir(tmp_path)
        assert len(runs) == 5
        assert [run(*words.split()).exit_code for words, _ in runs] == [
            int(code) for _, code in runs
        ]

    def test_output(self, tmp_path, monkeypatch):
        """The JSON that the page shows is the JSON that is printed."""
        text = self.files(tmp_path)
        shown = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
        monkeypatch.chdir(tmp_path)
        words = (shown["file"], "--circumstance", shown["circumstance"], "--level", shown["level"])
        assert report(*words) == shown


def test_no_home_is_needed(tmp_path, monkeypatch):
    """Judging a form reads no installation and writes nothing."""
    monkeypatch.chdir(tmp_path)
    run(FORMS / "shop-scan.csv", "--circumstance", "venue-check-in", "--level", "III")
    assert list(tmp_path.iterdir()) == []
