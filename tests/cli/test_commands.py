"""What the terminal offers, as whoever types ``epilock`` meets it."""

import pytest
from typer.testing import CliRunner

from epilock.cli.app import app


@pytest.mark.parametrize(
    "group", ["standard", "organisation", "emergency", "mandate", "point", "destroy", "ledger", "demo",
     "staff", "receipt", "grant", "verifier"]
)  # fmt: skip
def test_every_group_of_commands_can_be_reached(group):
    """A group that is written and tested, and stands in no program, helps nobody."""
    result = CliRunner().invoke(app, [group, "--help"])
    assert result.exit_code == 0, result.output
