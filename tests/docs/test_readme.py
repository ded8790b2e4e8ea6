"""The front page in two languages: it runs, and both say the same."""

import os
import re
import subprocess

import pytest
from follow import CONSOLE, DOCS
from forker import program

ROOT = DOCS.parent
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
LINKS = re.compile(r"\]\(([^)]+)\)")


def commands(text):
    lines = "".join(CONSOLE.findall(text)).splitlines()
    return [line[2:].split(" #")[0].strip() for line in lines if line.startswith("$ ")]


class TestTwins:
    @pytest.mark.parametrize("count", ["\n## ", "\n- ", "\n| `", "\n|---", "```console"])
    def test_as_many_of_each(self, count):
        assert ENGLISH.count(count) == CHINESE.count(count) > 0

    def test_the_same_commands(self):
        assert commands(ENGLISH) == commands(CHINESE)

    def test_the_same_links(self):
        there = {"README.md": "README.zh.md"}
        assert [there.get(link, link) for link in LINKS.findall(CHINESE)] == LINKS.findall(ENGLISH)

    def test_the_same_folders(self):
        folder = re.compile(r"^\| (`.*`) \|", re.MULTILINE)
        assert folder.findall(ENGLISH) == folder.findall(CHINESE)


def test_every_folder_is_there():
    for cell in re.findall(r"^\| (`.*`) \|", ENGLISH, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            assert (ROOT / name).is_dir(), name


def test_every_package_of_the_source_is_told():
    told = re.findall(r"`src/epilock/(\w+)`", ENGLISH)
    packages = {p.parent.name for p in (ROOT / "src/epilock").glob("*/__init__.py")}
    assert packages - {"migrations"} == set(told)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, forker):
    """A folder where the city was made as ``make run`` makes it."""
    folder = tmp_path_factory.mktemp("readme")
    program(folder / ".venv/bin", forker)
    (folder / "form.csv").write_text("Name,Mobile phone,Body temperature,Face photo\n")
    done = shell(folder, ".venv/bin/epilock demo run --only-make")
    assert "sign in at" in done.stdout, done.stderr
    return folder


def shell(folder, line):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EPILOCK_")}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, encoding="utf-8",
        check=False, timeout=200, env=kept,
    )  # fmt: skip


class TestItRuns:
    def test_each_line(self, checkout):
        guide = (checkout / "run/demo/guide.txt").read_text()
        due = re.search(r"epilock (destroy due .*)", guide)[1]
        listed = shell(checkout, f".venv/bin/epilock {due}").stdout
        assert re.search(r" due$", listed, re.MULTILINE)
        expected = {"standard": 1}  # a face is refused
        for line in commands(ENGLISH):
            if line.startswith("make"):
                continue
            done = shell(checkout, line)
            wanted = expected.get(line.split()[1], 0)
            assert done.returncode == wanted, f"{line}\n{done.stdout}{done.stderr}"

    def test_make_does_what_the_test_did(self):
        makefile = (ROOT / "Makefile").read_text()
        assert "run: install\n\t$(BIN)/epilock demo run\n" in makefile
