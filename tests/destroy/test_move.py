"""What an event promises: the record goes on in the bucket of its day, once, and nothing of it stays behind."""

from datetime import date, timedelta
from threading import Thread

import msgspec
import pytest
from estate import (
    CLINIC,
    DAY,
    DELIVERY,
    GATE,
    ORG,
    VACCINE,
    Crash,
    Crashing,
    handle,
    midnight_after,
    noon,
)

from epilock.destroy import erasure
from epilock.destroy.move import Mover
from epilock.errors import (
    ClosedError,
    ErasedError,
    InputError,
    NotDueError,
    NotFoundError,
    RefusedError,
    StateError,
)
from epilock.ledger import entry
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import DESTROYED, LIVE

DELIVERED = DAY + timedelta(days=6)
NOW = noon(DELIVERED)


@pytest.fixture
def mover(estate):
    return Mover(estate.log, estate.keys, estate.standard)


@pytest.fixture
def bucket(estate):
    return estate.bucket(3, circumstance=DELIVERY)


def start(estate, mover, bucket, n=1, *, event="delivery", day=DELIVERED, now=NOW):
    with estate.database.write() as tx:
        return mover.start_clock(tx, bucket=bucket, n=n, event=event, day=day, now=now)


def start_and_crash(estate, mover, bucket, n):
    """The machine goes before the transaction commits."""
    with estate.database.write() as tx:
        mover.start_clock(tx, bucket=bucket, n=n, event="delivery", day=DELIVERED, now=NOW)
        raise Crash


def where(estate, bucket, n=1):
    """Bucket and number to which the receipt of record ``n`` leads."""
    with estate.database.read() as tx:
        return vault.find_receipt(tx, bucket.org, handle(bucket, n))


class TestStartClock:
    def test_the_receipt_leads_to_the_bucket_of_the_events_day(self, estate, mover, bucket):
        start(estate, mover, bucket)
        target, n = where(estate, bucket)
        assert target.name == f"{ORG}/outbreak-7/{DELIVERY}/{DELIVERED}+delivery"
        assert (target.clock, target.day) == ("delivery", DELIVERED)
        assert estate.open(target, n) == estate.plain(bucket, 1)

    def test_it_keeps_notice_acts_age_and_time(self, estate, mover, bucket):
        before = estate.record(bucket, 1)
        start(estate, mover, bucket)
        target, n = where(estate, bucket)
        after = estate.record(target, n)
        for name in (
            "point",
            "handle",
            "notice",
            "parts",
            "language",
            "given",
            "minor",
            "at",
            "digest",
        ):
            assert getattr(after, name) == getattr(before, name), name

    def test_nothing_stays_behind(self, estate, mover, bucket):
        start(estate, mover, bucket)
        assert estate.record(bucket, 1).state == "moved"
        (done,) = estate.complete(NOW)
        assert done.kind == "erase"
        for part in bucket.parts:
            with pytest.raises(ErasedError):
                estate.keys.leaf(ORG, bucket.name, part, 1)
        assert estate.open(bucket, 0) == estate.plain(bucket, 0)

    def test_the_log_says_where_it_went(self, estate, mover, bucket):
        intent = start(estate, mover, bucket)
        estate.complete(NOW)
        target, n = where(estate, bucket)
        (said,), (why,) = estate.said(entry.Event), estate.said(entry.Erasure)
        assert (said.bucket, said.n) == (why.bucket, why.n) == (bucket.name, 1)
        assert (said.to_bucket, said.to_n, said.day) == (target.name, n, DELIVERED.isoformat())
        assert (why.reason, why.erasure) == ("event", intent.intent)
        assert estate.record(target, n).entry_index == intent.cause
        assert estate.findings(NOW + timedelta(days=2)) == []

    def test_the_person_is_found_there(self, estate, mover, bucket):
        start(estate, mover, bucket)
        target, n = where(estate, bucket)
        with estate.database.read() as tx:
            found = tags.find(
                tx, estate.keys, ORG, bucket.emergency, "contact.mobile", "13800000001"
            )
        assert found == [(target.id, n, "subject")]

    def test_each_dies_on_its_own_day_and_the_counts_add_up(self, estate, mover, bucket):
        """Two stay under the ceiling of 180 days; one is due seven days after its delivery."""
        start(estate, mover, bucket)
        target, _ = where(estate, bucket)
        due = midnight_after(DELIVERED + timedelta(days=7))
        estate.run(due - timedelta(seconds=1))
        assert set(estate.states(target).values()) == {LIVE}
        estate.run(due)
        assert set(estate.states(target).values()) == {DESTROYED}
        assert set(estate.states(bucket).values()) == {LIVE}
        assert estate.findings(due) == []
        ceiling = midnight_after(DAY + timedelta(days=180))
        estate.run(ceiling)
        last, first = sorted(estate.said(entry.Certificate), key=lambda c: c.collected)
        assert (first.bucket, first.collected, first.erased, first.destroyed) == (
            bucket.name,
            3,
            1,
            2,
        )
        assert (last.bucket, last.collected, last.erased, last.destroyed) == (target.name, 1, 0, 1)
        assert estate.findings(ceiling) == []

    def test_what_was_erased_before_does_not_come_along(self, estate, mover, bucket):
        part = bucket.parts[0]
        with estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=1, parts=[part],
                reason="withdrawal", now=NOW,
            )  # fmt: skip
        with pytest.raises(StateError, match="being erased"):
            start(estate, mover, bucket)
        estate.complete(NOW)
        start(estate, mover, bucket)
        estate.complete(NOW)
        target, n = where(estate, bucket)
        assert estate.record(target, n).parts == tuple(p for p in bucket.parts if p != part)
        due = midnight_after(DELIVERED + timedelta(days=7))
        estate.run(due)
        assert estate.findings(due) == []

    def test_what_stepped_down_before_does_not_come_along(self, estate, mover):
        bucket = estate.bucket(2, circumstance=CLINIC)
        estate.level("III", noon(DAY))
        now = midnight_after(DAY + timedelta(days=7))
        estate.run(now)
        live = estate.load(bucket).live
        start(estate, mover, bucket, event="release", day=now.date(), now=now)
        estate.complete(now)
        target, n = where(estate, bucket)
        assert estate.record(target, n).parts == live
        later = now + timedelta(days=40)
        estate.run(later)
        assert {estate.states(target)[p] for p in live} == {DESTROYED}
        assert estate.findings(later) == []

    def test_an_expiry_may_lie_in_the_future(self, estate, mover):
        bucket = estate.bucket(1, circumstance=VACCINE)
        day = date(2028, 6, 30)
        start(estate, mover, bucket, 0, event="vaccine-expiry", day=day)
        target, _ = where(estate, bucket, 0)
        assert target.day == day
        estate.complete(NOW)
        assert estate.findings(NOW + timedelta(days=2)) == []


