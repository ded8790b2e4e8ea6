"""What was opened in an emergency is looked at afterwards, by another, in time; or everybody sees that it was not."""

from datetime import timedelta

import pytest

from epilock import inventory
from epilock.errors import ApprovalError, ForbiddenError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.use import review


@pytest.fixture
def doctor(clinic):
    return clinic.hire("cdc", "doctor", "analyst")


@pytest.fixture
def second(clinic):
    return clinic.hire("cdc", "second", "approver")


@pytest.fixture
def opened(town, clinic, doctor):
    """The decision of an opening without a grant."""
    (place,) = clinic.take("negative")
    with town.parts.database.write() as tx:
        return town.parts.gate.decide(
            tx, doctor, source="garden", places=[place], purpose="treatment", form="raw",
            grant=None, reason="found unconscious", now=town.clock(),
        )  # fmt: skip


def look(town, by, decided, reason="life-at-risk"):
    with town.parts.database.write() as tx:
        return review.review(
            tx, town.parts.log, standard_ref=town.parts.standard.ref, org="garden",
            decision=decided.decision, by=by, reason=reason, now=town.clock(),
        )  # fmt: skip


def outstanding(town, org="cdc"):
    with town.parts.database.read() as tx:
        return review.outstanding(tx, org)


def monitored(town, **later):
    """What a stranger finds in the log about openings, some time from now."""
    auditor = Auditor(StandardRules([town.parts.standard]))
    with town.parts.database.read() as tx:
        for index, data in enumerate(town.parts.log.entries(tx, 0, town.parts.log.size(tx))):
            auditor.read(index, entry.decode(data))
    found = auditor.conclude(town.clock() + timedelta(**later)).all()
    return [f.kind for f in found if f.kind in {"unreviewed", "review-self", "no-grant"}]


class TestOpening:
    def test_it_waits_for_its_review(self, town, opened):
        assert (opened.verdict, opened.rule, opened.review) == (
            "opened",
            "emergency/treatment",
            True,
        )
        (waiting,) = outstanding(town)
        assert (waiting.decision, waiting.stated) == (opened.decision, "found unconscious")
        assert waiting.due == opened.at + timedelta(days=3)
        assert outstanding(town, "garden") == []

    def test_its_reason_is_not_in_the_ledger(self, town, opened):
        with town.parts.database.read() as tx:
            assert b"unconscious" not in town.parts.log.entry(tx, opened.entry_index)

    @pytest.mark.parametrize(
        "change",
        [{"reason": " "}, {"purpose": "tracing"}, {"form": "masked"}],
        ids=["no reason", "another purpose", "another form"],
    )
    def test_nothing_else_opens_without_a_grant(self, town, clinic, doctor, change):
        (place,) = clinic.take("negative")
        asked = {"purpose": "treatment", "form": "raw", "reason": "found unconscious", **change}
        with town.parts.database.write() as tx:
            decided = town.parts.gate.decide(
                tx, doctor, source="garden", places=[place], grant=None, now=town.clock(), **asked
            )
        assert decided.verdict == "refused"
        assert outstanding(town) == []

    def test_two_at_once_do_not(self, town, clinic, doctor):
        places = clinic.take("negative", "positive")
        with town.parts.database.write() as tx:
            decided = town.parts.gate.decide(
                tx, doctor, source="garden", places=places, purpose="treatment", form="raw",
                grant=None, reason="found unconscious", now=town.clock(),
            )  # fmt: skip
        assert decided.rule == "grant/none"


