"""What a passkey's answer must be to count, on both databases; and that no other answer does."""

import contextlib
import json
from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from authenticator import Authenticator
from hypothesis import given
from hypothesis import strategies as st

import passwords
from epilock.accounts import credentials, passkey, sign_in, staff
from epilock.accounts.passkey import Passkey
from epilock.errors import ConflictError, EpilockError, InputError, SignInError, StateError

PLACE = passkey.place_of("https://epilock.example")
SECRET, BOUND = bytes(range(32)), "sunny.token"
ORG, WHO = "sunny", "s-abcdefghijkl"


class Office:
    """A database with one account, and what the site does with it."""

    def __init__(self, database, clock):
        self.database, self.clock = database, clock
        with database.write() as tx:
            for org, code in ((ORG, WHO), ("jinan", "s-mnopqrstuvwx")):
                tx.insert(
                    staff.staff, org=org, staff=code, login="wang", roles=["custodian"],
                    password=passwords.hashed("a long sentence"), must_change=False, totp_step=0,
                    failures=0, added=clock(),
                )  # fmt: skip

    def ask(self, purpose=passkey.SIGN_IN):
        return passkey.ask(SECRET, purpose=purpose, bound=BOUND, now=self.clock())

    def add(self, device, label="key", org=ORG, who=WHO):
        with self.database.write() as tx:
            options = passkey.creation(
                PLACE, challenge=self.ask(passkey.REGISTER), org=org, staff=who, login="wang",
                known=passkey.of(tx, org, who),
            )  # fmt: skip
            return passkey.register(
                tx, passkey.read(device.make(options)), place=PLACE, org=org, staff=who,
                label=label, now=self.clock(),
            )  # fmt: skip

    def question(self):
        return passkey.request(PLACE, challenge=self.ask())

    def enter(self, given):
        """As the door does."""
        answer = passkey.read(given)
        with self.database.write() as tx:
            return self.spend(tx, answer.challenge) or sign_in.by_passkey(
                tx, answer, place=PLACE, now=self.clock()
            )

    def spend(self, tx, challenge, *, bound=BOUND, purpose=passkey.SIGN_IN):
        return passkey.spend(
            tx, challenge, secret=SECRET, org=ORG, purpose=purpose, bound=bound, now=self.clock()
        )

    def of(self, who=WHO):
        with self.database.read() as tx:
            return passkey.of(tx, ORG, who)


@pytest.fixture
def office(database, clock):
    return Office(database, clock)


@pytest.fixture
def device():
    return Authenticator(PLACE.origin, PLACE.rp)


def test_it_signs_in_and_says_when(office, device, clock):
    office.add(device)
    clock.forward(hours=1)
    found = office.enter(device.sign(office.question()))
    assert (found.org, found.staff, found.has_passkey) == (ORG, WHO, True)
    assert [p.used for p in office.of()] == [clock()]


def test_a_question_is_answered_once(office, device):
    office.add(device)
    given = device.sign(office.question())
    assert isinstance(office.enter(given), staff.Staff)
    assert "used before" in str(office.enter(given))


def test_a_question_ends_after_five_minutes_and_is_then_forgotten(office, device, clock):
    office.add(device)
    given, other = device.sign(office.question()), device.sign(office.question())
    office.enter(given)
    clock.forward(minutes=5)
    assert "more than five minutes" in str(office.enter(other))
    with office.database.write() as tx:
        assert passkey.sweep(tx, now=clock() + timedelta(seconds=1)) == 1
    assert "more than five minutes" in str(office.enter(given))


@pytest.mark.parametrize("change", [{"bound": "another"}, {"purpose": passkey.PROVE}])
def test_a_question_is_for_one_browser_and_one_purpose(office, change):
    with office.database.write() as tx:
        assert "not asked here" in str(office.spend(tx, office.ask(), **change))
        assert "not asked here" in str(office.spend(tx, office.ask()[:-1]))
        assert "not asked here" in str(office.spend(tx, b""))


def test_a_device_that_does_not_check_its_holder_is_refused(office, device):
    device.verified = False
    with pytest.raises(SignInError, match="did not check"):
        office.add(device)
    device.verified = True
    office.add(device)
    device.verified = False
    assert "did not check" in str(office.enter(device.sign(office.question())))


@pytest.mark.parametrize("field", ["origin", "rp"])
def test_another_site_is_refused(office, device, field):
    office.add(device)
    setattr(device, field, "https://epilock.example.evil.org")
    assert isinstance(office.enter(device.sign(office.question())), SignInError)


def test_another_key_is_refused(office, device):
    office.add(device)
    device.key = Authenticator("", "").key
    assert "does not hold" in str(office.enter(device.sign(office.question())))


def test_a_counter_that_goes_back_shuts_out_and_the_password_alone_does_not_let_in(office, device):
    office.add(device)
    device.count = 7
    assert isinstance(office.enter(device.sign(office.question())), staff.Staff)
    for count in (7, 9):  # the same again; then further on, as the true one would
        device.count = count
        assert "counter went back" in str(office.enter(device.sign(office.question())))
    with office.database.write() as tx:
        found = sign_in.by_password(
            tx, secret=SECRET, org=ORG, login="wang", password="a long sentence",
            now=office.clock(),
        )  # fmt: skip
    assert isinstance(found, SignInError)


