"""What the drills promise: each attack is stopped or betrayed, and a drill that finds otherwise fails."""

import re
from pathlib import Path

import pytest

from epilock.cli.drill import DRILLS
from epilock.demo import drill
from epilock.demo.drill import (
    collusion,
    curious_employee,
    drop_database,
    fifty_million,
    forged_receipt,
    no_notice,
    old_snapshot,
    over_collection,
    overdue,
    rewritten_log,
    rogue_operator,
    split_view,
    stolen_backup,
    stolen_laptop,
)
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


def test_stolen_backup(tmp_path):
    """What is kept apart opens nothing alone; all of it together opens nothing that was erased."""
    text = played(stolen_backup, tmp_path)
    assert text.count("refused: ") == 4
    assert "of 5 words known to be in it: 0" in text
    assert "was wrapped by another root key" in text
    assert "the database is a copy of before a destruction" in text
    assert "1 of 2 records opens: number 0; number 1 has no key" in text
    assert text.count("number 1: erased") == 3


def test_old_snapshot(tmp_path):
    """Nobody who saw more is passed over, nothing erased comes back, and the log has one history."""
    text = played(old_snapshot, tmp_path)
    assert text.count("refused: ") == 2
    assert "but 18 were published" in text
    assert "3 entries adopted; agreed by https://audit.example, https://press.example" in text
    assert "0 of 1 erased, 0 of 1 lost ([True, False, False])" in text
    assert "0 contradictions" in text


def test_drop_database(tmp_path):
    """Whatever is done past the program is seen, destruction waits, and strangers read why."""
    text = played(drop_database, tmp_path)
    assert text.count("refused: destruction is frozen") == 8
    assert "decisions: the table is gone" in text
    assert "an older copy was put back" in text
    assert "the public log tells strangers: frozen" in text
    assert "8 of 8 attempts seen" in text


def test_rogue_operator(tmp_path):
    """Who can write every row has no key to seal one, no second person, and no way to make others forget."""
    text = played(rogue_operator, tmp_path)
    assert "of 2 words known to be given: 0" in text
    assert text.count(": refused: ") == 4
    assert "to be an analyst: refused: staff (org=" in text
    assert "seen: freezes (org=, freeze=f-" in text
    assert "warning: destruction is frozen" in text


def test_forged_receipt(tmp_path):
    """Each forgery fails in both programs, and not all of them at the same step."""
    text = played(forged_receipt, tmp_path)
    assert "VERIFIED, in both programs" in text
    assert text.count("| here ") == text.count("| alone ") == 5
    assert "exit code 0" not in text
    assert {"ProofError", "PolicyError"} <= set(re.findall(r"here +(\w+):", text))
    assert len(set(re.findall(r"exit code (\d)", text))) >= 3


def test_stolen_laptop(tmp_path):
    """It opens nothing, and once the lease has ended the server with all its keys opens nothing either."""
    text = played(stolen_laptop, tmp_path)
    assert "of 20 answers, those that can be read on it: 0" in text
    assert "a box that comes now is refused" in text
    assert text.count("this key was erased: no one can compute it") == 5
    assert "3 of 5 forms kept, 2 lost, 0 read by the thief" in text


def test_overdue(tmp_path):
    """A stranger finds the day that was let go by, and the request that nobody answered."""
    text = played(overdue, tmp_path)
    assert "critical: a request of the person concerned was not answered within 15 days" in text
    assert "warning: part " in text
    assert "critical: part " in text
    assert "to the alarm: 24 hours" in text
    assert "still found: unanswered" in text


def test_no_notice(tmp_path):
    """Past a notice nothing comes in; a record that is written in by hand is found."""
    text = played(no_notice, tmp_path)
    assert "8 tries, 0 stored" in text
    assert "the notice has changed (version 2 is in force)" in text
    assert "1 forged entry among 17, 1 found" in text


def test_over_collection(tmp_path):
    """The program refuses each with its rule; a point that is written in by hand is found."""
    text = played(over_collection, tmp_path)
    assert text.count("(never/residential-entry/") == 5
    assert "The level falls from II to IV: the form asks 3 things, and asked 4." in text
    assert "5 asked too much, 5 found from the log alone" in text


def test_a_drill_fails_where_a_guarantee_does(tmp_path):
    with pytest.raises(DrillError, match="a promise"):
        require(holds=False, promise="a promise")
    stage = Stage(tmp_path, lambda _: None)
    with pytest.raises(DrillError, match="cannot both be"):
        stage.accuse(Report(None, 0, [], []), None)


def test_fifty_million(tmp_path):
    """What an account and a process can take are numbers that do not grow with what is stored."""
    text = played(fifty_million, tmp_path)
    assert "taken: 5 of 300; the account's bound was 15" in text
    assert "refused 295 times by grant/used-up" in text
    assert "residents who see it by their receipt: 5 of 5" in text
    assert "after 20: sunny-garden: 20 of the 20" in text
    assert text.count(": refused: ") == 11
    assert "rewritten to 10,000 subjects: 12 records open" in text
    assert "whole parts: 0 of 5; when an approver signed a count that reads 1: 1" in text
    assert "12 of 300: 5 by the grant that was signed, 7 a day without one" in text


def test_curious_employee(tmp_path):
    """Work that is not one's own is refused; a look within one's leave is seen by whom it is about."""
    text = played(curious_employee, tmp_path)
    assert text.count(": refused: ") == 5
    assert "the neighbour sees: qinghe-cdc, tracing, masked" in text
    assert "5 of 5 attempts refused; 1 opening of 3" in text


def test_collusion(tmp_path):
    """Two persons take what their grant says, and everybody whom it is about sees it."""
    text = played(collusion, tmp_path)
    assert "after 8: refused: grant/used-up" in text
    assert "8 subjects until 2026-03-17" in text
    assert "8 of 8 persons see who looked" in text
    assert "8 of 40 taken" in text


def test_each_drill_is_a_command():
    """All of them play: none is a word that leads nowhere, and none can be reached by a test alone."""
    there = {path.stem for path in Path(drill.__file__).parent.glob("[a-z]*.py")}
    assert {name.replace("-", "_") for name in DRILLS} == there - {"stage", "insiders", "device"}
    assert len(DRILLS) == 14
