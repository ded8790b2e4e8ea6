"""What buckets promise: made once, with keys and an entry; numbers given out once; dead ones stay shut."""

import threading
from datetime import date, timedelta

import pytest
from holdings import DAY, NOW, ORG, RULES, Rules

from epilock.db import MOST_ROWS
from epilock.errors import ClosedError, ConflictError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.store import bucket as buckets

NAME = "sunny-garden/outbreak-7/residential-entry/2026-03-14"


def entries(tx, world):
    return [entry.decode(e) for e in world.log.entries(tx, 0, 100)]


class TestEnsure:
    def test_it_makes_row_parts_keys_and_entry(self, database, world):
        with database.write() as tx:
            made = world.ensure(tx)
        assert (made.name, made.id) == (NAME, 1)
        assert made.parts == made.live == ("2-IV", "3-II")
        world.keys.leaf(ORG, NAME, "3-II", 0)
        world.keys.tag_key(ORG, "outbreak-7")
        with database.read() as tx:
            assert entries(tx, world) == [
                entry.Bucket(
                    org=ORG, standard=RULES.ref, at="2026-03-14T01:00:00Z", bucket=NAME,
                    authority="jinan", emergency="outbreak-7", circumstance="residential-entry",
                    day="2026-03-14", clock="collection", parts=["2-IV", "3-II"],
                )
            ]  # fmt: skip

    def test_again_it_is_the_same_and_nothing_is_entered(self, database, world):
        with database.write() as tx:
            first = world.ensure(tx)
        with database.write() as tx:
            assert world.ensure(tx) == first
            assert world.log.size(tx) == 1

    def test_seeds_that_a_crash_left_are_used(self, database, world):
        """The key store is told first; what a rolled-back transaction left there is taken up."""
        world.keys.add_bucket(ORG, NAME, ["2-IV", "3-II"])
        leaf = world.keys.leaf(ORG, NAME, "2-IV", 5)
        with database.write() as tx:
            world.ensure(tx)
        assert world.keys.leaf(ORG, NAME, "2-IV", 5) == leaf

    def test_an_event_has_a_bucket_of_its_own(self, database, world):
        with database.write() as tx:
            made = world.ensure(tx, clock="release")
            assert made.name == NAME + "+release"
            assert world.ensure(tx).id != made.id
            assert buckets.load_by_name(tx, ORG, made.name) == made

    def test_a_part_that_a_new_standard_adds_is_added(self, database, world):
        with database.write() as tx:
            world.ensure(tx)
            made = world.ensure(tx, rules=Rules("2-IV", "3-II", "4-I"))
            assert made.live == ("2-IV", "3-II", "4-I")
            assert entries(tx, world)[-1].parts == ["2-IV", "3-II", "4-I"]
            assert world.ensure(tx) == made
        world.keys.leaf(ORG, NAME, "4-I", 0)

    def test_two_emergencies_of_one_code_are_not_served(self, database, world):
        """Their records would share a tag key and a day to die."""
        with database.write() as tx:
            world.ensure(tx)
            with pytest.raises(ConflictError, match="jinan"):
                world.ensure(tx, authority="qingdao")
            with pytest.raises(ConflictError, match="jinan"):
                world.ensure(tx, authority="qingdao", day=date(2026, 3, 15))

    def test_a_clock_that_is_no_code_is_refused(self, database, world):
        with database.write() as tx, pytest.raises(InputError, match="clock"):
            world.ensure(tx, clock="a/b")

    def test_each_organisation_counts_its_own(self, database, world):
        with database.write() as tx:
            assert world.ensure(tx).id == 1
            assert world.ensure(tx, org="school").id == 1
            assert world.ensure(tx, day=date(2026, 3, 15)).id == 2

    def test_an_unknown_bucket_is_an_error(self, database):
        with database.read() as tx:
            for ask in (
                lambda: buckets.load(tx, ORG, 1),
                lambda: buckets.load_by_name(tx, ORG, NAME),
            ):
                with pytest.raises(NotFoundError):
                    ask()


