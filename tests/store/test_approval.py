"""An approval holds for one statement, one person, one site; whatever else comes in its place is refused."""

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.demo.drill.device import ORIGIN, PRESENT, Device
from epilock.errors import ForbiddenError, InputError
from epilock.store import approval
from epilock.store.approval import Statement, StatementOfMany, read_approver, read_statement

STATEMENT = Statement(
    grant="g-aaaaaaaaaaaa", org="health", staff="s-aaaaaaaaaaaa", source="garden",
    purpose="tracing", form="raw", circumstances=("isolation", "quarantine"), subjects=5,
    until=datetime(2026, 3, 21, tzinfo=UTC),
)  # fmt: skip
OF_MANY = StatementOfMany(**(msgspec.structs.asdict(STATEMENT) | {"form": "aggregate"}), parts=31)
DEVICE = Device("health", "s-bbbbbbbbbbbb")
SITE = approval.site(ORIGIN)


def prove(statement, assertion, count=0):
    key = DEVICE.approver.public_key
    return approval.prove(statement, assertion, public_key=key, sign_count=count, at=SITE)


class TestStatement:
    def test_its_bytes_never_change(self):
        """Golden vector: change this and every grant already signed is void."""
        assert STATEMENT.encoded() == (
            b'epilock/grant/v1\0{"circumstances":["isolation","quarantine"],"form":"raw",'
            b'"grant":"g-aaaaaaaaaaaa","org":"health","purpose":"tracing","source":"garden",'
            b'"staff":"s-aaaaaaaaaaaa","subjects":5,"until":"2026-03-21T00:00:00Z"}'
        )
        assert STATEMENT.challenge().hex() == CHALLENGE

    def test_of_many_says_how_many_parts_and_its_bytes_never_change(self):
        assert OF_MANY.encoded() == (
            b'epilock/grant-of-many/v1\0{"circumstances":["isolation","quarantine"],"form":"aggregate",'
            b'"grant":"g-aaaaaaaaaaaa","org":"health","parts":31,"purpose":"tracing","source":"garden",'
            b'"staff":"s-aaaaaaaaaaaa","subjects":5,"until":"2026-03-21T00:00:00Z"}'
        )

    @pytest.mark.parametrize("said", [STATEMENT, OF_MANY])
    def test_is_read_back(self, said):
        assert read_statement(said.encoded()) == said

    @pytest.mark.parametrize(
        ("said", "other"), [(STATEMENT, StatementOfMany.FORMAT), (OF_MANY, Statement.FORMAT)]
    )
    def test_of_one_kind_is_none_of_the_other(self, said, other):
        with pytest.raises(InputError, match="lacks a field"):
            read_statement(other + said.encoded().removeprefix(said.FORMAT))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"subjects":5', b'"subjects": 5'), (b'"subjects":5', b'"subjects":0'),
            (b'"subjects":5', b'"subjects":5,"more":1'), (b"00:00:00Z", b"00:00:00"),
            (b"00:00:00Z", b"00:00:00+00:00"), (b'"isolation",', b'"quarantine",'),
            (b'"isolation",', b'"zoo",'), (b"grant/v1", b"grant/v2"), (b"s-aaaaaaaaaaaa", b"s-1"),
            (b'"form":"raw",', b""), (b'"health"', b'"health\\n"'),
        ],
    )  # fmt: skip
    def test_has_one_form(self, old, new):
        data = STATEMENT.encoded()
        assert old in data
        with pytest.raises(InputError, match="statement"):
            read_statement(data.replace(old, new, 1))

    def test_has_a_limit(self):
        with pytest.raises(InputError, match="4096"):
            read_statement(STATEMENT.encoded() + b" " * approval.MOST_STATEMENT)

    @given(
        st.binary(max_size=400), st.sampled_from([b"", Statement.FORMAT, StatementOfMany.FORMAT])
    )
    def test_whatever_comes_is_read_or_refused(self, data, head):
        data = head + data
        with suppress(InputError):
            assert read_statement(data).encoded() == data


