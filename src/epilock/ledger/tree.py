"""The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, paths, and their verification.

Rules kept in this file:
  1. A leaf is ``SHA-256(0x00 || entry)``, a node ``SHA-256(0x01 || left || right)``: no entry can pass
     for a node. The empty tree is ``SHA-256("")``.
  2. A *complete* node ``(height, n)`` spans the leaves ``n * 2**height`` up to
     ``(n + 1) * 2**height``; once complete it never changes. Paths are built from complete nodes
     alone, asked from a ``Reader``, so that they cost what they are long.
  3. A *row* is the hashes of neighbouring nodes of one height in one piece, 32 bytes each, as tiles
     hold them: whole rows are hashed, compared and stored without being taken apart.
  4. Size and index come from a signed checkpoint and a receipt, never from the proof: an inclusion
     proof alone does not pin the size.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from struct import Struct

from epilock.errors import InconsistentError, ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

# Hashes that have taken in the first byte: to copy one costs less than to put the byte before the rest.
_LEAF, _NODE = sha256(b"\x00"), sha256(b"\x01")
_PAIRS = Struct(f"{2 * HASH_BYTES}s")

Reader = Callable[[int, int], bytes]
"""Returns the hash of the complete node ``(height, n)``."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of the leaf that holds ``entry``."""
    return sha256(b"\x00" + entry).digest()


def leaf_row(entries: Iterable[bytes]) -> bytes:
    """Return the row of the leaves that hold ``entries``."""
    made, copy = [], _LEAF.copy
    for each in entries:
        hash_ = copy()
        hash_.update(each)
        made.append(hash_.digest())
    return b"".join(made)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node over two 32-byte hashes."""
    return sha256(b"\x01" + left + right).digest()


def parents(row: bytes) -> bytes:
    """Return the row over the pairs of ``row``; a last odd hash is left out."""
    made, copy = [], _NODE.copy
    for (pair,) in _PAIRS.iter_unpack(row[: len(row) // _PAIRS.size * _PAIRS.size]):
        hash_ = copy()
        hash_.update(pair)
        made.append(hash_.digest())
    return b"".join(made)


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree over ``leaf_hashes``."""
    return row_root(b"".join(leaf_hashes))


def row_root(row: bytes) -> bytes:
    """Return the root of the tree over the leaves of ``row``, in one pass per height."""
    if not row:
        return EMPTY_ROOT
    while len(row) > HASH_BYTES:
        odd = row[-HASH_BYTES:] if len(row) % _PAIRS.size else b""
        row = parents(row) + odd
    return row


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
    edge = []
    while first < end:
        height = (end - first).bit_length() - 1
        edge.append(read(height, first >> height))
        first += 1 << height
    return fold(reversed(edge))


def inclusion_path(index: int, size: int, read: Reader) -> list[bytes]:
    """Return the path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962 section 2.1.1).

    Raises:
        ProofError: There is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    return _path(0, index, size, read)


def consistency_path(old: int, new: int, read: Reader) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is a prefix of that of ``new`` (section 2.1.2).

    Empty when the sizes agree or ``old`` is 0.

    Raises:
        ProofError: ``old`` is larger than ``new``.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves does not contain one of {old}")
    if old in {0, new}:
        return []
    # Both trees have the node that ends the older one; its way up is the proof. The node itself is
    # needed too, unless it is the whole of the older tree.
    height = (old & -old).bit_length() - 1
    node = (old - 1) >> height
    ends = [read(height, node)] if node else []
    return ends + _path(height, node, new, read)


def _path(height: int, n: int, size: int, read: Reader) -> list[bytes]:
    """Return the hashes beside the way from the complete node ``(height, n)`` up to the root."""
    path, last = [], (size - 1) >> height
    while last:  # at this height the nodes 0 .. last exist; the last one may be incomplete
        sibling = n ^ 1
        if sibling < last:
            path.append(read(height, sibling))
        elif sibling == last:
            path.append(span_root(sibling << height, size, read))
        n, last, height = n >> 1, last >> 1, height + 1
    return path


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
    inner = _check_length(index, size, len(path), "inclusion proof")
    if _climb(leaf, index, path, inner) != root:
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
    height = (old & -old).bit_length() - 1  # of the node that ends the older tree, which both share
    node = (old - 1) >> height
    inner = _check_length(node, ((new - 1) >> height) + 1, len(hashes) - 1, "consistency proof")
    seed, *rest = hashes
    lefts = [hash_ for at, hash_ in enumerate(rest) if at >= inner or node >> at & 1]
    first, second = fold([seed, *lefts]), _climb(seed, node, rest, inner)
    if first != old_root or second != new_root:
        raise InconsistentError(f"the tree of {old} leaves is not shown to be a prefix of {new}")


def _check_length(node: int, size: int, length: int, what: str) -> int:
    """Return how many of the hashes from ``node`` to the root of ``size`` nodes are of its own subtree.

    That is of the subtree in which its way up parts from that of the last node. Above it, there is a
    hash on the left for each further bit, and none on the right.

    Raises:
        ProofError: A path of ``length`` is not the right one.
    """
    inner = (node ^ (size - 1)).bit_length()
    right = inner + (node >> inner).bit_count()
    if length != right:
        raise ProofError(f"the {what} is too {'long' if length > right else 'short'} for its tree")
    return inner


def _climb(hash_: bytes, node: int, path: Sequence[bytes], inner: int) -> bytes:
    """Return the root that ``path`` leads to from ``hash_``, the hash of ``node``."""
    for sibling in path[:inner]:
        hash_ = node_hash(sibling, hash_) if node & 1 else node_hash(hash_, sibling)
        node >>= 1
    for sibling in path[inner:]:
        hash_ = node_hash(sibling, hash_)
    return hash_


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
