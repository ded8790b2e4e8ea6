"""What a run promises: on its day a part is gone, with one certificate, whatever crashes on the way."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from estate import (
    CITY,
    CLINIC,
    DAY,
    EMERGENCY,
    GATE,
    ORG,
    OTHER,
    VACCINE,
    Crash,
    Crashing,
    midnight_after,
    noon,
)

from epilock.db import metadata
from epilock.destroy import erasure, run
from epilock.destroy import intent as intents
from epilock.errors import ClosedError, ErasedError, TamperedError
from epilock.ledger import entry
from epilock.store import bucket as buckets
from epilock.store.bucket import DESTROYED, DYING, LIVE, PURGED
from epilock.store.keys import KeyStore

LAST = date(2026, 4, 11)  # 28 days after 14 March, at level I
DUE = midnight_after(LAST)
STEPS = ["announce", "announce commit", "announce done", "keys", "keys done", "certify"]
STEPS += ["certify commit", "certify done"]
IN_KEY_STORE = ["next", "next done", "commit", "commit done", "keep", "keep done"]


def certificates(estate):
    return estate.said(entry.Certificate)


def is_gone(estate, bucket, part):
    try:
        estate.keys.leaf(bucket.org, bucket.name, part, 0)
    except ErasedError:
        return True
    return False


class TestOnItsDay:
    def test_not_a_second_before(self, estate):
        """One second early is early; nothing is written."""
        bucket = estate.bucket()
        size = len(estate.said())
        assert estate.run(DUE - timedelta(seconds=1)) == []
        assert (len(estate.said()), set(estate.states(bucket).values())) == (size, {LIVE})

    def test_its_keys_are_gone_and_certified(self, estate):
        bucket = estate.bucket(3)
        done = estate.run(DUE)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert all(is_gone(estate, bucket, part) for part in bucket.parts)
        (said,) = certificates(estate)
        assert said.destruction == done[0].intent
        assert (said.bucket, said.parts) == (bucket.name, list(bucket.parts))
        assert (said.first, said.last) == (0, 2)
        assert (said.collected, said.erased, said.destroyed) == (3, 0, 3)
        assert (said.complete, said.leases) == (True, [])
        assert estate.findings(DUE) == []

    def test_it_was_announced_with_rule_and_day(self, estate):
        bucket = estate.bucket()
        estate.run(DUE + timedelta(hours=5))
        (said,) = estate.said(entry.Destroy)
        assert (said.bucket, said.due) == (bucket.name, "2026-04-11T16:00:00Z")
        assert said.rule.startswith(f"retain/{GATE}/")

    def test_nothing_opens_and_nothing_comes_in_any_more(self, estate):
        bucket = estate.bucket()
        estate.run(DUE)
        with pytest.raises(ErasedError):
            estate.open(bucket, 0)
        with pytest.raises(ClosedError):
            estate.bucket()

    def test_an_empty_bucket_is_certified_too(self, estate):
        bucket = estate.bucket(0)
        estate.run(DUE)
        (said,) = certificates(estate)
        assert (said.bucket, said.collected, said.destroyed) == (bucket.name, 0, 0)
        assert estate.findings(DUE) == []

    def test_erased_records_are_counted_apart(self, estate):
        bucket = estate.bucket(4)
        with estate.database.write() as tx:
            for n in (0, 2):
                erasure.erase(
                    tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=n,
                    reason="withdrawal", now=noon(DAY),
                )  # fmt: skip
        estate.run(DUE)
        (said,) = certificates(estate)
        assert (said.collected, said.erased, said.destroyed) == (4, 2, 2)
        assert estate.findings(DUE) == []

    def test_many_buckets_share_one_rotation(self, estate):
        for day in range(1, 6):
            estate.bucket(1, day=date(2026, 3, day))
        epoch = estate.keys.destroy(ORG)
        estate.run(DUE)
        assert len(certificates(estate)) == 5
        assert estate.keys.destroy(ORG) == epoch + 1

    def test_more_than_one_transaction_holds(self, estate):
        """However many are due, submissions never wait for all of them."""
        estate.tools = replace(estate.tools, batch=2)
        for day in range(1, 6):
            estate.bucket(1, day=date(2026, 3, day))
        assert len(estate.run(DUE)) == 5
        assert len(certificates(estate)) == 5
        assert estate.findings(DUE) == []

    def test_each_organisation_alone_or_all(self, estate):
        mine, theirs = estate.bucket(), estate.bucket(org=OTHER)
        estate.run(DUE, org=OTHER)
        assert set(estate.states(mine).values()) == {LIVE}
        assert set(estate.states(theirs).values()) == {DESTROYED}
        estate.run(DUE)
        assert set(estate.states(mine).values()) == {DESTROYED}
        assert len(certificates(estate)) == 2

    def test_a_second_run_finds_nothing_to_do(self, estate):
        estate.bucket()
        estate.run(DUE)
        size = len(estate.said())
        assert estate.run(DUE + timedelta(days=1)) == []
        assert len(estate.said()) == size


class TestStepDown:
    def test_a_lower_level_takes_its_parts_alone(self, estate):
        bucket = estate.bucket(2)
        estate.level("III", noon(DAY))
        down = midnight_after(DAY + timedelta(days=7))
        estate.run(down - timedelta(seconds=1))
        assert certificates(estate) == []
        estate.run(down)
        gone = {p for p, state in estate.states(bucket).items() if state == DESTROYED}
        assert gone == {p for p in bucket.parts if p.split("-")[1] in {"II", "I"}}
        assert set(estate.open(bucket, 0)) == set(bucket.parts) - gone
        assert estate.findings(down) == []
        estate.run(DUE)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert estate.findings(DUE) == []

    def test_a_rise_before_that_stops_it(self, estate):
        bucket = estate.bucket()
        estate.level("III", noon(DAY))
        estate.level("I", noon(DAY) + timedelta(days=6))
        estate.run(midnight_after(DAY + timedelta(days=8)))
        assert set(estate.states(bucket).values()) == {LIVE}


class TestEnd:
    def test_thirty_days_after_the_end_all_is_gone_but_what_a_law_keeps(self, estate):
        clinic, vaccine = estate.bucket(circumstance=CLINIC), estate.bucket(circumstance=VACCINE)
        estate.level("E", noon(DAY))
        end = midnight_after(DAY + timedelta(days=29))
        estate.run(end)
        assert set(estate.states(clinic).values()) == {DESTROYED}
        assert set(estate.states(vaccine).values()) == {LIVE}
        assert estate.findings(end) == []

    def test_with_the_last_bucket_the_tag_key_goes(self, estate):
        estate.bucket(circumstance=CLINIC)
        estate.run(DUE)
        estate.keys.tag_key(ORG, EMERGENCY)  # still there: the emergency goes on
        estate.level("E", DUE)
        estate.run(DUE + timedelta(days=31))
        with pytest.raises(ErasedError):
            estate.keys.tag_key(ORG, EMERGENCY)

    def test_it_goes_too_if_the_last_bucket_died_before_the_end(self, estate):
        estate.bucket()
        estate.run(DUE)
        estate.level("E", DUE)
        estate.run(DUE)
        with pytest.raises(ErasedError):
            estate.keys.tag_key(ORG, EMERGENCY)

    def test_another_organisation_keeps_its_own(self, estate):
        estate.bucket()
        estate.bucket(org=OTHER, circumstance=VACCINE)
        estate.run(DUE)
        estate.level("E", DUE)
        estate.run(DUE)
        estate.keys.tag_key(OTHER, EMERGENCY)

    @pytest.mark.parametrize("step", ["tags", "tags commit", "tags done"])
    def test_a_crash_leaves_it_to_the_next_run(self, estate, step):
        estate.bucket()
        estate.run(DUE)
        estate.level("E", DUE)
        with pytest.raises(Crash):
            estate.run(DUE, Crashing(step))
        estate.run(DUE)
        with pytest.raises(ErasedError):
            estate.keys.tag_key(ORG, EMERGENCY)


class TestCrash:
    """At each step, before and after its effect: then the run again, and one certificate."""

    @pytest.mark.parametrize("step", STEPS)
    def test_between_the_two_stores(self, estate, step):
        bucket = estate.bucket(3)
        with pytest.raises(Crash):
            estate.run(DUE, Crashing(step))
        for said in certificates(estate):  # nothing is certified that was not done
            assert all(is_gone(estate, bucket, part) for part in said.parts)
        if any(is_gone(estate, bucket, part) for part in bucket.parts):  # nor done unannounced
            assert len(estate.said(entry.Destroy)) == 1
        later = DUE + timedelta(minutes=1)
        estate.run(later)
        assert len(certificates(estate)) == len(estate.said(entry.Destroy)) == 1
        assert all(is_gone(estate, bucket, part) for part in bucket.parts)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert estate.findings(later) == []
        size = len(estate.said())
        estate.run(later)
        assert len(estate.said()) == size

    @pytest.mark.parametrize("step", IN_KEY_STORE)
    def test_inside_the_key_store(self, estate, step, tmp_path):
        bucket = estate.bucket(3)
        broken = KeyStore(
            estate.keys.database, estate.keys._root, tmp_path / "slots", step=Crashing(step)
        )
        with pytest.raises(Crash):
            run.run(replace(estate.tools, keys=broken), now=DUE)
        assert certificates(estate) == []
        estate.run(DUE)
        assert len(certificates(estate)) == 1
        assert all(is_gone(estate, bucket, part) for part in bucket.parts)
        assert estate.findings(DUE) == []

    @pytest.mark.parametrize("step", ["announce done", "keys", "keys done", "certify commit"])
    def test_what_was_announced_takes_no_records_and_opens_no_more(self, estate, step):
        bucket = estate.bucket()
        with pytest.raises(Crash):
            estate.run(DUE, Crashing(step))
        assert set(estate.states(bucket).values()) == {DYING}
        with pytest.raises(ErasedError):
            estate.open(bucket, 0)
        with pytest.raises(ClosedError):
            estate.bucket()

    @pytest.mark.parametrize("step", STEPS[3:])
    def test_of_one_records_erasure(self, estate, step):
        bucket = estate.bucket(2)
        with estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=1,
                reason="withdrawal", now=noon(DAY),
            )  # fmt: skip
        with pytest.raises(Crash):
            estate.run(noon(DAY), Crashing(step))
        if estate.said(entry.Erased):
            with pytest.raises(ErasedError):
                estate.keys.leaf(ORG, bucket.name, bucket.parts[0], 1)
        estate.run(noon(DAY))
        assert len(estate.said(entry.Erased)) == 1
        with pytest.raises(ErasedError):
            estate.open(bucket, 1)
        assert estate.open(bucket, 0) == estate.plain(bucket, 0)
        assert estate.findings(noon(DAY)) == []

    def test_the_steps_are_those_that_are_tested(self, estate):
        """A step that is added must be crashed at too."""
        estate.bucket()
        step = Crashing()
        estate.run(DUE, step)
        assert step.seen == STEPS


class TestTwoRuns:
    @pytest.mark.parametrize("when", ["keys", "keys done", "certify"])
    def test_a_second_run_in_the_middle_of_the_first(self, estate, when):
        """Another process is quicker: one certificate all the same."""
        estate.bucket()

        def meanwhile(step):
            if step == when:
                estate.run(DUE)

        run.run(replace(estate.tools, step=meanwhile), now=DUE)
        assert len(certificates(estate)) == 1
        assert estate.findings(DUE) == []


class TestLeases:
    def test_a_lease_still_out_leaves_the_certificate_incomplete(self, estate):
        """Somebody's laptop may still hold a key: the certificate says so until it does not."""
        bucket = estate.bucket(2, lease_until=DUE + timedelta(days=5))
        (open_,) = estate.run(DUE)
        assert open_.done is None
        (first,) = certificates(estate)
        assert (first.complete, len(first.leases)) == (False, 1)
        assert set(estate.states(bucket).values()) == {DESTROYED}
        assert [k for k, _ in estate.findings(DUE)] == ["certificate-incomplete"] * len(
            bucket.parts
        )
        estate.run(DUE + timedelta(days=1))
        assert len(certificates(estate)) == 1
        later = DUE + timedelta(days=5)
        estate.run(later)
        _, last = certificates(estate)
        assert (last.destruction, last.complete, last.leases) == (first.destruction, True, [])
        assert estate.findings(later) == []

    def test_it_is_complete_when_the_lease_is_returned_also_after_the_purge(self, estate):
        bucket = estate.bucket(2, lease_until=DUE + timedelta(days=5))
        estate.run(DUE)
        run.purge(estate.tools, now=DUE)
        assert set(estate.states(bucket).values()) == {PURGED}
        with estate.database.write() as tx:
            buckets.return_lease(tx, bucket, 0, now=DUE)
        estate.run(DUE)
        assert [c.complete for c in certificates(estate)] == [False, True]
        assert certificates(estate)[1].destroyed == 2
        assert estate.findings(DUE) == []