class TestSignature:
    def test_by_the_device_with_its_holder_checked(self):
        assert prove(STATEMENT, DEVICE.sign(STATEMENT.challenge(), count=7), 6) == 7

    @pytest.mark.parametrize(
        "field",
        [
            {"grant": "g-bbbbbbbbbbbb"}, {"org": "school"}, {"staff": "s-cccccccccccc"},
            {"source": "school"}, {"purpose": "research"}, {"form": "masked"},
            {"circumstances": ("quarantine",)}, {"subjects": 6},
            {"until": datetime(2026, 3, 22, tzinfo=UTC)},
        ],
    )  # fmt: skip
    def test_holds_for_no_other_statement(self, field):
        signed = DEVICE.sign(STATEMENT.challenge())
        with pytest.raises(ForbiddenError, match="approved again"):
            prove(msgspec.structs.replace(STATEMENT, **field), signed)

    @pytest.mark.parametrize(
        "how",
        [
            {"origin": "https://epilock.example.evil.example"}, {"rp": "evil.example"},
            {"flags": PRESENT}, {"flags": 0}, {"kind": "webauthn.create"}, {"count": 6},
        ],
    )  # fmt: skip
    def test_made_otherwise_is_refused(self, how):
        with pytest.raises(ForbiddenError):
            prove(STATEMENT, DEVICE.sign(STATEMENT.challenge(), **how), 6)

    def test_of_another_device_is_refused(self):
        with pytest.raises(ForbiddenError):
            prove(STATEMENT, Device("health", "s-bbbbbbbbbbbb", 2).sign(STATEMENT.challenge()))

    @given(st.text(max_size=300))
    def test_whatever_comes_is_refused(self, text):
        with suppress(InputError):
            approval.credential_of(text)
        with pytest.raises(ForbiddenError):
            prove(STATEMENT, text)

    def test_says_by_which_passkey_it_is_below_a_limit(self):
        signed = DEVICE.sign(STATEMENT.challenge())
        assert approval.credential_of(signed) == DEVICE.approver.credential
        with pytest.raises(InputError, match="8192"):
            approval.credential_of(signed + " " * approval.MOST_ASSERTION)


class TestApprover:
    def test_its_line_and_fingerprint_never_change(self):
        """Golden vector: a line may be carried from an older version."""
        assert DEVICE.approver.line() == LINE
        assert DEVICE.approver.fingerprint() == FINGERPRINT

    def test_is_read_back_also_when_it_was_broken_into_lines(self):
        line = DEVICE.approver.line()
        assert read_approver(f" {line[:50]}\n  {line[50:]}\n") == DEVICE.approver

    @given(st.integers(min_value=0), st.sampled_from("abcXYZ019-_"))
    def test_a_slip_is_found(self, place, letter):
        line = DEVICE.approver.line()
        at = len(approval.APPROVER) + place % (len(line) - len(approval.APPROVER) - 1)
        if line[at] != letter:
            with pytest.raises(InputError):
                read_approver(line[:at] + letter + line[at + 1 :])

    def test_that_has_no_key_of_a_passkey_is_refused(self):
        with pytest.raises(InputError, match="no public key"):
            read_approver(msgspec.structs.replace(DEVICE.approver, public_key=b"x" * 40).line())

    @given(st.text(max_size=300), st.booleans())
    def test_whatever_comes_is_refused(self, text, headed):
        with pytest.raises(InputError):
            read_approver(approval.APPROVER + text if headed else text)


@pytest.mark.parametrize(
    ("text", "origin", "rp"),
    [
        ("https://a.example", "https://a.example", "a.example"),
        ("https://a.example:8443/", "https://a.example:8443", "a.example"),
        ("http://localhost:8000", "http://localhost:8000", "localhost"),
    ],
)
def test_a_site(text, origin, rp):
    assert approval.site(text) == approval.Site(origin=origin, rp=rp)


@pytest.mark.parametrize(
    "text", ["", "a.example", "http://a.example", "https://", "https://A.example", "https://u@a.example", "https://a.example/x",
             "https://a.example:443", "http://localhost:80", "https://a.example:x", "https://a.example:70000", "https://[", "https://10.0.0.1", "https://[::1]"]
)  # fmt: skip
def test_what_is_no_site(text):
    with pytest.raises(InputError, match=r"https://"):
        approval.site(text)


CHALLENGE = "9bc50087629e8718bfa6c17f5435b5e66dc0d70bec04c0dd790e77af8586d1e0"
LINE = (
    "epilock-approver:eyJjcmVkZW50aWFsIjoiZ1gwWEtnS2h2aUVBcTRqSnVBSTBvY0tsY2VUUk9LL0lrL2dnTWJBU"
    "lFVST0iLCJvcmciOiJoZWFsdGgiLCJwdWJsaWNfa2V5IjoicFFFQ0F5WWdBU0ZZSUdzWDBmTGhMRUpIK0x6bTVXT2t"
    "RUEozQTMyQkxlc3pvUFNoT1VYWW1NS1dJbGdnVCtOQzR2NGFmNXVPNSt0S2ZBK2VGaXZPTTFkck1WN095N1pBYURlL"
    "1VmVT0iLCJzdGFmZiI6InMtYmJiYmJiYmJiYmJiIn3lg7M7"
)
FINGERPRINT = "e583 b33b 2ea9 64b7 cf0d"