class TestRefused:
    def test_twice(self, estate, mover, bucket):
        start(estate, mover, bucket)
        with pytest.raises(StateError, match="moved"):
            start(estate, mover, bucket)
        target, n = where(estate, bucket)
        with pytest.raises(StateError, match="runs since its delivery"):
            start(estate, mover, target, n)

    @pytest.mark.parametrize("event", ["release", "collection", "vaccine-expiry", "nothing"])
    def test_an_event_that_does_not_start_this_clock(self, estate, mover, bucket, event):
        with pytest.raises(InputError, match="delivery"):
            start(estate, mover, bucket, event=event)

    def test_where_no_event_starts_a_clock(self, estate, mover):
        with pytest.raises(InputError, match="none"):
            start(estate, mover, estate.bucket(circumstance=GATE))

    @pytest.mark.parametrize("day", [DAY - timedelta(days=1), DELIVERED + timedelta(days=1)])
    def test_a_day_before_the_collection_or_after_today(self, estate, mover, bucket, day):
        with pytest.raises(InputError, match="day"):
            start(estate, mover, bucket, day=day)

    def test_what_is_due_under_the_ceiling_is_not_saved_by_an_event(self, estate, mover, bucket):
        late = midnight_after(DAY + timedelta(days=180))
        with pytest.raises(NotDueError, match="no event makes it stay"):
            start(estate, mover, bucket, day=DELIVERED, now=late)

    def test_what_is_being_destroyed(self, estate, mover, bucket):
        late = midnight_after(DAY + timedelta(days=180))
        with pytest.raises(Crash):
            estate.run(late, Crashing("keys"))
        with pytest.raises(StateError, match="being erased or destroyed"):
            start(estate, mover, bucket, now=late)

    def test_what_is_gone(self, estate, mover, bucket):
        with estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=1,
                reason="withdrawal", now=NOW,
            )  # fmt: skip
        estate.complete(NOW)
        with pytest.raises(StateError, match="erased"):
            start(estate, mover, bucket)

    def test_nobody(self, estate, mover, bucket):
        with pytest.raises(NotFoundError):
            start(estate, mover, bucket, 99)


