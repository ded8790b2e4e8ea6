"""Counting: how many, never who; decided and witnessed first; what is small stays hidden, also by subtraction."""

from datetime import date, timedelta

import pytest
from sampled import Clinic

from epilock import inventory
from epilock.destroy import erasure, hold
from epilock.destroy import run as destruction
from epilock.errors import ForbiddenError, InputError
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.registry import mandate
from epilock.use import aggregate, grant
from epilock.use.question import Question

DAY = date(2026, 3, 14)
RESULT = "health.test-result"
ASKED = {"name": "identity.name", "mobile": "contact.mobile", "result": RESULT}


@pytest.fixture
def clinic(town):
    """A quarantine centre: what is counted there to share out resources has no noise."""
    return Clinic(town, "quarantine", ASKED)


@pytest.fixture
def doctor(clinic):
    return clinic.hire("cdc", "doctor", "analyst")


@pytest.fixture
def second(clinic):
    return clinic.hire("cdc", "second", "approver")


@pytest.fixture
def leave(clinic, doctor, second):
    return leave_of(clinic, doctor, second)


def leave_of(clinic, who, by, **change):
    counts = {"purpose": "resource-allocation", "circumstances": ("quarantine",)}
    return clinic.leave(who, by, **(counts | change))


def question(**change):
    return Question(
        **{
            "source": "garden", "emergency": "flu", "circumstance": "quarantine", "since": DAY,
            "until": DAY, "counted": RESULT, **change,
        }
    )  # fmt: skip


def decide(town, who, leave, **change):
    with town.parts.database.write() as tx:
        return aggregate.decide(
            town.parts.gate, tx, who, question=question(**change), grant=leave.grant,
            now=town.clock(),
        )  # fmt: skip


def count(town, decided):
    gate = town.parts.gate
    with town.parts.database.read() as tx:
        counts = aggregate.tally(gate, tx, decided)
    with town.parts.database.write() as tx:
        return aggregate.publish(gate, tx, decided, counts, now=town.clock()).table


def results(positive=0, negative=0):
    return ["positive"] * positive + ["negative"] * negative


def said(town, index):
    with town.parts.database.read() as tx:
        return entry.decode(town.parts.log.entry(tx, index))


