"""What the check of a time stamp promises: one root certificate decides, and nothing bent passes.

Good answers are those of ``openssl ts``, which also judges ours; bent ones are signed with a real key.
"""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN

from epilock.errors import AnchorProofError, EpilockError, FileFormatError, TooLargeError
from epilock.ledger.anchor import der, stamp
from epilock.ledger.anchor.der import Reader
from epilock.ledger.anchor.stamp import MOST_REPLY, Stamp
from tsa import (
    CERTIFICATE_V2,
    CONTENT_TYPE,
    DIGEST,
    OTHER_POLICY,
    POLICY,
    STAMPING,
    Authority,
    _attribute,
    _der,
    forge,
    pem,
)

SIZE, ROOT, NONCE = 8, bytes(range(32)), 0x7FEE_DDCC_BBAA_9988
DAY = timedelta(days=1)


def asked(**change):
    values = {"origin": ORIGIN, "size": SIZE, "root": ROOT, "nonce": NONCE, "policy": None}
    return stamp.request(**values | change)


def stamped(reply):
    return Stamp(origin=ORIGIN, size=SIZE, root=ROOT, reply=reply)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tsa") / "good")


@pytest.fixture(scope="module")
def reply(tsa):
    return tsa.answer(asked())


def fails(reply, root, step, **how):
    with pytest.raises(AnchorProofError, match=f"^{step}: ") as failed:
        stamp.verify(stamped(reply), root, **how)
    return str(failed.value)


class TestGood:
    def test_what_it_shows(self, tsa, reply):
        done = stamp.verify(stamped(reply), tsa.root, nonce=NONCE)
        assert (done.origin, done.size, done.root) == (ORIGIN, SIZE, ROOT)
        assert abs(done.at - datetime.now(UTC)) < DAY
        assert done.accuracy == timedelta(seconds=1, microseconds=500_100)
        assert (done.policy, done.authority) == (POLICY, "CN=stamps")

    def test_what_is_stamped_is_the_checkpoint(self):
        """Golden bytes: change this and no stamp already taken verifies any more."""
        assert stamp.message("log.example/epilock", 8, bytes(32)) == (
            b"log.example/epilock\n8\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        )
        assert stamp.request("o", 5, bytes(32), 77, POLICY).hex() == (
            "30470201013031300d0609608648016503040201050004205c7d8f4ce388412e53d7b78887f31e3abd434683"
            "c4037c74fa49392d6218597e06092b0601040181fd590102014d0101ff"
        )

    def test_openssl_reads_the_request(self, tmp_path):
        (tmp_path / "query").write_bytes(asked(policy=POLICY))
        said = subprocess.run(
            ["openssl", "ts", "-query", "-in", "query", "-text"],
            check=True, capture_output=True, cwd=tmp_path, text=True,
        ).stdout  # fmt: skip
        assert "Hash Algorithm: sha256" in said
        assert f"Policy OID: {POLICY}" in said
        assert f"Nonce: 0x{NONCE:X}" in said
        assert "Certificate required: yes" in said

    def test_openssl_agrees(self, tsa, reply, tmp_path):
        """What we call good, ``openssl ts -verify`` calls good, over the text that we call stamped."""
        (tmp_path / "told").write_bytes(stamp.message(ORIGIN, SIZE, ROOT))
        (tmp_path / "reply").write_bytes(reply)
        said = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "told", "-in", "reply", "-CAfile", tsa.root_file],
            capture_output=True, cwd=tmp_path, text=True, check=False,
        )  # fmt: skip
        assert (said.returncode, said.stdout) == (0, "Verification: OK\n")

    @pytest.mark.parametrize("ess", ["sha1", "sha384", "sha512"])
    def test_other_names_of_the_certificate(self, tmp_path, ess):
        """The attribute of RFC 2634 (SHA-1) and that of RFC 5035 with other hashes."""
        other = Authority(tmp_path / ess, ess=ess)
        assert stamp.verify(stamped(other.answer(asked())), other.root).policy == POLICY

    def test_valid_when_it_was_stamped_is_enough(self, tsa):
        """A certificate ends; what was stamped before stays true."""
        short = datetime.now(UTC) - 30 * DAY
        done = stamp.verify(stamped(forge(tsa, asked(), at=short)), tsa.root)
        assert done.at == short.replace(microsecond=0)

    def test_a_fraction_of_a_second(self, tsa):
        at = der.item(der.TIME, b"20261127050000.25Z")
        done = stamp.verify(stamped(forge(tsa, asked(), time=at)), tsa.root)
        assert done.at == datetime(2026, 11, 27, 5, 0, 0, 250_000, tzinfo=UTC)
        assert done.accuracy is None

    def test_back_and_forth(self, reply):
        found = stamped(reply)
        assert stamp.parse(found.text().encode()) == found


