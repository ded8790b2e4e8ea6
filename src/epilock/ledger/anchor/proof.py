"""The proof that a root was on a chain when a block was made: a ``.anchor`` file, checked offline.

Nothing is asked of any node. Whoever checks has two values from elsewhere: the hash of a block, from
any explorer, node or newspaper, and the address of the contract, published beside the log's key. The
steps, in this order:

1. ``anchor-file``: it is a ``.anchor`` file (``FileFormatError``; ``TooLargeError`` beyond 256 KiB).
2. ``anchor-block``: its header has the hash that was given (``AnchorProofError``).
3. ``anchor-contract``: under that header's state root there is an account at the contract's address, and
   its code is the one shipped here, which never changes a root (``AnchorProofError``).
4. ``anchor-root``: in that account's storage, ``roots[SHA-256(origin)][size]`` is the root (``AnchorProofError``).
5. ``anchor-checkpoint``: origin, size and root are those of the receipt's checkpoint (``AnchorProofError``).

Its fields (``anchorfile``) are ``format``, ``origin``, ``size``, ``root``, ``contract``, ``header``, ``account`` and
``storage`` (lists of trie nodes, root first). Python's standard library only: the verifier that stands
alone carries the same steps.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from epilock.errors import AnchorProofError, ProofError
from epilock.ledger.anchor import rlp
from epilock.ledger.anchor.anchorfile import fields, hexed, octet_list, octets, text
from epilock.ledger.anchor.keccak import HASH_BYTES, keccak256
from epilock.ledger.anchor.trie import value_at

FORMAT = "epilock/anchor/v1"
ADDRESS_BYTES = 20
SLOT_OF_ROOTS = 2  # where the compiler put ``roots``; a test compares with its layout
CODE_HASHES = frozenset({  # Keccak-256 of each run-time code ever shipped
    bytes.fromhex("e2c725ba9ed133eb316d93d4dbecf5f129339b9600698b8960aee1203359e92a"),
})  # fmt: skip
STEPS = ("anchor-file", "anchor-block", "anchor-contract", "anchor-root", "anchor-checkpoint")
_FIELDS = ("contract", "header", "account", "storage")
_STATE_ROOT, _NUMBER, _TIMESTAMP, _LEAST_FIELDS = 3, 8, 11, 15  # Yellow Paper, section 4.4
_STORAGE_ROOT, _CODE_HASH, _ACCOUNT_FIELDS = 2, 3, 4  # section 4.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorProof:
    """One file, nothing of it checked yet.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: 32-byte root of the tree of that size.
        contract: 20-byte address.
        header: The block's header in RLP.
        account: Trie nodes from the state root to the contract's account.
        storage: Trie nodes from the account's storage root to the value.
    """

    origin: str
    size: int
    root: bytes
    contract: bytes
    header: bytes
    account: tuple[bytes, ...]
    storage: tuple[bytes, ...]

    def text(self) -> str:
        """Return the file's text."""
        return text(
            {"format": FORMAT, "origin": self.origin, "size": self.size, "root": hexed(self.root),
             "contract": hexed(self.contract), "header": hexed(self.header),
             "account": [hexed(each) for each in self.account],
             "storage": [hexed(each) for each in self.storage]}
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """What is proved: the root was on the chain when the block was made.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: Root of the tree of that size.
        contract: 20-byte address of the contract that holds it.
        number: Number of the block.
        at: The block's own time stamp, UTC; its chain's rules say how true that is.
    """

    origin: str
    size: int
    root: bytes
    contract: bytes
    number: int
    at: datetime


def log_id(origin: str) -> bytes:
    """Return the name of a log in the contract: SHA-256 of its origin, without a line end."""
    return hashlib.sha256(origin.encode()).digest()


def root_slot(origin: str, size: int) -> bytes:
    """Return where in the contract's storage ``roots[log_id(origin)][size]`` lies.

    Vyper puts the value of key ``k`` of a map at slot ``p`` at ``keccak256(p | k)``, 32 bytes each.
    """
    outer = keccak256(SLOT_OF_ROOTS.to_bytes(32, "big") + log_id(origin))
    return keccak256(outer + size.to_bytes(32, "big"))


def parse(data: bytes) -> AnchorProof:
    """Return the proof that a file's ``data`` states: step 1.

    Raises:
        TooLargeError: More than 256 KiB.
        FileFormatError: It is no ``.anchor`` file of a chain; the message says what is wrong.
    """
    found: dict[str, Any] = fields(data, FORMAT, _FIELDS)
    return AnchorProof(
        origin=found["origin"], size=found["size"], root=octets(found, "root"),
        contract=octets(found, "contract", ADDRESS_BYTES), header=octets(found, "header"),
        account=octet_list(found, "account"), storage=octet_list(found, "storage"),
    )  # fmt: skip


def verify(
    found: AnchorProof,
    *,
    block_hash: bytes,
    contract: bytes,
    codes: Collection[bytes] = CODE_HASHES,
) -> Anchored:
    """Return what ``found`` proves: steps 2 to 4.

    Args:
        found: The file.
        block_hash: 32 bytes, had from elsewhere.
        contract: 20 bytes, published beside the log's key.
        codes: Keccak-256 of each code that the account may have.

    Raises:
        AnchorProofError: A step fails; the message begins with its name.
    """
    if keccak256(found.header) != block_hash:  # 2
        raise AnchorProofError("anchor-block: the header does not have the hash that was given")
    state_root, number, seconds = _header(found.header)
    if found.contract != contract:  # 3
        raise AnchorProofError("anchor-contract: the proof is about another contract")
    storage_root, code_hash = _account(state_root, found)
    if code_hash not in codes:
        raise AnchorProofError("anchor-contract: the code at that address is not a log's contract")
    slot = root_slot(found.origin, found.size)  # 4
    held = _at("anchor-root", storage_root, slot, found.storage)
    if held != rlp.encode(found.root.lstrip(b"\0")):  # storage holds numbers
        raise AnchorProofError("anchor-root: the contract holds another root for this log and size")
    return Anchored(
        origin=found.origin, size=found.size, root=found.root, contract=contract, number=number,
        at=datetime.fromtimestamp(seconds, UTC),
    )  # fmt: skip


def check_checkpoint(done: Anchored, origin: str, size: int, root: bytes) -> None:
    """Return if ``done`` is about this checkpoint: step 5.

    Raises:
        AnchorProofError: It is about another one.
    """
    if (done.origin, done.size, done.root) != (origin, size, root):
        raise AnchorProofError("anchor-checkpoint: the anchor is not of this receipt's checkpoint")


def _header(data: bytes) -> tuple[bytes, int, int]:
    """Return state root, number and time stamp (seconds since 1970) of a header."""
    try:
        items = rlp.decode(data)
    except ValueError as error:
        raise AnchorProofError(f"anchor-block: the header is not RLP: {error}") from None
    if not isinstance(items, list) or len(items) < _LEAST_FIELDS:
        raise AnchorProofError("anchor-block: a header has at least 15 fields")
    root, number, seconds = items[_STATE_ROOT], items[_NUMBER], items[_TIMESTAMP]
    if not (isinstance(root, bytes) and isinstance(number, bytes) and isinstance(seconds, bytes)):
        raise AnchorProofError("anchor-block: a field of the header is a list")
    if len(root) != HASH_BYTES or len(number) > 8 or len(seconds) > 4:  # noqa: PLR2004 - 32 bits of seconds last until 2106
        raise AnchorProofError("anchor-block: a field of the header has another length")
    return root, int.from_bytes(number, "big"), int.from_bytes(seconds, "big")


def _account(state_root: bytes, found: AnchorProof) -> tuple[bytes, bytes]:
    """Return storage root and code hash of the contract's account."""
    data = _at("anchor-contract", state_root, found.contract, found.account)
    try:
        items = rlp.decode(data)
    except ValueError as error:
        raise AnchorProofError(f"anchor-contract: the account is not RLP: {error}") from None
    if not isinstance(items, list) or len(items) != _ACCOUNT_FIELDS:
        raise AnchorProofError("anchor-contract: an account has 4 fields")
    storage, code = items[_STORAGE_ROOT], items[_CODE_HASH]
    if not isinstance(storage, bytes) or not isinstance(code, bytes):
        raise AnchorProofError("anchor-contract: a field of the account is a list")
    return storage, code


def _at(step: str, root: bytes, key: bytes, nodes: tuple[bytes, ...]) -> bytes:
    try:
        return value_at(root, key, nodes)
    except ProofError as error:
        raise AnchorProofError(f"{step}: {error}") from None