class TestCrash:
    @pytest.mark.parametrize(
        "step", ["keys", "keys done", "certify", "certify commit", "certify done"]
    )
    def test_the_record_is_in_one_place_whatever_happens(self, estate, mover, bucket, step):
        start(estate, mover, bucket)
        with pytest.raises(Crash):
            estate.run(NOW, Crashing(step))
        target, n = where(estate, bucket)
        assert estate.open(target, n) == estate.plain(bucket, 1)
        estate.run(NOW)
        assert len(estate.said(entry.Erased)) == 1
        with pytest.raises(ErasedError):
            estate.keys.leaf(ORG, bucket.name, bucket.parts[0], 1)
        assert estate.open(target, n) == estate.plain(bucket, 1)
        assert estate.findings(NOW + timedelta(days=2)) == []

    def test_what_was_rolled_back_never_happened(self, estate, mover, bucket):
        """Neither a record in two places, nor a number sealed twice, nor a lease that nobody gave."""
        with pytest.raises(Crash):
            start_and_crash(estate, mover, bucket, 1)
        assert where(estate, bucket)[1] == 1
        assert estate.open(bucket, 1) == estate.plain(bucket, 1)
        start(estate, mover, bucket)
        leases = [e for e in estate.said(entry.Lease) if e.bucket.endswith("+delivery")]
        assert len(leases) == 1  # not the one that was rolled back: another of the same block
        with pytest.raises(Crash):
            start_and_crash(estate, mover, bucket, 0)
        start(estate, mover, bucket, 0)
        assert [where(estate, bucket, n)[1] for n in (1, 0)] == [0, 2]  # number 1 is dead
        estate.complete(NOW)
        assert estate.findings(NOW + timedelta(days=2)) == []


class TestLeases:
    def of_events(self, estate):
        return [e for e in estate.said(entry.Lease) if "+" in e.bucket]

    def test_many_events_of_one_day_share_a_lease(self, estate, mover, bucket):
        for n in range(3):
            start(estate, mover, bucket, n)
        assert len(self.of_events(estate)) == 1
        assert [where(estate, bucket, n)[1] for n in range(3)] == [0, 1, 2]

    def test_each_thread_has_its_own(self, estate, mover, bucket):
        start(estate, mover, bucket, 0)
        other = Thread(target=start, args=(estate, mover, bucket, 1))
        other.start()
        other.join()
        start(estate, mover, bucket, 2)
        assert [e.block for e in self.of_events(estate)] == [0, 1]
        assert [where(estate, bucket, n)[1] for n in range(3)] == [0, 4096, 1]

    def test_a_lease_ends_and_another_is_taken(self, estate, mover, bucket):
        start(estate, mover, bucket, 0)
        start(estate, mover, bucket, 1, now=NOW + timedelta(hours=13))
        assert [e.block for e in self.of_events(estate)] == [0, 1]

    def test_given_back_at_the_end(self, estate, mover, bucket):
        start(estate, mover, bucket)
        target, _ = where(estate, bucket)
        with estate.database.write() as tx:
            assert buckets.open_leases(tx, target, now=NOW)
            mover.give_back(tx, now=NOW)
            assert not buckets.open_leases(tx, target, now=NOW)
        start(estate, mover, bucket, 0)
        assert [e.block for e in self.of_events(estate)] == [0, 1]


