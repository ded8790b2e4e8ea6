"""What the terminal promises about the end of data: people sign in to decide, and a stranger checks alone."""

from datetime import date, timedelta

import pytest
from estate import CITY, DAY, DELIVERY, ORG, Estate, midnight_after, noon
from typer.testing import CliRunner

import passwords
from epilock import assemble, settings
from epilock.accounts import credentials, staff
from epilock.cli import destroy as commands
from epilock.cli.failure import explain
from epilock.errors import EpilockError

PASSWORD = "a sentence that is long enough"
DUE = midnight_after(DAY + timedelta(days=28))


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def town(home):
    """An installation with the town in it; its parts are open while a test prepares, not when it runs."""
    told = settings.read({}, home=home)  # what the commands read, too
    parts = assemble.found(told, now=lambda: noon(DAY))
    town = Estate(parts.database, parts.keys, parts.log)
    yield town
    parts.close()


@pytest.fixture
def run(home):
    """Run a command as the program does; return exit code and output."""

    def run(*words, now=DUE, typed=""):
        words = [*map(str, words), "--home", str(home)]
        if now is not None:
            words += ["--now", now.isoformat()]
        result = CliRunner().invoke(commands.app, words, input=typed)
        if isinstance(result.exception, EpilockError):
            text, code = explain(result.exception)
            return code, text
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result.exit_code, result.output

    return run


def hire(town, org, login, *roles, change=True):
    with town.database.write() as tx:
        who, once = staff.add_staff(
            tx,
            town.log,
            standard_ref=town.ref,
            org=org,
            login=login,
            roles=roles,
            now=noon(DAY),
            once=passwords.once(),
        )
        if change:
            credentials.change_password(tx, org=org, code=who.staff, old=once, new=PASSWORD)
    return who


SIGNED = f"{PASSWORD}\n\n"


class TestClock:
    def test_what_falls_due_is_listed(self, town, run):
        bucket = town.bucket(2)
        code, out = run("due", now=noon(DAY))
        assert (code, out.strip()) == (0, "nothing is overdue")
        code, out = run("due", "--days", "40", now=noon(DAY))
        assert code == 0
        assert f"2026-04-11 {bucket.name} 2-IV retain/residential-entry/standard/I" in out

    def test_overdue_is_an_exit_code(self, town, run):
        town.bucket(2)
        code, out = run("due", "--overdue", now=DUE + timedelta(days=1))
        assert (code, out.count("OVERDUE")) == (1, 5)

    def test_a_run_destroys_certifies_and_deletes(self, town, run):
        bucket = town.bucket(2)
        code, out = run("run")
        assert code == 0
        assert f"{bucket.name}: 1-I, 2-IV, 3-I, 3-II, 3-IV gone, entry" in out
        assert "1 certified" in out
        assert set(town.states(bucket).values()) == {"purged"}
        assert run("run") == (0, "0 certified, 0 dead rows deleted\n")


