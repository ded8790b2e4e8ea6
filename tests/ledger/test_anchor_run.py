"""What anchoring promises: each root that is due ends on the chain once, whatever fails on the way."""

import logging
from datetime import timedelta
from types import SimpleNamespace

import pytest
from chains import GWEI, PATIENCE, SECRET, Between, InProcess, deployed, outbox
from ledgers import ORIGIN, new_log, some

from epilock.errors import AnchorError, AnchorRefusedError, InconsistentError, UnreachableError
from epilock.ledger.anchor import book
from epilock.ledger.anchor.account import Account, Order
from epilock.ledger.anchor.book import Anchoring
from epilock.ledger.anchor.evm import EvmAnchor
from epilock.ledger.anchor.outbox import paid, tries
from epilock.ledger.anchor.place import Kind, Proven, Stage
from epilock.ledger.anchor.schedule import Schedule, run
from epilock.ledger.rows import Head
from epilock.store.check.rows import check_sealed

DAILY = Schedule(entries=100, every=timedelta(hours=24))
SEND, RECEIPT, CALL = "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_call"


class Desk:
    """A log, a chain with its contract, and between them a node that a test can break."""

    def __init__(self, database, clock, node=None, *, depth=1):
        self.database, self.clock = database, clock
        self.chain = node or InProcess()
        self.node = Between(self.chain)
        self.log = new_log()
        self.grow(8)
        self.place = deployed(database, self.node, ORIGIN, clock, depth=depth)

    def grow(self, count):
        with self.database.read() as tx:
            size = self.log.size(tx)
        with self.database.write() as tx:
            self.log.append(tx, some(count, size), now=self.clock())

    def round(self, **how):
        return run(self.database, self.place, ORIGIN, DAILY, now=self.clock(), **how)

    def until_done(self):
        for _ in range(5):
            step = self.round()
            if step is None or step.progress.stage is Stage.DONE:
                return step
        raise AssertionError("five rounds were not enough")

    def row(self, size=8):
        with self.database.read() as tx:
            return book.find(tx, 1, self.place.name, size)

    def tries(self, size=8):
        with self.database.read() as tx:
            return tx.all(tries, tries.c.job == f"anchor:{size}", order_by=[tries.c.n])

    def root(self, size=8):
        with self.database.read() as tx:
            return self.log.root(tx, size)

    def holds(self, size=8):
        return self.place.read(ORIGIN, size) == self.root(size)


@pytest.fixture
def desk(database, clock):
    return Desk(database, clock)


class TestSchedule:
    @pytest.mark.parametrize(
        ("size", "last", "hours", "due"),
        [
            (0, None, 0, False),
            (1, None, 0, True),
            (8, 8, 1000, False),
            (9, 8, 23.9, False),
            (9, 8, 24, True),
            (107, 8, 0, False),
            (108, 8, 0, True),
            (7, 8, 1000, False),
        ],
    )
    def test_by_growth_and_by_time(self, clock, size, last, hours, due):
        before = clock()
        row = None if last is None else SimpleNamespace(size=last, begun=before)
        head = Head(1, size, bytes(32))
        assert DAILY.is_due(head, row, now=clock.forward(hours=hours)) is due

    def test_nothing_of_an_empty_log(self, database, clock):
        place = SimpleNamespace(name="never asked")
        assert run(database, place, ORIGIN, DAILY, now=clock()) is None


