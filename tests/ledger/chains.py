"""Chains for tests: one in the process (py-evm), and nodes that lie, forget or break as a test asks."""

from datetime import timedelta

from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed, TransactionNotFound, ValidationError
from eth_utils.exceptions import ValidationError as EvmValidationError

from epilock.db import Database
from epilock.errors import AnchorRefusedError, UnreachableError
from epilock.ledger.anchor.account import Account
from epilock.ledger.anchor.chain import Chain, text
from epilock.ledger.anchor.deploy import deploy
from epilock.ledger.anchor.evm import EvmAnchor
from epilock.ledger.anchor.outbox import Outbox

SECRET = bytes(range(32, 64))
COINS = 10**19  # wei
GWEI = 10**9
PATIENCE = timedelta(minutes=10)


class InProcess:
    """A node that answers the seven methods from a chain in this process; it has no proofs.

    Args:
        mining: Whether each transaction is mined at once; else ``mine`` does it.
    """

    def __init__(self, *, mining=True):
        self.tester = EthereumTester(PyEVMBackend())
        self.asked = []
        self.fund(Account(SECRET).address)
        if not mining:
            self.tester.disable_auto_mine_transactions()

    def fund(self, address):
        rich = self.tester.get_accounts()[0]
        self.tester.send_transaction(
            {"from": rich, "to": text(address), "value": COINS, "gas": 21_000, "gas_price": GWEI}
        )

    def mine(self, blocks=1):
        self.tester.mine_blocks(blocks)

    def ask(self, method, *params):
        self.asked.append(method)
        answer = getattr(self, method, None)
        if answer is None:
            raise AnchorRefusedError(f"{method} was refused: method not found")
        try:
            return answer(*params)
        except (TransactionFailed, ValidationError, EvmValidationError) as error:
            raise AnchorRefusedError(f"{method} was refused: {error}") from None

    def eth_chainId(self):  # noqa: N802 - named as the method is
        return hex(self.tester.backend.chain.chain_id)

    def eth_blockNumber(self):  # noqa: N802
        return hex(self.tester.get_block_by_number("latest")["number"])

    def eth_getTransactionCount(self, address, block):  # noqa: N802
        return hex(self.tester.get_nonce(address, block))

    def eth_gasPrice(self):  # noqa: N802
        return hex(2 * GWEI)

    def eth_sendRawTransaction(self, raw):  # noqa: N802
        return self.tester.send_raw_transaction(raw)

    def eth_getTransactionReceipt(self, tx_hash):  # noqa: N802
        try:
            found = self.tester.get_transaction_receipt(tx_hash)
        except TransactionNotFound:
            return None
        if found is None or found["block_number"] is None:
            return None
        return {
            "status": hex(found["status"]),
            "blockNumber": hex(found["block_number"]),
            "gasUsed": hex(found["gas_used"]),
        }

    def eth_call(self, call, block):
        number = block if block == "latest" else int(block, 16)
        sender = call.get("from", self.tester.get_accounts()[0])
        return self.tester.call(
            {"from": sender, "to": call["to"], "data": call["data"], "gas": 1_000_000,
             "gas_price": GWEI}, number,
        )  # fmt: skip


class Between:
    """A node behind which another stands; a test puts itself between the two.

    Attributes:
        before: By method: called with the parameters before it is asked; may raise.
        after: By method: called with the result; what it returns is answered; may raise.
    """

    def __init__(self, node):
        self.node = node
        self.before = {}
        self.after = {}

    def ask(self, method, *params):
        if method in self.before:
            self.before[method](*params)
        result = self.node.ask(method, *params)
        return self.after[method](result) if method in self.after else result

    def cut(self, *methods):
        """Let these methods fail without reaching the node."""
        for each in methods:
            self.before[each] = _unreachable

    def lose(self, *methods):
        """Let these methods reach the node, and their answers be lost."""
        for each in methods:
            self.after[each] = _unreachable

    def mend(self):
        self.before.clear()
        self.after.clear()


def _unreachable(*_):
    raise UnreachableError("the node cannot be reached")


def outbox(database: Database, node, *, secret=SECRET, most_price=100 * GWEI) -> Outbox:
    chain = Chain(node)
    return Outbox(
        database, chain, chain.id(), Account(secret), most_price=most_price, patience=PATIENCE
    )


def deployed(database, node, origin, clock, *, depth=1, log=1, secret=SECRET) -> EvmAnchor:
    """A contract in which the log is open."""
    box = outbox(database, node, secret=secret)
    done = deploy(box, origin, log=log, depth=1, now=clock())
    while not done.ready:
        done = deploy(box, origin, log=log, depth=1, now=clock())
    return EvmAnchor(box, done.contract, log=log, depth=depth)
