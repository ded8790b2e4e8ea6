"""What the drills promise: each attack is stopped or betrayed, and a drill that finds otherwise fails."""

import re

import pytest

from epilock.demo.drill import forged_receipt, rewritten_log, split_view
from epilock.demo.drill.stage import Stage, require
from epilock.errors import DrillError
from epilock.ledger.monitor import Report


def played(drill, folder):
    said = []
    drill.play(folder, said.append)
    return "\n".join(said)


def test_split_view(tmp_path):
    """Two residents are convinced of two logs; one checkpoint that reaches the other side convicts."""
    text = played(split_view, tmp_path)
    assert text.count(": VERIFIED") == 2
    assert "two signed checkpoints cannot both be" in text
    assert "| VERIFIED\n   |   ok         True\n   |   kind       misbehaviour" in text
    assert "https://press.example: at odds" in text


def test_rewritten_log(tmp_path):
    """Neither witnesses nor monitors nor the resident forget the history that was."""
    text = played(rewritten_log, tmp_path)
    assert "refused: " in text
    assert text.count("example: at odds") == 2
    assert "|   kind       misbehaviour" in text
    assert text.count("number 0: certificate") == 3


def test_forged_receipt(tmp_path):
    """Each forgery fails in both programs, and not all of them at the same step."""
    text = played(forged_receipt, tmp_path)
    assert "VERIFIED, in both programs" in text
    assert text.count("| here ") == text.count("| alone ") == 5
    assert "exit code 0" not in text
    assert {"ProofError", "PolicyError"} <= set(re.findall(r"here +(\w+):", text))
    assert len(set(re.findall(r"exit code (\d)", text))) >= 3


def test_a_drill_fails_where_a_guarantee_does(tmp_path):
    with pytest.raises(DrillError, match="a promise"):
        require(holds=False, promise="a promise")
    stage = Stage(tmp_path, lambda _: None)
    with pytest.raises(DrillError, match="cannot both be"):
        stage.accuse(Report(None, 0, [], []), None)