class TestTable:
    def test_counted_by_what_they_say(self, town, clinic, doctor, leave):
        clinic.take(*results(positive=12, negative=30))
        town.clock.forward(days=1)
        decided = decide(town, doctor, leave)
        table = count(town, decided)
        assert (table.cells, table.others) == ({"negative": 30, "positive": 12}, 0)
        witnessed = said(town, decided.entry_index)
        assert (witnessed.verdict, witnessed.records, witnessed.question) == ("opened", 40, 1)
        assert (witnessed.since, witnessed.until, witnessed.counted) == (
            "2026-03-14",
            "2026-03-14",
            RESULT,
        )

    def test_what_is_small_is_hidden(self, town, clinic, doctor, leave):
        clinic.take(*results(positive=3, negative=30))
        town.clock.forward(days=1)
        table = count(town, decide(town, doctor, leave))
        assert (table.cells, table.total) == ({}, 33)

    def test_by_day_nothing_is_opened(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=11))
        town.clock.forward(days=1)
        clinic.take(*results(negative=14))
        town.clock.forward(days=1)
        decided = decide(town, doctor, leave, until=DAY + timedelta(days=1), counted="day")
        assert count(town, decided).cells == {"2026-03-14": 11, "2026-03-15": 14}

    def test_what_was_withdrawn_is_not_counted(self, town, clinic, doctor, leave):
        place, *_ = clinic.take(*results(negative=12))
        with town.parts.database.write() as tx:
            erasure.erase(
                tx, town.parts.log, town.parts.standard, org="garden", bucket=place[0], n=place[1],
                reason="withdrawal", now=town.clock(),
            )  # fmt: skip
        destruction.run(town.parts.tools, now=town.clock())
        town.clock.forward(days=1)
        assert count(town, decide(town, doctor, leave)).cells == {"negative": 11}

    def test_who_did_not_give_the_purpose_is_not_counted(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=12))
        clinic.take(*results(positive=20), without=("purpose:resource-allocation",))
        town.clock.forward(days=1)
        assert count(town, decide(town, doctor, leave)).cells == {"negative": 12}
        assert count(town, decide(town, doctor, leave, counted="day")).total == 12

    def test_it_is_given_again_as_it_was(self, town, clinic, doctor, leave):
        """A second look tells nothing new, whatever was erased meanwhile."""
        place, *_ = clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        decided = decide(town, doctor, leave)
        first = count(town, decided)
        with town.parts.database.read() as tx:
            kept = aggregate.load(tx, "garden", decided.decision)
        with town.parts.database.write() as tx:
            again = aggregate.publish(
                town.parts.gate, tx, kept, {"negative": 11}, now=town.clock()
            ).table
        assert again == first
        assert place


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"counted": "identity.name"}, "aggregate/tells-who/identity.name"),
            ({"counted": "contact.mobile"}, "aggregate/tells-who/contact.mobile"),
            ({"counted": "belief.religion"}, "not-listed/belief.religion"),
            ({"circumstance": "residential-entry"}, "grant/other-circumstance"),
            ({"source": "street"}, "grant/other-purpose"),
            ({"until": DAY + timedelta(days=1)}, "aggregate/day-not-over"),
            ({"since": date(2026, 3, 1), "until": date(2026, 3, 9)}, "aggregate/too-few"),
        ],
    )
    def test_each_is_an_entry_too(  # noqa: PLR0917 - fixtures and a row of the table
        self, town, clinic, doctor, leave, change, rule
    ):
        clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        decided = decide(town, doctor, leave, **change)
        assert (decided.verdict, decided.rule, decided.number) == ("refused", rule, 0)
        witnessed = said(town, decided.entry_index)
        assert (witnessed.verdict, witnessed.records) == ("refused", 0)
        with town.parts.database.read() as tx:
            assert grant.load(tx, "cdc", leave.grant).used == 0
            with pytest.raises(ForbiddenError):
                aggregate.tally(town.parts.gate, tx, decided)

    def test_nine_records_are_too_few(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=9))
        town.clock.forward(days=1)
        assert decide(town, doctor, leave).rule == "aggregate/too-few"

    def test_the_grant_of_another(self, town, clinic, leave):
        other = clinic.hire("cdc", "other", "analyst")
        assert decide(town, other, leave).rule == "grant/not-yours-or-not-active"

    def test_after_its_end(self, town, doctor, leave):
        town.clock.forward(days=21)
        assert decide(town, doctor, leave).rule == "grant/ended"

    def test_a_grant_to_open_counts_nothing_and_one_to_count_opens_nothing(
        self, town, clinic, doctor, second, leave
    ):
        (place, *_) = clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        masked = leave_of(clinic, doctor, second, purpose="treatment", form="raw", case="C-1")
        assert decide(town, doctor, masked).rule == "grant/other-purpose"
        for form in ("raw", "masked", "aggregate"):
            with town.parts.database.write() as tx:
                opening = town.parts.gate.decide(
                    tx, doctor, source="garden", places=[place], purpose="resource-allocation",
                    form=form, grant=leave.grant, now=town.clock(),
                )  # fmt: skip
            assert opening.verdict == "refused"

    def test_what_is_held_is_only_stored(self, town, clinic, doctor, leave):
        place, *_ = clinic.take(*results(negative=12))
        today = town.clock().date()
        with town.parts.database.write() as tx:
            why = mandate.record_assessment(
                tx, town.parts.log, standard_ref=clinic.ref, org="garden", about="hold",
                date_=today, until=today + timedelta(days=90), sha256="0" * 64, now=town.clock(),
            )  # fmt: skip
            hold.place(
                tx, town.parts.log, standard_ref=clinic.ref, org="garden", bucket=place[0],
                assessment=why, reason="evidence", last_day=today + timedelta(days=9),
                by=doctor.staff, now=town.clock(),
            )  # fmt: skip
        town.clock.forward(days=1)
        assert decide(town, doctor, leave).rule == "duty/hold"

    def test_days_the_wrong_way_round(self, town, doctor, leave):
        with pytest.raises(InputError, match="first before the last"):
            decide(town, doctor, leave, until=DAY - timedelta(days=1))

    def test_nothing_is_counted_before_the_decision_is_committed(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        found = []

        def crash():
            with town.parts.database.write() as tx:
                found.append(
                    aggregate.decide(
                        town.parts.gate, tx, doctor, question=question(), grant=leave.grant,
                        now=town.clock(),
                    )
                )  # fmt: skip
                raise RuntimeError

        with pytest.raises(RuntimeError):
            crash()
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError):
            aggregate.tally(town.parts.gate, tx, found[0])