class TestRound:
    def test_a_root_is_sent_then_read_back(self, desk):
        assert desk.round().progress.stage is Stage.SENT
        assert desk.round().progress.stage is Stage.DONE
        assert desk.holds()
        assert (desk.row().stage, desk.row().root) == (Stage.DONE, desk.root())

    def test_then_nothing_is_due_until_it_grows(self, desk):
        desk.until_done()
        desk.clock.forward(hours=30)
        assert desk.round().size == 8
        desk.grow(1)
        assert desk.until_done().size == 9
        assert desk.holds(9)

    def test_at_once(self, desk):
        desk.until_done()
        desk.grow(1)
        assert desk.round(at_once=True).size == 9
        assert desk.until_done().size == 9
        assert desk.round(at_once=True).size == 9

    def test_one_at_a_time(self, desk):
        desk.node.cut(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        desk.grow(500)
        desk.node.mend()
        assert desk.round().size == 8
        assert desk.row(508) is None

    def test_depth_is_waited_for(self, database, clock):
        desk = Desk(database, clock, depth=3)
        desk.round()
        stages = []
        for _ in range(4):
            stages.append(desk.round().progress.stage)
            desk.chain.mine()
        assert stages == [Stage.HELD, Stage.HELD, Stage.DONE, Stage.DONE]

    def test_what_was_paid_is_known(self, desk):
        desk.until_done()
        with desk.database.read() as tx:
            found = paid(tx, 1)
        assert [each.job for each in found] == ["deploy", "open", "anchor:8"]
        assert all(each.succeeded and each.gas_price == 2 * GWEI for each in found)
        assert [each.gas_used // 1000 for each in found] == [275, 45, 70]

    def test_the_tries_are_sealed(self, desk):
        """Nobody makes this program send a transaction of his own by writing a row."""
        desk.node.cut(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        with desk.database.write() as tx:
            tx.conn.execute(tries.update().values(raw=b"another"))
        desk.node.mend()
        with pytest.raises(Exception, match="was changed past this program"):
            desk.round()

    def test_every_changed_row_is_named(self, desk):
        """What ``epilock check`` says of the book and of the tries."""
        desk.until_done()
        with desk.database.read() as tx:
            assert list(check_sealed(tx)) == []
        with desk.database.write() as tx:
            tx.conn.execute(tries.update().where(tries.c.job == "open").values(gas_used=1))
            tx.conn.execute(book.anchors.update().values(block=7))
        with desk.database.read() as tx:
            found = [damage.row.partition(" ")[0] for damage in check_sealed(tx)]
        assert sorted(found) == ["ledger_anchor_tries", "ledger_anchors"]

    def test_a_node_that_forgot_the_older_state(self, database, clock):
        """It is said, and nothing counts as done that was not read back."""
        desk = Desk(database, clock, depth=2)
        desk.round()
        desk.chain.mine(2)
        desk.node.before[CALL] = _newest_only
        step = desk.round()
        assert step.progress.stage is Stage.HELD
        assert "does not keep the state of block" in step.progress.reason


class TestCrash:
    """Each effect fails once not done, and once done but reported failed; the next round goes on."""

    def finish(self, desk, *, count=1):
        desk.node.mend()
        assert desk.until_done().progress.stage is Stage.DONE
        assert desk.holds()
        assert len(desk.tries()) == count

    def test_begun_and_nothing_else(self, desk):
        desk.node.cut(CALL)
        with pytest.raises(UnreachableError):
            desk.round()
        assert desk.row().stage is Stage.SENT
        assert desk.tries() == []
        self.finish(desk)

    @pytest.mark.parametrize("method", ["eth_gasPrice", "eth_getTransactionCount"])
    def test_not_signed(self, desk, method):
        desk.node.cut(method)
        with pytest.raises(UnreachableError):
            desk.round()
        assert desk.tries() == []
        self.finish(desk)

    def test_stored_not_sent(self, desk):
        desk.node.cut(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        (stored,) = desk.tries()
        assert not desk.holds()
        sent = []
        desk.node.mend()
        desk.node.before[SEND] = sent.append
        desk.round()
        assert sent == ["0x" + stored["raw"].hex()]
        self.finish(desk)

    def test_sent_but_the_answer_was_lost(self, desk):
        desk.node.lose(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        assert desk.holds()
        self.finish(desk)

    def test_sent_but_reported_refused(self, desk):
        def refuse(_):
            raise AnchorRefusedError("already known")

        desk.node.after[SEND] = refuse
        assert desk.round().progress.reason == "already known"
        self.finish(desk)

    def test_mined_but_not_read_back(self, desk):
        """A node behind a balancer shows the receipt before the state: nothing is sent again."""
        desk.round()
        desk.node.after[CALL] = lambda found: (
            found if len(found) > 66 and int(found, 16) else bytes(32)
        )
        head = desk.place.head(ORIGIN)
        assert head.size == 8
        desk.node.after[CALL] = _stale(desk)
        step = desk.round()
        assert (step.progress.stage, step.progress.reason) == (
            Stage.SENT, "mined, but not yet read back",
        )  # fmt: skip
        self.finish(desk)

    def test_mined_but_the_receipt_was_lost(self, desk):
        desk.round()
        desk.node.lose(RECEIPT)
        with pytest.raises(UnreachableError):
            desk.round()
        self.finish(desk)

    def test_done_but_not_noted(self, desk):
        """The process died between the chain's answer and the commit of the note."""
        desk.round()
        assert desk.place.anchor(ORIGIN, 8, desk.root(), now=desk.clock()).stage is Stage.DONE
        assert desk.row().stage is Stage.SENT
        self.finish(desk)

    @pytest.mark.parametrize("method", [CALL, "eth_blockNumber", RECEIPT])
    @pytest.mark.parametrize("how", ["cut", "lose"])
    def test_at_any_other_call(self, desk, method, how):
        desk.round()
        getattr(desk.node, how)(method)
        with pytest.raises(UnreachableError):
            desk.round()
        self.finish(desk)

    def test_two_processes_at_once(self, desk):
        """Whoever loses the race to store the first try leaves it to the other."""
        other = deployed(desk.database, desk.chain, ORIGIN, desk.clock)
        assert other.name == desk.place.name

        def meanwhile(*_):
            desk.node.before.clear()
            other.anchor(ORIGIN, 8, desk.root(), now=desk.clock())

        desk.node.before["eth_gasPrice"] = meanwhile
        assert desk.round().progress.stage is Stage.SENT
        self.finish(desk)

    def test_two_processes_begin_at_once(self, desk):
        def meanwhile(*_):
            desk.node.before.clear()
            run(desk.database, other, ORIGIN, DAILY, now=desk.clock())

        other = deployed(desk.database, desk.chain, ORIGIN, desk.clock)
        desk.node.before[CALL] = meanwhile
        desk.round()
        self.finish(desk)


class TestNonce:
    def test_another_transaction_took_it(self, desk):
        """After patience the root goes with the next nonce; no gap, no collision."""
        desk.node.cut(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        (stored,) = desk.tries()
        chain = desk.place._chain
        account = Account(SECRET)
        raw, _ = account.sign(
            Order(
                nonce=stored["nonce"], to=account.address, data=b"", gas=21_000,
                gas_price=2 * GWEI, chain_id=chain.id(),
            )
        )  # fmt: skip
        desk.node.mend()
        chain.send(raw)
        assert desk.round().progress.reason.startswith(SEND)
        assert len(desk.tries()) == 1
        desk.clock.forward(minutes=11)
        desk.until_done()
        assert [each["nonce"] - stored["nonce"] for each in desk.tries()] == [0, 1]
        assert desk.holds()

    def test_never_above_the_price_that_may_be_paid(self, database, clock, desk):
        box = outbox(database, desk.node, most_price=2 * GWEI)
        desk.place = EvmAnchor(box, desk.place._contract, log=1, depth=1)
        desk.node.cut(SEND)
        with pytest.raises(UnreachableError):
            desk.round()
        clock.forward(seconds=PATIENCE.total_seconds())
        desk.node.mend()
        assert "above the most that may be paid" in desk.round().progress.reason
        assert len(desk.tries()) == 1
        assert desk.holds()  # at the old price, which a node may have forgotten meanwhile

    def test_a_price_too_high_from_the_start(self, database, desk):
        box = outbox(database, desk.node, most_price=GWEI)
        desk.place = EvmAnchor(box, desk.place._contract, log=1, depth=1)
        assert "above the most that may be paid" in desk.round().progress.reason
        assert desk.tries() == []


class TestReorganisation:
    def test_a_root_that_is_undone_is_sent_again(self, desk, caplog):
        before = desk.chain.tester.take_snapshot()
        desk.until_done()
        desk.chain.tester.revert_to_snapshot(before)
        assert not desk.holds()
        with caplog.at_level(logging.WARNING):
            assert desk.round().progress.stage is Stage.SENT
        assert "size 8 is undone" in caplog.text
        assert desk.until_done().progress.stage is Stage.DONE
        assert desk.holds()
        assert len(desk.tries()) == 1

    def test_those_below_are_undone_too(self, desk):
        """No dead proof is handed out for them; the larger tree, sent again, covers their entries."""
        first = desk.until_done()
        before = desk.chain.tester.take_snapshot()
        for _ in range(2):
            desk.grow(100)
            desk.until_done()
        with desk.database.write() as tx:
            for size in (8, 108):
                at = desk.clock()
                book.keep(tx, 1, desk.place.name, size, Proven(file=b"{}", at=at, block=1))
        desk.chain.tester.revert_to_snapshot(before)
        assert (first.size, desk.round().progress.stage) == (8, Stage.SENT)
        stages = [desk.row(size).stage for size in (8, 108, 208)]
        assert stages == [Stage.DONE, Stage.REFUSED, Stage.SENT]
        with desk.database.read() as tx:
            assert book.covering(tx, 1, 7, Kind.CHAIN).size == 8
            assert book.covering(tx, 1, 50, Kind.CHAIN) is None
        desk.clock.forward(minutes=11)  # the first's nonce is free again: signed anew with it
        assert desk.until_done().size == 208
        assert desk.holds(208)

    def test_at_depth_it_is_only_held(self, database, clock):
        desk = Desk(database, clock, depth=3)
        before = desk.chain.tester.take_snapshot()
        desk.round()
        assert desk.round().progress.stage is Stage.HELD
        desk.chain.tester.revert_to_snapshot(before)
        assert desk.round().progress.stage is Stage.SENT
        desk.chain.mine(2)
        assert desk.until_done().progress.stage is Stage.DONE


class TestRefused:
    def test_mined_with_status_0(self, desk):
        """A refused call raises nothing when gas is named: the receipt is read, then the contract."""
        desk.place.anchor(ORIGIN, 9, b"\1" * 32, now=desk.clock())
        desk.node.after[CALL] = _small_head
        desk.round()
        desk.round()
        row = desk.row()
        assert row.stage is Stage.REFUSED
        assert "the size must grow" in row.reason
        with desk.database.read() as tx:
            assert [each.succeeded for each in paid(tx, 1) if each.job == "anchor:8"] == [False]

    def test_no_gas_is_spent_where_it_can_be_known_before(self, desk, caplog):
        desk.place.anchor(ORIGIN, 9, b"\1" * 32, now=desk.clock())
        with caplog.at_level(logging.WARNING):
            assert desk.round().progress.stage is Stage.REFUSED
        assert "size 8 was refused" in caplog.text
        assert desk.row().reason == "a tree of 9 was anchored already"
        assert desk.tries() == []
        assert desk.round() is None

    def test_another_root_for_the_size(self, desk):
        """Two histories under one name: an alarm, each round, until a person has looked."""
        desk.place.anchor(ORIGIN, 8, b"\1" * 32, now=desk.clock())
        for _ in range(2):
            with pytest.raises(InconsistentError, match="another root for 8 entries"):
                desk.round()
        assert desk.row().stage is Stage.CONFLICT
        desk.grow(500)
        with pytest.raises(InconsistentError):
            desk.round()
        assert desk.row(508) is None

    def test_the_contract_is_gone(self, desk):
        """A developer's chain that was started anew is an error, not silence."""
        desk.until_done()
        desk.node.after[CALL] = lambda _: "0x"
        with pytest.raises(AnchorError, match="no log's contract"):
            desk.round()


def test_the_book_gives_back_what_it_was_told(desk):
    desk.until_done()
    row = desk.row()
    assert isinstance(row, Anchoring)
    assert (row.block, row.proof, row.begun) == (None, None, desk.clock())


def _stale(desk):
    """Answers from before the anchor: a head of 0 entries owned by the account, and no root."""
    owner = bytes(12) + Account(SECRET).address

    def answer(found):
        return "0x" + (owner + bytes(32) if len(found) == 130 else bytes(32)).hex()

    return answer


def _newest_only(_call, block):
    if block != "latest":
        raise AnchorRefusedError("eth_call was refused: missing trie node")


def _small_head(found):
    """A node that shows the log's head before the larger tree was anchored."""
    return found[:66] + "0" * 64 if len(found) == 130 else found