class TestBent:
    def test_other_claims(self, tsa, reply):
        for change in ({"origin": "log.example/other"}, {"size": 9}, {"root": bytes(32)}):
            with pytest.raises(AnchorProofError, match=r"^anchor-message: something else"):
                stamp.verify(replace(stamped(reply), **change), tsa.root)

    def test_another_checkpoint(self, tsa, reply):
        done = stamp.verify(stamped(reply), tsa.root)
        stamp.check_checkpoint(done, ORIGIN, SIZE, ROOT)
        with pytest.raises(AnchorProofError, match=r"^anchor-checkpoint: "):
            stamp.check_checkpoint(done, ORIGIN, SIZE + 1, ROOT)

    def test_another_nonce(self, tsa, reply):
        assert "another nonce" in fails(reply, tsa.root, "anchor-message", nonce=NONCE + 1)
        none = forge(tsa, asked(), nonce=b"")
        assert "another nonce" in fails(none, tsa.root, "anchor-message", nonce=NONCE)

    def test_another_policy(self, tsa, reply):
        assert "policy" in fails(reply, tsa.root, "anchor-message", policy=OTHER_POLICY)

    def test_another_root(self, tsa, reply, tmp_path):
        """An authority of the same name under a root that nobody trusts."""
        other = Authority(tmp_path / "other")
        fails(reply, other.root, "anchor-chain")
        fails(other.answer(asked()), tsa.root, "anchor-chain")

    def test_without_the_certificate_between(self, tsa):
        fails(forge(tsa, asked(), others=b""), tsa.root, "anchor-chain")

    @pytest.mark.parametrize(
        "validity", [{"until": datetime.now(UTC) - DAY}, {"since": datetime.now(UTC) + DAY}]
    )
    def test_not_valid_then(self, tmp_path, validity):
        other = Authority(tmp_path / "other", **validity)
        said = fails(other.answer(asked()), other.root, "anchor-chain")
        assert "not valid at validation time" in said

    @pytest.mark.parametrize(
        "usage",
        [
            {"usage": None},
            {"usage": [ExtendedKeyUsageOID.SERVER_AUTH]},
            {"usage": [*STAMPING, ExtendedKeyUsageOID.SERVER_AUTH]},
            {"usage": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
            {"critical": False},
        ],
    )
    def test_a_key_that_is_not_for_stamps_alone(self, tmp_path, usage):
        """RFC 3161, 2.3: that purpose, no other, and critically."""
        other = Authority(tmp_path / "other", **usage)
        fails(forge(other, asked()), other.root, "anchor-chain")

    @pytest.mark.parametrize(
        ("change", "step"),
        [
            ({"status": der.number(1)}, "anchor-answer"),
            ({"status": der.number(2)}, "anchor-answer"),
            ({"after": b"\0"}, "anchor-answer"),
            ({"version": der.number(2)}, "anchor-answer"),
            ({"type": CONTENT_TYPE}, "anchor-answer"),
            ({"signers": 0}, "anchor-answer"),
            ({"signers": 2}, "anchor-answer"),
            ({"time": der.item(der.TIME, b"20261127050000.250Z")}, "anchor-answer"),
            ({"time": der.item(der.TIME, b"20261327050000Z")}, "anchor-answer"),
            ({"time": der.item(der.TIME, b"202611270500Z")}, "anchor-answer"),
            ({"accuracy": der.item(der.SEQUENCE, b"\x80\x02\x27\x0f")}, "anchor-answer"),
            ({"accuracy": der.item(der.SEQUENCE, b"\x02\x01\xff")}, "anchor-answer"),
            ({"signed_type": CONTENT_TYPE}, "anchor-signer"),
            ({"hash": b"\x01" * 32}, "anchor-signer"),
            ({"lacks": (CONTENT_TYPE,)}, "anchor-signer"),
            ({"lacks": (DIGEST,)}, "anchor-signer"),
            ({"lacks": (CERTIFICATE_V2,)}, "anchor-signer"),
            ({"attributes": (_attribute(CONTENT_TYPE, der.name(CONTENT_TYPE)),)}, "anchor-signer"),
            ({"digest": stamp.SHA1}, "anchor-signer"),
            ({"algorithm": "1.2.840.10045.4.1"}, "anchor-signer"),  # ECDSA with SHA-1
            ({"algorithm": "1.2.840.113549.1.1.11"}, "anchor-signer"),  # RSA, by a key that is none
            ({"algorithm": "1.2.840.10045.4.3.3"}, "anchor-signer"),  # ECDSA with SHA-384
            ({"key": ec.generate_private_key(ec.SECP256R1())}, "anchor-signer"),
        ],
    )
    def test_a_part(self, tsa, change, step):
        fails(forge(tsa, asked(), **change), tsa.root, step)

    def test_a_critical_extension_that_is_not_known(self, tsa):
        extension = der.item(
            der.SEQUENCE, der.name("1.2.3"), der.item(der.BOOLEAN, b"\xff"), der.item(der.OCTETS)
        )
        reply = forge(tsa, asked(), more=der.item(0xA1, extension))
        assert "more than is known" in fails(reply, tsa.root, "anchor-answer")

    def test_another_certificate_of_the_same_key(self, tsa, tmp_path):
        """The signed attribute says whose key it was; another certificate does not pass for it."""
        other = Authority(tmp_path / "other")
        reply = forge(tsa, asked()).replace(_der(tsa.own), _der(other.own))
        if len(_der(other.own)) == len(_der(tsa.own)):
            fails(reply, tsa.root, "anchor-signer")
        fails(forge(tsa, asked(), certificate=_der(other.own)), tsa.root, "anchor-signer")

    def test_many_certificates(self, tsa):
        many = _der(tsa.middle) * 10
        assert "more than 10" in fails(forge(tsa, asked(), others=many), tsa.root, "anchor-answer")

    def test_each_cut(self, tsa, reply):
        for end in range(len(reply)):
            fails(reply[:end], tsa.root, "anchor-answer")

    def test_huge(self, tsa):
        said = fails(bytes(MOST_REPLY + 1), tsa.root, "anchor-answer")
        assert f"at most {MOST_REPLY} bytes" in said

    @given(st.data())
    def test_any_changed_byte(self, tsa, reply, data):
        """Either it fails with a named error, or what it shows is what it showed."""
        at = data.draw(st.integers(0, len(reply) - 1))
        byte = data.draw(st.integers(1, 255))
        bent = bytearray(reply)
        bent[at] ^= byte
        good = stamp.verify(stamped(reply), tsa.root, nonce=NONCE)
        try:
            assert stamp.verify(stamped(bytes(bent)), tsa.root, nonce=NONCE) == good
        except AnchorProofError as error:
            assert str(error).partition(":")[0] in stamp.STEPS  # noqa: PT017 - one of both

    @given(st.binary(max_size=300))
    def test_garbage(self, tsa, data):
        fails(data, tsa.root, "anchor-answer")


class TestDer:
    @given(st.binary(max_size=60))
    def test_one_spelling(self, data):
        """Whatever is read at all is written the same again."""
        try:
            found = Reader(data).all()
        except ValueError:
            return
        assert b"".join(der.item(each.tag, each.body) for each in found) == data

    @given(st.integers(-(2**200), 2**200))
    def test_numbers(self, value):
        (found,) = Reader(der.number(value)).all()
        assert der.read_number(found) == value

    @given(
        st.integers(0, 2),
        st.integers(0, 39),
        st.lists(st.integers(0, 2**40), min_size=1, max_size=6),
    )
    def test_names(self, first, second, rest):
        dotted = ".".join(map(str, (first, second, *rest)))
        (found,) = Reader(der.name(dotted)).all()
        assert der.read_name(found) == dotted

    @pytest.mark.parametrize(
        "data", ["02", "0201", "02810100", "0282000100", "028000", "0284ffffffff00", "308100"]
    )
    def test_what_is_none(self, data):
        with pytest.raises(ValueError, match=r"cut off|shortest"):
            Reader(bytes.fromhex(data)).all()

    @pytest.mark.parametrize("data", ["0200", "02020001", "0202ffff"])
    def test_numbers_in_another_spelling(self, data):
        (found,) = Reader(bytes.fromhex(data)).all()
        with pytest.raises(ValueError, match="shortest"):
            der.read_number(found)

    @pytest.mark.parametrize(
        "data", ["0600", "060180", "06022a80", "0603802a01", "06" + "41" + "01" * 65]
    )
    def test_names_in_another_spelling(self, data):
        (found,) = Reader(bytes.fromhex(data)).all()
        with pytest.raises(ValueError, match="identifier"):
            der.read_name(found)


class TestFiles:
    @pytest.mark.parametrize(
        "change",
        [
            {"format": "epilock/anchor/v1"},
            {"size": 0},
            {"reply": "0x0"},
            {"root": "0x00"},
            {"more": 1},
        ],
    )
    def test_what_is_no_file_of_a_stamp(self, reply, change):
        text = stamped(reply).text()
        found = eval(text) | change  # noqa: S307 - JSON without true, false and null is Python
        with pytest.raises(FileFormatError):
            stamp.parse(str(found).replace("'", '"').encode())

    def test_too_large(self):
        with pytest.raises(TooLargeError):
            stamp.parse(b" " * (1 << 20))

    def test_a_root(self, tsa):
        assert stamp.read_root(pem(tsa.root)) == tsa.root
        assert len(stamp.fingerprint(tsa.root)) == 64

    def test_what_is_no_root(self, tsa):
        for data in (
            b"",
            b"x",
            pem(tsa.root) * 2,
            pem(tsa.own),
            pem(tsa.root)[:200],
            _der(tsa.root),
        ):
            with pytest.raises(FileFormatError, match="one certificate in PEM, signed by itself"):
                stamp.read_root(data)
        with pytest.raises(TooLargeError):
            stamp.read_root(bytes(1 << 17))

    @given(st.binary(max_size=200))
    def test_garbage(self, data):
        for read in (stamp.parse, stamp.read_root):
            with pytest.raises(EpilockError):
                read(data)
