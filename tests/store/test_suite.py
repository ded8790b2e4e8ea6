"""What a suite promises: the same bytes for ever, and no open without every detail."""

import json
from pathlib import Path

import pytest

from epilock.errors import TamperedError
from epilock.store.suite import COMMIT, INTERNATIONAL, SEAL, SUITES

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/suite.json").read_text())
KEY, NONCE = bytes(range(32)), bytes(12)


class TestVectors:
    @pytest.mark.parametrize("v", VECTORS["seal"])
    def test_seal_subkey(self, v):
        assert INTERNATIONAL.subkey(bytes.fromhex(v["leaf"]), SEAL).hex() == v["key"]

    @pytest.mark.parametrize("v", VECTORS["commitment_key"])
    def test_commitment_key(self, v):
        leaves = [bytes.fromhex(leaf) for leaf in v["leaves"]]
        assert INTERNATIONAL.commitment_key(leaves).hex() == v["key"]

    @pytest.mark.parametrize("v", VECTORS["tag"])
    def test_tag(self, v):
        assert INTERNATIONAL.tag(bytes.fromhex(v["key"]), v["text"].encode()).hex() == v["tag"]


class TestCommitmentKey:
    def test_every_leaf_counts(self):
        """When any part's key is gone nobody can compute the commitment's key again."""
        a, b, c = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
        keys = {INTERNATIONAL.commitment_key(x) for x in ([a, b], [a, c], [b, a], [a], [a, b, c])}
        assert len(keys) == 5

    def test_it_is_not_the_seal_s_key(self):
        assert INTERNATIONAL.commitment_key([KEY]) != INTERNATIONAL.subkey(KEY, SEAL)
        assert INTERNATIONAL.commitment_key([KEY]) == INTERNATIONAL.subkey(KEY, COMMIT)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
class TestOpen:
    def test_it_opens_what_was_sealed(self, suite):
        cipher = suite.cipher(KEY)
        sealed = cipher.encrypt(NONCE, b"text", b"place")
        assert suite.open(cipher, NONCE, sealed, b"place") == b"text"

    @pytest.mark.parametrize(
        ("nonce", "cut", "aad"),
        [(bytes([1]) * 12, 99, b"place"), (NONCE, 19, b"place"), (NONCE, 3, b"place"),
         (NONCE, 0, b"place"), (b"short", 99, b"place"), (b"", 99, b"place"), (NONCE, 99, b"other")],
    )  # fmt: skip
    def test_any_difference_is_one_error(self, suite, nonce, cut, aad):
        cipher = suite.cipher(KEY)
        sealed = cipher.encrypt(NONCE, b"text", b"place")[:cut]
        with pytest.raises(TamperedError):
            suite.open(cipher, nonce, sealed, aad)
