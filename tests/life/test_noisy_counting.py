"""Counting for a purpose that needs a budget: noise, a price before the answer, and the same answer again."""

from datetime import date

import pytest
import sqlalchemy as sa

from epilock import inventory
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.budget import Book
from epilock.deidentify.noise.query import MICRO
from epilock.errors import (
    ApprovalError,
    BudgetError,
    ForbiddenError,
    InputError,
    IntegrityError,
    StateError,
)
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.use import aggregate, allotment
from epilock.use.question import Noise, Question, account_of

DAY = date(2026, 3, 14)
QUARTER = MICRO // 4
VALUES = ("negative", "positive")
ASKED = {
    "dataset": "sampling--flu", "purpose": "situation-monitoring", "recipient": "cdc",
    "epsilon": MICRO // 2, "ceiling": 2 * MICRO, "reason": "daily report",
}  # fmt: skip
QUESTION = Question(
    source="garden", emergency="flu", circumstance="sampling", since=DAY, until=DAY,
    counted="health.test-result",
)  # fmt: skip


class Office:
    """Who asks and who decides, and what they do again and again."""

    def __init__(self, town, clinic):
        self.town, self.clinic, self.parts = town, clinic, town.parts
        self.book = Book(log=town.parts.log, standard_ref=town.parts.standard.ref)
        self.custodian = clinic.hire("garden", "custodian", "custodian", "approver")
        self.approver = clinic.hire("street", "approver", "approver")
        self.doctor = clinic.hire("cdc", "doctor", "analyst")
        self.second = clinic.hire("cdc", "second", "approver")

    def ask(self, **change):
        with self.parts.database.write() as tx:
            return allotment.ask(
                tx, self.parts.standard, self.custodian, **(ASKED | change), now=self.town.clock()
            )

    def decide(self, asked, by=None, *, approve=True):
        with self.parts.database.write() as tx:
            return allotment.decide(
                tx, self.book, org="garden", allotment=asked.allotment, by=by or self.approver,
                approve=approve, now=self.town.clock(),
            )  # fmt: skip

    def count(self, leave, who=None, *, epsilon=QUARTER, values=VALUES):
        parts, who = self.parts, who or self.doctor
        with parts.database.write() as tx:
            decided = aggregate.decide(
                parts.gate, tx, who, question=QUESTION, grant=leave.grant,
                noise=None if epsilon is None else Noise(epsilon=epsilon, values=values),
                now=self.town.clock(),
            )  # fmt: skip
        if decided.verdict == "refused" or decided.left:
            return decided
        return self.publish(decided)

    def publish(self, decided):
        parts = self.parts
        with parts.database.read() as tx:
            counts = aggregate.tally(parts.gate, tx, decided)
        with parts.database.write() as tx:
            return aggregate.publish(parts.gate, tx, decided, counts, now=self.town.clock())

    def left(self):
        with self.parts.database.read() as tx:
            return budget.load(tx, account_of(QUESTION, "situation-monitoring", "cdc")).left

    def told(self):
        parts = self.parts
        with parts.database.read() as tx:
            return [entry.decode(d) for d in parts.log.entries(tx, 0, parts.log.size(tx))]

    def findings(self):
        auditor = Auditor(StandardRules([self.parts.standard]))
        for index, each in enumerate(self.told()):
            auditor.read(index, each)
        return [f.kind for f in auditor.conclude(self.town.clock()).all()]


@pytest.fixture
def office(town, clinic):
    return Office(town, clinic)


@pytest.fixture
def leave(office, clinic, town):
    """A grant to count, a budget of 0.5, and 300 negative and 40 positive samples of yesterday."""
    office.decide(office.ask())
    clinic.take(*["negative"] * 300, *["positive"] * 40)
    town.clock.forward(days=1)
    return clinic.leave(office.doctor, office.second)


