"""That FISCO BCOS fits behind the same back end: seven methods, and its known differences, are enough.

No FISCO node is at hand; ``fisco`` is its interface, read off its source, in front of a real anvil.
"""

import re
from datetime import UTC, datetime

import pytest
from chains import PATIENCE, SECRET, Between, InProcess, deployed, outbox
from ledgers import ORIGIN, new_log, some
from typer.testing import CliRunner

from anvil import Anvil, wait_until
from epilock import settings
from epilock.assemble import found
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import AnchorError, AnchorRefusedError, EpilockError
from epilock.ledger.anchor import book, contract
from epilock.ledger.anchor.account import Account, read_address, written
from epilock.ledger.anchor.chain import Chain, text
from epilock.ledger.anchor.deploy import deploy
from epilock.ledger.anchor.evm import EvmAnchor
from epilock.ledger.anchor.node import HttpNode
from epilock.ledger.anchor.outbox import tries
from epilock.ledger.anchor.place import Stage
from epilock.ledger.anchor.schedule import Schedule, run
from fisco import CHAIN, OPTIONS, SEVEN, Fisco

DAILY = Schedule(entries=100, every=PATIENCE * 1000)


@pytest.fixture
def anvil(tmp_path):
    node = Anvil(tmp_path, *OPTIONS)
    node.start()
    yield node
    node.stop()


@pytest.fixture(params=[False, True], ids=["seven", "blocks"])
def fisco(anvil, request):
    node = Fisco(anvil, headers=request.param)
    yield node
    node.stop()


class TestCommands:
    def test_from_deploy_to_verify(self, fisco, anvil, tmp_path):
        """What an operator types; that there is no offline proof is said each time it could be missed."""
        home = tmp_path / "home"
        found(settings.read({}, home=home), now=lambda: datetime.now(UTC)).close()
        env = {
            "EPILOCK_HOME": str(home), "EPILOCK_ANCHOR_RPC": fisco.url, "EPILOCK_ANCHOR_DEPTH": "1",
        }  # fmt: skip

        def epilock(*words):
            result = CliRunner(env=env).invoke(app, [str(word) for word in words])
            if isinstance(result.exception, EpilockError):
                told, code = explain(result.exception)
                return code, told, ""
            return result.exit_code, result.stdout, result.stderr

        address = epilock("anchor", "account")[1].strip()
        code, _, aside = epilock("anchor", "deploy", "--wait", 0)
        assert (code, "InsufficientFunds" in aside) == (1, True)
        anvil.fund(read_address(address))
        code, said, _ = epilock("anchor", "deploy")
        env["EPILOCK_ANCHOR_CONTRACT"] = re.search(r"EPILOCK_ANCHOR_CONTRACT=(0x\w{40})", said)[1]
        code, said, _ = epilock("anchor", "run", "--wait", 20)
        assert code == 0
        assert said.startswith("the root of 1 entries is on the chain (no offline proof: ")
        code, said, _ = epilock("anchor", "list")
        assert re.search(r" done .* no offline proof: ", said)
        assert said.startswith(f"evm/{CHAIN}/0x")
        code, said, _ = epilock("anchor", "verify")
        assert (code, said.split()[1:]) == (0, ["1", "holds"])
        code, said, _ = epilock("anchor", "cost")
        assert said.startswith("3 transactions mined, 0 of them in vain\n")
        assert "0 coins at the most" in said
        code, said, _ = epilock("anchor", "proof", 0, tmp_path / "kept")
        assert (code, "`epilock anchor list` says how they stand" in said) == (1, True)
        assert set(fisco.asked) <= SEVEN | {"eth_getBlockByNumber", "eth_getProof"}


