"""What sealing promises: one number once, nothing opens out of its place, and the person can prove it."""

import json
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import ClosedError, ErasedError, StateError, TamperedError
from epilock.store import keytree
from epilock.store.bucket import Bucket
from epilock.store.keytree import ROOT
from epilock.store.seal import Sealer, Unsealer, aad_of, commitment, commitment_text
from epilock.store.suite import INTERNATIONAL

V = json.loads((Path(__file__).parents[1] / "vectors/store/record.json").read_text())
BUCKET = Bucket(
    org=V["org"], id=7, name=V["bucket"], authority="jinan", emergency="outbreak-7",
    circumstance="residential-entry", day=date(2026, 3, 14), clock="collection",
    parts=("2-IV", "3-II"), live=("2-IV", "3-II"),
)  # fmt: skip
SEEDS = {p["part"]: bytes.fromhex(p["seed"]) for p in V["parts"]}
PLAIN = {p["part"]: p["plaintext"].encode() for p in V["parts"]}


def sealer(block: int = 1) -> Sealer:
    seeds = {p: keytree.derive(s, ROOT, (3, block), INTERNATIONAL.child) for p, s in SEEDS.items()}
    return Sealer(BUCKET, block, seeds, suite=INTERNATIONAL)


def unsealer(part: str) -> Unsealer:
    return Unsealer(BUCKET, part, {ROOT: SEEDS[part]}, suite=INTERNATIONAL)


class TestVectors:
    """Bytes that leave the house, or lie in it for years."""

    @pytest.mark.parametrize("p", V["parts"], ids=lambda p: p["part"])
    def test_a_part_sealed_by_any_version_opens(self, p):
        aad = aad_of(INTERNATIONAL, V["org"], V["bucket"], p["part"]) + str(V["n"]).encode()
        assert aad.decode() == p["aad"]
        opened = unsealer(p["part"]).open(
            V["n"], bytes.fromhex(p["nonce"]), bytes.fromhex(p["sealed"])
        )
        assert opened.decode() == p["plaintext"]

    def test_commitment(self):
        """The person's proof of what they gave, and the ledger's entry."""
        assert commitment_text(PLAIN).decode() == V["commitment_text"]
        assert (
            commitment(bytes.fromhex(V["commitment_key"]), PLAIN, INTERNATIONAL).hex()
            == V["commitment"]
        )
        sealed = sealer().seal(V["n"], PLAIN)
        assert sealed.commitment_key.hex() == V["commitment_key"]
        assert sealed.commitment.hex() == V["commitment"]


class TestSeal:
    def test_what_was_sealed_opens(self):
        work = sealer()
        for _ in range(20):
            n = work.take()
            for org, bucket, part, number, nonce, sealed in work.seal(n, PLAIN).rows:
                assert (org, bucket, number) == (BUCKET.org, 7, n)
                assert unsealer(part).open(n, nonce, sealed) == PLAIN[part]

    def test_rows_hold_no_plaintext_and_no_key(self):
        rows = sealer().seal(5000, PLAIN).rows
        held = b"".join(row[4] + row[5] for row in rows)
        for part, text in PLAIN.items():
            assert text[:12] not in held
            assert unsealer(part).leaf(5000) not in held

    def test_nonces_never_repeat(self):
        work = sealer()
        nonces = [r[4] for _ in range(1500) for r in work.seal(work.take(), PLAIN).rows]
        assert len(set(nonces)) == 3000
        assert {len(n) for n in nonces} == {12}

    def test_two_sealers_of_one_seed_do_not_share_nonces(self):
        """A cloned machine: the second line of defence."""
        a, b = (sealer().seal(5000, PLAIN).rows for _ in range(2))
        assert a[0][4] != b[0][4]

    def test_the_numbers_are_those_of_the_lease(self):
        work = sealer(block=2)
        assert work.left == 4096
        assert [work.take() for _ in range(3)] == [8192, 8193, 8194]
        assert work.left == 4093

    def test_a_used_up_lease_says_so(self):
        work = sealer()
        for _ in range(4096):
            work.take()
        with pytest.raises(ClosedError, match="take another"):
            work.take()


