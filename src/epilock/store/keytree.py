"""The puncturable key tree: one seed yields the keys of 16.7 million records, and can forget one.

A tree of Goldreich, Goldwasser and Micali (1986) with 16 children a node and depth 6. A node is
named by its depth and its *prefix*: the record number without its last ``6 - depth`` hexadecimal
digits. A child's key is a keyed hash of its parent's with its position, so a node's key gives every
key below it and none beside or above it.

A *cover* is the set of nodes from which all living leaves can be computed. At first it is the root.
Puncturing a leaf replaces the node above it by the siblings along the path, at most 90 (Green and
Miers 2015; Aviram, Gellert and Jager 2019): afterwards that one key can't be computed by anyone.

Rules kept in this file:
  1. Everything is pure: keys come in, keys go out.
  2. Nodes of a cover never overlap, so at most one of them lies above a leaf.
  3. ``Forward`` hands each leaf key out once, in rising order, and keeps nothing it has passed.
"""

from collections.abc import Callable, Iterable, Mapping

from epilock.errors import ErasedError, StateError

BITS = 4
ARITY = 1 << BITS
DEPTH = 6
LEAVES: int = ARITY**DEPTH
LEASE_DEPTH = 3
LEASE_LEAVES: int = ARITY ** (DEPTH - LEASE_DEPTH)
BLOCKS: int = ARITY**LEASE_DEPTH

Node = tuple[int, int]  # depth, prefix
Child = Callable[[bytes, int], bytes]
ROOT: Node = (0, 0)


def path(n: int, to: int = DEPTH) -> list[Node]:
    """Return the nodes above leaf ``n``, from the root down to depth ``to``.

    Raises:
        ValueError: ``n`` is not 0 to 16,777,215.
    """
    if not 0 <= n < LEAVES:
        raise ValueError(f"a record number is 0 to {LEAVES - 1}")
    return [(depth, n >> BITS * (DEPTH - depth)) for depth in range(to + 1)]


def derive(key: bytes, node: Node, target: Node, child: Child) -> bytes:
    """Return the key of ``target``, which lies below ``node`` or is it, from the ``key`` of ``node``.

    Raises:
        ValueError: It does not lie below.
    """
    steps = target[0] - node[0]
    if steps < 0 or target[1] >> BITS * steps != node[1]:
        raise ValueError(f"node {target} does not lie below node {node}")
    for step in range(steps - 1, -1, -1):
        key = child(key, target[1] >> BITS * step & ARITY - 1)
    return key


def siblings(n: int, from_depth: int = 0) -> list[Node]:
    """Return the nodes beside the path of leaf ``n``, below ``from_depth``: 15 for each step down."""
    return [
        (depth, prefix ^ other)
        for depth, prefix in path(n)[from_depth + 1 :]
        for other in range(1, ARITY)
    ]


def above(cover: Mapping[Node, bytes], target: Node) -> Node | None:
    """Return the node of ``cover`` above ``target`` (or ``target`` itself), or None if it has none."""
    depth, prefix = target
    candidates = ((d, prefix >> BITS * (depth - d)) for d in range(depth, -1, -1))
    return next((node for node in candidates if node in cover), None)


def find(cover: Mapping[Node, bytes], target: Node, child: Child) -> bytes:
    """Return the key of ``target`` from the ``cover``.

    Raises:
        ErasedError: It was punctured.
    """
    node = above(cover, target)
    if node is None:
        raise ErasedError("this key was erased: no one can compute it")
    return derive(cover[node], node, target, child)


def puncture(cover: dict[Node, bytes], numbers: Iterable[int], child: Child) -> bool:
    """Change ``cover`` so that the leaves ``numbers`` can't be computed; tell whether it changed.

    A number that is already punctured changes nothing.
    """
    changed = False
    for n in numbers:
        node = above(cover, (DEPTH, n))
        if node is None:
            continue
        changed = True
        key = cover.pop(node)
        for depth, prefix in path(n)[node[0] + 1 :]:
            first, on_path = prefix & ~(ARITY - 1), prefix & ARITY - 1
            for position in range(ARITY):
                if position != on_path:
                    cover[depth, first + position] = child(key, position)
            key = child(key, on_path)
    return changed


class Forward:
    """Leaf keys below one node, in rising order; used and skipped leaves are forgotten.

    Consecutive numbers cost 16 hashes for 16 leaves and one for each 16 nodes above them: 1.067 a
    leaf. What is kept is the cover of the leaves still to come, so that whoever later reads the
    memory of the holder finds no key of what was sealed (as far as Python gives memory back).
    """

    __slots__ = ("_child", "_cover", "_end")

    def __init__(self, seed: bytes, node: Node, child: Child) -> None:
        self._child = child
        self._cover = [(*node, seed)]  # the lowest prefix last
        self._end = node[1] + 1 << BITS * (DEPTH - node[0])

    def take(self, n: int) -> bytes:
        """Return the leaf key of ``n``, for the only time.

        Raises:
            StateError: ``n`` was taken or passed already, or does not lie below the node.
        """
        cover, child = self._cover, self._child
        if cover and cover[-1][:2] == (DEPTH, n):  # the usual case: the next leaf lies ready
            return cover.pop()[2]
        while cover and n < self._end:
            depth, prefix, key = cover.pop()
            down = BITS * (DEPTH - depth)
            here = n >> down
            if here > prefix:
                continue
            if here < prefix:
                cover.append((depth, prefix, key))
                break
            if depth == DEPTH:
                return key
            first = n >> down - BITS & ARITY - 1
            below, base = depth + 1, prefix << BITS
            cover += [(below, base + i, child(key, i)) for i in range(ARITY - 1, first - 1, -1)]
        raise StateError("this number was passed or lies outside the lease: a leaf seals once")
