"""Who guesses learns nothing, waits, and is bounded over a whole organisation; on both databases."""

from datetime import datetime, timedelta

import pytest

import passwords
from epilock import rate
from epilock.accounts import guessing, sign_in, staff
from epilock.db import Database
from epilock.errors import RateError, SignInError

PASSWORD = "a sentence that is long enough"


@pytest.fixture
def accounts(database: Database, clock) -> Database:
    """Two accounts of ``sunny``; their entries of the log are another test's matter."""
    hashed = passwords.hashed(PASSWORD)
    with database.write() as tx:
        for login in ("wang", "li"):
            tx.insert(
                staff.staff, org="sunny", staff=f"s-{login}", login=login, roles=["custodian"],
                password=hashed, must_change=False, totp_step=0, failures=0, added=clock(),
            )  # fmt: skip
    return database


def attempt(database: Database, login: str, now: datetime, typed: str = "wrong", **more):
    told = {"org": "sunny", "secret": bytes(32), "now": now, **more}
    with database.write() as tx:
        return sign_in.by_password(tx, login=login, password=typed, **told)


def spray(database: Database, clock, times: int) -> None:
    """Fail at so many logins, each once."""
    with database.write() as tx:
        for number in range(times):
            guessing.failed(tx, "sunny", f"nobody-{number}", now=clock())


def test_a_login_that_nobody_has_waits_as_one_that_somebody_has(accounts, clock):
    """Else six attempts would tell which accounts there are."""
    told = {login: [] for login in ("wang", "nobody")}
    for _ in range(8):
        for login, answers in told.items():
            answer = attempt(accounts, login, clock())
            answers.append((type(answer), str(answer), getattr(answer, "wait", 0)))
        clock.forward(seconds=4)
    assert told["wang"] == told["nobody"]
    assert told["wang"][5][0] is RateError


def test_a_day_of_rest_forgets_both_alike(accounts, clock):
    for login in ("wang", "nobody"):
        for _ in range(guessing.FREE_FAILURES):
            attempt(accounts, login, clock())
    clock.forward(days=1)
    for login in ("wang", "nobody"):
        assert isinstance(attempt(accounts, login, clock()), SignInError)


def test_sweeping_changes_no_answer(accounts, clock):
    for _ in range(guessing.FREE_FAILURES):
        attempt(accounts, "wang", clock())
    with accounts.write() as tx:
        assert rate.sweep(tx, window=timedelta(days=1), now=clock()) == 0
    assert isinstance(attempt(accounts, "wang", clock()), RateError)


def test_the_right_password_ends_the_count(accounts, clock):
    for _ in range(guessing.FREE_FAILURES - 1):
        attempt(accounts, "wang", clock())
    assert isinstance(attempt(accounts, "wang", clock(), PASSWORD), staff.Staff)
    for _ in range(guessing.FREE_FAILURES):
        assert isinstance(attempt(accounts, "wang", clock()), SignInError)


def test_an_organisation_under_spray_answers_known_devices_alone(accounts, clock):
    spray(accounts, clock, guessing.SPRAYED - 1)
    assert isinstance(attempt(accounts, "wang", clock()), SignInError)
    for login, typed in (("li", PASSWORD), ("li", "wrong"), ("nobody", "wrong")):
        late = attempt(accounts, login, clock(), typed)
        assert isinstance(late, RateError)
        assert late.wait == guessing.SPRAY_WINDOW.total_seconds() + 1
    assert isinstance(attempt(accounts, "li", clock(), PASSWORD, known=True), staff.Staff)


def test_another_organisation_is_not_touched_by_it(accounts, clock):
    spray(accounts, clock, guessing.SPRAYED)
    assert isinstance(attempt(accounts, "wang", clock(), org="jinan"), SignInError)


def test_an_hour_later_everybody_gets_in_again(accounts, clock):
    spray(accounts, clock, guessing.SPRAYED)
    clock.forward(hours=1)
    assert isinstance(attempt(accounts, "li", clock(), PASSWORD), staff.Staff)


def test_failures_are_told_by_number(accounts, clock):
    for login in ("wang", "li", "nobody"):
        attempt(accounts, login, clock())
        clock.forward(minutes=1)
    with accounts.read() as tx:
        failed, since = guessing.failures_of(tx, "sunny", now=clock())
    assert (failed, since) == (3, clock() - timedelta(minutes=3))


def test_no_login_is_kept(accounts, clock):
    attempt(accounts, "a-password-typed-as-login", clock())
    with accounts.read() as tx:
        assert "typed" not in repr(tx.all(rate.rates))
