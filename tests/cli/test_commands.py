"""What the terminal offers, as whoever types ``epilock`` meets it."""

import subprocess
import sys

import pytest

from epilock.cli.gather import PLACES

TABLES = """
import pkgutil, importlib
import epilock.tables
from epilock.db import key_metadata, metadata
found = {*metadata.tables, *key_metadata.tables}
for module in pkgutil.walk_packages(epilock.__path__, "epilock."):
    if not module.name.startswith("epilock.migrations") and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert found == {*metadata.tables, *key_metadata.tables}
"""


def test_who_speaks_of_all_tables_finds_them_all():
    """No room has a table that ``tables`` does not bring: rights and migrations would leave it out."""
    done = subprocess.run(
        [sys.executable, "-c", TABLES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [[], ["no-such-word"]])
def test_whoever_does_not_know_the_words_is_told_them(words):
    """In a process that has imported nothing, as a terminal starts it."""
    program = "from epilock.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    said = done.stdout + done.stderr
    assert all(word in said for word in (["--help"] if words == ["no-such-word"] else PLACES))
