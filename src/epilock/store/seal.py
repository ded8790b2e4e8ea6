"""Sealing and opening in memory: plaintext and leaf keys meet here, and nowhere else.

A part of a record is sealed with AES-256-GCM under a subkey of its own leaf, so that key and nonce
belong to that one part of that one record. The nonce is random all the same: should a number ever be
sealed twice (a cloned machine, a restored memory image), nothing of either plaintext is given away by
it. The associated data names suite, organisation, bucket, part and number: a sealed part that is moved,
swapped or cut opens nowhere.

The *commitment* of a record stands in the ledger. It is an HMAC of the record's plaintext under a key
that is derived from all its leaves; the person gets that key with the receipt. So the commitment proves
to whom the person shows it what was given, and once a leaf is gone nobody else can link it to anyone.

Rules kept in this file:
  1. A number is sealed once. Its leaf is taken from the lease before anything else is done, and the
     number counts as used whatever happens next.
  2. A process that was forked cannot use its parent's leases.
  3. Nothing here touches a database or a file.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple
from weakref import WeakSet

from epilock.errors import ClosedError, StateError, TamperedError
from epilock.store import keytree
from epilock.store.bucket import Bucket
from epilock.store.keytree import ARITY, BITS, DEPTH, LEASE_DEPTH, LEASE_LEAVES, Forward, Node
from epilock.store.suite import NONCE_BYTES, Suite

COMMITMENT = b"epilock/commitment/v1\n"
_NONCES = 1024  # of one reading of the system's randomness
_FAMILIES = 4096  # nodes kept by one unsealer: those of a million records

PartRow = tuple[str, int, str, int, bytes, bytes]  # the columns of vault.parts


class Sealed(NamedTuple):
    """One sealed record.

    Attributes:
        rows: Rows of ``vault.parts``, for ``Transaction.bulk``.
        commitment: 32 bytes, for the ledger.
        commitment_key: 32 bytes, for the person's receipt and nothing else.
    """

    rows: list[PartRow]
    commitment: bytes
    commitment_key: bytes


class _Line(NamedTuple):
    """What is the same for each record of one part of a lease."""

    walk: Forward
    aad: bytes
    name: bytes


def aad_of(suite: Suite, org: str, bucket: str, part: str) -> bytes:
    """Return the associated data of a sealed part, without the number that follows in decimal."""
    return f"epilock/part/v1|{suite.name}|{org}|{bucket}|{part}|".encode()


def commitment_text(parts: Mapping[str, bytes]) -> bytes:
    """Return the bytes that a commitment is made over.

    The line ``epilock/commitment/v1``, then for each part, sorted by name, its name and its plaintext as
    netstrings (``<length>:<bytes>,``): no two records have the same bytes.
    """
    pieces = [COMMITMENT]
    for part in sorted(parts):
        pieces += (_netstring(part.encode()), _netstring(parts[part]))
    return b"".join(pieces)


def commitment(key: bytes, parts: Mapping[str, bytes], suite: Suite) -> bytes:
    """Return the commitment to the plaintext of all ``parts`` of a record under its commitment key.

    The holder of a receipt shows key and plaintext; whoever finds the same 32 bytes in the ledger's
    ``collect`` entry knows that exactly this was given.
    """
    return suite.commit(key, commitment_text(parts))


class Sealer:
    """Seals records under the numbers of one lease; for one thread.

    Args:
        bucket: The bucket.
        block: The lease's block: numbers ``block * 4096`` to ``block * 4096 + 4095``.
        seeds: Part name to the seed of the block (``KeyStore.lease_seed``).
        suite: The algorithms the bucket's keys were made with.

    Attributes:
        bucket: As given.
        block: As given.
    """

    __slots__ = (
        "__weakref__", "_end", "_lines", "_next", "_nonces", "_org", "_sealed", "_suite", "_used",
        "block", "bucket",
    )  # fmt: skip

    def __init__(
        self,
        bucket: Bucket,
        block: int,
        seeds: Mapping[str, bytes],
        *,
        suite: Suite,
    ) -> None:
        self.bucket, self.block = bucket, block
        self._suite = suite
        self._lines = {
            part: _Line(
                Forward(seed, (LEASE_DEPTH, block), suite.child),
                aad_of(suite, bucket.org, bucket.name, part),
                _netstring(part.encode()),
            )
            for part, seed in seeds.items()
        }
        self._next = block * LEASE_LEAVES
        self._sealed = self._next
        self._end = self._next + LEASE_LEAVES
        self._nonces, self._used = b"", 0
        _alive.add(self)

    @property
    def left(self) -> int:
        """How many numbers can still be taken."""
        return self._end - self._next

    def take(self) -> int:
        """Return the next number of the lease.

        Raises:
            ClosedError: All are used; take another lease.
        """
        if self._next >= self._end:
            raise ClosedError(f"the lease of block {self.block} is used up; take another")
        self._next += 1
        return self._next - 1

    def seal(self, n: int, parts: Mapping[str, bytes]) -> Sealed:
        """Seal the plaintext of each of ``parts`` (by name) as record ``n``.

        Numbers must rise; those passed over are dead.

        Raises:
            StateError: ``n`` was sealed or passed already, lies outside the lease, or ``parts`` is empty
                or has a part that the lease has no seed for. The number is used up.
        """
        if not self._sealed <= n < self._end:
            raise StateError("this number was sealed or passed already, or lies outside the lease")
        self._sealed = n + 1
        if self._next <= n:
            self._next = n + 1
        suite, lines, place = self._suite, self._lines, (self.bucket.org, self.bucket.id)
        number = b"%d" % n
        rows: list[PartRow] = []
        leaves: list[bytes] = []
        text = [COMMITMENT]
        for part in sorted(parts):
            if part not in lines:
                raise StateError(f"this lease has no seed for part {part}")
            walk, aad, name = lines[part]
            leaf = walk.take(n)
            leaves.append(leaf)
            plain = parts[part]
            nonce = self._nonce()
            sealed = suite.part_cipher(leaf).encrypt(nonce, plain, aad + number)
            rows.append((*place, part, n, nonce, sealed))
            text += (name, b"%d:" % len(plain), plain, b",")
        if not rows:
            raise StateError("a record has at least one part")
        key = suite.commitment_key(leaves)
        return Sealed(rows, suite.commit(key, b"".join(text)), key)

    def close(self) -> None:
        """Forget the keys; nothing more can be sealed."""
        self._lines = {}
        self._next = self._sealed = self._end

    def _nonce(self) -> bytes:
        start = self._used
        if start == len(self._nonces):
            self._nonces, start = os.urandom(NONCE_BYTES * _NONCES), 0
        self._used = start + NONCE_BYTES
        return self._nonces[start : self._used]


class Unsealer:
    """Opens records of one part of one bucket from its seeds; for one batch, for one thread.

    Args:
        bucket: The bucket.
        part: Name of the part.
        cover: Its seeds (``KeyStore.cover``).
        suite: The algorithms the bucket's keys were made with.
    """

    __slots__ = ("_aad", "_cover", "_families", "_key", "_near", "_place", "_suite")

    def __init__(
        self,
        bucket: Bucket,
        part: str,
        cover: Mapping[Node, bytes],
        *,
        suite: Suite,
    ) -> None:
        self._place = f"org={bucket.org}, bucket={bucket.id}, part={part}"
        self._aad = aad_of(suite, bucket.org, bucket.name, part)
        self._cover = cover
        self._suite = suite
        self._near, self._key = -1, b""  # the node above the last leaf: neighbours cost one hash
        self._families: dict[int, bytes] = {}  # nodes two above a leaf: the others cost two

    def leaf(self, n: int) -> bytes:
        """Return the leaf key of record ``n``.

        Raises:
            ErasedError: It was erased.
        """
        child, near = self._suite.child, n >> BITS
        if near != self._near:
            family = self._families.get(near >> BITS) or self._family(near >> BITS)
            if family is None:  # a leaf of it was punctured
                return keytree.find(self._cover, (DEPTH, n), child)
            self._near, self._key = near, child(family, near & ARITY - 1)
        return child(self._key, n & ARITY - 1)

    def _family(self, prefix: int) -> bytes | None:
        """Return the key of a node two above the leaves and keep it, or None if it was punctured."""
        target = (DEPTH - 2, prefix)
        node = keytree.above(self._cover, target)
        if node is None:
            return None
        if len(self._families) == _FAMILIES:
            self._families.clear()
        found = keytree.derive(self._cover[node], node, target, self._suite.child)
        self._families[prefix] = found
        return found

    def open(self, n: int, nonce: bytes, sealed: bytes) -> bytes:
        """Return the plaintext of record ``n``.

        Raises:
            ErasedError: Its key was erased.
            TamperedError: The row was changed, moved, cut or put back; it is named.
        """
        suite = self._suite
        try:
            return suite.open(suite.part_cipher(self.leaf(n)), nonce, sealed, self._aad + b"%d" % n)
        except TamperedError:
            raise TamperedError(f"parts ({self._place}, n={n}) is not what was sealed") from None


def _netstring(data: bytes) -> bytes:
    return b"%d:%b," % (len(data), data)


_alive: WeakSet[Sealer] = WeakSet()


def _close_after_fork() -> None:
    """Close every lease in a forked child: parent and child would seal the same numbers (rule 2)."""
    for sealer in list(_alive):
        sealer.close()


os.register_at_fork(after_in_child=_close_after_fork)
