"""The ceremony at the key service's machine: a line, a fingerprint by telephone, and who may sign from then on."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from epilock import assemble, settings
from epilock.cli.failure import explain
from epilock.cli.gather import gathered
from epilock.demo.drill.device import Device
from epilock.errors import EpilockError

DEVICE = Device("qinghe-cdc", "s-bbbbbbbbbbbb")
LINE, MARK = DEVICE.approver.line(), DEVICE.approver.fingerprint()


@pytest.fixture
def run(tmp_path):
    """Run a command of ``epilock keys`` where the keys are; return its exit code and what it said."""
    home = tmp_path / "home"
    now = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
    assemble.found(settings.read({}, home=home), now=lambda: now).close()

    def run(*words, typed=None):
        words = ["keys", *words, "--home", str(home)]
        result = CliRunner().invoke(gathered(words[:1]), words, input=typed)
        if isinstance(result.exception, EpilockError):
            return explain(result.exception)[1], explain(result.exception)[0]
        return result.exit_code, result.output

    return run


def test_one_is_added_by_line_and_fingerprint_listed_and_removed(run):
    code, told = run("approvers", "add", "qinghe-cdc", LINE, typed=f"{MARK.upper()}\n")
    assert (code, "s-bbbbbbbbbbbb signs grants of qinghe-cdc" in told) == (0, True), told
    assert MARK in run("approvers", "list")[1]
    assert run("approvers", "remove", "qinghe-cdc", MARK)[0] == 0
    assert " removed 20" in run("approvers", "list")[1]
    code, told = run("approvers", "add", "qinghe-cdc", LINE, "--fingerprint", MARK)
    assert (code, "stays so" in told) == (1, True), told


def test_another_fingerprint_is_a_line_that_was_exchanged(run):
    other = Device("qinghe-cdc", "s-bbbbbbbbbbbb", 2).approver.fingerprint()
    code, why = run("approvers", "add", "qinghe-cdc", LINE, "--fingerprint", other)
    assert (code, "exchanged on its way" in why) == (2, True)
    assert run("approvers", "list") == (0, "")


def test_a_grant_that_is_not_there_is_not_ended(run):
    assert run("grants", "list") == (0, "")
    code, why = run("grants", "end", "qinghe-cdc", "g-aaaaaaaaaaaa")
    assert (code, "no signed grant" in why) == (1, True), why