class TestCorrect:
    def fix(self, estate, mover, bucket, n=1, *, to=7, now=NOW):
        with estate.database.write() as tx:
            return mover.correct(
                tx, bucket=bucket, n=n, parts=estate.plain(bucket, to), given=1, minor=0, now=now
            )

    def fix_and_crash(self, estate, mover, bucket):
        with estate.database.write() as tx:
            mover.correct(
                tx, bucket=bucket, n=0, parts=estate.plain(bucket, 7), given=1, minor=0, now=NOW
            )
            raise Crash

    def test_the_new_record_takes_the_old_ones_place(self, estate, mover):
        bucket = estate.bucket(2)
        before = estate.record(bucket, 1)
        intent = self.fix(estate, mover, bucket)
        target, n = where(estate, bucket)
        assert (target, n) == (estate.load(bucket), 4096)  # in its own bucket, so its clock runs on
        assert estate.open(target, n) == estate.plain(bucket, 7)
        after = estate.record(target, n)
        for name in ("point", "handle", "notice", "parts", "language", "given", "at"):
            assert getattr(after, name) == getattr(before, name), name
        estate.complete(NOW)
        (said,), (why,) = estate.said(entry.Correct), estate.said(entry.Erasure)
        assert (said.n, said.by_n, said.by_bucket) == (1, n, bucket.name)
        assert (why.n, why.reason, why.erasure) == (1, "correction", intent.intent)
        with pytest.raises(ErasedError):
            estate.keys.leaf(ORG, bucket.name, bucket.parts[0], 1)
        assert estate.findings(NOW + timedelta(days=2)) == []

    def test_of_the_old_one_no_fingerprint_stays(self, estate, mover):
        bucket = estate.bucket(2)
        before = estate.record(bucket, 1)
        self.fix(estate, mover, bucket)
        assert before.digest
        assert estate.record(bucket, 1).digest is None
        assert estate.record(*where(estate, bucket)).digest == b""
        with estate.database.read() as tx:
            found = [
                tags.find(
                    tx, estate.keys, ORG, bucket.emergency, "contact.mobile", f"1380000000{n}"
                )
                for n in (1, 7)
            ]
        assert found == [[], [(bucket.id, 4096, "subject")]]

    def test_a_record_whose_clock_runs_stays_under_that_clock(self, estate, mover, bucket):
        """Neither back under the ceiling, nor from the day of the correction on."""
        start(estate, mover, bucket)
        estate.complete(NOW)
        target, n = where(estate, bucket)
        with estate.database.write() as tx:
            mover.correct(
                tx, bucket=target, n=n, parts=estate.plain(target, 7), given=1, minor=0,
                now=NOW + timedelta(days=6),
            )  # fmt: skip
        assert where(estate, bucket)[0] == target
        due = midnight_after(DELIVERED + timedelta(days=7))
        estate.run(due)
        assert set(estate.states(target).values()) == {DESTROYED}
        assert estate.findings(due) == []

    def test_it_holds_up_no_certificate(self, estate, mover):
        """Corrected two hours before its day, it is certified on its day."""
        bucket = estate.bucket(2)
        due = midnight_after(DAY + timedelta(days=28))
        self.fix(estate, mover, bucket, now=due - timedelta(hours=2))
        estate.run(due)
        (said,) = estate.said(entry.Certificate)
        assert said.complete
        assert (said.collected, said.erased, said.destroyed) == (3, 1, 2)
        assert estate.findings(due) == []

    def test_nothing_happens_where_nothing_differs(self, estate, mover):
        bucket = estate.bucket(2)
        assert self.fix(estate, mover, bucket, to=1) is None
        assert where(estate, bucket) == (estate.load(bucket), 1)
        assert estate.said(entry.Correct) == estate.said(entry.Erasure) == []
        with estate.database.write() as tx:
            younger = mover.correct(
                tx, bucket=bucket, n=1, parts=estate.plain(bucket, 1), given=1, minor=2, now=NOW
            )
        assert younger is not None
        assert estate.record(*where(estate, bucket)).minor == 2

    def test_what_was_rolled_back_takes_its_lease_back(self, estate, mover):
        """Else numbers of a block that nobody leased are sealed, and again by whoever leases it."""
        bucket = estate.bucket(2)
        with pytest.raises(Crash):
            self.fix_and_crash(estate, mover, bucket)
        assert estate.open(bucket, 0) == estate.plain(bucket, 0)
        self.fix(estate, mover, bucket)
        assert [e.block for e in estate.said(entry.Lease) if e.bucket == bucket.name] == [0, 1]
        estate.complete(NOW)
        assert estate.findings(NOW + timedelta(days=2)) == []

    def test_not_twice(self, estate, mover):
        bucket = estate.bucket(2)
        self.fix(estate, mover, bucket)
        with pytest.raises(StateError, match="moved"):
            self.fix(estate, mover, bucket, to=8)
        assert len(estate.said(entry.Correct)) == 1

    def test_nothing_is_added_that_may_no_longer_be_asked(self, estate, mover):
        """What was given before may be corrected as long as it is there (PIPL 46)."""
        bucket = estate.bucket(2)
        estate.level("N", noon(DAY))
        self.fix(estate, mover, bucket)
        place = where(estate, bucket)
        fuller = estate.plain(bucket, 8)
        part, said = next(iter(fuller.items()))
        more = msgspec.json.decode(said) | {"biometric.face": {"f": "x"}}
        with pytest.raises(RefusedError, match=r"biometric\.face"), estate.database.write() as tx:
            mover.correct(
                tx, bucket=bucket, n=place[1], given=1, minor=0, now=NOW,
                parts={**fuller, part: msgspec.json.encode(more)},
            )  # fmt: skip
        assert where(estate, bucket) == place

    def test_nothing_corrects_what_is_destroyed(self, estate, mover):
        bucket = estate.bucket(2)
        parts = estate.plain(bucket, 7)
        due = midnight_after(DAY + timedelta(days=28))
        estate.run(due)
        with pytest.raises((ErasedError, StateError)), estate.database.write() as tx:
            mover.correct(tx, bucket=bucket, n=1, parts=parts, given=1, minor=0, now=due)

    def test_no_part_is_added_whose_day_has_come(self, estate, mover):
        bucket = estate.bucket(2, circumstance=CLINIC)
        everything = estate.plain(bucket, 7)
        estate.level("III", noon(DAY))
        now = midnight_after(DAY + timedelta(days=7))
        estate.run(now)
        with pytest.raises(ClosedError, match="it takes no more"), estate.database.write() as tx:
            mover.correct(tx, bucket=bucket, n=1, parts=everything, given=1, minor=0, now=now)
        assert estate.said(entry.Correct) == []
