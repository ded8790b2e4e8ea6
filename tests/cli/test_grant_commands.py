"""Grants at the terminal: one asks, another decides, and both sign in."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

import passwords
from epilock import assemble, settings
from epilock.accounts import credentials, staff
from epilock.cli import grant as commands
from epilock.cli.failure import explain
from epilock.errors import EpilockError
from epilock.registry import organisation as organisations
from epilock.standard.text import Text

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
PASSWORD = "a sentence that is long enough"
ASKED = (
    "ask", "sunny", "--purpose", "tracing", "--form", "masked", "--circumstance",
    "residential-entry", "--subjects", "5", "--until", "2026-03-20", "--reason", "contacts",
    "--case", "118",
)  # fmt: skip


@pytest.fixture
def home(tmp_path):
    """Two organisations; in the health authority a doctor, and two approvers."""
    parts = assemble.found(settings.read({}, home=tmp_path / "home"), now=lambda: NOW)
    ref = parts.standard.ref
    with parts.database.write() as tx:
        for org, kind, range_ in (("sunny", "compound", "R1"), ("cdc", "health", "R3")):
            organisations.register(
                tx, parts.log, standard_ref=ref, org=org, kind=kind, range_=range_, parent=None,
                area="370102", name=Text(org, org), contact=dict.fromkeys(organisations.CONTACT, "x"),
                notice_key=parts.notice_signer(org).vkey, now=NOW,
            )  # fmt: skip
        for login, roles in (("lin", ("analyst", "approver")), ("bao", ("approver",))):
            who, once = staff.add_staff(
                tx,
                parts.log,
                standard_ref=ref,
                org="cdc",
                login=login,
                roles=roles,
                now=NOW,
                once=passwords.once(),
            )
            credentials.change_password(tx, org="cdc", code=who.staff, old=once, new=PASSWORD)
    parts.close()
    return tmp_path / "home"


@pytest.fixture
def run(home):
    def run(*words, at=NOW, who=None):
        words = [*words, "--home", str(home)]
        words += [] if at is None else ["--now", at.isoformat()]
        words += [] if who is None else ["--as", f"{who}@cdc"]
        result = CliRunner().invoke(commands.app, words, input=f"{PASSWORD}\n\n")
        if isinstance(result.exception, EpilockError):
            text, code = explain(result.exception)
            return code, text
        return result.exit_code, result.output

    return run


def test_from_the_question_to_the_end(run):
    code, out = run(*ASKED, who="lin")
    assert code == 0, out
    grant = out.split()[0]
    assert f"{grant} requested" in run("list", "cdc", at=None)[1]
    assert "0 of 5 subjects, until 2026-03-21T00:00+08:00" in run("list", "cdc", at=None)[1]
    code, out = run("approve", grant, "--org", "cdc", who="lin")
    assert (code, "cannot approve" in out) == (1, True)
    assert run("approve", grant, "--org", "cdc", who="bao") == (0, f"{grant} is active\n")
    assert run("revoke", grant, "--org", "cdc", who="bao") == (0, f"{grant} is revoked\n")
    assert run("list", "cdc", at=None) == (0, "")
    assert f"{grant} revoked" in run("list", "cdc", "--all", at=None)[1]


def test_a_refusal_is_final(run):
    grant = run(*ASKED, who="lin")[1].split()[0]
    assert run("refuse", grant, "--org", "cdc", who="bao") == (0, f"{grant} is refused\n")
    code, out = run("approve", grant, "--org", "cdc", who="bao")
    assert (code, "is refused" in out) == (1, True)


def test_a_question_without_a_bound_is_none(run):
    code, out = run(*[w.replace("2026-03-20", "2027-03-20") for w in ASKED], who="lin")
    assert (code, "30 days" in out) == (2, True)


def test_what_is_counted_is_decided_first(run):
    asked = (
        "ask", "sunny", "--purpose", "situation-monitoring", "--form", "aggregate", "--circumstance",
        "sampling", "--subjects", "2", "--until", "2026-03-20", "--reason", "daily report",
    )  # fmt: skip
    grant = run(*asked, who="lin")[1].split()[0]
    assert run("approve", grant, "--org", "cdc", who="bao")[0] == 0
    question = (
        "count", grant, "--emergency", "flu", "--circumstance", "sampling", "--by",
        "health.test-result", "--since", "2026-03-01", "--until", "2026-03-13",
    )  # fmt: skip
    code, out = run(*question, who="lin")
    assert (code, "answered with noise" in out) == (2, True)
    code, out = run(*question, "--epsilon", "0.25", "--value", "positive", who="lin")
    assert (code, out.startswith("refused: budget/none")) == (1, True)


def test_reviews_that_nobody_owes(run):
    assert run("reviews", "cdc") == (0, "")
    code, out = run(
        "review", "c-aaaaaaaaaaaa", "--source", "sunny", "--reason", "in-treatment", who="bao"
    )
    assert (code, "nothing of this code" in out) == (1, True)
    code, out = run(
        "review", "c-aaaaaaaaaaaa", "--source", "sunny", "--reason", "because", who="bao"
    )
    assert (code, "life-at-risk" in out) == (2, True)