class TestSubtraction:
    def test_a_grant_asks_for_so_many_tables(self, town, clinic, doctor, second):
        clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        leave = leave_of(clinic, doctor, second, subjects=2)
        asked = [decide(town, doctor, leave) for _ in range(3)]
        assert [a.number for a in asked] == [1, 2, 0]
        assert asked[2].rule == "grant/used-up"

    def test_more_tables_than_the_bound_are_not_granted(self, clinic, doctor, second):
        with pytest.raises(InputError, match="1 to 20 tables"):
            leave_of(clinic, doctor, second, subjects=21)

    def test_a_range_that_differs_by_a_few_records(self, town, clinic, doctor, second, leave):
        """Two days less one day would be a table about three persons; whoever asks for the second."""
        clinic.take(*results(negative=20))
        town.clock.forward(days=1)
        clinic.take(*results(positive=3))
        town.clock.forward(days=1)
        assert count(town, decide(town, doctor, leave)).total == 20
        both = DAY + timedelta(days=1)
        assert decide(town, doctor, leave, until=both).rule == "aggregate/too-like-another"
        other = clinic.hire("cdc", "other", "analyst")
        theirs = leave_of(clinic, other, second)
        assert decide(town, other, theirs, until=both).rule == "aggregate/too-like-another"

    def test_a_cell_that_grows_by_a_few(self, town, clinic, doctor, leave):
        """On the second day two of sixteen were positive: asked for alone it would be hidden."""
        clinic.take(*results(positive=15, negative=40))
        town.clock.forward(days=1)
        clinic.take(*results(positive=2, negative=14))
        town.clock.forward(days=1)
        assert count(town, decide(town, doctor, leave)).cells["positive"] == 15
        table = count(town, decide(town, doctor, leave, until=DAY + timedelta(days=1)))
        assert "positive" not in table.cells

    def test_somebody_withdrew_in_between(self, town, clinic, doctor, leave):
        place, *_ = clinic.take(*results(negative=30))
        town.clock.forward(days=1)
        count(town, decide(town, doctor, leave))
        with town.parts.database.write() as tx:
            erasure.erase(
                tx, town.parts.log, town.parts.standard, org="garden", bucket=place[0], n=place[1],
                reason="withdrawal", now=town.clock(),
            )  # fmt: skip
        destruction.run(town.parts.tools, now=town.clock())
        assert decide(town, doctor, leave).rule == "aggregate/too-like-another"


class TestWitness:
    def test_a_stranger_sees_what_a_grant_does_not_cover(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        decided = decide(town, doctor, leave)
        with town.parts.database.read() as tx:
            log = town.parts.log
            told = [entry.decode(d) for d in log.entries(tx, 0, log.size(tx))]

        def audit(*more):
            auditor = Auditor(StandardRules([town.parts.standard]))
            for index, each in enumerate([*told, *more]):
                auditor.read(index, each)
            return [f.kind for f in auditor.conclude(town.clock()).all()]

        again = said(town, decided.entry_index)
        assert audit() == []
        assert audit(*[again] * 4) == []
        assert audit(*[again] * 5) == ["grant-misused"]

    def test_a_deleted_table_is_named(self, town, clinic, doctor, leave):
        clinic.take(*results(negative=12))
        town.clock.forward(days=1)
        parts, decided = town.parts, decide(town, doctor, leave)
        count(town, decided)
        assert list(inventory.check(parts.database, parts.log)) == []
        with parts.database.write() as tx:
            tx.delete(aggregate.aggregates, org="garden", decision=decided.decision)
        named = [f.row.partition(" ")[0] for f in inventory.check(parts.database, parts.log)]
        assert "aggregates" in named
