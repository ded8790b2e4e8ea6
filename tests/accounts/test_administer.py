"""What an administrator does to accounts: never to their own, never to the last of them; on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

import passwords
from epilock.accounts import administer, session, staff
from epilock.errors import ForbiddenError, SignInError, StateError


class Office:
    """Accounts of one organisation, and one administrator above it."""

    def __init__(self, parts):
        self.parts = parts
        self.first, self.second = (self.add("sunny", one, "administrator") for one in "ab")
        self.wang = self.add("sunny", "wang", "custodian")
        self.above = self.add("jinan", "above", "administrator")

    def add(self, org, login, *roles):
        with self.parts.database.write() as tx:
            return staff.add_staff(
                tx, self.parts.log, standard_ref=self.parts.standard.ref, org=org, login=login, roles=roles,
                now=self.parts.now(), once=passwords.once(),
            )[0]  # fmt: skip

    def change(self, who, *roles, by, wait=lambda: None):
        with self.parts.database.write() as tx:
            wait()
            return administer.set_roles(
                tx, self.parts.log, standard_ref=self.parts.standard.ref, org=who.org, code=who.staff, roles=roles,
                by=by, now=self.parts.now(),
            )  # fmt: skip

    def roles(self):
        with self.parts.database.read() as tx:
            return {one.login: sorted(one.roles) for one in staff.listing(tx, "sunny")}


@pytest.fixture
def office(parts):
    return Office(parts)


@pytest.mark.parametrize("roles", [(), ("custodian",), ("administrator",)])
def test_nobody_changes_or_disables_their_own(office, roles):
    with pytest.raises(ForbiddenError, match="another administrator"):
        office.change(office.first, *roles, by=office.first)
    assert office.roles()["a"] == ["administrator"]


def test_the_last_administrator_stays_whoever_asks(office):
    office.change(office.second, by=office.first)
    for roles in ((), ("custodian",)):
        with pytest.raises(StateError, match="no administrator would be left"):
            office.change(office.first, *roles, by=office.above)
    assert office.roles() == {"a": ["administrator"], "wang": ["custodian"]}
    office.change(office.second, "administrator", by=office.above)
    office.change(office.first, by=office.above)
    assert office.roles() == {"b": ["administrator"], "wang": ["custodian"]}


def test_two_who_disable_each_other_at_once_leave_one(office):
    both = Barrier(2)
    # SQLite has one writer, so that the second begins when the first is done.
    meet = both.wait if office.parts.database.engine.dialect.name == "postgresql" else lambda: None

    def disable(pair):
        who, by = pair
        try:
            return office.change(who, by=by, wait=meet)
        except StateError as error:
            return error

    pairs = [(office.first, office.second), (office.second, office.first)]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(disable, pairs))
    assert sum(isinstance(one, StateError) for one in found) == 1
    assert len(office.roles()) == 2


def test_who_is_disabled_has_no_session_or_token_when_roles_are_given_back(office, clock):
    with office.parts.database.write() as tx:
        tokens = [
            session.begin(tx, office.wang, now=clock(), kind=kind, span=timedelta(days=30))
            for kind in ("console", "api")
        ]
    office.change(office.wang, by=office.first)
    office.change(office.wang, "custodian", by=office.first)
    for token in tokens:
        with pytest.raises(SignInError), office.parts.database.read() as tx:
            session.find(tx, token, now=clock())
