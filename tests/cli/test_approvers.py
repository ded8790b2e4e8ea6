"""The ceremony at the key service's machine: a line, a fingerprint by telephone, and who may sign from then on."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from epilock import assemble, settings
from epilock.cli.failure import explain
from epilock.cli.gather import gathered
from epilock.demo.drill.device import ORIGIN, Device
from epilock.errors import EpilockError
from epilock.store import approval
from epilock.store.approval import StatementOfMany
from epilock.store.keyservice import granted
from epilock.store.keyservice.desk import Desk, Limits, sealing

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


def test_a_count_is_listed_with_the_parts_it_reads_and_ended(run, tmp_path):
    now = datetime.now(UTC)
    said = StatementOfMany(
        grant="g-aaaaaaaaaaaa", org="qinghe-cdc", staff="s-aaaaaaaaaaaa", source="garden",
        purpose="situation-monitoring", form="aggregate", circumstances=("sampling",), subjects=5,
        parts=31, until=now + timedelta(days=7),
    )  # fmt: skip
    keys = assemble.open_keys(settings.read({}, home=tmp_path / "home"))
    desk = Desk(keys, Limits(parts=40), lambda: now, site=approval.site(ORIGIN))
    granted.add(sealing(keys), "qinghe-cdc", DEVICE.approver, now=now)
    desk.register(said.encoded(), DEVICE.sign(said.challenge()))
    keys.add_bucket("garden", "garden/flu/sampling/2026-03-14", ["2-IV"])
    desk.whole("garden", "garden/flu/sampling/2026-03-14", "2-IV", ("qinghe-cdc", said.grant))
    keys.close()
    code, told = run("grants", "list")
    assert (code, "aggregate from garden: sampling, 1 of 31 whole parts, until" in told) == (
        0,
        True,
    ), told
    assert run("grants", "end", "qinghe-cdc", said.grant)[0] == 0
    assert (now + timedelta(days=7)).date().isoformat() not in run("grants", "list")[1]


def test_a_grant_that_is_not_there_is_not_ended(run):
    assert run("grants", "list") == (0, "")
    code, why = run("grants", "end", "qinghe-cdc", "g-aaaaaaaaaaaa")
    assert (code, "no signed grant" in why) == (1, True), why
