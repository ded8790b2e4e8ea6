"""What a hold promises: kept and only stored, for a stated reason, to a stated day, in public."""

from datetime import date, timedelta

import pytest
from estate import CITY, CUSTODIAN, DAY, DELIVERY, EMERGENCY, GATE, ORG, OTHER, midnight_after, noon

from epilock.destroy import erasure, run
from epilock.destroy import hold as holds
from epilock.destroy.move import Mover
from epilock.errors import ApprovalError, HeldError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.store.bucket import DESTROYED, LIVE

DUE = midnight_after(DAY + timedelta(days=28))
NOW = noon(DAY)


def place(estate, bucket, assessment=None, **change):
    values = {
        "assessment": assessment or estate.assess(), "reason": "evidence",
        "last_day": date(2026, 5, 31), "by": CUSTODIAN, "now": NOW,
    } | change  # fmt: skip
    with estate.database.write() as tx:
        return holds.place(
            tx, estate.log, standard_ref=estate.ref, org=ORG, bucket=bucket.id, **values
        )


def release(estate, hold, now=NOW):
    with estate.database.write() as tx:
        return holds.release(
            tx, estate.log, standard_ref=estate.ref, org=ORG, hold=hold.hold, by="s-bao", now=now
        )


def is_held(estate, bucket, now):
    with estate.database.read() as tx:
        return holds.is_held(tx, ORG, bucket.id, now)


class TestPlace:
    def test_it_stands_in_the_public_log(self, estate):
        bucket = estate.bucket()
        hold = place(estate, bucket)
        (said,) = estate.said(entry.Hold)
        assert (said.hold, said.bucket, said.reason) == (hold.hold, bucket.name, "evidence")
        assert (said.until, said.assessment, said.by) == ("2026-05-31", hold.assessment, CUSTODIAN)

    def test_it_lasts_to_the_end_of_its_last_day(self, estate):
        bucket = estate.bucket()
        hold = place(estate, bucket)
        end = midnight_after(date(2026, 5, 31))
        assert hold.last_day == date(2026, 5, 31)
        assert is_held(estate, bucket, end - timedelta(seconds=1))
        assert not is_held(estate, bucket, end)
        assert not hold.lasts(end)

    @pytest.mark.parametrize("reason", ["", "curiosity", "research"])
    def test_for_evidence_or_investigation_only(self, estate, reason):
        """ERL 85 knows no other reason."""
        with pytest.raises(InputError, match="evidence or investigation"):
            place(estate, estate.bucket(), reason=reason)

    def test_not_into_the_past(self, estate):
        with pytest.raises(InputError, match="must not be past"):
            place(estate, estate.bucket(), last_day=DAY - timedelta(days=1))

    def test_today_is_the_shortest(self, estate):
        assert place(estate, estate.bucket(), last_day=DAY).lasts(NOW)

    def test_not_without_an_assessment(self, estate):
        with pytest.raises(NotFoundError, match="recorded that assessment"):
            place(estate, estate.bucket(), assessment="d-none")

    def test_not_on_the_assessment_of_something_else(self, estate):
        """That of the collection says nothing of why it is kept longer."""
        with pytest.raises(InputError, match="about `hold`"):
            place(estate, estate.bucket(), assessment=estate.assess(about=GATE))

    def test_an_assessment_of_this_circumstance_will_do(self, estate):
        assert place(estate, estate.bucket(), assessment=estate.assess(about=f"hold/{GATE}"))

    def test_one_of_the_superior_organisation_too_and_no_other(self, estate):
        bucket = estate.bucket()
        assert place(estate, bucket, assessment=estate.assess(org=CITY))
        with pytest.raises(NotFoundError):
            place(estate, bucket, assessment=estate.assess(org=OTHER))

    def test_no_longer_than_its_assessment(self, estate):
        with pytest.raises(InputError, match="needs a new one"):
            place(estate, estate.bucket(), assessment=estate.assess(until=date(2026, 5, 30)))

    def test_not_on_what_is_gone(self, estate):
        bucket = estate.bucket()
        estate.run(DUE)
        with pytest.raises(StateError, match="destroyed"):
            place(estate, bucket, now=DUE)

    def test_in_another_organisation_there_is_no_such_bucket(self, estate):
        bucket = estate.bucket(org=OTHER)
        with pytest.raises(NotFoundError):
            place(estate, bucket)


class TestScope:
    def scope(self, estate, first, last, circumstance=GATE):
        with estate.database.write() as tx:
            return holds.place_scope(
                tx, estate.log, standard_ref=estate.ref, org=ORG, circumstance=circumstance,
                days=(first, last), assessment=self.assessment, reason="investigation",
                last_day=date(2026, 5, 31), by=CUSTODIAN, now=NOW,
            )  # fmt: skip

    @pytest.fixture(autouse=True)
    def assessed(self, estate):
        self.assessment = estate.assess()

    def test_each_bucket_of_the_days_gets_a_hold_of_its_own(self, estate):
        made = [estate.bucket(1, day=DAY + timedelta(days=i)) for i in range(4)]
        estate.bucket(1, day=DAY + timedelta(days=1), circumstance=DELIVERY)
        estate.bucket(1, day=DAY + timedelta(days=1), org=OTHER)
        placed = self.scope(estate, DAY + timedelta(days=1), DAY + timedelta(days=2))
        assert [h.bucket for h in placed] == [made[1].id, made[2].id]
        assert [e.bucket for e in estate.said(entry.Hold)] == [made[1].name, made[2].name]
        assert estate.findings(NOW) == []

    def test_a_scope_without_a_bucket_is_a_mistake(self, estate):
        estate.bucket(1)
        with pytest.raises(NotFoundError, match="no living bucket"):
            self.scope(estate, DAY, DAY, circumstance=DELIVERY)

    def test_days_in_the_wrong_order(self, estate):
        with pytest.raises(InputError, match="begins before it ends"):
            self.scope(estate, DAY, DAY - timedelta(days=1))


