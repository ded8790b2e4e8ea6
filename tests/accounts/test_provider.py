"""Which account is entered by which subject of an identity provider, on both databases; and when that ends."""

import pytest
import sqlalchemy as sa

from epilock.accounts import oidc, provider, sign_in, staff
from epilock.accounts.oidc import Claims
from epilock.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    SignInError,
    TamperedError,
)

SECRET = bytes(range(32))
ISSUER = "https://login.city.example"
WHO, OTHER = "s-abcdefghijkl", "s-mnopqrstuvwx"


class Office:
    """A database with two accounts of one organisation, whose provider is set."""

    def __init__(self, database, clock):
        self.database, self.clock = database, clock
        with database.write() as tx:
            for code, login in ((WHO, "wang"), (OTHER, "li")):
                tx.insert(
                    staff.staff, org="sunny", staff=code, login=login, roles=["custodian"],
                    password="none", must_change=False, totp_step=0, failures=0, added=clock(),
                )  # fmt: skip
        self.configure()

    def configure(self, **more):
        said = {
            "issuer": ISSUER,
            "client": "epilock",
            "client_secret": "hush",
            "factors": ("mfa",),
        } | more
        with self.database.write() as tx:
            return provider.configure(tx, secret=SECRET, org="sunny", now=self.clock(), **said)

    def link(self, sub="u-1", who=WHO):
        with self.database.write() as tx:
            return provider.link(tx, org="sunny", staff=who, sub=sub, now=self.clock())

    def enter(self, sub="u-1", *means, client="epilock", issuer=ISSUER):
        trip = oidc.begin("sunny", issuer, to="/console", now=self.clock())
        claims = Claims(sub=sub, means=frozenset(means))
        with self.database.write() as tx:
            return sign_in.by_provider(tx, trip, claims, client=client, now=self.clock())

    def links(self):
        with self.database.read() as tx:
            return {one.staff: one.sub for one in provider.of(tx, "sunny")}


@pytest.fixture
def office(database, clock):
    return Office(database, clock)


def test_only_a_linked_subject_enters_its_account(office):
    assert isinstance(office.enter(), SignInError)
    office.link()
    who, proved = office.enter()
    assert (who.staff, proved) == (WHO, False)
    assert isinstance(office.enter("u-2"), SignInError)
    assert isinstance(office.enter("wang"), SignInError)


def test_a_second_factor_there_counts_by_the_configured_values_alone(office):
    office.link()
    assert office.enter("u-1", "pwd", "mfa")[1]
    assert not office.enter("u-1", "pwd", "otp")[1]
    office.configure(factors=())
    assert not office.enter("u-1", "pwd", "mfa")[1]


def test_a_subject_enters_one_account_and_an_account_has_one_subject(office):
    office.link()
    with pytest.raises(ConflictError):
        office.link(who=OTHER)
    office.link("u-2")
    assert office.links() == {WHO: "u-2"}


@pytest.mark.parametrize("more", [{"issuer": "https://other.example"}, {"client": "other"}])
def test_another_provider_ends_all_links(office, more):
    office.link()
    office.configure(client_secret="", factors=("phr",))
    assert office.links() == {WHO: "u-1"}
    office.configure(**more)
    assert office.links() == {}


def test_who_was_on_the_way_when_the_provider_changed_begins_again(office):
    office.link()
    office.configure(client="other")
    office.link()
    assert isinstance(office.enter(), SignInError)
    assert isinstance(office.enter(client="other", issuer="https://old.example"), SignInError)
    assert office.enter(client="other")[0].staff == WHO


def test_a_reset_shuts_it_and_so_does_who_denies_a_sign_in(office):
    office.link()
    with office.database.write() as tx:
        staff.shut_out(tx, "sunny", WHO)
    assert office.links() == {}


def test_a_disabled_account_is_not_entered(office):
    office.link()
    with office.database.write() as tx:
        tx.update(staff.staff, {"org": "sunny", "staff": WHO}, roles=[], disabled=office.clock())
    assert "disabled" in str(office.enter())


def test_a_trip_comes_back_once(office):
    trip = oidc.begin("sunny", ISSUER, to="/console", now=office.clock())
    with office.database.write() as tx:
        assert provider.came_back(tx, trip, org="") is None
        assert isinstance(provider.came_back(tx, trip, org=""), SignInError)


def test_the_clients_secret_is_sealed_for_its_organisation(office):
    with office.database.read() as tx:
        found = provider.load(tx, "sunny")
        row = tx.conn.execute(sa.select(provider.providers)).one()
    assert b"hush" not in row.secret
    assert found.client_at("https://e.example/back", SECRET).secret == "hush"
    with pytest.raises(TamperedError):
        found.client_at("https://e.example/back", bytes(32))


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "http://login.city.example"}, {"client": ""}, {"client": "a\n"}, {"client_secret": "s" * 301},
        {"client": "new", "client_secret": ""}, {"factors": ("",)}, {"factors": ("f" * 101,)},
        {"factors": tuple(map(str, range(21)))},
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(office, more):
    with pytest.raises(InputError):
        office.configure(**more)


def test_without_a_provider_nothing_is_linked(office):
    for sub in ("", "u" * 256, "u\n"):
        with pytest.raises(InputError):
            office.link(sub)
    office.link()
    with office.database.write() as tx:
        provider.remove(tx, "sunny")
        assert not provider.is_any(tx)
    assert office.links() == {}
    with pytest.raises(NotFoundError):
        office.link()
