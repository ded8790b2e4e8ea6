"""Recovery codes: ten, each once, in the place of a second factor and of nothing else; on both databases."""

import re

import pyotp
import pytest

import passwords
from epilock.accounts import credentials, guessing, recovery, sign_in, staff, totp
from epilock.errors import SignInError, StateError

ORG, WHO, PASSWORD = "sunny", "s-abcdefghijkl", "a long sentence"
SECRET = bytes(32)


@pytest.fixture
def codes(database, clock):
    """An account with an authenticator, and its codes."""
    with database.write() as tx:
        for code in (WHO, "s-mnopqrstuvwx"):
            tx.insert(
                staff.staff, org=ORG, staff=code, login=code[2:], roles=["custodian"],
                password=passwords.hashed(PASSWORD), must_change=False, totp_step=0, failures=0,
                added=clock(),
            )  # fmt: skip
        key = totp.new_key()
        proof = pyotp.TOTP(key).at(clock())
        credentials.enrol_totp(
            tx, secret=SECRET, org=ORG, code=WHO, key=key, proof=proof, now=clock()
        )
        return credentials.renew_recovery(tx, org=ORG, code=WHO)


@pytest.fixture
def enter(database, clock):
    def enter(code, password=PASSWORD, who=WHO):
        with database.write() as tx:
            return sign_in.by_password(
                tx, secret=SECRET, org=ORG, login=who[2:], password=password, code=code, now=clock()
            )

    return enter


def test_ten_of_eighty_bits(codes):
    assert len(set(codes)) == 10
    assert all(re.fullmatch("([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)  # 16 x 5 bits


def test_each_once_and_it_is_said(codes, enter, database):
    found = enter(codes[0])
    assert found.recovered
    with database.read() as tx:
        assert recovery.left(tx, ORG, WHO) == 9
    assert isinstance(enter(codes[0]), SignInError)


def test_as_a_person_types_it(codes, enter):
    assert enter(f" {codes[1].upper().replace('-', ' ')} ").recovered
    assert enter(codes[2].replace("o", "0").replace("i", "1").replace("-", "")).recovered


def test_not_without_the_password_and_not_used_up_by_trying(codes, enter):
    assert isinstance(enter(codes[0], password="no"), SignInError)
    assert enter(codes[0]).recovered


def test_not_for_another_account(codes, enter):
    assert not enter(
        codes[0], who="s-mnopqrstuvwx"
    ).recovered  # it has no second factor: none is asked
    assert enter(codes[0]).recovered


def test_new_ones_make_the_old_void(codes, enter, database):
    with database.write() as tx:
        new = credentials.renew_recovery(tx, org=ORG, code=WHO)
    assert isinstance(enter(codes[0]), SignInError)
    assert enter(new[0]).recovered


def test_they_are_kept_as_hashes(codes, database):
    with database.read() as tx:
        rows = str(tx.rows(recovery.recovery_codes, org=ORG, staff=WHO))
    assert not any(code in rows or code.replace("-", "").upper() in rows for code in codes)


def test_they_stand_for_a_second_factor(codes, database):
    assert codes
    with database.write() as tx, pytest.raises(StateError, match="second factor"):
        credentials.renew_recovery(tx, org=ORG, code="s-mnopqrstuvwx")


def test_a_guess_is_counted(codes, enter, clock):
    """One can't be guessed anyway; who tries waits as with any code."""
    for _ in range(guessing.FREE_FAILURES):
        enter("aaaa-aaaa-aaaa-aaaa")
    assert "wait" in str(enter(codes[0]))
    clock.forward(minutes=1)
    assert enter(codes[0]).recovered
