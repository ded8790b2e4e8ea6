"""What an order promises: two persons, time to think again, and never before the date."""

from datetime import timedelta
from itertools import product

import pytest
from estate import (
    APPROVER,
    CITY,
    CLINIC,
    CUSTODIAN,
    DAY,
    GATE,
    ORG,
    OTHER,
    VACCINE,
    Crash,
    Crashing,
    midnight_after,
    noon,
)

from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.destroy.order import APPROVED, CANCELLED, CARRIED_OUT, LAPSED, NEXT, PROPOSED
from epilock.errors import (
    ApprovalError,
    ForbiddenError,
    HeldError,
    InputError,
    NotDueError,
    NotFoundError,
    StateError,
)
from epilock.ledger import entry
from epilock.store.bucket import DESTROYED, LIVE

NOW = noon(DAY)
DUE = midnight_after(DAY + timedelta(days=28))
ENDED = NOW + timedelta(hours=2)
LATER = ENDED + timedelta(days=3)
CALM = timedelta(hours=24)


def propose(estate, bucket, parts=None, now=LATER, **change):
    values = {"reason": "emergency-ended", "by": CUSTODIAN, "cooling": CALM} | change
    with estate.database.write() as tx:
        return orders.propose(
            tx, estate.log, estate.standard, org=ORG, bucket=bucket.id,
            parts=bucket.parts if parts is None else parts, now=now, **values,
        )  # fmt: skip


def approve(estate, order, now=LATER, by=APPROVER, by_org=ORG):
    with estate.database.write() as tx:
        return orders.approve(
            tx, estate.log, standard_ref=estate.ref, org=ORG, order=order.order, by=by,
            by_org=by_org, now=now,
        )  # fmt: skip


def cancel(estate, order, now=LATER, by=APPROVER):
    with estate.database.write() as tx:
        return orders.cancel(
            tx, estate.log, standard_ref=estate.ref, org=ORG, order=order.order, by=by, now=now
        )


def load(estate, order):
    with estate.database.read() as tx:
        return orders.load(tx, ORG, order.order)


@pytest.fixture
def bucket(estate):
    """A bucket whose emergency has ended, so that people may decide about it."""
    bucket = estate.bucket()
    estate.level("E", ENDED)
    return bucket


class TestPropose:
    def test_it_is_in_the_public_log_with_its_first_hour(self, estate, bucket):
        order = propose(estate, bucket)
        (said,) = estate.said(entry.Order)
        assert (said.order, said.bucket, said.by) == (order.order, bucket.name, CUSTODIAN)
        assert said.not_before == entry.stamp(LATER + CALM)
        assert (order.stage, order.parts) == (PROPOSED, bucket.parts)

    def test_what_is_not_due_in_a_running_emergency_is_refused(self, estate):
        bucket = estate.bucket()
        with pytest.raises(NotDueError, match="kept until 2026-04-11") as refused:
            propose(estate, bucket, now=DUE - timedelta(seconds=1))
        assert refused.value.rule == f"retain/{GATE}/standard/I"
        assert estate.said(entry.Order) == []

    def test_what_is_due_may_be_ordered_and_nothing_with_it_that_is_not(self, estate):
        bucket = estate.bucket()
        estate.level("III", NOW)
        down = midnight_after(DAY + timedelta(days=7))
        with pytest.raises(NotDueError):
            propose(estate, bucket, now=down)
        assert propose(estate, bucket, ["3-I", "3-II"], now=down).stage == PROPOSED

    def test_after_the_end_grade_4_waits_for_its_day(self, estate):
        bucket = estate.bucket(circumstance=CLINIC)
        estate.level("E", ENDED)
        grades = {p.name: p.grade for p in estate.standard.parts(CLINIC)}
        with pytest.raises(NotDueError):
            propose(estate, bucket, [p for p in grades if grades[p] == 4])
        below = [p for p in grades if grades[p] < 4]
        assert propose(estate, bucket, below).stage == PROPOSED

    def test_after_the_end_what_a_law_keeps_is_kept(self, estate):
        bucket = estate.bucket(circumstance=VACCINE)
        estate.level("E", ENDED)
        with pytest.raises(NotDueError, match="kept until"):
            propose(estate, bucket)

    def test_an_end_that_is_announced_for_later_is_no_end(self, estate, bucket):
        with pytest.raises(NotDueError):
            propose(estate, bucket, now=ENDED - timedelta(seconds=1))

    def test_under_a_hold_it_is_refused(self, estate, bucket):
        with estate.database.write() as tx:
            holds.place(
                tx, estate.log, standard_ref=estate.ref, org=ORG, bucket=bucket.id,
                assessment=self.assessed, reason="evidence", last_day=LATER.date(), by=CUSTODIAN,
                now=LATER,
            )  # fmt: skip
        with pytest.raises(HeldError):
            propose(estate, bucket)

    @pytest.fixture(autouse=True)
    def assess(self, estate):
        self.assessed = estate.assess()

    @pytest.mark.parametrize("change", [{"reason": "tidy"}, {"parts": []}])
    def test_a_reason_of_the_list_and_a_part(self, estate, bucket, change):
        with pytest.raises(InputError, match="reasons"):
            propose(estate, bucket, **change)

    def test_a_part_that_is_not_there(self, estate, bucket):
        with pytest.raises(StateError, match="not alive"):
            propose(estate, bucket, ["9-X"])

    def test_one_order_at_a_time_for_a_part(self, estate, bucket):
        parts = bucket.parts
        propose(estate, bucket, parts[:1])
        propose(estate, bucket, parts[1:])
        with pytest.raises(StateError, match="another order"):
            propose(estate, bucket, parts[:1])

    def test_another_organisations_bucket_is_none(self, estate):
        with pytest.raises(NotFoundError):
            propose(estate, estate.bucket(org=OTHER), now=DUE)