class TestDecisions:
    def test_an_order_takes_two_persons_who_sign_in(self, town, run):
        bucket = town.bucket(1)
        hire(town, ORG, "anna", "custodian")
        hire(town, CITY, "bao", "approver")
        town.level("E", noon(DAY))
        later = noon(DAY) + timedelta(days=1)
        words = ("order", bucket.name, "all", "--reason", "emergency-ended", "--as", "anna@sunny")
        code, out = run(*words, now=later, typed="wrong\n\n")
        assert (code, "login, password or code is wrong" in out) == (1, True)
        code, out = run(*words, now=later, typed=SIGNED)
        assert code == 0, out
        order = next(word for word in out.split() if word.startswith("o-"))
        assert order in run("orders", now=later)[1]
        words = ("approve", order, "--org", ORG, "--as")
        code, out = run(*words, "anna@sunny", now=later, typed=SIGNED)
        assert (code, "approver" in out) == (1, True)
        code, out = run(*words, "bao@jinan", now=later, typed=SIGNED)
        assert code == 0, out
        assert "0 certified" in run("run", now=later)[1]
        assert "1 certified" in run("run", now=later + timedelta(hours=24))[1]

    def test_a_hold_and_its_release(self, town, run):
        bucket, assessed = town.bucket(1), town.assess()
        hire(town, ORG, "anna", "custodian")
        town.bucket(1, circumstance=DELIVERY)
        words = ("--assessment", assessed, "--reason", "evidence", "--until", "2026-05-31")
        days = ("--circumstance", "residential-entry", "--from", "2026-03-01", "--to", "2026-03-31")
        code, out = run("hold", ORG, *days, *words, "--as", "anna@sunny", typed=SIGNED)
        assert code == 0, out
        hold = next(word for word in out.split() if word.startswith("h-"))
        assert f"{hold} {bucket.name} evidence to the end of 2026-05-31" in run("holds")[1]
        assert "0 certified" in run("run")[1]
        hire(town, ORG, "lin", "approver")
        words = ("release", hold, "--org", ORG, "--as")
        code, out = run(*words, "anna@sunny", typed=SIGNED)
        assert (code, "cannot release it" in out) == (1, True)
        code, out = run(*words, "lin@sunny", typed=SIGNED)
        assert (code, out.splitlines()[-1]) == (0, f"{hold} is released")
        assert "1 certified" in run("run")[1]

    def test_an_event_moves_all_or_none(self, town, run):
        bucket = town.bucket(2, circumstance=DELIVERY)
        hire(town, ORG, "anna", "custodian")
        words = ("--event", "delivery", "--day", "2026-03-20", "--as", "anna@sunny")
        day = noon(date(2026, 3, 21))
        code, out = run("event", bucket.name, 0, 9, *words, now=day, typed=SIGNED)
        assert (code, town.record(bucket, 0).state) == (1, "live")
        code, out = run("event", bucket.name, 0, 1, *words, now=day, typed=SIGNED)
        assert code == 0, out
        assert "2 records go on in the bucket of 2026-03-20+delivery" in out
        assert town.record(bucket, 0).state == "moved"
        assert town.findings(day) == []
        assert "1 certified" in run("run", now=midnight_after(date(2026, 3, 27)))[1]
        assert town.findings(midnight_after(date(2026, 3, 27))) == []

    def test_the_one_time_password_decides_nothing(self, town, run):
        bucket = town.bucket(1)
        with town.database.write() as tx:
            _, once = staff.add_staff(
                tx, town.log, standard_ref=town.ref, org=ORG, login="anna", roles=("custodian",),
                now=noon(DAY), once=passwords.once(),
            )  # fmt: skip
        words = ("order", bucket.name, "all", "--reason", "due", "--as", "anna@sunny")
        code, out = run(*words, typed=f"{once}\n\n")
        assert (code, "one-time password" in out) == (1, True)

    def test_another_organisations_custodian_decides_nothing_here(self, town, run):
        bucket = town.bucket(1)
        hire(town, CITY, "dan", "custodian")
        words = ("order", bucket.name, "all", "--reason", "due", "--as", "dan@jinan")
        code, out = run(*words, typed=SIGNED)
        assert (code, "collected the records" in out) == (1, True)

    @pytest.mark.parametrize("who", ["anna", "@sunny", "anna@"])
    def test_who_acts_is_written_in_one_way(self, town, run, who):
        bucket = town.bucket(1)
        words = ("order", bucket.name, "all", "--reason", "due", "--as", who)
        assert run(*words, typed=SIGNED)[0] != 0


class TestProof:
    def test_a_stranger_checks_the_end_of_one_record_alone(self, town, run, tmp_path):
        bucket = town.bucket(2)
        receipt = tmp_path / "receipt.tlog-proof"
        receipt.write_text(town.receipt(bucket, 1))
        out = tmp_path / "proofs"
        code, said = run("prove", bucket.name, 1, "--out", out, now=None)
        assert (code, said) == (1, "nothing of it is destroyed yet\n")
        run("run")
        assert run("prove", bucket.name, 1, "--out", out, now=None)[0] == 0
        words = ["verify", str(receipt), *map(str, out.iterdir()), "--key", town.log.signer.vkey]
        result = CliRunner().invoke(commands.app, words)
        assert result.exit_code == 0, result.exception
        assert result.output.count("certificate, entry") == 5
        assert "ALL OF IT IS GONE" in result.output

    def test_too_little_is_no_proof(self, town, run, tmp_path):
        bucket = town.bucket(1)
        receipt = tmp_path / "receipt.tlog-proof"
        receipt.write_text(town.receipt(bucket, 0))
        words = ["verify", str(receipt), str(receipt), "--key", town.log.signer.vkey]
        result = CliRunner().invoke(commands.app, words)
        assert result.exit_code == 1
        assert "NOT VERIFIED" in result.output

    @pytest.mark.parametrize("change", [("--key", "x"), ("--key",)])
    def test_what_is_no_key_or_no_file(self, tmp_path, change):
        result = CliRunner().invoke(commands.app, ["verify", str(tmp_path), str(tmp_path), *change])
        assert result.exit_code != 0