class TestLeases:
    def _take(self, tx, world, bucket, now=NOW):
        return buckets.take_lease(
            tx, world.log, bucket, standard_ref=RULES.ref, holder="writer-1",
            until=buckets.lease_end(bucket, now), now=now,
        )  # fmt: skip

    def test_blocks_are_given_once_in_order_each_with_an_entry(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            assert [self._take(tx, world, bucket) for _ in range(3)] == [0, 1, 2]
            said = entries(tx, world)[1:]
            assert [(e.bucket, e.block, e.until) for e in said] == [
                (NAME, block, "2026-03-14T18:00:00Z") for block in range(3)
            ]
            assert len({e.lease for e in said}) == 3

    def test_a_lease_ends_two_hours_after_its_day_in_china(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
        assert buckets.lease_end(bucket, NOW).isoformat() == "2026-03-15T02:00:00+08:00"
        late = NOW + timedelta(days=9)
        assert buckets.lease_end(bucket, late) == late + timedelta(hours=2)

    def test_what_is_out_is_what_was_not_returned_and_has_not_run_out(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            for _ in range(2):
                self._take(tx, world, bucket)
            buckets.return_lease(tx, bucket, 0, now=NOW)
            buckets.return_lease(tx, bucket, 0, now=NOW)
            out = buckets.open_leases(tx, bucket, now=NOW)
            assert out == [entries(tx, world)[2].lease]
            assert buckets.open_leases(tx, bucket, now=NOW + timedelta(days=1)) == []
            with pytest.raises(NotFoundError):
                buckets.return_lease(tx, bucket, 7, now=NOW)

    def test_a_closed_bucket_gives_none(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            buckets.retire_parts(tx, bucket, ["2-IV", "3-II"], buckets.DYING, now=NOW)
            with pytest.raises(ClosedError, match="closed"):
                self._take(tx, world, bucket)


class TestStates:
    ORDER = (buckets.LIVE, buckets.DYING, buckets.DESTROYED, buckets.PURGED)

    def test_a_part_goes_one_way_step_by_step(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            for at, here in enumerate(self.ORDER):
                for to in self.ORDER:
                    if self.ORDER.index(to) in {at, at + 1}:
                        continue
                    with pytest.raises(StateError, match=here):
                        buckets.retire_parts(tx, bucket, ["2-IV"], to, now=NOW)
                for to in self.ORDER[at : at + 2]:  # the same again is harmless
                    buckets.retire_parts(tx, bucket, ["2-IV"], to, now=NOW)
            assert buckets.part_states(tx, ORG, bucket.id) == {"2-IV": "purged", "3-II": "live"}

    def test_a_part_that_is_not_there_is_an_error(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            with pytest.raises(StateError, match="no part 4-I"):
                buckets.retire_parts(tx, bucket, ["4-I"], buckets.DYING, now=NOW)

    def test_a_bucket_stays_open_while_a_part_lives(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            buckets.retire_parts(tx, bucket, ["3-II"], buckets.DYING, now=NOW)
            assert world.ensure(tx).live == ("2-IV",)
            buckets.retire_parts(tx, bucket, ["2-IV"], buckets.DYING, now=NOW)
            with pytest.raises(ClosedError, match="closed"):
                world.ensure(tx)

    def test_names_of_many_are_found_together(self, database):
        many = range(1, MOST_ROWS + 3)
        with database.write() as tx:
            tx.bulk(
                buckets.buckets,
                [
                    (ORG, n, f"{ORG}/{n}", "city", "outbreak-7", "school", "2026-03-14", "collection", 0, 0)
                    for n in many
                ],
            )  # fmt: skip
            assert buckets.names(tx, ORG, many) == {n: f"{ORG}/{n}" for n in many}
            assert buckets.names(tx, ORG, []) == {}
            with pytest.raises(NotFoundError):
                buckets.names(tx, ORG, [1, MOST_ROWS + 9])
            with pytest.raises(NotFoundError):
                buckets.names(tx, "school", [1])

    def test_the_listing_is_by_state_and_day(self, database, world):
        with database.write() as tx:
            late = world.ensure(tx, day=DAY + timedelta(days=1))
            early, other = world.ensure(tx), world.ensure(tx, org="school")
            buckets.retire_parts(tx, late, ["2-IV", "3-II"], buckets.DYING, now=NOW)
            assert buckets.listing(tx) == [other, early]
            assert buckets.listing(tx, ORG) == [early]
            assert [b.name for b in buckets.listing(tx, states=["dying"])] == [late.name]
            assert [b.id for b in buckets.of_emergency(tx, ORG, "outbreak-7")] == [
                late.id,
                early.id,
            ]


def test_two_who_take_leases_never_wait_for_each_other(database, world):
    """One of them has appended already and holds the log's head; the other must not hold the bucket."""
    with database.write() as tx:
        bucket = world.ensure(tx)
    other = threading.Thread(target=lambda: take(database, world, bucket))
    with database.write() as tx:
        world.log.append(tx, [], now=NOW)
        other.start()
        other.join(timeout=0.3)
        assert other.is_alive()
        blocks = {take_in(tx, world, bucket)}
    other.join(timeout=30)
    with database.read() as tx:
        blocks |= {row["block"] for row in tx.all(buckets.leases)}
    assert blocks == {0, 1}


def take(database, world, bucket):
    with database.write() as tx:
        take_in(tx, world, bucket)


def take_in(tx, world, bucket):
    return buckets.take_lease(
        tx, world.log, bucket, standard_ref=RULES.ref, holder="w",
        until=buckets.lease_end(bucket, NOW), now=NOW,
    )  # fmt: skip
