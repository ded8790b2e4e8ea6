"""The contract that keeps roots, as it is shipped: source, ABI and bytecode; and how it is spoken to.

``log_anchor.vy`` is compiled by the tests alone, which compare every byte. Each argument and each result
is one word of 32 bytes, so that the ABI encoding is concatenation (Contract ABI Specification,
https://docs.soliditylang.org/en/latest/abi-spec.html).
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from epilock.errors import AnchorError
from epilock.ledger.anchor import rlp
from epilock.ledger.anchor.keccak import HASH_BYTES, keccak256
from epilock.ledger.anchor.proof import ADDRESS_BYTES

NOBODY = bytes(ADDRESS_BYTES)
# About twice what was measured on anvil 1.7.1: 275,824, 45,466 and 70,794 (later anchors 53,730). Chains
# that count otherwise have room; what is not used is not paid.
GAS_TO_CREATE, GAS_TO_OPEN, GAS_TO_ANCHOR = 600_000, 100_000, 150_000


@dataclass(frozen=True, slots=True)
class Head:
    """What the contract says of a log.

    Attributes:
        owner: 20-byte address that alone may anchor; ``NOBODY`` if the log was never opened.
        size: The largest size that was anchored.
    """

    owner: bytes
    size: int


@lru_cache(maxsize=1)
def artefact() -> dict[str, Any]:
    """Return what the compiler made: ``abi``, ``bytecode``, ``runtime``, ``methods``, versions, layout."""
    text = files("epilock.ledger.anchor").joinpath("log_anchor.json").read_text()
    made: dict[str, Any] = json.loads(text)
    return made


def creation() -> bytes:
    """Return the code that a transaction without a recipient runs to make the contract."""
    return bytes.fromhex(artefact()["bytecode"][2:])


def call(method: str, *words: bytes | int) -> bytes:
    """Return the data of a call, such as ``call("roots(bytes32,uint64)", log_id, size)``."""
    selector = bytes.fromhex(artefact()["methods"][method][2:])
    return selector + b"".join(_word(each) for each in words)


def address(creator: bytes, nonce: int) -> bytes:
    """Return the address of what ``creator`` makes with ``nonce`` (Yellow Paper, section 7)."""
    return keccak256(rlp.encode([creator, rlp.number(nonce)]))[-ADDRESS_BYTES:]


def read_root(answer: bytes) -> bytes | None:
    """Return the root in the answer of ``roots``, or None if there is none.

    Raises:
        AnchorError: No such contract answered.
    """
    (word,) = _words(answer, 1)
    return word if any(word) else None


def read_head(answer: bytes) -> Head:
    """Return the head in the answer of ``heads``.

    Raises:
        AnchorError: No such contract answered.
    """
    owner, size = _words(answer, 2)
    return Head(owner[-ADDRESS_BYTES:], int.from_bytes(size, "big"))


def _word(value: bytes | int) -> bytes:
    return value.to_bytes(HASH_BYTES, "big") if isinstance(value, int) else value


def _words(answer: bytes, count: int) -> list[bytes]:
    if len(answer) != count * HASH_BYTES:
        raise AnchorError("there is no log's contract at this address on this chain")
    return [answer[at : at + HASH_BYTES] for at in range(0, len(answer), HASH_BYTES)]
