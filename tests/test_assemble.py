"""What an installation keeps of how it was made."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from epilock import assemble, settings
from epilock.errors import ConflictError, NotFoundError, StateError

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def now():
    return NOW


def told(home, **environ):
    return settings.read(environ, home=home)


def test_its_log_has_one_name_for_ever(tmp_path):
    """A variable that was forgotten, or is another one, begins no second log beside the first."""
    home = tmp_path / "home"
    assemble.found(told(home, EPILOCK_ORIGIN="log.example/city"), now=now).close()
    parts = assemble.build(told(home), now=now)
    assert parts.log.origin == "log.example/city"
    assert parts.notice_signer("garden").name == "log.example/city/notice/garden"
    parts.close()
    with pytest.raises(StateError, match=r"log\.example/city; EPILOCK_ORIGIN says another"):
        assemble.build(told(home, EPILOCK_ORIGIN="log.example/town"), now=now)


def test_there_is_one_in_a_home(tmp_path):
    home = tmp_path / "home"
    with pytest.raises(NotFoundError, match="epilock init"):
        assemble.build(told(home), now=now)
    assemble.found(told(home), now=now).close()
    with pytest.raises(ConflictError, match="an installation already"):
        assemble.found(told(home), now=now)


def test_it_opens_without_what_prints_or_calculates():
    """Fonts, compiled loops and the web would be half of every command's start."""
    program = (
        "import sys, epilock.assemble\n"
        "print(*sorted({'fpdf', 'numba', 'duckdb', 'openpyxl', 'fastapi'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == ""