class TestAnswer:
    def test_it_is_paid_witnessed_and_given_again(self, office, leave, clinic, town):
        said = office.count(leave)
        assert abs(said.shown["negative"] - 300) < 100
        assert str(said.answer.accuracy) == "±12 at 95 %"
        assert said.table is None
        assert office.left() == QUARTER

        assert office.count(leave) == said
        assert office.count(leave, epsilon=QUARTER // 2) == said, "a less exact one is no more"
        other = clinic.hire("cdc", "other", "analyst")
        theirs = office.count(clinic.leave(other, office.second), other)
        assert (theirs.answer, theirs.release) == (said.answer, said.release)
        assert theirs.decision != said.decision
        assert office.left() == QUARTER

        told = office.told()
        (paid,) = [e for e in told if isinstance(e, entry.NoisyRelease)]
        assert (paid.release, paid.epsilon, paid.recipient) == (said.decision, QUARTER, "cdc")
        assert [e.records for e in told if isinstance(e, entry.AggregateDecision)] == [0, 0]
        assert office.findings() == []
        assert list(inventory.check(town.parts.database, town.parts.log)) == []

    def test_what_is_small_is_hidden(self, office, leave):
        said = office.count(leave, values=("negative", "positive", "invalid"))
        assert {v: n for v, n in said.answer.value.items() if n < 10}.keys() == {
            v for v, n in said.shown.items() if n is None
        }

    def test_when_it_is_spent_no_more_comes(self, office, leave):
        office.count(leave, epsilon=MICRO // 2)
        said = office.count(leave, values=("negative",))
        assert (said.verdict, said.rule, said.answer) == ("refused", "budget/spent", None)
        assert office.left() == 0
        assert office.findings() == []

    def test_without_a_budget_none_comes(self, office, clinic, town):
        clinic.take(*["negative"] * 20)
        town.clock.forward(days=1)
        said = office.count(clinic.leave(office.doctor, office.second))
        assert (said.verdict, said.rule) == ("refused", "budget/none")

    def test_nothing_exact_is_asked_or_left(self, office, leave, town):
        with pytest.raises(InputError, match="answered with noise"):
            office.count(leave, epsilon=None)
        said = office.count(leave)
        with town.parts.database.write() as tx:
            tx.conn.execute(sa.text("DELETE FROM noisy_counts"))
        with town.parts.database.read() as tx:
            bare = aggregate.load(tx, "garden", said.decision)
        with pytest.raises(IntegrityError, match="nothing exact leaves"):
            office.publish(bare)
        named = [f.row for f in inventory.check(town.parts.database, town.parts.log)]
        assert f"noisy_counts (org=garden, decision={said.decision})" in named

    def test_a_crash_after_the_charge_is_taken_up_again(self, office, leave, town):
        with town.parts.database.write() as tx:
            decided = aggregate.decide(
                town.parts.gate, tx, office.doctor, question=QUESTION, grant=leave.grant,
                noise=Noise(epsilon=QUARTER, values=VALUES), now=town.clock(),
            )  # fmt: skip
        assert not decided.left
        assert office.count(leave).left
        assert office.left() == QUARTER


class TestAllotment:
    def test_who_asks_cannot_approve(self, office):
        asked = office.ask()
        with pytest.raises(ApprovalError):
            office.decide(asked, office.custodian)
        with pytest.raises(ForbiddenError):
            office.decide(asked, office.second)
        office.decide(asked)
        with pytest.raises(StateError, match="approved already"):
            office.decide(asked)
        assert office.left() == MICRO // 2

    def test_a_refusal_leaves_no_budget(self, office, town):
        office.decide(office.ask(), approve=False)
        with town.parts.database.read() as tx:
            assert budget.ceilings(tx, "garden") == {}
        assert list(inventory.check(town.parts.database, town.parts.log)) == []

    @pytest.mark.parametrize(
        ("change", "error", "why"),
        [
            ({"purpose": "tracing"}, InputError, "answers with noise"),
            ({"ceiling": None}, InputError, "say its ceiling"),
            ({"epsilon": 3 * MICRO}, BudgetError, "at most 2 in all"),
            ({"dataset": "Sampling"}, InputError, "a dataset is named"),
            ({"reason": " "}, InputError, "reason"),
        ],
    )
    def test_what_could_not_be_approved_is_not_asked(self, office, change, error, why):
        with pytest.raises(error, match=why):
            office.ask(**change)

    def test_it_grows_within_the_ceiling(self, office):
        office.decide(office.ask())
        with pytest.raises(InputError, match="said before: 2 epsilon"):
            office.ask(epsilon=MICRO)
        with pytest.raises(InputError, match="only grows"):
            office.ask(ceiling=None)
        office.decide(office.ask(ceiling=None, epsilon=2 * MICRO))
        assert office.left() == 2 * MICRO
        assert office.findings() == []
