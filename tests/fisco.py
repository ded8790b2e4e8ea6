"""What FISCO BCOS's web3 interface is like, in front of a real anvil: no FISCO node installs from a registry.

What is put between is read off the project's source (FISCO-BCOS 3.16.4, ``bcos-rpc/web3jsonrpc`` and
``bcos-txpool``): which methods there are, errors and their numbers, tags of blocks that are read and not
heeded, a price of nothing, an account without coins, one transaction a nonce, headers of a form of their own.
"""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eth_account import Account

from anvil import Anvil
from epilock.ledger.anchor import rlp

CHAIN = 20200  # what its tool for making chains chooses
SEVEN = {
    "eth_chainId", "eth_getTransactionCount", "eth_gasPrice", "eth_sendRawTransaction",
    "eth_getTransactionReceipt", "eth_call", "eth_blockNumber",
}  # fmt: skip
FIELDS = {"jsonrpc", "method", "params", "id"}
INVALID_REQUEST, NOT_FOUND, INVALID_PARAMS, INTERNAL, REVERTED = -32600, -32601, -32602, -32603, 16
OPTIONS = ("--hardfork", "london", "--base-fee", "0", "--gas-price", "0", "--chain-id", str(CHAIN),
           "--disable-min-priority-fee")  # fmt: skip


class Refused(Exception):  # noqa: N818 - an answer
    """An error of JSON-RPC: its number and its words."""


class Fisco:
    """An interface of FISCO's kind at an address of this machine.

    Args:
        node: The chain behind it, started with ``OPTIONS``.
        headers: Whether it shows blocks too; FISCO does, in a form whose hash is not of Ethereum's RLP.

    Attributes:
        asked: Names of the methods that were asked for.
    """

    def __init__(self, node: Anvil, *, headers=False):
        self.node = node
        self.asked = []
        self._methods = SEVEN | ({"eth_getBlockByNumber"} if headers else set())
        self._pool = set()
        fisco = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told = {"id": asked.get("id"), "jsonrpc": "2.0"}
                try:
                    told["result"] = fisco.answer(asked)
                except Refused as refused:
                    told["error"] = dict(
                        zip(("code", "message", "data"), refused.args, strict=False)
                    )
                body = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def answer(self, asked):
        if asked.keys() != FIELDS or type(asked["params"]) is not list:
            raise Refused(INVALID_REQUEST, "Request not valid, required fields")
        method, params = asked["method"], asked["params"]
        self.asked.append(method)
        if method not in self._methods:
            raise Refused(NOT_FOUND, "Method not found")
        change = getattr(self, method, None)
        return self._pass(method, *params) if change is None else change(*params)

    def eth_call(self, call, _block):
        """The tag is read and not heeded: what is answered is always the newest state."""
        return self._pass("eth_call", call, "latest", failed=REVERTED)

    def eth_gasPrice(self):  # noqa: N802 - named as the method is
        return "0x0"  # of its settings; nothing, unless the consortium wants a price

    def eth_getTransactionCount(self, address, _block):  # noqa: N802 - named as the method is
        return self._pass("eth_getTransactionCount", address, "latest")

    def eth_sendRawTransaction(self, raw):  # noqa: N802
        sender = Account.recover_transaction(raw)
        if int(self._pass("eth_getBalance", sender, "latest"), 16) == 0:
            raise Refused(INVALID_PARAMS, "InsufficientFunds")
        if bytes.fromhex(raw[2:])[0] < 0xC0:
            raise Refused(INVALID_PARAMS, "this test wants the oldest form")
        nonce = rlp.decode(bytes.fromhex(raw[2:]))[0]
        if (sender, nonce) in self._pool:  # in the pool or in the chain: a nonce serves once
            raise Refused(
                INTERNAL,
                "VM Exception while processing transaction, reason: NonceCheckFail, msg: 0x",
            )
        self._pool.add((sender, nonce))
        return self._pass("eth_sendRawTransaction", raw)

    def eth_getTransactionReceipt(self, tx_hash):  # noqa: N802
        found = self._pass("eth_getTransactionReceipt", tx_hash)
        return found and found | {"effectiveGasPrice": "0x0", "type": "0x0"}

    def eth_getBlockByNumber(self, number, bodies):  # noqa: N802
        """Difficulty, uncles, seal: filled in; the hash is of FISCO's own header."""
        found = self._pass("eth_getBlockByNumber", number, bodies)
        zeros = "0x" + "00" * 32
        return found and found | {
            "hash": "0x" + "5a" * 32, "mixHash": zeros, "withdrawalsRoot": zeros, "blobGasUsed": "0x0",
            "excessBlobGas": "0x0", "parentBeaconBlockRoot": zeros, "difficulty": "0x0",
        }  # fmt: skip

    def _pass(self, method, *params, failed=INTERNAL):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.node.url, body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            found = json.loads(answer.read())
        if "error" in found:
            raise Refused(failed, found["error"]["message"], found["error"].get("data"))
        return found["result"]
