"""What signing promises: one key, one chain, the same bytes for the same order; addresses that catch a typing error."""

import subprocess
import sys

import pytest
from chains import SECRET
from eth_account import Account as Reference
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import AnchorError
from epilock.ledger.anchor.account import Account, Order, read_address, written
from epilock.ledger.anchor.contract import address, creation

ORDER = Order(
    nonce=7, to=b"\x11" * 20, data=b"\x01\x02", gas=21_000, gas_price=10**9, chain_id=31337
)


def test_the_address_of_a_secret():
    assert written(Account(SECRET).address) == Reference.from_key(SECRET).address


def test_the_same_order_gives_the_same_bytes():
    """So that signing again after a crash can never make a second transaction."""
    assert Account(SECRET).sign(ORDER) == Account(SECRET).sign(ORDER)


@pytest.mark.parametrize("to", [None, b"\x11" * 20])
def test_everyone_reads_from_it_who_signed(to):
    order = Order(
        nonce=0, to=to, data=creation(), gas=600_000, gas_price=0, chain_id=20200
    )  # FISCO BCOS's number; its gas is free
    raw, _ = Account(SECRET).sign(order)
    assert Reference.recover_transaction(raw) == written(Account(SECRET).address)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_a_secret_that_is_no_key(secret):
    with pytest.raises(AnchorError, match="no key of secp256k1"):
        Account(secret)


class TestAddress:
    @given(st.binary(min_size=20, max_size=20))
    def test_written_as_everyone_writes_it(self, found):
        assert written(found) == to_checksum_address(found)
        assert read_address(written(found)) == read_address("0x" + found.hex()) == found

    @pytest.mark.parametrize(
        "text",
        ["", "0x", "0x" + "1" * 39, "0x" + "1" * 41, "1" * 42, "0X" + "1" * 40, "0x" + "g" * 40,
         "0x" + "\uff11" * 40, "0x5FbDB2315678afecb367f032d93F642f64180aa4", "0x1 " + "1" * 38],
    )  # fmt: skip
    def test_what_is_none(self, text):
        with pytest.raises(ValueError, match="address"):
            read_address(text)

    def test_of_what_an_account_makes(self):
        """Known from every developer's chain: the first contract of its first account."""
        creator = read_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        assert written(address(creator, 0)) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def test_an_installation_without_a_chain_needs_no_extra():
    """The program starts where ``eth-account`` is not installed, and says what to install."""
    code = (
        "import sys; sys.modules['eth_account'] = None\n"
        "import epilock.cli.app\n"
        "from epilock.errors import StateError\n"
        "from epilock.ledger.anchor.account import Account\n"
        "try: Account(b'1' * 32)\n"
        "except StateError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'epilock[chain]'" in done.stdout


def test_hostile_json_cannot_end_a_process_that_signs():
    """``eth-account`` loads what raises Python's limit of recursion a hundredfold; it is put back."""
    code = (
        "import json, sys\n"
        "from epilock.ledger.anchor.account import Account\n"
        "before = sys.getrecursionlimit()\n"
        "Account(b'1' * 32)\n"
        "assert sys.getrecursionlimit() == before\n"
        "try: json.loads('[' * 200_000)\n"
        "except RecursionError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
