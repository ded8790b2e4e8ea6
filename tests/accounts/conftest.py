"""An installation on each database."""

import pytest

from epilock import assemble, settings
from moulds import BEGAN


def told(urls, home):
    return settings.read(
        {
            "EPILOCK_DATABASE": urls[0],
            "EPILOCK_KEY_DATABASE": urls[1],
            "EPILOCK_ORIGIN": "x.example/log",
        },
        home=home,
    )


def founded(urls, home):
    """An installation in which nothing happened yet."""
    assemble.found(told(urls, home), now=lambda: BEGAN).close()


@pytest.fixture
def mould():
    return founded


@pytest.fixture
def parts(database_url, tmp_path, clock):
    made = assemble.build(told(database_url, tmp_path / "home"), now=clock)
    yield made
    made.close()