class TestReview:
    @pytest.mark.parametrize(("reason", "verdict"), review.REASONS.items())
    def test_another_person_says_what_it_was(self, town, second, opened, reason, verdict):
        town.clock.forward(days=1)
        done = look(town, second, opened, reason)
        assert (done.verdict, done.reviewer, done.reviewed) == (
            verdict,
            second.staff,
            town.clock(),
        )
        assert outstanding(town) == []
        with town.parts.database.read() as tx:
            log = town.parts.log
            said = entry.decode(log.entry(tx, log.size(tx) - 1))
        assert (said.decision, said.by, said.verdict, said.reason) == (
            opened.decision, second.staff, verdict, reason,
        )  # fmt: skip

    def test_who_opened_it_does_not(self, town, clinic, opened):
        both = clinic.hire("cdc", "both", "analyst", "approver")
        (place,) = clinic.take("negative")
        with town.parts.database.write() as tx:
            own = town.parts.gate.decide(
                tx, both, source="garden", places=[place], purpose="treatment", form="raw",
                grant=None, reason="found unconscious", now=town.clock(),
            )  # fmt: skip
        with pytest.raises(ApprovalError):
            look(town, both, own)
        assert look(town, both, opened).verdict == "justified"

    def test_the_organisation_above_may(self, town, clinic, opened):
        assert look(town, clinic.hire("city", "mayor", "approver"), opened).reviewer_org == "city"

    @pytest.mark.parametrize(("org", "role"), [("garden", "approver"), ("cdc", "custodian")])
    def test_nobody_else_may(self, town, clinic, opened, org, role):
        """Whose record it is does not judge the doctor; nor does who approves nothing."""
        with pytest.raises(ForbiddenError):
            look(town, clinic.hire(org, "other", role), opened)

    def test_once_and_with_a_reason_that_is_known(self, town, second, opened):
        with pytest.raises(InputError, match="life-at-risk"):
            look(town, second, opened, "because")
        look(town, second, opened)
        with pytest.raises(StateError, match="already"):
            look(town, second, opened, "could-have-asked")

    def test_of_what_was_opened_under_a_grant_there_is_none(self, town, clinic, doctor, second):
        (place,) = clinic.take("negative")
        leave = clinic.leave(doctor, second, purpose="tracing", form="masked", case="C-1")
        with town.parts.database.write() as tx:
            decided = town.parts.gate.decide(
                tx, doctor, source="garden", places=[place], purpose="tracing", form="masked",
                grant=leave.grant, reason="ignored", now=town.clock(),
            )  # fmt: skip
        assert (decided.verdict, decided.review) == ("opened", False)
        with pytest.raises(NotFoundError):
            look(town, second, decided)


class TestBound:
    def test_who_has_ten_unreviewed_opens_no_more(self, town, clinic, doctor, second):
        """What a stolen account can take in this way, before another looks."""
        places = clinic.take(*["negative"] * 12)

        def glass(place):
            with town.parts.database.write() as tx:
                return town.parts.gate.decide(
                    tx, doctor, source="garden", places=[place], purpose="treatment", form="raw",
                    grant=None, reason="found unconscious", now=town.clock(),
                )  # fmt: skip

        decided = [glass(place) for place in places[:11]]
        assert [d.verdict for d in decided] == ["opened"] * 10 + ["refused"]
        assert decided[-1].rule == "emergency/reviews-outstanding"
        look(town, second, decided[0])
        assert glass(places[11]).verdict == "opened"


class TestOverdue:
    def test_after_three_days_it_stands_out(self, town, opened):
        (waiting,) = outstanding(town)
        assert not waiting.is_overdue(opened.at + timedelta(days=3, seconds=-1))
        assert waiting.is_overdue(opened.at + timedelta(days=3))

    @pytest.mark.usefixtures("opened")
    def test_a_stranger_finds_the_review_that_never_came(self, town):
        """An entry tells the hour: three days begin to count when it is over."""
        assert monitored(town, days=2, hours=23) == []
        assert monitored(town, days=3, hours=1) == ["unreviewed"]

    def test_and_nothing_once_it_came(self, town, second, opened):
        look(town, second, opened)
        assert monitored(town, days=30) == []


class TestRows:
    def test_a_review_that_was_deleted_or_undone_is_named(self, town, second, opened):
        parts, table = town.parts, review.emergency_openings
        key = {"org": "garden", "decision": opened.decision}
        with parts.database.read() as tx:
            before = tx.get(table, **key)
        look(town, second, opened)
        assert list(inventory.check(parts.database, parts.log)) == []
        for put_back in (None, before):
            with parts.database.write() as tx:
                now = tx.get(table, **key)
                tx.delete(table, **key)
                if put_back:
                    tx.insert(table, **put_back)
            found = list(inventory.check(parts.database, parts.log))
            assert found
            assert {f.row.partition(" ")[0] for f in found} == {"emergency_openings"}
            with parts.database.write() as tx:
                tx.delete(table, **key)
                tx.insert(table, **now)