class TestPlace:
    @pytest.fixture
    def begin(self, database, clock, anvil, fisco):
        def begin(depth=1):
            log = new_log()
            with database.write() as tx:
                log.append(tx, some(8), now=clock())
            anvil.fund(Account(SECRET).address)
            place = deployed(database, HttpNode(fisco.url), ORIGIN, clock, depth=depth)
            return lambda: run(database, place, ORIGIN, DAILY, now=clock()).progress, place

        return begin

    def test_a_stuck_transaction_is_not_replaced_there(self, database, clock, anvil, begin):
        """FISCO takes one transaction a nonce: the second is refused, the first is mined, nothing is lost."""
        round_, place = begin()
        anvil.mine_at_once(on=False)
        assert round_().stage is Stage.SENT
        clock.forward(minutes=11)
        assert "NonceCheckFail" in round_().reason
        anvil.mine()
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            rows = tx.all(tries, tries.c.job == "anchor:8", order_by=[tries.c.n])
            assert place.read(ORIGIN, 8) == book.find(tx, 1, place.name, 8).root
        assert [(row["nonce"], row["status"]) for row in rows] == [(2, 1), (2, None)]

    def test_sent_again_is_refused_and_harmless(self, anvil, begin):
        round_, _ = begin()
        anvil.mine_at_once(on=False)
        round_()
        assert "NonceCheckFail" in round_().reason
        anvil.mine()
        wait_until(lambda: round_().stage is Stage.DONE)

    def test_a_depth_that_it_does_not_heed(self, begin, anvil):
        """It answers for its newest state whatever is asked: a depth waits for blocks, no more."""
        round_, _ = begin(depth=3)
        stages = []
        for _ in range(4):
            stages.append(round_().stage)
            anvil.mine()
        assert stages[-1] is Stage.DONE

    def test_a_refused_call_is_mined(self, begin, clock):
        """Status 0 in the receipt, and an error of the call with a number of FISCO's own."""
        _, place = begin()
        place.anchor(ORIGIN, 9, b"\1" * 32, now=clock())
        job = place._job(ORIGIN, 8, b"\1" * 32)
        place._outbox.push(job, now=clock())
        wait_until(lambda: place._outbox.push(job, now=clock()).receipt is not None)
        assert place._outbox.push(job, now=clock()).receipt.succeeded is False
        with pytest.raises(AnchorRefusedError, match="the size must grow"):
            place._chain.call(place._contract, job.data, sender=place._outbox.account.address)


class TestAddress:
    """Where a chain puts a contract: as Ethereum does, or as its receipt says."""

    def elsewhere(self, database, clock, *, stated=True):
        """A node that has the contract at an address that does not follow from the nonce."""
        log, node = new_log(), Between(InProcess())
        with database.write() as tx:
            log.append(tx, some(8), now=clock())
        box = outbox(database, node, secret=SECRET)
        other = deployed(
            database, node, "log.example/other", clock, log=2
        )  # the same code, once more
        made = contract.address(box.account.address, 2)

        def hide(call, _block):
            hidden.append(call["to"] == text(made))

        def nothing(result):
            return "0x" if hidden.pop() else result

        hidden = []
        node.before["eth_call"], node.after["eth_call"] = hide, nothing
        if stated:
            node.after["eth_getTransactionReceipt"] = lambda receipt: (
                receipt and receipt | {"contractAddress": written(other._contract)}
            )
        return box, other

    def test_the_receipt_is_believed_where_nothing_else_is(self, database, clock):
        box, other = self.elsewhere(database, clock)
        done = deploy(box, ORIGIN, log=1, depth=1, now=clock())
        while not done.ready:
            done = deploy(box, ORIGIN, log=1, depth=1, now=clock())
        assert done.contract == other._contract
        assert (
            EvmAnchor(box, done.contract, log=1, depth=1).head(ORIGIN).owner == box.account.address
        )

    def test_without_one_it_is_an_error(self, database, clock):
        box, _ = self.elsewhere(database, clock, stated=False)
        assert deploy(box, ORIGIN, log=1, depth=1, now=clock()).contract is None
        with pytest.raises(AnchorError, match="no log's contract"):
            deploy(box, ORIGIN, log=1, depth=1, now=clock())

    def test_what_is_no_address(self):
        node = Between(InProcess())
        node.after["eth_getTransactionReceipt"] = lambda _: {
            "status": "0x1", "blockNumber": "0x1", "gasUsed": "0x1", "contractAddress": "0x12",
        }  # fmt: skip
        with pytest.raises(AnchorError, match="bytes where there should be 20"):
            Chain(node).receipt(bytes(32))
