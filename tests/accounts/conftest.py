"""An installation on each database."""

import pytest

from epilock import assemble, settings


@pytest.fixture
def parts(database_url, tmp_path, clock):
    told = settings.read(
        {"EPILOCK_DATABASE": database_url[0], "EPILOCK_KEY_DATABASE": database_url[1], "EPILOCK_ORIGIN": "x.example/log"},
        home=tmp_path / "home",
    )  # fmt: skip
    made = assemble.found(told, now=clock)
    yield made
    made.close()
