"""What the settings promise: safe defaults, and no silent mistake."""

from datetime import timedelta
from pathlib import Path

import pytest

from epilock import settings
from epilock.errors import InputError


def test_defaults_stay_inside_the_home():
    """Nothing is written outside one folder unless told so."""
    s = settings.read({}, home=Path("here"))
    assert s.database == "sqlite:///here/epilock.sqlite"
    assert Path(s.root_key).parent == s.slots.parent == Path("here")
    assert s.cooling == timedelta(hours=24)


def test_a_misspelt_setting_is_refused():
    with pytest.raises(InputError, match="EPILOCK_ORIGN is no setting"):
        settings.read({"EPILOCK_ORIGN": "x"})


@pytest.mark.parametrize(
    "environ",
    [{"EPILOCK_COOLING_HOURS": "-1"}, {"EPILOCK_COOLING_HOURS": "１"}, {"EPILOCK_URL": "x"}],
)
def test_an_unusable_value_names_its_variable(environ):
    with pytest.raises(InputError, match=next(iter(environ))):
        settings.read(environ)


def test_every_variable_is_documented():
    assert all(f"``{name}``" in str(settings.__doc__) for name in settings.VARIABLES)


@pytest.mark.parametrize(("url", "secure"), [("https://a.example/", True), ("http://a", False)])
def test_cookies_insist_on_tls_where_there_is_tls(url, secure):
    assert settings.read({"EPILOCK_URL": url}).secure_cookies is secure
