"""What is kept of a sign-in, and when its person is asked about it; on both databases."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.accounts import arrival, place, session, staff
from epilock.accounts.arrival import From
from epilock.errors import NotFoundError, StateError

TABLE = place.read(
    b"network,latitude,longitude,name\n203.0.113.0/24,36.65,117.12,Jinan\n198.51.100.0/24,51.51,-0.13,London\n"
)
HOME, ABROAD, UNKNOWN = "203.0.113.7", "198.51.100.9", "192.0.2.1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Person:
    """An account that signs in where a test says."""

    def __init__(self, database, clock, login="wang"):
        self.database, self.clock, self.login = database, clock, login
        with database.write() as tx:
            tx.insert(
                staff.staff, org="sunny", staff=f"s-{login}", login=login, roles=["custodian"], password="x",
                must_change=True, totp_step=0, failures=0, added=clock(),
            )  # fmt: skip
            self.who = staff.load(tx, "sunny", f"s-{login}")

    def arrive(self, device="", address=HOME, places=TABLE):
        """Sign in; return the arrival, the device and the session."""
        came = From(device=device, agent=FIREFOX, address=address, places=places)
        with self.database.write() as tx:
            token = session.begin(tx, self.who, now=self.clock())
            found, device = arrival.arrive(tx, self.who, came, session=token, now=self.clock())
        return found, device, session.handle_of(token)

    def told(self, handle):
        with self.database.read() as tx:
            return arrival.to_tell(arrival.asked(tx, self.who, handle), handle)

    def answer(self, code, handle, *, mine):
        with self.database.write() as tx:
            return arrival.answer(tx, self.who, code, mine=mine, handle=handle)


@pytest.fixture
def wang(database, clock):
    return Person(database, clock)


class TestKept:
    def test_no_address_no_version_no_cookie(self, wang):
        found, device, _ = wang.arrive()
        assert (found.label, found.network) == ("Firefox, Linux", "203.0.113.0/24")
        with wang.database.read() as tx:
            (row,) = tx.all(arrival.arrivals)
        said = repr({name: value for name, value in row.items() if name != "session"})  # a hash
        for text in (HOME, "140", device):
            assert text not in said

    def test_it_is_gone_after_ninety_days(self, wang):
        wang.arrive()
        wang.clock.forward(days=90)
        with wang.database.write() as tx:
            assert arrival.sweep(tx, now=wang.clock()) == 0
            assert arrival.sweep(tx, now=wang.clock() + timedelta(seconds=1)) == 1

    @given(st.text(max_size=500))
    def test_a_label_is_of_a_closed_list(self, agent):
        assert set(filter(None, arrival.label(agent).split(", "))) <= {
            name for _, name in arrival._BROWSERS + arrival._SYSTEMS
        }


class TestNewDevice:
    def test_the_first_with_a_one_time_password_is_not_asked_about(self, wang):
        assert wang.arrive()[0].state == arrival.SEEN

    def test_another_is_and_the_known_one_is_not(self, wang):
        _, device, _ = wang.arrive()
        wang.clock.forward(hours=1)
        assert wang.arrive(device)[0].state == arrival.SEEN
        assert wang.arrive()[0].reason == arrival.DEVICE

    def test_whose_arrivals_were_swept_is_asked(self, wang):
        """An account that slept for long is no new one."""
        with wang.database.write() as tx:
            tx.update(staff.staff, {"org": "sunny", "staff": "s-wang"}, must_change=False)
            wang.who = staff.load(tx, "sunny", "s-wang")
        assert wang.arrive()[0].reason == arrival.DEVICE

    def test_a_cookie_that_nobody_was_given_is_not_taken_over(self, wang):
        planted = "A" * 43
        assert wang.arrive(planted)[1] != planted

    def test_a_device_of_a_colleague_is_new_to_me_and_keeps_its_cookie(self, wang, database, clock):
        _, device, _ = Person(database, clock, "li").arrive()
        wang.arrive()
        found, kept, _ = wang.arrive(device)
        assert (found.reason, kept) == (arrival.DEVICE, device)

    def test_two_devices_in_two_networks_at_once_are_told_though_known(self, wang):
        _, one, _ = wang.arrive(places=place.Places())
        wang.clock.forward(hours=1)
        _, two, _ = wang.arrive(places=place.Places())
        wang.clock.forward(hours=1)
        wang.arrive(one, places=place.Places())
        wang.clock.forward(minutes=4)
        assert wang.arrive(two, UNKNOWN, place.Places())[0].reason == arrival.NEAR
        wang.clock.forward(hours=1)
        assert wang.arrive(two, UNKNOWN, place.Places())[0].reason == ""

    def test_a_device_is_known_to_the_door_until_it_is_denied(self, wang):
        _, device, here = wang.arrive()
        wang.clock.forward(hours=1)
        found, other, _ = wang.arrive()
        with wang.database.read() as tx:
            assert arrival.is_known(tx, "sunny", "wang", other)
            assert not arrival.is_known(tx, "sunny", "li", other)
            assert not arrival.is_known(tx, "jinan", "wang", other)
        wang.answer(found.arrival, here, mine=False)
        with wang.database.read() as tx:
            assert not arrival.is_known(tx, "sunny", "wang", other)
            assert arrival.is_known(tx, "sunny", "wang", device)


class TestTravel:
    def test_nobody_flies_in_an_hour(self, wang):
        _, device, _ = wang.arrive()
        wang.clock.forward(hours=1)
        found, _, _ = wang.arrive(device, ABROAD)
        assert (found.reason, found.unproved) == (arrival.FAR, True)
        with wang.database.read() as tx:
            assert arrival.waiting(tx, "sunny")[arrival.FAR] == [found]

    def test_in_ten_hours_they_do(self, wang):
        _, device, _ = wang.arrive()
        wang.clock.forward(hours=10)
        found, _, _ = wang.arrive(device, ABROAD)
        assert (found.state, found.unproved) == (arrival.SEEN, False)

    def test_a_network_that_is_not_in_the_table_says_nothing(self, wang):
        _, device, _ = wang.arrive()
        assert wang.arrive(device, UNKNOWN)[0].state == arrival.SEEN


class TestAnswers:
    def test_a_stranger_silences_the_question_on_their_own_device_alone(self, wang):
        _, _, mine = wang.arrive()
        wang.clock.forward(hours=1)
        found, _, theirs = wang.arrive()
        assert wang.answer(found.arrival, theirs, mine=True).state == arrival.SAID
        assert wang.told(theirs) == []
        assert [one.arrival for one in wang.told(mine)] == [found.arrival]
        assert wang.answer(found.arrival, mine, mine=True).state == arrival.MINE
        assert wang.told(mine) == []

    def test_what_was_answered_is_answered_once(self, wang):
        _, _, mine = wang.arrive()
        found, _, _ = wang.arrive()
        wang.answer(found.arrival, mine, mine=True)
        with pytest.raises(StateError):
            wang.answer(found.arrival, mine, mine=False)

    def test_nobody_answers_for_another(self, wang, database, clock):
        wang.arrive()
        found, _, _ = wang.arrive()
        li = Person(database, clock, "li")
        with pytest.raises(NotFoundError):
            li.answer(found.arrival, li.arrive()[2], mine=True)
