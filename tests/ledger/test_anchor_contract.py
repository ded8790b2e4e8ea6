"""What the contract promises on a chain, and that what is shipped is what the source says."""

import json

import pytest
from chains import SECRET, InProcess, deployed, outbox
from compiled import artefact

from epilock.errors import AnchorError, AnchorRefusedError
from epilock.ledger.anchor import contract, proof
from epilock.ledger.anchor.account import Account, Order
from epilock.ledger.anchor.deploy import deploy
from epilock.ledger.anchor.evm import ANCHOR, OPEN, EvmAnchor
from epilock.ledger.anchor.keccak import keccak256
from epilock.ledger.anchor.outbox import Job, Outbox
from epilock.ledger.anchor.place import Stage
from epilock.ledger.anchor.proof import log_id

ORIGIN = "log.example/epilock"
A, B = b"\x0a" * 32, b"\x0b" * 32


@pytest.fixture
def node():
    return InProcess()


class TestShipped:
    def test_it_is_what_the_compiler_makes(self):
        made = artefact()
        assert json.loads(json.dumps(made)) == contract.artefact()

    def test_the_offline_check_knows_its_code_and_layout(self):
        shipped = contract.artefact()
        assert keccak256(bytes.fromhex(shipped["runtime"][2:])) in proof.CODE_HASHES
        assert shipped["slots"]["roots"] == proof.SLOT_OF_ROOTS

    def test_every_selector_is_the_hash_of_its_method(self):
        for name, selector in contract.artefact()["methods"].items():
            assert keccak256(name.encode())[:4].hex() == selector[2:]


def test_seven_methods_do_all_the_work(database, node, clock):
    """Chains with a small web3 interface, such as FISCO BCOS, have these."""
    anchor = deployed(database, node, ORIGIN, clock)
    for _ in range(3):
        found = anchor.anchor(ORIGIN, 8, A, now=clock())
    assert found.stage is Stage.DONE
    assert set(node.asked) == {
        "eth_chainId", "eth_getTransactionCount", "eth_gasPrice", "eth_sendRawTransaction",
        "eth_getTransactionReceipt", "eth_call", "eth_blockNumber",
    }  # fmt: skip
    assert anchor.read(ORIGIN, 8) == A
    assert anchor.read(ORIGIN, 7) is None


class TestRefusals:
    """Each refusal, seen in a call; and again when it is mined, where nothing is raised."""

    @pytest.fixture
    def anchor(self, database, node, clock):
        anchor = deployed(database, node, ORIGIN, clock)
        while anchor.anchor(ORIGIN, 8, A, now=clock()).stage is not Stage.DONE:
            pass
        return anchor

    @pytest.mark.parametrize(
        "case",
        [
            (ANCHOR, (log_id(ORIGIN), 8, B), "the size must grow"),
            (ANCHOR, (log_id(ORIGIN), 7, B), "the size must grow"),
            (ANCHOR, (log_id(ORIGIN), 9, bytes(32)), "a root is not empty"),
            (ANCHOR, (log_id("another"), 9, A), "only the owner"),
            (OPEN, (log_id(ORIGIN),), "this log has an owner"),
        ],
    )
    def test_what_is_refused(self, database, node, clock, anchor, case):
        method, words, why = case
        box, to = outbox(database, node), anchor._contract
        data = contract.call(method, *words)
        with pytest.raises(AnchorRefusedError, match=why):
            box.chain.call(to, data, sender=box.account.address)
        job = Job(log=1, place=anchor.name, name="refused", to=to, data=data, gas=150_000)
        box.push(job, now=clock())
        receipt = box.push(job, now=clock()).receipt
        assert receipt is not None
        assert not receipt.succeeded
        assert receipt.gas_used > 21_000
        assert anchor.read(ORIGIN, 8) == A

    def test_a_stranger(self, database, node, clock, anchor):
        """No gas is spent on what would be refused."""
        stranger = Outbox(
            database, anchor._chain, anchor._outbox.chain_id, Account(b"\7" * 32), most_price=10**11
        )
        asked = len(node.asked)
        with pytest.raises(AnchorError, match="belongs to another account"):
            EvmAnchor(stranger, anchor._contract, log=2, depth=1).anchor(ORIGIN, 9, B, now=clock())
        assert "eth_sendRawTransaction" not in node.asked[asked:]

    def test_code_that_cannot_run(self, node):
        """An invalid opcode is refused like any other call."""
        chain = outbox(None, node).chain
        maker = bytes.fromhex("60fe60005360016000f3")  # makes a contract whose only byte is INVALID
        raw, tx_hash = Account(SECRET).sign(
            Order(nonce=0, to=None, data=maker, gas=200_000, gas_price=10**10, chain_id=chain.id())
        )
        chain.send(raw)
        assert chain.receipt(tx_hash).succeeded
        with pytest.raises(AnchorRefusedError):
            chain.call(contract.address(Account(SECRET).address, 0), b"")


class TestDeploy:
    def test_one_call_a_step_and_again_when_all_is_done(self, database, node, clock):
        box = outbox(database, node)
        steps = [deploy(box, ORIGIN, log=1, depth=1, now=clock()) for _ in range(4)]
        assert [each.ready for each in steps] == [False, False, True, True]
        assert steps[0].contract is None
        assert len({each.contract for each in steps[1:]}) == 1

    def test_depth_is_waited_for(self, database, node, clock):
        box = outbox(database, node)
        for _ in range(3):
            done = deploy(box, ORIGIN, log=1, depth=5, now=clock())
        assert not done.ready
        node.mine(4)
        assert deploy(box, ORIGIN, log=1, depth=5, now=clock()).ready

    def test_a_log_that_somebody_else_opened_first(self, database, node, clock):
        box, rival = outbox(database, node), b"\7" * 32
        node.fund(Account(rival).address)
        deploy(box, ORIGIN, log=1, depth=1, now=clock())
        made = contract.address(box.account.address, 0)
        theirs = EvmAnchor(outbox(database, node, secret=rival), made, log=2, depth=1)
        theirs.open(ORIGIN, now=clock())
        with pytest.raises(AnchorError, match="another account opened this log first"):
            deploy(box, ORIGIN, log=1, depth=1, now=clock())

    def test_no_contract_there(self, database, node, clock):
        anchor = EvmAnchor(outbox(database, node), b"\1" * 20, log=1, depth=1)
        with pytest.raises(AnchorError, match="no log's contract at this address"):
            anchor.anchor(ORIGIN, 8, A, now=clock())
