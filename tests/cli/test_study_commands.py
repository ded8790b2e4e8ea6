"""Budgets and studies of an installation at the terminal: one asks, another decides, and both sign in."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

import passwords
from epilock import assemble, settings
from epilock.accounts import credentials, staff
from epilock.cli.failure import explain
from epilock.cli.gather import gathered
from epilock.errors import EpilockError
from epilock.registry import organisation as organisations
from epilock.standard.text import Text

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
PASSWORD = "a sentence that is long enough"


@pytest.fixture
def run(tmp_path):
    """Run a command as a custodian (bao) or an approver (lin) of the health authority."""
    parts = assemble.found(settings.read({}, home=tmp_path / "home"), now=lambda: NOW)
    ref = parts.standard.ref
    with parts.database.write() as tx:
        organisations.register(
            tx, parts.log, standard_ref=ref, org="cdc", kind="health", range_="R3", parent=None,
            area="370102", name=Text("疾控", "CDC"), contact=dict.fromkeys(organisations.CONTACT, "x"),
            notice_key=parts.notice_signer("cdc").vkey, now=NOW,
        )  # fmt: skip
        for login, role in (("bao", "custodian"), ("lin", "approver")):
            who, once = staff.add_staff(
                tx,
                parts.log,
                standard_ref=ref,
                org="cdc",
                login=login,
                roles=(role,),
                now=NOW,
                once=passwords.once(),
            )
            credentials.change_password(tx, org="cdc", code=who.staff, old=once, new=PASSWORD)
    parts.close()

    def run(*words, who=None, now=NOW):
        words = [*map(str, words), "--home", str(tmp_path / "home")]
        words += [] if who is None else ["--now", now.isoformat(), "--as", f"{who}@cdc"]
        result = CliRunner().invoke(gathered(words[:1]), words, input=f"{PASSWORD}\n\n")
        if isinstance(result.exception, EpilockError):
            text, code = explain(result.exception)
            return code, text
        return result.exit_code, result.output

    return run


def test_a_budget_pays_for_answers_about_a_file(run, tmp_path):
    table, config, out = (tmp_path / name for name in ("t.csv", "q.toml", "a.csv"))
    table.write_text("result\n" + "positive\n" * 100)
    config.write_text(
        'dataset="cases"\nrelease="day-1"\npurpose="situation-monitoring"\nrecipient="public"\n'
        '[[questions]]\nname="all"\nkind="count"\nepsilon=0.25\n'
    )
    asked = (
        "cases",
        "--purpose",
        "situation-monitoring",
        "--recipient",
        "public",
        "--epsilon",
        "1",
    )
    code, said = run("budget", "ask", *asked, "--ceiling", "2", "--reason", "weekly", who="bao")
    assert code == 0, said
    request = said.split()[0]
    assert f"{request} waits" in run("budget", "list", "cdc")[1]
    answers = ("noise", table, "--config", config, "--out", out)
    assert "nothing was allotted" in run(*answers, who="bao")[1]
    assert run("budget", "approve", request, "--org", "cdc", who="lin")[0] == 0
    assert run(*answers, who="bao") == (
        0, f"{out}: 1 answers, 0.25 epsilon paid\nleft: 0.75 of 1 epsilon\n",
    )  # fmt: skip
    assert "    day-1-all 2026-03-14T09:00+08:00: 0.25" in run("budget", "list", "cdc")[1]
    code, said = run("budget", "ask", *asked, "--reason", "more", who="bao")
    assert (code, "only grows" in said) == (2, True)


def test_a_study_makes_codes_until_two_end_it(run, tmp_path):
    table, out = tmp_path / "t.csv", tmp_path / "coded.csv"
    table.write_text("mobile,age\n13800138000,30\n+86 138 0013 8000,31\n")
    assert run("study", "open", "long-covid", "--purpose", "research", who="bao")[0] == 0
    coding = ("pseudonymise", table, "--study", "long-covid", "--column", "mobile=phone")
    code, said = run(*coding, "--out", out, who="bao")
    assert (code, "2 rows, codes of long-covid in mobile" in said) == (0, True), said
    one, other = (line.split(",")[0] for line in out.read_text().splitlines()[1:])
    assert one == other != ""
    assert run(*coding, "--out", tmp_path / "b.csv", who="lin")[0] == 1, "this takes a custodian"

    destroy = ("study", "destroy", "long-covid", "--org", "cdc")
    assert "asked for first" in run(*destroy, who="lin")[1]
    assert run("study", "end", "long-covid", who="bao")[0] == 0
    assert "waits for a second person" in run("study", "list", "cdc")[1]
    assert "not before" in run(*destroy, who="lin")[1]
    later = NOW + timedelta(hours=24)
    assert run(*destroy, who="lin", now=later) == (0, "the key of long-covid is destroyed\n")
    assert "key destroyed 2026-03-15" in run("study", "list", "cdc")[1]
    assert "has ended" in run(*coding, "--out", tmp_path / "b.csv", who="bao")[1]
    assert not (tmp_path / "b.csv").exists()
