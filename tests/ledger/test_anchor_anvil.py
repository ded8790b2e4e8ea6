"""Anchoring on a real JSON-RPC node (anvil), by the commands that people type; killed and restarted."""

import re
from datetime import UTC, datetime

import pytest
from chains import PATIENCE, SECRET, Between, deployed
from ledgers import ORIGIN, new_log, some
from typer.testing import CliRunner

from anvil import Anvil, wait_until
from epilock import settings
from epilock.assemble import build, found
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.cli.operation import anchor_rounds
from epilock.errors import AnchorRefusedError, EpilockError, UnreachableError
from epilock.ledger.anchor import book, proof
from epilock.ledger.anchor.account import Account, read_address
from epilock.ledger.anchor.chain import Chain
from epilock.ledger.anchor.node import HttpNode
from epilock.ledger.anchor.outbox import tries
from epilock.ledger.anchor.place import Stage
from epilock.ledger.anchor.schedule import Schedule, run

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


@pytest.fixture
def anvil(tmp_path):
    node = Anvil(tmp_path)
    node.start()
    yield node
    node.stop()


@pytest.fixture
def quiet(tmp_path):
    """A node that mines only when it is told."""
    node = Anvil(tmp_path, "--no-mining")
    node.start()
    yield node
    node.stop()


class TestCommands:
    @pytest.fixture
    def home(self, tmp_path):
        home = tmp_path / "home"
        found(settings.read({}, home=home), now=lambda: NOW).close()
        return home

    @pytest.fixture
    def env(self, anvil, home):
        return {
            "EPILOCK_HOME": str(home), "EPILOCK_ANCHOR_RPC": anvil.url, "EPILOCK_ANCHOR_DEPTH": "2",
        }  # fmt: skip

    @pytest.fixture
    def epilock(self, env):
        """Run a command as the program does; return exit code, output and what was said aside."""

        def run(*words):
            result = CliRunner(env=env).invoke(app, [str(word) for word in words])
            if isinstance(result.exception, EpilockError):
                text, code = explain(result.exception)
                return code, text, ""
            assert result.exception is None or isinstance(result.exception, SystemExit)
            return result.exit_code, result.stdout, result.stderr

        return run

    def test_from_an_account_to_a_proof_that_needs_no_node(
        self, epilock, env, anvil, home, tmp_path
    ):
        code, address, _ = epilock("anchor", "account")
        assert code == 0
        anvil.fund(read_address(address.strip()))

        code, said, aside = epilock("anchor", "deploy", "--wait", 0)
        assert (code, said) == (1, "not mined deep enough yet: repeat the command to go on\n")
        assert "proves the code, not the time" in aside
        assert "不能证明时间" in aside
        epilock("anchor", "deploy", "--wait", 0)
        anvil.mine(2)
        code, said, _ = epilock("anchor", "deploy")
        contract = re.search(r"EPILOCK_ANCHOR_CONTRACT=(0x\w{40})", said)[1]
        env["EPILOCK_ANCHOR_CONTRACT"] = contract

        assert epilock("anchor", "run")[0] == 1
        anvil.saved()
        anvil.kill()
        code, said, _ = epilock("anchor", "run")
        assert (code, said) == (1, "epilock: the node cannot be reached for eth_chainId")
        anvil.start()
        anvil.mine(2)
        code, said, _ = epilock("anchor", "run", "--wait", 20)
        assert (code, said) == (0, "the root of 1 entries is on the chain\n")
        assert epilock("anchor", "run")[1] == "the root of 1 entries is on the chain\n"

        code, said, _ = epilock("anchor", "list")
        place = f"evm/31337/{contract.lower()}"
        assert re.fullmatch(place + r"\n +1  done +\S+  proof at block \d+\n", said)
        code, said, _ = epilock("anchor", "verify")
        assert (code, said.split()) == (0, [place, "1", "holds"])
        code, said, _ = epilock("anchor", "cost")
        assert said.startswith("3 transactions mined, 0 of them in vain\n")
        assert "a year of one anchor every 1 day, 0:00:00: " in said

        code, said, _ = epilock("anchor", "proof", 0, tmp_path / "kept")
        block = re.search(r"0x[0-9a-f]{64}", said)[0]
        anvil.kill()
        receipt, file = (tmp_path / f"kept/entry-0.{end}" for end in ("tlog-proof", "anchor"))
        key = epilock("ledger", "key")[1].strip()
        asked = (
            "verify",
            receipt,
            "--key",
            key,
            "--anchor",
            file,
            "--contract",
            contract,
            "--block",
        )
        code, said, _ = epilock(*asked, block)
        assert code == 0
        assert re.search(
            r"^  8 anchor +held at block \d+, which says that it was made at 20", said, re.MULTILINE
        )
        code, said, _ = epilock(*asked, "0" * 64)
        assert code == 1
        assert said.startswith("NOT VERIFIED, step 8 (anchor), AnchorProofError: anchor-block: ")

    def test_the_background_does_it_too(self, epilock, env, anvil, home):
        anvil.fund(read_address(epilock("anchor", "account")[1].strip()))
        env["EPILOCK_ANCHOR_DEPTH"] = "1"
        said = epilock("anchor", "deploy")[1]
        env["EPILOCK_ANCHOR_CONTRACT"] = re.search(r"0x\w{40}", said)[0]
        parts = build(settings.read(env), now=lambda: NOW)
        (rounds,) = anchor_rounds(parts, every=0.05)
        try:
            wait_until(lambda: self.stage(parts) is Stage.DONE)
            assert parts.chain.place().read(parts.log.origin, 1) is not None
        finally:
            rounds.stop()
            parts.close()

    def stage(self, parts):
        with parts.database.read() as tx:
            row = book.newest(tx, 1, parts.chain.place().name)
        return None if row is None else row.stage

    def test_a_chain_that_is_gone_ends_nothing(self, epilock, env, anvil, home):
        env["EPILOCK_ANCHOR_CONTRACT"] = "0x" + "1" * 40
        anvil.kill()
        parts = build(settings.read(env), now=lambda: NOW)
        (rounds,) = anchor_rounds(parts, every=0.01)
        anvil.start()
        rounds.stop()
        parts.close()

    def test_without_a_chain_nothing_is_asked(self, home):
        parts = build(settings.read({}, home=home), now=lambda: NOW)
        assert anchor_rounds(parts) == []
        parts.close()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"EPILOCK_ANCHOR_RPC": ""}, "no chain is set: set EPILOCK_ANCHOR_RPC"),
            ({}, "no contract is set"),
            ({"EPILOCK_ANCHOR_CONTRACT": "0x" + "1" * 40}, "no log's contract at this address"),
            ({"EPILOCK_ANCHOR_CONTRACT": "0x1"}, "an address is 0x and 40 hexadecimal digits"),
        ],
    )
    def test_what_is_missing_is_said(self, epilock, env, change, said):
        env.update(change)
        code, text, _ = epilock("anchor", "run")
        assert code in {1, 2}
        assert said in text

    def test_no_coins(self, epilock):
        code, _, aside = epilock("anchor", "deploy", "--wait", 0)
        assert code == 1
        assert "Insufficient funds" in aside

    def test_a_restored_database_is_noticed(self, epilock, env, anvil, home):
        """The chain holds more than the log: nobody may sign on from there unnoticed."""
        anvil.fund(read_address(epilock("anchor", "account")[1].strip()))
        env["EPILOCK_ANCHOR_DEPTH"] = "1"
        said = epilock("anchor", "deploy")[1]
        env["EPILOCK_ANCHOR_CONTRACT"] = re.search(r"0x\w{40}", said)[0]
        parts = build(settings.read(env), now=lambda: NOW)
        parts.chain.place().anchor(parts.log.origin, 700, b"\1" * 32, now=NOW)
        parts.close()
        code, said, _ = epilock("anchor", "verify")
        assert code == 1
        assert "a tree of 700 entries was anchored, but this log has 1" in said
        code, said, _ = epilock("anchor", "run")
        assert (code, said) == (
            1,
            "epilock: the root of 1 entries: a tree of 700 was anchored already",
        )


