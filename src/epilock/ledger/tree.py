"""The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, paths, and their verification.

Rules kept in this file:
  1. A leaf is ``SHA-256(0x00 || entry)``, a node ``SHA-256(0x01 || left || right)``: no entry can pass
     for a node. The empty tree is ``SHA-256("")``.
  2. A *complete* node ``(height, n)`` spans the leaves ``n * 2**height`` up to
     ``(n + 1) * 2**height``; once complete it never changes. Paths are built from complete nodes
     alone, asked from a ``Reader``, so that they cost what they are long.
  3. Size and index come from a signed checkpoint and a receipt, never from the proof: an inclusion
     proof alone does not pin the size.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from epilock.errors import InconsistentError, ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

Reader = Callable[[int, int], bytes]
"""Returns the hash of the complete node ``(height, n)``."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of the leaf that holds ``entry``."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node over two 32-byte hashes."""
    return sha256(b"\x01" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of the nodes over consecutive pairs; a last odd one is left out."""
    pairs = iter(hashes)
    return [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=False)]


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root of the tree over ``leaf_hashes``, in one pass per height."""
    if not leaf_hashes:
        return EMPTY_ROOT
    row = list(leaf_hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = parents(row) + odd
    return row[0]


def fold(hashes: Iterable[bytes]) -> bytes:
    """Return the root over the right edge's complete nodes, given from the lowest to the highest."""
    result: bytes | None = None
    for each in hashes:
        result = each if result is None else node_hash(each, result)
    return EMPTY_ROOT if result is None else result


def span_root(first: int, end: int, read: Reader) -> bytes:
    """Return the root over the leaves ``first`` to ``end - 1``.

    ``first`` must be a multiple of the largest power of two that is not above ``end - first``.
    """
    edge, at = [], first
    for height in range((end - first).bit_length() - 1, -1, -1):
        if (end - first) >> height & 1:
            edge.append(read(height, at >> height))
            at += 1 << height
    return fold(reversed(edge))


def inclusion_path(index: int, size: int, read: Reader) -> list[bytes]:
    """Return the path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962 section 2.1.1).

    Raises:
        ProofError: There is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    path, height, last = [], 0, size - 1
    while last:  # at this height the nodes 0 .. last exist; the last one may be incomplete
        sibling = index ^ 1
        if sibling < last:
            path.append(read(height, sibling))
        elif sibling == last:
            path.append(span_root(sibling << height, size, read))
        index, last, height = index >> 1, last >> 1, height + 1
    return path


def consistency_path(old: int, new: int, read: Reader) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is a prefix of that of ``new`` (section 2.1.2).

    Empty when the sizes agree or ``old`` is 0.

    Raises:
        ProofError: ``old`` is larger than ``new``.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves does not contain one of {old}")
    path: list[bytes] = []
    first, end, whole = 0, new, True
    while old and old != end:  # SUBPROOF of the RFC, its recursion unrolled; old is absolute here
        split = first + (1 << ((end - first - 1).bit_length() - 1))
        if old <= split:
            path.append(span_root(split, end, read))
            end = split
        else:
            path.append(span_root(first, split, read))
            first, whole = split, False
    if old and not whole:
        path.append(span_root(first, end, read))
    return path[::-1]


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Return if ``path`` leads from the leaf hash ``leaf`` at ``index`` to ``root`` of ``size`` leaves.

    RFC 9162 section 2.1.3.2, which is RFC 6962's proof.

    Raises:
        ProofError: It does not.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    hash_, node, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            raise ProofError("the inclusion proof is too long for its tree")
        if node & 1 or node == last:
            hash_ = node_hash(sibling, hash_)
            node, last = _rise(node, last, 0)
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("the inclusion proof is too short for its tree")
    if hash_ != root:
        raise ProofError(f"the inclusion proof does not lead from leaf {index} to the root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Return if the tree of ``old`` leaves is a prefix of the tree of ``new`` (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: The proof is too long or too short for the sizes.
        InconsistentError: The roots cannot both be true by this proof.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves does not contain one of {old}")
    if old in {0, new}:
        _check_trivial(old, new, old_root, new_root, path)
        return
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        raise ProofError("the consistency proof is too short for its trees")
    node, last = _rise(old - 1, new - 1, 1)
    first = second = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long for its trees")
        if node & 1 or node == last:
            first, second = node_hash(each, first), node_hash(each, second)
            node, last = _rise(node, last, 0)
        else:
            second = node_hash(second, each)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("the consistency proof is too short for its trees")
    if first != old_root or second != new_root:
        raise InconsistentError(f"the tree of {old} leaves is not shown to be a prefix of {new}")


def _rise(node: int, last: int, bit: int) -> tuple[int, int]:
    """Return both one height up for as long as ``node`` is not 0 and ends in ``bit``."""
    while node and node & 1 == bit:
        node, last = node >> 1, last >> 1
    return node, last


def _check_trivial(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check what needs no hash: equal sizes have equal roots, an empty tree has the empty root."""
    if path:
        raise ProofError("a consistency proof from 0 or between equal sizes is empty")
    if old == 0 and old_root != EMPTY_ROOT:
        raise InconsistentError("the empty tree has another root than the empty tree's")
    if old == new and old_root != new_root:
        raise InconsistentError(f"two roots for one size {new}")