class TestOnlyStored:
    def test_not_destroyed_on_its_day_but_after_the_last_of_the_hold(self, estate):
        bucket = estate.bucket()
        place(estate, bucket)
        estate.run(DUE)
        assert set(estate.states(bucket).values()) == {LIVE}
        assert estate.findings(DUE + timedelta(days=9)) == []  # the log says why it is late
        end = midnight_after(date(2026, 5, 31))
        assert {k for k, _ in estate.findings(end)} == {"overdue"}
        estate.run(end)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert estate.findings(end) == []

    def test_not_erased_moved_or_corrected(self, estate):
        bucket, other = estate.bucket(circumstance=DELIVERY), estate.bucket()
        place(estate, bucket)
        mover = Mover(estate.log, estate.keys, estate.standard)
        with pytest.raises(HeldError, match="2026-05-31"), estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=0,
                reason="withdrawal", now=NOW,
            )  # fmt: skip
        with pytest.raises(HeldError), estate.database.write() as tx:
            mover.start_clock(tx, bucket=bucket, n=0, event="delivery", day=DAY, now=NOW)
        assert not is_held(estate, other, NOW)
        assert estate.said(entry.Erasure, entry.Event) == []

    def test_the_refusal_names_assessment_day_and_law(self, estate):
        bucket = estate.bucket()
        hold = place(estate, bucket)
        with (
            pytest.raises(HeldError, match=hold.assessment) as refused,
            estate.database.read() as tx,
        ):
            holds.check_free(tx, ORG, bucket.id, now=NOW)
        assert refused.value.source == ("ERL-85", "PIPL-47")

    def test_what_was_announced_before_is_completed(self, estate):
        bucket = estate.bucket()
        with estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=0,
                reason="withdrawal", now=NOW,
            )  # fmt: skip
        place(estate, bucket)
        run.complete(estate.tools, now=NOW)
        assert [e.n for e in estate.said(entry.Erased)] == [0]
        assert estate.findings(NOW) == []


class TestRelease:
    def test_what_is_due_then_goes_with_the_next_run(self, estate):
        bucket = estate.bucket()
        hold = place(estate, bucket)
        release(estate, hold, DUE)
        assert [(e.hold, e.by) for e in estate.said(entry.HoldReleased)] == [(hold.hold, "s-bao")]
        estate.run(DUE)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert estate.findings(DUE) == []

    def test_who_placed_it_does_not_release_it(self, estate):
        """Else one person could let evidence be destroyed that the same person was told to keep."""
        hold = place(estate, estate.bucket())
        with estate.database.write() as tx, pytest.raises(ApprovalError, match="cannot release it"):
            holds.release(
                tx, estate.log, standard_ref=estate.ref, org=ORG, hold=hold.hold, by=CUSTODIAN,
                now=NOW,
            )  # fmt: skip

    def test_once(self, estate):
        hold = place(estate, estate.bucket())
        release(estate, hold)
        with pytest.raises(StateError, match="ended already"):
            release(estate, hold)

    def test_not_after_it_ended_by_itself(self, estate):
        hold = place(estate, estate.bucket())
        with pytest.raises(StateError):
            release(estate, hold, midnight_after(date(2026, 5, 31)))

    def test_another_hold_on_the_bucket_still_lasts(self, estate):
        bucket = estate.bucket()
        hold, _ = place(estate, bucket), place(estate, bucket, last_day=date(2026, 4, 30))
        release(estate, hold)
        with estate.database.read() as tx:
            assert holds.on_bucket(tx, ORG, bucket.id, now=NOW).last_day == date(2026, 4, 30)


class TestLists:
    def test_the_public_sees_how_many_buckets_are_held_and_why(self, estate):
        first, second = estate.bucket(), estate.bucket(circumstance=DELIVERY)
        place(estate, first, reason="investigation")
        place(estate, second)
        place(estate, second)  # two holds on one bucket
        with estate.database.read() as tx:
            assert holds.public_count(tx, now=NOW) == {"evidence": 1, "investigation": 1}
            after = midnight_after(date(2026, 5, 31))
            assert holds.public_count(tx, now=after) == {"evidence": 0, "investigation": 0}

    def test_lasting_ones_of_all_or_of_one_organisation(self, estate):
        hold = place(estate, estate.bucket())
        ended = place(estate, estate.bucket(circumstance=DELIVERY))
        release(estate, ended)
        with estate.database.read() as tx:
            assert holds.listing(tx, now=NOW) == holds.listing(tx, ORG, now=NOW) == [hold]
            assert holds.listing(tx, OTHER, now=NOW) == []

    def test_the_emergency_of_a_held_bucket_keeps_its_tag_key(self, estate):
        bucket = estate.bucket()
        place(estate, bucket)
        estate.level("E", NOW)
        estate.run(NOW + timedelta(days=31))
        assert set(estate.states(bucket).values()) == {LIVE}
        estate.keys.tag_key(ORG, EMERGENCY)
