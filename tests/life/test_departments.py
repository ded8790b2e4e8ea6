"""What the departments' demonstration promises: eight processes that don't trust each other agree on one log."""

from pathlib import Path

import pytest

from anvil import program
from epilock.demo.departments import Town, find_chain


@pytest.mark.timeout(600)
def test_a_receipt_is_witnessed_mirrored_monitored_and_anchored(tmp_path):
    said = []
    Town(tmp_path, said.append, anvil=program()).play()
    text = "\n".join(said)
    assert text.count("| VERIFIED") == 2
    assert text.count("enough witnesses cosigned") == 2
    assert "| nothing is wrong, overdue or contradictory" in text
    assert "14  holds" in text
    assert "UNREACHABLE" in text
    assert said[-1] == "everybody has stopped"


def test_without_a_chain_it_is_left_out():
    assert find_chain(Path("/nowhere/anvil")) is None
