"""Accounts are confirmed or end: what a review sees, and what the caretaker does; on both databases."""

import pytest

import passwords
from epilock.accounts import administer, attest, session, staff, tenure
from epilock.caretaker import Caretaker
from epilock.errors import ForbiddenError, StateError
from epilock.ledger import entry


def add(parts, login: str, *roles: str) -> staff.Staff:
    with parts.database.write() as tx:
        return staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny", login=login, roles=roles, now=parts.now(), once=passwords.once(),
        )[0]  # fmt: skip


def lapse(parts) -> int:
    with parts.database.write() as tx:
        return attest.lapse(tx, parts.log, standard_ref=parts.standard.ref, now=parts.now())


def notes(parts, login: str) -> list[str]:
    with parts.database.read() as tx:
        found = attest.standings(tx, "sunny", now=parts.now())
    return next(s.notes(parts.now()) for s in found if s.account.login == login)


def set_roles(parts, who: staff.Staff, *roles: str) -> None:
    with parts.database.write() as tx:
        administer.set_roles(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny", code=who.staff, roles=roles, by=None,
            now=parts.now(),
        )  # fmt: skip


def confirm(parts, who: staff.Staff, by: staff.Staff) -> None:
    with parts.database.write() as tx:
        attest.confirm(tx, "sunny", who.staff, by=by, now=parts.now())


@pytest.fixture
def chief(parts):
    return add(parts, "chief", "administrator")


@pytest.fixture
def wang(parts):
    return add(parts, "wang", "custodian")


class TestSeen:
    def test_joined_then_quiet_then_due(self, parts, wang, clock):
        assert notes(parts, "wang") == ["joined", "bare"]
        clock.forward(days=45)
        assert notes(parts, "wang") == ["joined", "quiet", "bare"]
        clock.forward(days=45)
        assert notes(parts, "wang") == ["due", "quiet", "bare"]

    def test_moved_until_confirmed(self, parts, chief, wang, clock):
        set_roles(parts, wang, "analyst")
        assert "moved" in notes(parts, "wang")
        clock.forward(days=1)
        confirm(parts, wang, chief)
        assert notes(parts, "wang") == ["bare"]

    def test_who_left_stands_there_for_a_while(self, parts, wang, clock):
        set_roles(parts, wang)
        with parts.database.read() as tx:
            assert [s.before for s in attest.standings(tx, "sunny", now=clock())] == [
                ("custodian",)
            ]
            assert attest.standings(tx, "sunny", now=clock.forward(days=90)) == []


class TestConfirming:
    def test_it_counts_from_then(self, parts, chief, wang, clock):
        clock.forward(days=100)
        confirm(parts, wang, chief)
        clock.forward(days=89)
        assert "due" not in notes(parts, "wang")

    def test_nobody_confirms_their_own(self, parts, chief):
        with pytest.raises(ForbiddenError):
            confirm(parts, chief, chief)

    def test_what_is_disabled_is_not_confirmed(self, parts, chief, wang):
        set_roles(parts, wang)
        with pytest.raises(StateError):
            confirm(parts, wang, chief)


class TestLapsing:
    def test_who_is_not_confirmed_is_disabled_and_the_log_says_so(self, parts, chief, wang, clock):
        with parts.database.write() as tx:
            session.begin(tx, wang, now=clock())
        clock.forward(days=120, seconds=-1)
        assert lapse(parts) == 0
        clock.forward(seconds=1)
        assert lapse(parts) == 1
        assert lapse(parts) == 0
        with parts.database.read() as tx:
            last = entry.decode(parts.log.entries(tx, 0, parts.log.size(tx))[-1])
            assert (last.staff, last.roles) == (wang.staff, [])
            assert tx.all(session.sessions) == []

    def test_of_two_administrators_one_stays(self, parts, chief, clock):
        add(parts, "second", "administrator")
        clock.forward(days=200)
        assert lapse(parts) == 1
        with parts.database.read() as tx:
            assert len(staff.listing(tx, "sunny")) == 1

    def test_who_was_given_back_has_a_period_again(self, parts, chief, wang, clock):
        clock.forward(days=120)
        lapse(parts)
        set_roles(parts, wang, "custodian")
        assert lapse(parts) == 0

    def test_what_was_never_noted_begins_now(self, parts, chief, wang, clock):
        with parts.database.write() as tx:
            tx.delete(tenure.tenures, org="sunny")
        clock.forward(days=300)
        assert lapse(parts) == 0
        clock.forward(days=119)
        assert lapse(parts) == 0

    def test_the_caretaker_does_it(self, parts, chief, wang, clock):
        clock.forward(days=120)
        Caretaker(parts).round()
        with parts.database.read() as tx:
            assert [s.login for s in staff.listing(tx, "sunny")] == ["chief"]