class TestOnce:
    """A leaf seals once."""

    def test_not_twice(self):
        work = sealer()
        work.seal(5000, PLAIN)
        with pytest.raises(StateError):
            work.seal(5000, PLAIN)

    def test_not_after_a_later_one(self):
        work = sealer()
        work.seal(5000, PLAIN)
        with pytest.raises(StateError):
            work.seal(4999, {"2-IV": b"x"})
        assert work.take() == 5001

    @pytest.mark.parametrize(
        "bad", [{}, {"4-I": b"x"}, {"2-IV": b"x", "9": b"y"}, {"2-IV": "text"}, {"2-IV": None}]
    )
    def test_not_after_an_error_either(self, bad):
        """Whatever went wrong, the number is used up."""
        work = sealer()
        n = work.take()
        with pytest.raises((StateError, TypeError)):
            work.seal(n, bad)
        with pytest.raises(StateError):
            work.seal(n, PLAIN)
        work.seal(work.take(), PLAIN)

    @pytest.mark.parametrize("n", [-1, 0, 4095, 8192, 16**6])
    def test_not_outside_the_lease(self, n):
        with pytest.raises(StateError):
            sealer().seal(n, PLAIN)

    def test_not_by_a_forked_child(self):
        """Parent and child would seal different texts under one number."""
        work = sealer()
        pid = os.fork()
        if pid == 0:
            try:
                work.seal(5000, PLAIN)
            except StateError:
                os._exit(42)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
        work.seal(5000, PLAIN)

    def test_not_when_closed(self):
        work = sealer()
        work.close()
        with pytest.raises(ClosedError):
            work.take()
        with pytest.raises(StateError):
            work.seal(5000, PLAIN)


class TestOpen:
    @pytest.mark.parametrize(
        "change",
        [
            {"n": 5001},
            {"part": "3-II"},
            {"name": V["bucket"].replace("14", "15")},
            {"org": "school"},
            {"nonce": bytes(12)},
            {"cut": 10},
            {"cut": 0},
        ],
        ids=str,
    )
    def test_nothing_opens_out_of_its_place(self, change):
        """Swapped between numbers, parts, buckets, organisations; cut; under another nonce."""
        _, _, part, n, nonce, sealed = sealer().seal(5000, PLAIN).rows[0]
        bucket = Bucket(
            **{f: getattr(BUCKET, f) for f in Bucket.__slots__}
            | {k: v for k, v in change.items() if k in {"name", "org"}}
        )
        other = Unsealer(
            bucket, change.get("part", part), {ROOT: SEEDS["2-IV"]}, suite=INTERNATIONAL
        )
        with pytest.raises(TamperedError, match=r"parts \(org="):
            other.open(
                change.get("n", n), change.get("nonce", nonce), sealed[: change.get("cut", 999)]
            )

    @given(st.data())
    def test_any_flipped_bit_is_found(self, data):
        _, _, part, n, nonce, sealed = sealer().seal(5000, PLAIN).rows[0]
        at = data.draw(st.integers(0, 8 * len(sealed) - 1))
        bad = bytearray(sealed)
        bad[at // 8] ^= 1 << at % 8
        with pytest.raises(TamperedError):
            unsealer(part).open(n, nonce, bytes(bad))

    def test_a_punctured_leaf_is_erased_and_its_neighbours_open(self):
        work = sealer()
        rows = {n: work.seal(n, {"2-IV": b"x%d" % n}).rows[0] for n in range(5000, 5040)}
        cover = {ROOT: SEEDS["2-IV"]}
        keytree.puncture(cover, [5003, 5020], INTERNATIONAL.child)
        reader = Unsealer(BUCKET, "2-IV", cover, suite=INTERNATIONAL)
        for n, row in rows.items():
            if n in {5003, 5020}:
                with pytest.raises(ErasedError):
                    reader.open(n, row[4], row[5])
            else:
                assert reader.open(n, row[4], row[5]) == b"x%d" % n


class TestCommitment:
    def test_a_dead_leaf_unlinks_it(self):
        """With one part's key gone nobody but the person can say what the commitment was made over."""
        one = INTERNATIONAL.commitment_key([unsealer("2-IV").leaf(5000)])
        both = sealer().seal(5000, PLAIN).commitment_key
        assert one != both

    @given(
        st.dictionaries(st.text("ab1-", max_size=3), st.binary(max_size=4), max_size=3),
        st.dictionaries(st.text("ab1-", max_size=3), st.binary(max_size=4), max_size=3),
    )
    def test_no_two_records_have_the_same_text(self, a, b):
        assert (commitment_text(a) == commitment_text(b)) == (a == b)
