"""The made-up factory, on either database."""

import pytest
from works import Works

from epilock import assemble, settings


@pytest.fixture
def works(database_url, tmp_path, clock):
    told = settings.read(
        {"EPILOCK_DATABASE": database_url[0], "EPILOCK_KEY_DATABASE": database_url[1]},
        home=tmp_path / "home",
    )
    parts = assemble.found(told, now=clock)
    yield Works(parts, clock, tmp_path)
    parts.close()
