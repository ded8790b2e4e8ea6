"""What the key tree promises: every key from one seed, and a forgotten key from nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import ErasedError, StateError
from epilock.store import keytree
from epilock.store.keytree import DEPTH, LEAVES, ROOT, Forward
from epilock.store.suite import INTERNATIONAL

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/keytree.json").read_text())
SEED = bytes(range(32))
CHILD = INTERNATIONAL.child
numbers = st.integers(0, LEAVES - 1)


def derive(key, node, target):
    return keytree.derive(key, node, target, CHILD)


def leaf(seed, n, node=ROOT):
    return derive(seed, node, (DEPTH, n))


class TestVectors:
    """Change one of these and nothing that was ever sealed opens again."""

    @pytest.mark.parametrize("v", VECTORS["child"])
    def test_child(self, v):
        assert CHILD(bytes.fromhex(v["parent"]), v["position"]).hex() == v["child"]

    @pytest.mark.parametrize("v", VECTORS["leaf"])
    def test_leaf(self, v):
        assert leaf(bytes.fromhex(v["seed"]), v["n"]).hex() == v["leaf"]

    @pytest.mark.parametrize("v", VECTORS["block"])
    def test_block(self, v):
        key = derive(bytes.fromhex(v["seed"]), ROOT, (3, v["block"]))
        assert key.hex() == v["key"]

    @pytest.mark.parametrize("v", VECTORS["siblings"])
    def test_siblings(self, v):
        found = keytree.siblings(v["n"], v["from_depth"])
        assert sorted(found) == sorted(map(tuple, v["nodes"]))

    @pytest.mark.parametrize("v", VECTORS["puncture"])
    def test_puncture(self, v):
        cover = {ROOT: bytes.fromhex(v["seed"])}
        keytree.puncture(cover, [v["n"]], CHILD)
        assert sorted([d, p, key.hex()] for (d, p), key in cover.items()) == v["cover"]


class TestNodes:
    def test_a_puncture_of_the_whole_tree_leaves_ninety_siblings(self):
        assert len(keytree.siblings(0xABCDEF)) == 90

    @given(numbers, st.integers(0, DEPTH))
    def test_siblings_and_the_leaf_cover_exactly_what_the_node_covered(self, n, depth):
        """Nothing is lost but the one leaf, and nothing is covered twice."""
        nodes = [*keytree.siblings(n, depth), (DEPTH, n)]
        covered = sum(16 ** (DEPTH - d) for d, _ in nodes)
        assert covered == 16 ** (DEPTH - depth)
        assert len(set(nodes)) == len(nodes)
        assert all(p >> 4 * (d - depth) == n >> 4 * (DEPTH - depth) for d, p in nodes)

    @pytest.mark.parametrize("n", [-1, LEAVES])
    def test_a_number_outside_the_tree_is_refused(self, n):
        with pytest.raises(ValueError, match="16777215"):
            keytree.path(n)

    def test_a_node_gives_no_key_beside_or_above_it(self):
        key = derive(SEED, ROOT, (3, 5))
        for target in [(3, 4), (2, 0), (6, 6 * 4096)]:
            with pytest.raises(ValueError, match="below"):
                derive(key, (3, 5), target)

    @given(numbers, st.integers(0, DEPTH))
    def test_a_leaf_is_the_same_from_every_node_above_it(self, n, depth):
        node = keytree.path(n)[depth]
        key = derive(SEED, ROOT, node)
        assert leaf(key, n, node) == leaf(SEED, n)


class TestPuncture:
    @given(st.lists(st.one_of(numbers, st.integers(0, 40)), max_size=12), st.lists(numbers))
    def test_what_is_punctured_is_gone_and_the_rest_is_there(self, gone, others):
        """In any order, repeated or not, near to each other or far."""
        cover = {ROOT: SEED}
        keytree.puncture(cover, gone, CHILD)
        for n in gone:
            with pytest.raises(ErasedError):
                keytree.find(cover, (DEPTH, n), CHILD)
        for n in {*others, *(g ^ 1 for g in gone)} - set(gone):
            assert keytree.find(cover, (DEPTH, n), CHILD) == leaf(SEED, n)

    @given(st.lists(numbers, min_size=1, max_size=6))
    def test_no_node_above_a_punctured_leaf_is_left(self, gone):
        """From what is left the key can't be computed by anyone, not only not by us."""
        cover = {ROOT: SEED}
        keytree.puncture(cover, gone, CHILD)
        for n in gone:
            assert not set(keytree.path(n)) & set(cover)

    def test_again_changes_nothing(self):
        cover = {ROOT: SEED}
        assert keytree.puncture(cover, [77], CHILD)
        before = dict(cover)
        assert not keytree.puncture(cover, [77], CHILD)
        assert cover == before

    def test_a_cover_shrinks_when_a_whole_subtree_is_gone(self):
        cover = {ROOT: SEED}
        keytree.puncture(cover, range(16), CHILD)
        assert len(cover) == 15 * 5
        assert keytree.above(cover, (DEPTH, 16)) == (5, 1)


class TestForward:
    """The holder of a lease keeps only keys that are still to come."""

    @given(st.sets(st.integers(4096, 2 * 4096 - 1), min_size=1, max_size=40))
    def test_it_gives_the_tree_s_leaves(self, wanted):
        walk = Forward(derive(SEED, ROOT, (3, 1)), (3, 1), CHILD)
        for n in sorted(wanted):
            assert walk.take(n) == leaf(SEED, n)

    def test_consecutive_numbers_cost_little_more_than_one_hash_each(self):
        counted = []

        def child(parent: bytes, position: int) -> bytes:
            counted.append(position)
            return INTERNATIONAL.child(parent, position)

        walk = Forward(derive(SEED, ROOT, (3, 0)), (3, 0), child)
        for n in range(4096):
            walk.take(n)
        assert len(counted) == 4096 + 256 + 16

    @pytest.mark.parametrize("again", [0, 5, 99])
    def test_a_number_is_given_once_and_never_after_a_later_one(self, again):
        walk = Forward(SEED, ROOT, CHILD)
        walk.take(5)
        walk.take(99)
        with pytest.raises(StateError):
            walk.take(again)
        assert walk.take(100) == leaf(SEED, 100)

    @pytest.mark.parametrize("n", [4095, 8192])
    def test_numbers_outside_the_lease_are_refused_and_cost_nothing(self, n):
        walk = Forward(derive(SEED, ROOT, (3, 1)), (3, 1), CHILD)
        with pytest.raises(StateError):
            walk.take(n)
        assert walk.take(4096) == leaf(SEED, 4096)

    def test_what_is_kept_leads_to_nothing_that_was_passed(self):
        """A stolen laptop opens nothing that it has already sealed."""
        walk = Forward(SEED, ROOT, CHILD)
        walk.take(0x1234)
        kept = {(depth, prefix) for depth, prefix, _ in walk._cover}
        for n in (0, 0x1233, 0x1234):
            assert not kept & set(keytree.path(n))