class TestNode:
    def test_it_tells_nobody_its_address(self):
        """An address may hold a paid-for key."""
        with pytest.raises(UnreachableError) as failed:
            HttpNode("http://127.0.0.1:9/secret", seconds=1).ask("eth_chainId")
        assert "secret" not in str(failed.value)
        assert "127.0.0.1" not in str(failed.value)
        assert "secret" not in repr(settings.read({"EPILOCK_ANCHOR_RPC": "http://a/secret"}))

    def test_what_it_refuses(self, anvil):
        chain = Chain(HttpNode(anvil.url))
        with pytest.raises(AnchorRefusedError, match="eth_sendRawTransaction was refused: "):
            chain.send(b"\0")
        with pytest.raises(AnchorRefusedError, match="eth_unknown was refused: "):
            HttpNode(anvil.url).ask("eth_unknown")

    def test_code_that_cannot_run(self, anvil):
        """The third kind of refusal: an invalid opcode, such as a later fork's on an old chain."""
        anvil.ask("anvil_setCode", "0x" + "11" * 20, "0xfe")
        with pytest.raises(AnchorRefusedError):
            Chain(HttpNode(anvil.url)).call(b"\x11" * 20, b"")


class TestChain:
    """What a chain in the process cannot do: a pool of waiting transactions, reorganisations, proofs."""

    DAILY = Schedule(entries=100, every=PATIENCE * 1000)

    @pytest.fixture
    def begin(self, database, clock):
        """Open a log of 8 entries in a contract on ``node``; return a round of anchoring and its place."""

        def begin(node, *, depth=1):
            log = new_log()
            with database.write() as tx:
                log.append(tx, some(8), now=clock())
            between = Between(HttpNode(node.url))
            node.fund(Account(SECRET).address)
            place = deployed(database, between, ORIGIN, clock, depth=depth)

            def round_():
                return run(database, place, ORIGIN, self.DAILY, now=clock()).progress

            return round_, place, between

        return begin

    def rows(self, database):
        with database.read() as tx:
            return tx.all(tries, tries.c.job == "anchor:8", order_by=[tries.c.n])

    def test_a_stuck_transaction_is_replaced(self, database, clock, quiet, begin):
        """Same nonce, a price that nodes accept as a replacement, and one of the two is mined."""
        quiet.mine_at_once(on=True)
        round_, place, _ = begin(quiet)
        quiet.mine_at_once(on=False)
        assert round_().stage is Stage.SENT
        clock.forward(minutes=11)
        assert round_().reason == ""
        first, second = self.rows(database)
        assert first["nonce"] == second["nonce"]
        assert second["gas_price"] * 10 >= first["gas_price"] * 11
        assert int(quiet.ask("txpool_status")["pending"], 16) == 1
        quiet.mine()
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            root = book.find(tx, 1, place.name, 8).root
        assert place.read(ORIGIN, 8) == root
        first, second = self.rows(database)
        assert (first["gas_used"], second["status"]) == (None, 1)

    def test_a_node_that_forgot_what_it_was_sent(self, database, clock, quiet, begin):
        quiet.mine_at_once(on=True)
        round_, _, _ = begin(quiet)
        quiet.mine_at_once(on=False)
        round_()
        quiet.ask("anvil_dropAllTransactions")
        round_()
        assert len(self.rows(database)) == 1
        quiet.mine()
        wait_until(lambda: round_().stage is Stage.DONE)

    def test_killed_while_a_transaction_waits(self, database, clock, quiet, begin):
        """What waits in a node dies with it; what is stored is sent again."""
        quiet.mine_at_once(on=True)
        round_, _, _ = begin(quiet)
        quiet.mine_at_once(on=False)
        quiet.saved()
        round_()
        quiet.kill()
        with pytest.raises(UnreachableError):
            round_()
        quiet.start()
        assert round_().stage is Stage.SENT
        quiet.mine()
        wait_until(lambda: round_().stage is Stage.DONE)
        assert len(self.rows(database)) == 1

    def test_mined_between_two_questions(self, quiet, begin):
        """The contract is asked for its largest tree and for our root; a block in between refuses nothing."""
        quiet.mine_at_once(on=True)
        round_, _, between = begin(quiet)
        quiet.mine_at_once(on=False)
        assert round_().stage is Stage.SENT
        asked = []

        def mine_once(found):
            if not asked:
                quiet.mine()
            asked.append(found)
            return found

        between.after["eth_call"] = mine_once
        assert round_().stage is not Stage.REFUSED
        assert len(asked) > 1
        assert round_().stage is Stage.DONE

    def test_a_reorganisation(self, database, clock, anvil, begin):
        round_, place, _ = begin(anvil)
        round_()
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            first = book.find(tx, 1, place.name, 8)
        proof.verify(
            proof.parse(first.proof), block_hash=first.block_hash, contract=place._contract
        )
        anvil.ask("anvil_reorg", 1, [])
        assert place.read(ORIGIN, 8) is None
        assert round_().stage is Stage.SENT
        with database.read() as tx:
            assert book.find(tx, 1, place.name, 8).proof is None  # of a block that is no more
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            second = book.find(tx, 1, place.name, 8)
        assert second.block_hash != first.block_hash

    def test_a_chain_without_proofs(self, database, clock, anvil, begin):
        """FISCO BCOS has none: the anchor is done all the same."""
        round_, place, between = begin(anvil)
        between.before["eth_getProof"] = _unknown
        round_()
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            assert book.find(tx, 1, place.name, 8).proof is None

    def test_a_node_that_lies_about_a_proof(self, database, clock, anvil, begin):
        """No proof is kept that does not verify."""
        round_, place, between = begin(anvil)
        between.after["eth_getProof"] = lambda found: (
            found | {"accountProof": found["accountProof"][1:]}
        )
        round_()
        wait_until(lambda: round_().stage is Stage.DONE)
        with database.read() as tx:
            assert book.find(tx, 1, place.name, 8).proof is None

    def test_headers_of_another_form(self, clock, anvil):
        node = Between(HttpNode(anvil.url))
        node.after["eth_getBlockByNumber"] = lambda found: found | {"gasLimit": "0x1"}
        with pytest.raises(EpilockError, match="headers have a form of their own"):
            Chain(node).header(0)
        number, _ = Chain(HttpNode(anvil.url)).header(0)
        assert len(number) == 32


def _unknown(*_):
    raise AnchorRefusedError("eth_getProof was refused: method not found")