class TestTrouble:
    def test_an_altered_row_stops_its_organisation_and_no_other(self, estate):
        estate.bucket()
        theirs = estate.bucket(org=OTHER)
        with estate.database.write() as tx:
            tx.conn.execute(
                sa.update(buckets.buckets).where(buckets.buckets.c.org == ORG).values(clock="x")
            )
        with pytest.raises(TamperedError, match="buckets"):
            estate.run(DUE)
        assert set(estate.states(theirs).values()) == {DESTROYED}

    def test_an_altered_record_stops_its_erasure_and_no_other(self, estate):
        """It stays announced, and is named each time."""
        bucket = estate.bucket(3)
        with estate.database.write() as tx:
            for n in (0, 1):
                erasure.erase(
                    tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=n,
                    reason="withdrawal", now=noon(DAY),
                )  # fmt: skip
            records = metadata.tables["records"]
            tx.conn.execute(sa.update(records).where(records.c.n == 0).values(minor=2))
        for _ in range(2):
            with pytest.raises(TamperedError, match="n=0"):
                estate.run(noon(DAY))
        assert [e.n for e in estate.said(entry.Erased)] == [1]
        with pytest.raises(ErasedError):  # its key is gone all the same
            estate.keys.leaf(ORG, bucket.name, bucket.parts[0], 0)
        with estate.database.read() as tx:
            assert [i.n for i in intents.open_intents(tx, ORG)] == [0]

    def test_a_damaged_living_key_stops_the_destruction_of_its_organisation(self, estate):
        """Rewrapping would make the damage look whole: nothing is destroyed or certified before."""
        estate.bucket(day=DAY)
        estate.bucket(day=DAY + timedelta(days=3))
        with estate.keys.database.write() as tx:
            tx.conn.execute(
                sa.text("UPDATE part_keys SET seeds = seeds + 1 WHERE bucket LIKE '%2026-03-17'")
            )
        with pytest.raises(TamperedError):
            estate.run(DUE)
        assert certificates(estate) == []


