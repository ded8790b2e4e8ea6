"""The account that anchors: one secret of the key store, and transactions signed with it here.

No node holds the key. The secret is 32 random bytes that the root key wraps; signing is ``eth-account``'s,
of the optional extra ``[chain]``, so that an installation without a chain does not need it.
"""

import re
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from epilock.errors import AnchorError, StateError
from epilock.ledger.anchor.keccak import keccak256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A transaction before it is signed, in the oldest form, which every chain takes (EIP-155).

    Attributes:
        nonce: Number of the account's transactions before it.
        to: The contract, or None to make one.
        data: What it is called with.
        gas: The most gas it may use.
        gas_price: Price of a unit of gas, in wei.
        chain_id: The one chain on which it is valid.
    """

    nonce: int
    to: bytes | None
    data: bytes
    gas: int
    gas_price: int
    chain_id: int


class Account:
    """An account that this installation alone uses.

    Attributes:
        address: Its 20-byte address.

    Raises:
        StateError: The extra ``[chain]`` is not installed.
        AnchorError: The secret is no key of the curve (odds of 1 in 2**128).
    """

    def __init__(self, secret: bytes) -> None:
        try:
            self._key = _signing().from_key(secret)
        except ValueError:
            raise AnchorError("the account's secret is no key of secp256k1") from None
        self.address = bytes.fromhex(self._key.address[2:])

    def sign(self, order: Order) -> tuple[bytes, bytes]:
        """Return the signed transaction and its hash; the same order gives the same bytes (RFC 6979)."""
        fields: dict[str, Any] = {
            "nonce": order.nonce, "gas": order.gas, "gasPrice": order.gas_price, "value": 0,
            "data": order.data, "chainId": order.chain_id,
        }  # fmt: skip
        if order.to is not None:
            fields["to"] = order.to
        raw = bytes(self._key.sign_transaction(fields).raw_transaction)
        return raw, keccak256(raw)


def _signing() -> Any:
    """Return what signs, loaded on first use.

    What it loads raises Python's limit of recursion to 100,000, with which a hostile JSON of some hundred
    kilobytes ends the whole process; so the limit is put back.

    Raises:
        StateError: The extra ``[chain]`` is not installed.
    """
    limit = sys.getrecursionlimit()
    try:
        return import_module("eth_account").Account
    except ModuleNotFoundError:
        raise StateError(
            "to sign for a chain, install the extra: pip install 'epilock[chain]'"
        ) from None
    finally:
        sys.setrecursionlimit(limit)


def written(address: bytes) -> str:
    """Return ``address`` as people write it, upper case where its hash says so (EIP-55)."""
    digits = address.hex()
    mask = keccak256(digits.encode()).hex()
    upper = [d.upper() if int(m, 16) > 7 else d for d, m in zip(digits, mask, strict=False)]  # noqa: PLR2004 - the nibble's high bit
    return "0x" + "".join(upper)


def read_address(text: str) -> bytes:
    """Return the address that ``text`` is; in mixed case its check must hold.

    Raises:
        ValueError: It is none, or a letter was mistyped.
    """
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address is 0x and 40 hexadecimal digits")
    digits = text[2:]
    address = bytes.fromhex(digits)
    if digits not in {digits.lower(), digits.upper()} and text != written(address):
        raise ValueError("the address has a mistyped letter")
    return address
