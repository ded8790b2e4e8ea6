"""The made-up factory, on either database."""

import pytest
from works import Works

from epilock import assemble, settings
from moulds import BEGAN


def told(urls, home):
    return settings.read({"EPILOCK_DATABASE": urls[0], "EPILOCK_KEY_DATABASE": urls[1]}, home=home)


def founded(urls, home):
    """An installation in which nothing happened yet."""
    assemble.found(told(urls, home), now=lambda: BEGAN).close()


@pytest.fixture
def mould():
    return founded


@pytest.fixture
def works(database_url, tmp_path, clock):
    parts = assemble.build(told(database_url, tmp_path / "home"), now=clock)
    yield Works(parts, clock, tmp_path)
    parts.close()
