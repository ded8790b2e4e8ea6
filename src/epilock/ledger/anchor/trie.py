"""Proofs of Ethereum's Merkle-Patricia tries (Yellow Paper, appendix D), as ``eth_getProof`` gives them.

Only the state trie and storage tries are read: their keys are hashes, so every path is 64 nibbles
long and every value lies in a leaf. Only presence is proved; absence is no proof of anything here.
"""

from collections.abc import Sequence

from epilock.errors import ProofError
from epilock.ledger.anchor import rlp
from epilock.ledger.anchor.keccak import HASH_BYTES, keccak256
from epilock.ledger.anchor.rlp import Item

MOST_NODES = 64  # one a nibble of the path
MOST_NODE_BYTES = 17 * (HASH_BYTES + 1) + 3  # a branch of 16 hashes; a leaf is smaller
BRANCH, PAIR = 17, 2
_ODD, _LEAF = 1, 2  # flags in the first nibble of a pair's path


def value_at(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    """Return the value that the trie with ``root`` holds at ``key``, proved by ``nodes``, root first.

    Raises:
        ProofError: The nodes do not lead from the root to a value at this key, or there are others.
    """
    path, given = _nibbles(keccak256(key)), list(reversed(nodes))
    reference: Item = root
    while True:
        node = _resolve(reference, given, is_root=len(given) == len(nodes))
        if len(node) == BRANCH and path:
            reference, path = node[path[0]], path[1:]
            continue
        if len(node) != PAIR or not isinstance(node[0], bytes):
            raise ProofError("a node of the trie is neither a branch nor a path")
        steps, is_leaf = _steps(node[0])
        if path[: len(steps)] != steps:
            raise ProofError("the trie holds nothing at this key")
        reference, path = node[1], path[len(steps) :]
        if is_leaf:
            break
    if path or given or not isinstance(reference, bytes):
        raise ProofError("the proof does not end in the leaf of this key")
    return reference


def _resolve(reference: Item, given: list[bytes], *, is_root: bool) -> list[Item]:
    """Return the node that ``reference`` names; one shorter than a hash lies in its parent."""
    if isinstance(reference, list):
        if len(rlp.encode(reference)) >= HASH_BYTES:
            raise ProofError("a node of 32 bytes or more is named by its hash")
        return reference
    if not reference:
        raise ProofError("the trie holds nothing at this key")
    data = given.pop() if given else b""
    if len(data) > MOST_NODE_BYTES or keccak256(data) != reference:
        raise ProofError("a node of the proof does not have the hash that its parent names")
    if len(data) < HASH_BYTES and not is_root:
        raise ProofError("a node shorter than 32 bytes lies in its parent")
    try:
        node = rlp.decode(data)
    except ValueError as error:
        raise ProofError(f"a node of the trie is not RLP: {error}") from None
    if not isinstance(node, list):
        raise ProofError("a node of the trie is not a list")
    return node


def _nibbles(data: bytes) -> list[int]:
    return [nibble for byte in data for nibble in (byte >> 4, byte & 15)]


def _steps(compact: bytes) -> tuple[list[int], bool]:
    """Return the nibbles of a compact path and whether it ends in a leaf (appendix C)."""
    flag, *rest = _nibbles(compact) or [_LEAF + _ODD + 1]
    if flag > _LEAF + _ODD or (not flag & _ODD and rest[:1] != [0]):
        raise ProofError("a path of the trie is not in compact form")
    steps = rest if flag & _ODD else rest[1:]
    if not steps and not flag & _LEAF:
        raise ProofError("an extension of the trie is not empty")
    return steps, bool(flag & _LEAF)
