"""What we ask of an EVM chain: seven JSON-RPC methods, and two more where proofs are to be had.

``eth_chainId``, ``eth_getTransactionCount``, ``eth_gasPrice``, ``eth_sendRawTransaction``,
``eth_getTransactionReceipt``, ``eth_call`` and ``eth_blockNumber`` do all the work, so that chains with a
small web3 interface (FISCO BCOS, whose differences stand in ``docs/reference/anchor.md``) serve too. ``eth_getBlockByNumber`` and ``eth_getProof`` are asked for
the ``.anchor`` file alone; a chain without them gives none.

A call is refused in three ways, and all become ``AnchorRefusedError`` or a receipt that did not succeed:
the contract reverts (an error of the call), its code cannot run there (an error of the node), or, when
gas was named, **the transaction is mined with status 0 and nothing is raised**.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from epilock.errors import AnchorError, UnreachableError
from epilock.ledger.anchor import rlp
from epilock.ledger.anchor.keccak import HASH_BYTES, keccak256
from epilock.ledger.anchor.node import Node
from epilock.ledger.anchor.proof import ADDRESS_BYTES

LATEST = "latest"
LARGEST = 2**63 - 1
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
# A header's fields in RLP order (Yellow Paper 4.4), then those that later forks appended (EIP-1559,
# 4895, 4844, 4844, 4788, 7685). The hash says whether a fork that we don't know has added another.
_QUANTITIES = frozenset({
    "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed",
    "excessBlobGas",
})  # fmt: skip
_HEADER = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
    "logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash",
    "nonce",
)  # fmt: skip
_LATER = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction that was mined.

    Attributes:
        succeeded: Whether its call was carried out; if not, only its gas was spent.
        block: Number of the block.
        gas_used: Gas it cost.
        contract: 20-byte address of the contract that it made, as the node says, or None.
    """

    succeeded: bool
    block: int
    gas_used: int
    contract: bytes | None = None


class Chain:
    """A chain, by one of its nodes. Every method raises as ``Node.ask`` does."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def id(self) -> int:
        """Return the chain's number (EIP-155); 31337 is a developer's own."""
        return quantity(self._node.ask("eth_chainId"))

    def height(self) -> int:
        """Return the number of the newest block."""
        return quantity(self._node.ask("eth_blockNumber"))

    def nonce(self, address: bytes) -> int:
        """Return how many transactions of ``address`` are mined: the nonce of the next."""
        return quantity(self._node.ask("eth_getTransactionCount", text(address), LATEST))

    def gas_price(self) -> int:
        """Return the price of a unit of gas that the node suggests, in wei."""
        return quantity(self._node.ask("eth_gasPrice"))

    def send(self, raw: bytes) -> None:
        """Hand in a signed transaction; sending it twice is harmless."""
        self._node.ask("eth_sendRawTransaction", text(raw))

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return what became of a transaction, or None if it is not mined on the chain of now."""
        found = self._node.ask("eth_getTransactionReceipt", text(tx_hash))
        if found is None:
            return None
        fields = _object(found)
        if fields.get("blockNumber") is None:
            return None  # some nodes answer for what is still pending
        status = quantity(fields.get("status"))
        made = fields.get("contractAddress")
        return Receipt(
            status == 1, quantity(fields["blockNumber"]), quantity(fields.get("gasUsed")),
            None if made is None else octets(made, ADDRESS_BYTES),
        )  # fmt: skip

    def call(
        self, to: bytes, data: bytes, *, sender: bytes | None = None, block: int | None = None
    ) -> bytes:
        """Return the answer of a call that changes nothing, in the state after ``block`` (the newest)."""
        asked = {"to": text(to), "data": text(data)}
        if sender is not None:
            asked["from"] = text(sender)
        return octets(self._node.ask("eth_call", asked, LATEST if block is None else hex(block)))

    def header(self, number: int) -> tuple[bytes, bytes]:
        """Return hash and RLP of the header of block ``number``.

        Raises:
            AnchorError: The node gives no header that has this hash.
        """
        fields = _object(self._node.ask("eth_getBlockByNumber", hex(number), False))  # noqa: FBT003 - JSON-RPC: no bodies
        later = [name for name in _LATER if fields.get(name) is not None]
        items = [_field(fields, name) for name in (*_HEADER, *later)]
        block_hash, header = octets(fields.get("hash"), HASH_BYTES), rlp.encode(items)
        if keccak256(header) != block_hash:
            raise AnchorError("the chain's headers have a form of their own; no proof can be made")
        return block_hash, header

    def proof(
        self, contract: bytes, slot: bytes, number: int
    ) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return the trie nodes of the contract's account and of one word of its storage."""
        asked = self._node.ask("eth_getProof", text(contract), [text(slot)], hex(number))
        fields = _object(asked)
        storage = fields.get("storageProof")
        if not isinstance(storage, list) or len(storage) != 1:
            raise UnreachableError("the node gives no storage proof")
        return _list(fields.get("accountProof")), _list(_object(storage[0]).get("proof"))


def text(data: bytes) -> str:
    """Return ``data`` as JSON-RPC writes it."""
    return "0x" + data.hex()


def quantity(found: object) -> int:
    """Return a number: hexadecimal after ``0x``, without leading zeros.

    Raises:
        UnreachableError: It is none, or 2**63 and more.
    """
    if not isinstance(found, str) or not _QUANTITY.fullmatch(found) or int(found, 16) > LARGEST:
        raise UnreachableError("the node gives no number where there should be one")
    return int(found, 16)


def octets(found: object, size: int | None = None) -> bytes:
    """Return bytes: hexadecimal after ``0x``.

    Raises:
        UnreachableError: It is none, or not ``size`` bytes.
    """
    if not isinstance(found, str) or not _DATA.fullmatch(found):
        raise UnreachableError("the node gives no bytes where there should be some")
    data = bytes.fromhex(found[2:])
    if size is not None and len(data) != size:
        raise UnreachableError(f"the node gives {len(data)} bytes where there should be {size}")
    return data


def _field(fields: Mapping[str, Any], name: str) -> bytes:
    read: Callable[[object], bytes] = (
        (lambda found: rlp.number(quantity(found))) if name in _QUANTITIES else octets
    )
    return read(fields.get(name))


def _object(found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UnreachableError("the node gives no object where there should be one")
    return found


def _list(found: object) -> tuple[bytes, ...]:
    if not isinstance(found, list):
        raise UnreachableError("the node gives no list where there should be one")
    return tuple(octets(each) for each in found)
