"""The national suite: the standards' own examples, our golden bytes, and no byte that opens under the other suite."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import ErasedError, InputError, StateError, TamperedError
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.suite import INTERNATIONAL, NATIONAL, SEAL, SM4GCM, named

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/national.json").read_text())
ORG, BUCKET = "garden", "garden/outbreak-7/quarantine/2026-03-14"
KEY, NONCE = bytes(range(32)), bytes(12)
SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def unhex(v):
    return {k: bytes.fromhex(x) if isinstance(x, str) else x for k, x in v.items()}


class TestStandards:
    @pytest.mark.parametrize(
        ("text", "digest"),
        [
            (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
            (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
        ],
    )
    def test_sm3_is_gb_t_32905_appendix_a(self, text, digest):
        hashed = Hash(SM3())
        hashed.update(text)
        assert hashed.finalize().hex() == digest

    def test_sm4_is_gb_t_32907_appendix_a_1(self):
        sealing = Cipher(algorithms.SM4(SM4_KEY), modes.ECB()).encryptor()  # noqa: S305 - one block
        assert sealing.update(SM4_KEY).hex() == "681edf34d206965e86b3e94f536e4246"

    def test_sm4_a_million_times_is_gb_t_32907_appendix_a_2(self):
        sealing = Cipher(algorithms.SM4(SM4_KEY), modes.ECB()).encryptor()  # noqa: S305 - one block
        block = SM4_KEY
        for _ in range(1_000_000):
            block = sealing.update(block)
        assert block.hex() == "595298c7c6fd271f0402f804c33d3f66"

    def test_sm4_gcm_is_rfc_8998_appendix_a_1(self):
        sealed = SM4GCM(SM4_KEY).encrypt(
            bytes.fromhex("00001234567800000000abcd"),
            bytes.fromhex(
                "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
                "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
            ),
            bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        )
        assert sealed.hex() == (
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
            "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
            "83de3541e4c2b58177e065a9bf7b62ec"
        )


class TestVectors:
    """Change one of these and nothing that was ever sealed for such an organisation opens again."""

    @pytest.mark.parametrize("v", [unhex(v) for v in VECTORS["child"]])
    def test_child(self, v):
        assert NATIONAL.child(v["parent"], v["position"]) == v["child"]

    @pytest.mark.parametrize("v", [unhex(v) for v in VECTORS["subkey"]])
    def test_subkey(self, v):
        assert NATIONAL.subkey(v["key"], v["purpose"], v["data"]) == v["subkey"]

    def test_commitment(self):
        v = VECTORS["commitment"]
        key = NATIONAL.commitment_key([bytes.fromhex(leaf) for leaf in v["leaves"]])
        assert key.hex() == v["key"]
        assert NATIONAL.commit(key, bytes.fromhex(v["text"])).hex() == v["commitment"]

    def test_tag(self):
        v = unhex(VECTORS["tag"])
        assert NATIONAL.tag(v["key"], v["text"]) == v["tag"]

    def test_seal(self):
        v = unhex(VECTORS["seal"])
        sealed = NATIONAL.part_cipher(v["leaf"]).encrypt(v["nonce"], v["text"], v["aad"])
        assert sealed == v["sealed"]
        again = NATIONAL.cipher(NATIONAL.subkey(v["leaf"], SEAL))
        assert NATIONAL.open(again, v["nonce"], sealed, v["aad"]) == v["text"]


class TestOpening:
    @given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
    def test_what_one_suite_sealed_opens_under_no_other(self, text, leaf):
        for one, other in ((NATIONAL, INTERNATIONAL), (INTERNATIONAL, NATIONAL)):
            sealed = one.part_cipher(leaf).encrypt(NONCE, text, b"place")
            assert one.open(one.part_cipher(leaf), NONCE, sealed, b"place") == text
            with pytest.raises(TamperedError):
                other.open(other.part_cipher(leaf), NONCE, sealed, b"place")


class TestChoosing:
    def test_an_organisation_has_what_was_chosen_and_others_what_they_had(self, keys):
        keys.choose_suite(ORG, "national-1")
        keys.choose_suite(ORG, "national-1")
        assert (keys.suite_of(ORG), keys.suite_of("school")) == (NATIONAL, INTERNATIONAL)

    def test_no_other_is_chosen_once_there_is_a_key(self, keys):
        keys.add_bucket(ORG, BUCKET, ["2-IV"])
        with pytest.raises(StateError, match="international-1 and keeps it"):
            keys.choose_suite(ORG, "national-1")
        assert keys.suite_of(ORG) is INTERNATIONAL
        keys.leaf(ORG, BUCKET, "2-IV", 0)

    def test_nor_another_than_was_chosen_before(self, keys):
        keys.choose_suite(ORG, "national-1")
        with pytest.raises(StateError, match="national-1 and keeps it"):
            keys.choose_suite(ORG, "international-1")

    def test_one_that_there_is_not(self, keys):
        with pytest.raises(InputError, match="international-1, national-1"):
            keys.choose_suite(ORG, "sm9")
        with pytest.raises(InputError):
            named("")

    def test_another_process_that_asked_before_sees_what_was_chosen(self, keys, tmp_path):
        other = KeyStore(keys.database, KeyFileRoot(tmp_path / "root.key"), tmp_path / "slots")
        assert other.suite_of(ORG) is INTERNATIONAL
        keys.choose_suite(ORG, "national-1")
        assert other.suite_of(ORG) is NATIONAL

    def test_it_lives_through_destruction(self, keys):
        keys.choose_suite(ORG, "national-1")
        keys.add_bucket(ORG, BUCKET, ["2-IV", "3-II"])
        keys.add_tag_key(ORG, "outbreak-7")
        kept = keys.leaf(ORG, BUCKET, "2-IV", 5), keys.tag_key(ORG, "outbreak-7")
        keys.destroy(ORG, punctures=[(BUCKET, "2-IV", 4)], drops=[(BUCKET, "3-II")])
        assert (keys.leaf(ORG, BUCKET, "2-IV", 5), keys.tag_key(ORG, "outbreak-7")) == kept
        for part, n in (("2-IV", 4), ("3-II", 0)):
            with pytest.raises(ErasedError):
                keys.leaf(ORG, BUCKET, part, n)

    def test_who_holds_the_database_cannot_choose(self, keys, key_database):
        """A row moved from another organisation, or taken away, makes no key readable."""
        keys.choose_suite(ORG, "national-1")
        keys.add_bucket(ORG, BUCKET, ["2-IV"])
        fresh = KeyStore(keys.database, keys._root, keys._slots)
        with key_database.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE secrets SET org = 'school' WHERE name = 'suite'")
        with pytest.raises(TamperedError):
            fresh.suite_of("school")
        with pytest.raises(TamperedError):
            fresh.leaf(ORG, BUCKET, "2-IV", 0)
