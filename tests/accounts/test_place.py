"""Where networks are: the table is read or named wrong, the longest prefix tells, distances are those of the earth."""

from datetime import timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.accounts import place
from epilock.accounts.place import Place, Places
from epilock.errors import EpilockError, FileFormatError, InputError, TooLargeError

HEAD = "network,latitude,longitude,name\n"
JINAN = Place(latitude=3665, longitude=11712, name="Jinan")
LONDON = Place(latitude=5151, longitude=-13, name="London")


def table(*lines: str) -> bytes:
    return (HEAD + "\n".join(lines)).encode()


class TestTable:
    def test_the_longest_prefix_tells(self):
        found = place.read(
            table("203.0.0.0/8,51.51,-0.13,London", "203.0.113.0/24,36.65,117.12,Jinan")
        )
        assert found.find("203.0.113.9") == JINAN
        assert found.find("::ffff:203.0.113.9") == JINAN
        assert found.find("203.9.9.9") == LONDON
        assert found.find("198.51.100.1") is None
        assert found.find("2001:db8::1") is None

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("203.0.113.1/24,1,1,x", "line 2, network"),
            ("anything,1,1,x", "line 2, network"),
            ("203.0.113.0/24,91,1,x", "line 2, latitude"),
            ("203.0.113.0/24,1,nan,x", "line 2, longitude"),
            ("203.0.113.0/24,1,1e1,x", "line 2, longitude"),
            ("203.0.113.0/24,1,1,", "line 2, name"),
            ("203.0.113.0/24,1,1," + "x" * 61, "line 2, name"),
            ("203.0.113.0/24,1,1", "line 2: 3 columns"),
            ("203.0.113.0/24,1,1,x\n203.0.113.0/24,2,2,y", "line 3, network: it stands above"),
            ('203.0.113.0/24,1,1,"x', "line 2: no CSV"),
        ],
    )
    def test_a_wrong_line_is_named(self, line, said):
        with pytest.raises(FileFormatError, match=said):
            place.read(table(line))

    def test_the_header_is_needed(self):
        with pytest.raises(FileFormatError, match="the columns are network,latitude"):
            place.read(b"203.0.113.0/24,1,1,x\n")

    def test_it_has_limits(self):
        with pytest.raises(TooLargeError):
            place.read(bytes(place.MAX_BYTES + 1))

    def test_a_file_that_is_not_there_is_named_by_its_setting(self, tmp_path):
        with pytest.raises(InputError, match="EPILOCK_PLACES"):
            place.load(tmp_path / "none.csv")
        assert place.load(None) == Places()

    @given(st.binary(max_size=300) | st.text(max_size=200).map(table))
    def test_any_file_is_read_or_refused(self, body):
        try:
            found = place.read(body)
        except EpilockError:
            return
        for (version, length), places in found.networks.items():
            for number, one in places.items():
                bits = 32 if version == 4 else 128
                kind = ip_address(number << (bits - length)) if version == 4 else None
                assert abs(one.latitude) <= 9000
                assert abs(one.longitude) <= 18000
                assert kind is None or found.find(str(kind)) is not None

    @given(st.ip_addresses())
    def test_a_network_is_cut_and_holds_its_address(self, address):
        cut = place.network_of(str(address))
        kept = cut.rpartition("/")[2]
        assert kept in {"24", "48"}
        assert place.network_of(cut.partition("/")[0]) == cut

    @given(st.text(max_size=60))
    def test_anything_else_has_no_network(self, text):
        assert place.network_of(text) == "" or "/" in place.network_of(text)


class TestDistance:
    def test_a_known_one(self):
        """Nashville to Los Angeles, as haversine tables give it for a radius of 6372.8 km."""
        nashville = Place(latitude=3612, longitude=-8667, name="BNA")
        angeles = Place(latitude=3394, longitude=-11840, name="LAX")
        found = place.apart(nashville, angeles) * 6372.8 / place.EARTH
        assert found == pytest.approx(2887.26, abs=0.01)

    def test_a_quarter_of_the_earth(self):
        north = Place(latitude=9000, longitude=0, name="pole")
        equator = Place(latitude=0, longitude=7700, name="equator")
        assert place.apart(north, equator) == pytest.approx(place.EARTH * 3.14159265 / 2, rel=1e-6)

    @given(*[st.tuples(st.integers(-9000, 9000), st.integers(-18000, 18000))] * 2)
    def test_it_is_the_same_both_ways_and_at_most_half_around(self, one, other):
        a, b = (Place(latitude=n, longitude=e, name="x") for n, e in (one, other))
        assert place.apart(a, b) == pytest.approx(place.apart(b, a), abs=1e-6)
        assert 0 <= place.apart(a, b) <= place.EARTH * 3.1415927
        assert place.apart(a, a) == 0

    def test_an_airliner_is_believed_and_a_rocket_is_not(self):
        assert place.is_too_far(JINAN, LONDON, timedelta(hours=9))
        assert not place.is_too_far(JINAN, LONDON, timedelta(hours=9, minutes=30))

    def test_neighbouring_networks_at_one_instant_are_no_travel(self):
        near = Place(latitude=3700, longitude=11700, name="Qihe")
        assert not place.is_too_far(JINAN, near, timedelta())