class TestPurge:
    def test_dead_rows_go_and_living_ones_stay(self, estate):
        dead, alive = estate.bucket(3), estate.bucket(3, day=DAY + timedelta(days=5))
        estate.run(DUE)
        before = estate.open(alive, 1)
        gone = run.purge(estate.tools, now=DUE)
        assert gone > 0
        assert set(estate.states(dead).values()) == {PURGED}
        assert estate.record(dead, 1).state == "destroyed"
        with estate.database.read() as tx:
            for name in ("parts", "tags"):
                table = metadata.tables[name]
                left = sa.select(table.c.bucket).distinct()
                assert tx.conn.execute(left).scalars().all() == [alive.id]
        assert estate.open(alive, 1) == before
        assert run.purge(estate.tools, now=DUE) == 0

    def test_it_goes_on_where_it_was_stopped(self, estate):
        bucket = estate.bucket(3)
        estate.run(DUE)
        run.purge(estate.tools, now=DUE, slices=1)
        run.purge(estate.tools, now=DUE)
        assert set(estate.states(bucket).values()) == {PURGED}

    def test_each_organisation_alone(self, estate):
        mine, theirs = estate.bucket(1), estate.bucket(1, org=OTHER)
        estate.run(DUE)
        run.purge(estate.tools, now=DUE, org=ORG)
        assert set(estate.states(mine).values()) == {PURGED}
        assert set(estate.states(theirs).values()) == {DESTROYED}


def test_the_city_itself_has_nothing_to_destroy(estate):
    assert estate.run(DUE, org=CITY) == []
