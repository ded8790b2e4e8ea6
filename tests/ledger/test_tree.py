"""What the tree promises: it is RFC 6962's, at every size, and a false proof is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import InconsistentError, ProofError
from epilock.ledger import tree

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/ledger/rfc6962-ct8.json").read_text())
LEAVES = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]]
SIZES = 70


def naive_root(leaves):
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return tree.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return tree.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def reader(leaves):
    return lambda height, n: naive_root(leaves[n << height : (n + 1) << height])


MANY = [tree.leaf_hash(str(i).encode()) for i in range(SIZES)]
ROOTS = [naive_root(MANY[:size]) for size in range(SIZES + 1)]


class TestVectors:
    """The eight leaves of the Certificate Transparency reference tests."""

    def test_leaf_hashes(self):
        assert [leaf.hex() for leaf in LEAVES] == VECTORS["leaf_hashes"]

    def test_roots(self):
        roots = {str(size): tree.root(LEAVES[:size]).hex() for size in range(9)}
        assert roots == VECTORS["roots"]

    @pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda c: str(list(c.values())[:2]))
    def test_inclusion(self, case):
        index, size = case["leaf_index"], case["tree_size"]
        path = tree.inclusion_path(index, size, reader(LEAVES))
        assert [each.hex() for each in path] == case["proof"]
        tree.verify_inclusion(index, size, LEAVES[index], path, tree.root(LEAVES[:size]))

    @pytest.mark.parametrize(
        "case", VECTORS["consistency"], ids=lambda c: str(list(c.values())[:2])
    )
    def test_consistency(self, case):
        old, new = case["size1"], case["size2"]
        path = tree.consistency_path(old, new, reader(LEAVES))
        assert [each.hex() for each in path] == case["proof"]
        tree.verify_consistency(old, new, tree.root(LEAVES[:old]), tree.root(LEAVES[:new]), path)


class TestEverySize:
    def test_root_is_the_rfcs(self):
        assert [tree.root(MANY[:size]) for size in range(SIZES + 1)] == ROOTS

    @pytest.mark.parametrize("size", [1, 2, 3, 31, 32, 33, 63, 64, 65, SIZES])
    def test_each_leaf_is_proved(self, size):
        for index in range(size):
            path = tree.inclusion_path(index, size, reader(MANY[:size]))
            tree.verify_inclusion(index, size, MANY[index], path, ROOTS[size])

    @pytest.mark.parametrize("new", [1, 2, 3, 31, 32, 33, 64, SIZES])
    def test_each_prefix_is_proved(self, new):
        for old in range(new + 1):
            path = tree.consistency_path(old, new, reader(MANY[:new]))
            tree.verify_consistency(old, new, ROOTS[old], ROOTS[new], path)

    def test_paths_ask_for_complete_nodes_only(self):
        """So that a path never needs a hash that a later entry would change."""
        for size in range(1, SIZES):
            for index in range(size):
                tree.inclusion_path(index, size, lambda h, n, s=size: self._complete(h, n, s))

    def _complete(self, height, n, size):
        assert (n + 1) << height <= size
        return bytes(32)


class TestFalseProofs:
    @given(st.data())
    def test_inclusion(self, data):
        """Any change of path, leaf, root or index is named, never a crash."""
        size = data.draw(st.integers(1, SIZES))
        index = data.draw(st.integers(0, size - 1))
        path = tree.inclusion_path(index, size, reader(MANY[:size]))
        change = data.draw(st.sampled_from(["flip", "drop", "add", "leaf", "root", "index"]))
        leaf, root = MANY[index], ROOTS[size]
        if change == "flip" and path:
            at = data.draw(st.integers(0, len(path) - 1))
            path[at] = bytes(32)
        elif change == "drop" and path:
            path.pop()
        elif change == "leaf":
            leaf = bytes(32)
        elif change == "root":
            root = bytes(32)
        elif change == "index" and size > 1:
            index = (index + 1) % size
        else:
            path.append(bytes(32))
        with pytest.raises(ProofError):
            tree.verify_inclusion(index, size, leaf, path, root)

    @given(st.data())
    def test_consistency(self, data):
        new = data.draw(st.integers(2, SIZES))
        old = data.draw(st.integers(1, new - 1))
        path = tree.consistency_path(old, new, reader(MANY[:new]))
        change = data.draw(st.sampled_from(["flip", "drop", "add", "old", "new"]))
        old_root, new_root = ROOTS[old], ROOTS[new]
        if change == "flip":
            path[data.draw(st.integers(0, len(path) - 1))] = bytes(32)
        elif change == "drop":
            path.pop()
        elif change == "add":
            path.append(bytes(32))
        elif change == "old":
            old_root = bytes(32)
        else:
            new_root = bytes(32)
        with pytest.raises((ProofError, InconsistentError)):
            tree.verify_consistency(old, new, old_root, new_root, path)

    @given(st.integers(-3, 90), st.integers(-3, 90), st.lists(st.binary(max_size=40), max_size=9))
    def test_rubbish_is_refused(self, a, b, path):
        with pytest.raises(ProofError):
            tree.verify_inclusion(a, b, bytes(32), path, bytes(32))

    def test_an_index_outside_the_tree(self):
        with pytest.raises(ProofError, match="no leaf 8"):
            tree.inclusion_path(8, 8, reader(LEAVES))
        with pytest.raises(ProofError, match="no leaf -1"):
            tree.verify_inclusion(-1, 8, LEAVES[0], [], ROOTS[1])

    def test_sizes_the_wrong_way_round(self):
        with pytest.raises(ProofError, match="does not contain"):
            tree.consistency_path(8, 7, reader(LEAVES))
        with pytest.raises(ProofError, match="does not contain"):
            tree.verify_consistency(8, 7, bytes(32), bytes(32), [])

    def test_two_roots_for_one_size(self):
        with pytest.raises(InconsistentError, match="two roots for one size 5"):
            tree.verify_consistency(5, 5, ROOTS[5], bytes(32), [])

    def test_the_empty_tree_has_one_root(self):
        with pytest.raises(InconsistentError, match="empty tree"):
            tree.verify_consistency(0, 5, bytes(32), ROOTS[5], [])

    def test_no_proof_where_none_is_needed(self):
        with pytest.raises(ProofError, match="is empty"):
            tree.verify_consistency(5, 5, ROOTS[5], ROOTS[5], [bytes(32)])
        with pytest.raises(ProofError, match="too short"):
            tree.verify_consistency(3, 5, ROOTS[3], ROOTS[5], [])

    def test_a_proof_does_not_pin_the_size(self):
        """Why rule 3: leaf 0 of 5 passes as leaf 0 of 6, so the size must come from the checkpoint."""
        path = tree.inclusion_path(0, 5, reader(LEAVES))
        tree.verify_inclusion(0, 6, LEAVES[0], path, tree.root(LEAVES[:5]))