class TestApprove:
    def test_by_another_person(self, estate, bucket):
        approved = approve(estate, propose(estate, bucket))
        assert (approved.stage, approved.approved_by) == (APPROVED, APPROVER)
        assert [e.by for e in estate.said(entry.OrderApproved)] == [APPROVER]

    def test_never_by_who_proposed_it(self, estate, bucket):
        with pytest.raises(ApprovalError):
            approve(estate, propose(estate, bucket), by=CUSTODIAN)
        assert estate.said(entry.OrderApproved) == []

    def test_by_someone_of_the_superior_organisation(self, estate, bucket):
        """A village office has one person."""
        assert approve(estate, propose(estate, bucket), by_org=CITY).approved_org == CITY

    def test_by_nobody_of_another_organisation(self, estate, bucket):
        with pytest.raises(ForbiddenError):
            approve(estate, propose(estate, bucket), by_org=OTHER)

    def test_the_cooling_time_begins_with_the_approval(self, estate, bucket):
        order = propose(estate, bucket)
        late = LATER + timedelta(hours=20)
        assert approve(estate, order, late).not_before == late + CALM


class TestCarryOut:
    def test_after_the_cooling_time_and_not_a_second_before(self, estate, bucket):
        order = approve(estate, propose(estate, bucket))
        estate.run(LATER + CALM - timedelta(seconds=1))
        assert set(estate.states(bucket).values()) == {LIVE}
        now = LATER + CALM
        (done,) = estate.run(now)
        assert {p for p, s in estate.states(bucket).items() if s == DESTROYED} == set(order.parts)
        assert (load(estate, order).stage, load(estate, order).intent) == (CARRIED_OUT, done.intent)
        (said,) = estate.said(entry.Destroy)
        assert said.rule == f"order/{order.order}"
        assert estate.findings(now) == []

    def test_without_approval_never(self, estate, bucket):
        propose(estate, bucket)
        estate.run(LATER + timedelta(days=9))
        assert set(estate.states(bucket).values()) == {LIVE}

    def test_under_a_hold_it_waits(self, estate, bucket):
        order = approve(estate, propose(estate, bucket))
        assessed = estate.assess()
        now, last = LATER + CALM, (LATER + timedelta(days=5)).date()
        with estate.database.write() as tx:
            holds.place(
                tx, estate.log, standard_ref=estate.ref, org=ORG, bucket=bucket.id,
                assessment=assessed, reason="evidence", last_day=last, by=CUSTODIAN, now=LATER,
            )  # fmt: skip
        estate.run(now)
        assert load(estate, order).stage == APPROVED
        estate.run(midnight_after(last))
        assert load(estate, order).stage == CARRIED_OUT
        assert estate.findings(midnight_after(last)) == []

    def test_what_died_on_its_day_meanwhile_lapses(self, estate, bucket):
        order = propose(estate, bucket)
        estate.run(DUE)
        estate.run(DUE)
        assert load(estate, order).stage == LAPSED
        assert len(estate.said(entry.Destroy)) == len(estate.said(entry.Certificate)) == 1

    @pytest.mark.parametrize("step", ["announce", "announce commit", "announce done", "keys done"])
    def test_a_crash_carries_it_out_once(self, estate, bucket, step):
        order = approve(estate, propose(estate, bucket))
        now = LATER + CALM
        with pytest.raises(Crash):
            estate.run(now, Crashing(step))
        estate.run(now)
        assert load(estate, order).stage == CARRIED_OUT
        assert len(estate.said(entry.Certificate)) == 1
        assert estate.findings(now) == []


class TestCancel:
    @pytest.mark.parametrize("approved", [False, True])
    def test_until_it_is_carried_out(self, estate, bucket, approved):
        order = propose(estate, bucket)
        if approved:
            approve(estate, order)
        assert cancel(estate, order).stage == CANCELLED
        estate.run(LATER + timedelta(days=2))
        assert set(estate.states(bucket).values()) == {LIVE}
        assert [e.order for e in estate.said(entry.OrderCancelled)] == [order.order]

    def test_not_after(self, estate, bucket):
        order = approve(estate, propose(estate, bucket))
        estate.run(LATER + CALM)
        with pytest.raises(StateError, match="carried-out"):
            cancel(estate, order, LATER + CALM)


class TestStages:
    def test_nothing_follows_the_last_ones(self):
        assert all(not NEXT[stage] for stage in (CARRIED_OUT, CANCELLED, LAPSED))

    def test_every_stage_has_its_row_and_only_stages_follow(self):
        assert set(NEXT) >= {s for following in NEXT.values() for s in following}

    @pytest.mark.parametrize(("stage", "then"), list(product(NEXT, NEXT)))
    def test_only_what_the_table_says(self, estate, bucket, stage, then):
        order = propose(estate, bucket)
        with estate.database.write() as tx:
            tx.update(orders.orders, {"org": ORG, "order": order.order}, stage=stage)
            if then in NEXT[stage]:
                orders._enter(tx, orders.load(tx, ORG, order.order), then)
                return
            with pytest.raises(StateError):
                orders._enter(tx, orders.load(tx, ORG, order.order), then)

    def test_supervisors_see_what_waits_everywhere(self, estate, bucket):
        order = propose(estate, bucket)
        with estate.database.read() as tx:
            assert orders.listing(tx) == orders.listing(tx, ORG) == [order]
            assert orders.listing(tx, OTHER) == []