def test_an_account_of_another_organisation_is_not_entered(office, device):
    office.add(device)
    answer = passkey.read(device.sign(office.question()))
    for org, who in (("jinan", "s-mnopqrstuvwx"), ("jinan", WHO), (ORG, "s-mnopqrstuvwx")):
        with office.database.write() as tx:
            found = passkey.check(
                tx, answer, place=PLACE, org=org, staff=who, challenge=answer.challenge,
                now=office.clock(),
            )  # fmt: skip
        assert "not known here" in str(found)


def test_what_is_signed_must_be_what_was_asked(office, device):
    """As an approval asks: the question is the hash of what is approved."""
    office.add(device)
    answer = passkey.read(device.sign(passkey.request(PLACE, challenge=bytes(32))))
    for challenge, holds in ((bytes(32), True), (bytes(31) + b"\1", False)):
        with office.database.write() as tx:
            found = passkey.check(
                tx, answer, place=PLACE, org=ORG, staff=WHO, challenge=challenge,
                now=office.clock(),
            )  # fmt: skip
        assert isinstance(found, Passkey) is holds


def test_the_last_second_factor_is_not_removed(office, device):
    one = office.add(device)
    with office.database.write() as tx, pytest.raises(StateError, match="last second factor"):
        passkey.remove(tx, ORG, WHO, one.passkey, has_other=False)
    office.add(Authenticator(PLACE.origin, PLACE.rp))
    with office.database.write() as tx:
        passkey.remove(tx, ORG, WHO, one.passkey, has_other=False)
    assert "not known here" in str(office.enter(device.sign(office.question())))


def test_a_passkey_that_is_shut_out_does_not_stand_for_the_last(office, device, clock):
    one, shut = office.add(device), office.add(Authenticator(PLACE.origin, PLACE.rp))
    with office.database.write() as tx:
        key = {"org": ORG, "staff": WHO, "passkey": shut.passkey}
        tx.update(passkey.passkeys, key, shut=clock())
        with pytest.raises(StateError, match="last second factor"):
            passkey.remove(tx, ORG, WHO, one.passkey, has_other=False)
        with pytest.raises(StateError, match="last second factor"):
            credentials.remove_totp(tx, org="jinan", code="s-mnopqrstuvwx")


def test_there_are_at_most_ten_and_each_belongs_to_one(office, device):
    office.add(device)
    with pytest.raises(ConflictError, match="already"):
        office.add(device)
    for _ in range(passkey.MOST - 1):
        office.add(Authenticator(PLACE.origin, PLACE.rp))
    with pytest.raises(ConflictError, match="at most 10"):
        office.add(Authenticator(PLACE.origin, PLACE.rp))


def test_names(office, device):
    for label in ("", "x" * 41, "a\x00b"):
        with pytest.raises(InputError, match="1 to 40"):
            office.add(device, label)
    one = office.add(device, "办公电脑")
    with office.database.write() as tx:
        passkey.rename(tx, ORG, WHO, one.passkey, "phone")
    assert [p.label for p in office.of()] == ["phone"]


@pytest.mark.parametrize(
    ("url", "rp", "origin", "is_name"),
    [
        ("https://a.example:443", "a.example", "https://a.example", True),
        ("https://a.example:8443", "a.example", "https://a.example:8443", True),
        ("http://localhost:8600", "localhost", "http://localhost:8600", True),
        ("http://127.0.0.1:8600", "127.0.0.1", "http://127.0.0.1:8600", False),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example", True),
    ],
)
def test_where_a_passkey_is_good(url, rp, origin, is_name):
    assert passkey.place_of(url) == passkey.Place(rp=rp, origin=origin, is_name=is_name)


class TestWhatIsPosted:
    """Whatever comes in is read or refused in words; it breaks nothing."""

    def test_too_long(self):
        with pytest.raises(InputError, match="at most 8192"):
            passkey.read(" " * 8193)

    @given(st.text(max_size=300))
    def test_any_text(self, given):
        with contextlib.suppress(InputError):
            passkey.read(given)

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["response", "rawId", "clientDataJSON", "challenge", "origin"]),
                inner, max_size=5,
            ),
            max_leaves=12,
        )
    )  # fmt: skip
    def test_any_json(self, given):
        with contextlib.suppress(InputError):
            passkey.read(json.dumps(given))

    @given(data=st.data())
    def test_an_answer_that_was_bent_anywhere_proves_nothing(self, data):
        """One character of the attestation or the assertion is another."""
        device = Authenticator(PLACE.origin, PLACE.rp)
        options = passkey.creation(
            PLACE, challenge=bytes(56), org=ORG, staff=WHO, login="wang", known=()
        )
        made = device.make(options)
        new = passkey._verify_new(passkey.read(made), PLACE)
        given = device.sign(passkey.request(PLACE, challenge=bytes(56)))
        sent = json.loads(given)
        field = data.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
        octets = bytearray(passkey._octets(sent["response"][field]))
        octets[data.draw(st.integers(0, 9_999)) % len(octets)] ^= data.draw(st.integers(1, 255))
        sent["response"][field] = urlsafe_b64encode(bytes(octets)).decode()

        def prove():
            answer = passkey.read(json.dumps(sent))
            passkey._proved(
                lambda: passkey._verify(answer, PLACE, bytes(56), new.credential_public_key)
            )

        with pytest.raises(EpilockError):
            prove()
