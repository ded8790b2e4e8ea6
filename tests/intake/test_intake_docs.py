"""What the guide says of imports is what happens: its commands are run, in their order."""

import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner
from works import ORG, STAFF, Works, table

from epilock import assemble, settings
from epilock.accounts import credentials, staff
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import EpilockError

GUIDE = Path(__file__).parents[2] / "docs/howto/import-a-list.md"
BLOCKS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
NOW = "2026-03-14T09:00:00+08:00"
PASSWORD = "a sentence that is long enough"
PEOPLE = [
    ["测甲", "13800000001", "36.6", "阴性", "-"],
    ["测乙", "1380000", "36.7", "阴性", "-"],
    ["测丙", "13800000003", "60", "阴性", "-"],
    ["测丁", "138 0000 0004", "36.5", "阴性", "-"],
]


class Clock:
    """When the factory was set up: a while before the guide is followed."""

    instant = datetime.fromisoformat(NOW).astimezone(UTC) - timedelta(hours=1)

    def __call__(self):
        return self.instant


@pytest.fixture
def guide(tmp_path):
    """The folder of someone who follows the guide; returns how to run a line of it."""
    clock = Clock()
    parts = assemble.found(settings.read({}, home=tmp_path / "home"), now=clock)
    works = Works(parts, clock, tmp_path)
    points = {"works.k3f7q2": works.point(), "works.m4n5p6": _staffing(works)}
    with parts.database.write() as tx:
        who, once = staff.add_staff(
            tx, parts.log, standard_ref=works.ref, org=ORG, login="anna", roles=("custodian",),
            now=clock(),
        )  # fmt: skip
        credentials.change_password(tx, org=ORG, code=who.staff, old=once, new=PASSWORD)
    parts.close()
    works.file(table(PEOPLE), "people.csv")
    before = Path.cwd()
    os.chdir(tmp_path)
    yield Reader(tmp_path, points)
    os.chdir(before)


def _staffing(works):
    return works.point(STAFF, "staffing", ordered=False)


class Reader:
    """Runs the guide's lines as they stand, with the codes of this installation for the guide's."""

    def __init__(self, home, points):
        self.home, self.codes = home, points

    def run(self, line):
        for shown, real in self.codes.items():
            line = line.replace(shown, real)
        words = shlex.split(line)
        if words[0] == "cat":
            return self.shown((self.home / words[1]).read_text(encoding="utf-8"))
        words = [*words[1:], "--home", "home"]
        if words[1] != "list":
            words += ["--now", NOW]
        result = CliRunner().invoke(app, words, input=f"{PASSWORD}\n\n")
        if isinstance(result.exception, EpilockError):
            return explain(result.exception)[0]
        return self.shown(result.stdout)

    def shown(self, text):
        found = re.search(r"\bi-[a-z2-7]{12}\b", text)
        if found:
            self.codes["i-k3f7q2xw5mza"] = found[0]
        for shown, real in self.codes.items():
            text = text.replace(real, shown)
        return re.sub(r"(?m)^\s+$", "", text).lstrip()  # where the password was typed


def test_every_command(guide):
    for command, output in BLOCKS:
        assert guide.run(command) == output, command


def test_the_letters_are_private_and_each_code_finds_its_record(guide):
    for command, _ in BLOCKS:
        guide.run(command)
    letters = guide.home / "letters.csv"
    assert letters.stat().st_mode & 0o777 == 0o600
    assert [line.split(",")[0] for line in letters.read_text().split()] == ["row", "2", "5"]
    again = guide.run(BLOCKS[4][0])
    assert "is there already" in again
