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

The file is JSON: ``format``, ``origin``, ``size``, ``root``, ``contract``, ``header``, ``account`` and ``storage``
(lists of trie nodes, root first); bytes are hexadecimal in lower case after ``0x``. Python's standard
library only: the verifier that stands alone carries the same steps.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from epilock.errors import AnchorProofError, FileFormatError, ProofError, TooLargeError
from epilock.ledger.anchor import rlp
from epilock.ledger.anchor.keccak import HASH_BYTES, keccak256
from epilock.ledger.anchor.trie import value_at

FORMAT = "epilock/anchor/v1"
MOST_BYTES = 1 << 18
ADDRESS_BYTES = 20
LARGEST = 2**63 - 1
SLOT_OF_ROOTS = 2  # where the compiler put ``roots``; a test compares with its layout
CODE_HASHES = frozenset({  # Keccak-256 of each run-time code ever shipped
    bytes.fromhex("e2c725ba9ed133eb316d93d4dbecf5f129339b9600698b8960aee1203359e92a"),
})  # fmt: skip
STEPS = ("anchor-file", "anchor-block", "anchor-contract", "anchor-root", "anchor-checkpoint")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*", re.ASCII)
_FIELDS = {"format", "origin", "size", "root", "contract", "header", "account", "storage"}
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
        fields = {
            "format": FORMAT, "origin": self.origin, "size": self.size, "root": _hex(self.root),
            "contract": _hex(self.contract), "header": _hex(self.header),
            "account": [_hex(each) for each in self.account],
            "storage": [_hex(each) for each in self.storage],
        }  # fmt: skip
        return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"


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
        FileFormatError: It is no ``.anchor`` file; the message says what is wrong.
    """
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"an anchor file has at most {MOST_BYTES} bytes")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise FileFormatError("an anchor file is JSON in UTF-8, each field once") from None
    if not isinstance(found, dict) or found.keys() != _FIELDS or found["format"] != FORMAT:
        raise FileFormatError(f"an anchor file has the format {FORMAT} and exactly its fields")
    size, origin = found["size"], found["origin"]
    if type(size) is not int or not 0 < size <= LARGEST:
        raise FileFormatError("the size of an anchor file is a number above 0 and below 2**63")
    if not isinstance(origin, str) or not origin or "\n" in origin or not _encodes(origin):
        raise FileFormatError("the origin of an anchor file is one line")
    return AnchorProof(
        origin=origin, size=size, root=_bytes(found, "root", HASH_BYTES),
        contract=_bytes(found, "contract", ADDRESS_BYTES), header=_bytes(found, "header"),
        account=_nodes(found, "account"), storage=_nodes(found, "storage"),
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
        fields = rlp.decode(data)
    except ValueError as error:
        raise AnchorProofError(f"anchor-block: the header is not RLP: {error}") from None
    if not isinstance(fields, list) or len(fields) < _LEAST_FIELDS:
        raise AnchorProofError("anchor-block: a header has at least 15 fields")
    root, number, seconds = fields[_STATE_ROOT], fields[_NUMBER], fields[_TIMESTAMP]
    if not (isinstance(root, bytes) and isinstance(number, bytes) and isinstance(seconds, bytes)):
        raise AnchorProofError("anchor-block: a field of the header is a list")
    if len(root) != HASH_BYTES or len(number) > 8 or len(seconds) > 4:  # noqa: PLR2004 - 32 bits of seconds last until 2106
        raise AnchorProofError("anchor-block: a field of the header has another length")
    return root, int.from_bytes(number, "big"), int.from_bytes(seconds, "big")


def _account(state_root: bytes, found: AnchorProof) -> tuple[bytes, bytes]:
    """Return storage root and code hash of the contract's account."""
    data = _at("anchor-contract", state_root, found.contract, found.account)
    try:
        fields = rlp.decode(data)
    except ValueError as error:
        raise AnchorProofError(f"anchor-contract: the account is not RLP: {error}") from None
    if not isinstance(fields, list) or len(fields) != _ACCOUNT_FIELDS:
        raise AnchorProofError("anchor-contract: an account has 4 fields")
    storage, code = fields[_STORAGE_ROOT], fields[_CODE_HASH]
    if not isinstance(storage, bytes) or not isinstance(code, bytes):
        raise AnchorProofError("anchor-contract: a field of the account is a list")
    return storage, code


def _at(step: str, root: bytes, key: bytes, nodes: tuple[bytes, ...]) -> bytes:
    try:
        return value_at(root, key, nodes)
    except ProofError as error:
        raise AnchorProofError(f"{step}: {error}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def _encodes(text: str) -> bool:
    """Return whether ``text`` is free of lone surrogates, which JSON can spell and UTF-8 can't."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _bytes(fields: dict[str, object], name: str, size: int | None = None) -> bytes:
    return _unhex(fields[name], name, size)


def _nodes(fields: dict[str, object], name: str) -> tuple[bytes, ...]:
    nodes = fields[name]
    if not isinstance(nodes, list):
        raise FileFormatError(f"the field {name} of an anchor file is a list")
    return tuple(_unhex(each, name, None) for each in nodes)


def _unhex(text: object, name: str, size: int | None) -> bytes:
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise FileFormatError(f"the field {name} of an anchor file is 0x and lower-case hex")
    data = bytes.fromhex(text[2:])
    if size is not None and len(data) != size:
        raise FileFormatError(f"the field {name} of an anchor file has {size} bytes")
    return data


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
