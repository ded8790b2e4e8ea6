"""A town and its site, and visitors in either language."""

import pytest
import town
from visitor import Visitor

from epilock.web.app import create_app


@pytest.fixture
def clock():
    return town.Clock()


@pytest.fixture
def parts(tmp_path, clock):
    made = town.found(tmp_path / "home", clock)
    yield made
    made.close()


@pytest.fixture
def site(parts):
    return create_app(parts)


@pytest.fixture
def visitor(site):
    return Visitor(site)
