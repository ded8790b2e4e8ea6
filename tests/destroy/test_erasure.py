"""What an erasure promises: one record goes at once and for ever; what a law or a hold keeps stays."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from estate import DAY, DELIVERY, ORG, OTHER, VACCINE, midnight_after, noon

from epilock.db import metadata
from epilock.destroy import erasure
from epilock.destroy import intent as intents
from epilock.destroy.move import Mover
from epilock.errors import (
    ErasedError,
    InputError,
    NotDueError,
    NotFoundError,
    StateError,
)
from epilock.ledger import entry

NOW = noon(DAY)
DUE = midnight_after(DAY + timedelta(days=28))


def erase(estate, bucket, n=1, reason="withdrawal", **how):
    with estate.database.write() as tx:
        return erasure.erase(
            tx, estate.log, estate.standard, org=bucket.org, bucket=bucket.id, n=n, reason=reason,
            now=NOW, **how,
        )  # fmt: skip


def leaf_is_gone(estate, bucket, part, n):
    try:
        estate.keys.leaf(bucket.org, bucket.name, part, n)
    except ErasedError:
        return True
    return False


class TestErase:
    def test_it_is_announced_then_done_then_said(self, estate):
        bucket = estate.bucket(3)
        announced = erase(estate, bucket)
        assert estate.said(entry.Erased) == []
        (done,) = estate.complete(NOW)
        (intent,), (said,) = estate.said(entry.Erasure), estate.said(entry.Erased)
        assert said.erasure == intent.erasure == announced.intent == done.intent
        assert (said.bucket, said.n, list(said.parts)) == (bucket.name, 1, list(bucket.parts))
        assert intent.reason == "withdrawal"
        assert estate.findings(NOW) == []

    def test_nothing_of_it_is_left_and_all_of_the_others(self, estate):
        bucket = estate.bucket(3)
        erase(estate, bucket)
        estate.complete(NOW)
        assert all(leaf_is_gone(estate, bucket, part, 1) for part in bucket.parts)
        with pytest.raises(ErasedError):
            estate.open(bucket, 1)
        with estate.database.read() as tx:
            for name in ("parts", "tags"):
                table = metadata.tables[name]
                query = sa.select(sa.func.count()).where(table.c.n == 1)
                assert tx.conn.execute(query).scalar_one() == 0
        assert estate.record(bucket, 1).state == "erased"
        for n in (0, 2):
            assert estate.open(bucket, n) == estate.plain(bucket, n)

    def test_many_share_one_rotation(self, estate):
        bucket = estate.bucket(20)
        epoch = estate.keys.destroy(ORG)
        for n in range(0, 20, 2):
            erase(estate, bucket, n)
        assert len(estate.complete(NOW)) == 10
        assert estate.keys.destroy(ORG) == epoch + 1
        assert estate.findings(NOW) == []

    def test_of_one_part_the_others_live(self, estate):
        """A person takes back what was optional."""
        bucket = estate.bucket(2)
        part, *rest = bucket.parts
        erase(estate, bucket, parts=[part])
        estate.complete(NOW)
        assert set(estate.open(bucket, 1)) == set(rest)
        assert (estate.record(bucket, 1).state, estate.record(bucket, 1).erased) == (
            "live",
            (part,),
        )
        erase(estate, bucket)
        estate.complete(NOW)
        assert [list(e.parts) for e in estate.said(entry.Erased)] == [[part], rest]
        assert estate.record(bucket, 1).state == "erased"
        assert estate.findings(NOW) == []

    def test_asked_twice_is_one_erasure(self, estate):
        bucket = estate.bucket(2)
        assert erase(estate, bucket) == erase(estate, bucket)
        assert len(estate.said(entry.Erasure)) == 1

    def test_asked_for_more_while_the_first_is_under_way(self, estate):
        bucket = estate.bucket(2)
        part, *rest = bucket.parts
        erase(estate, bucket, parts=[part])
        assert erase(estate, bucket).parts == tuple(rest)
        estate.complete(NOW)
        assert estate.record(bucket, 1).state == "erased"
        assert estate.findings(NOW) == []

    def test_what_is_gone_cannot_go_again(self, estate):
        bucket = estate.bucket(2)
        erase(estate, bucket)
        estate.complete(NOW)
        with pytest.raises(ErasedError):
            erase(estate, bucket)

    def test_what_goes_with_its_bucket_is_left_to_that(self, estate):
        bucket = estate.bucket(2)
        estate.level("III", NOW)
        estate.run(midnight_after(DAY + timedelta(days=7)))
        kept = estate.load(bucket).live
        assert erase(estate, bucket).parts == kept
        estate.run(DUE)
        assert estate.findings(DUE) == []
        with pytest.raises(ErasedError):
            erase(estate, bucket, 0)

    @pytest.mark.parametrize("change", [{"reason": "tidiness"}, {"parts": ["4-N"]}])
    def test_a_reason_of_the_list_and_a_part_of_the_record(self, estate, change):
        with pytest.raises(InputError):
            erase(estate, estate.bucket(2), **change)

    def test_a_record_that_is_not_there(self, estate):
        with pytest.raises(NotFoundError):
            erase(estate, estate.bucket(2), 9)
        with pytest.raises(NotFoundError), estate.database.write() as tx:
            erasure.erase(
                tx, estate.log, estate.standard, org=OTHER, bucket=1, n=0, reason="withdrawal",
                now=NOW,
            )  # fmt: skip

    def test_a_record_that_moved_is_erased_where_it_is(self, estate):
        bucket = estate.bucket(2, circumstance=DELIVERY)
        with estate.database.write() as tx:
            Mover(estate.log, estate.keys, estate.standard).start_clock(
                tx, bucket=bucket, n=1, event="delivery", day=DAY, now=NOW
            )
        with pytest.raises(StateError, match="what it became"):
            erase(estate, bucket)


class TestKeptByLaw:
    def test_a_withdrawal_does_not_shorten_a_period_that_a_law_asks_for(self, estate):
        """Vaccination records: at least five years after the expiry (VAL 46; PIPL 47, last paragraph)."""
        bucket = estate.bucket(2, circumstance=VACCINE)
        with pytest.raises(NotDueError, match="kept until") as refused:
            erase(estate, bucket)
        assert "PIPL-47" in refused.value.source
        assert estate.said(entry.Erasure) == []

    def test_what_was_got_unlawfully_goes_all_the_same(self, estate):
        bucket = estate.bucket(2, circumstance=VACCINE)
        erase(estate, bucket, reason="unlawful")
        estate.complete(NOW)
        with pytest.raises(ErasedError):
            estate.open(bucket, 1)

    def test_the_rest_of_a_record_goes(self, estate):
        bucket = estate.bucket(2, circumstance="accommodation")
        with estate.database.read() as tx:
            kept = erasure.kept_by_law(tx, estate.standard, bucket, bucket.live)
        assert 0 < len(kept) < len(bucket.parts)
        assert erase(estate, bucket).parts == tuple(p for p in bucket.parts if p not in kept)
        with pytest.raises(NotDueError):
            erase(estate, bucket, 0, parts=[*kept])
        assert all(due.last_day is not None for due in kept.values())


class TestIntents:
    def test_open_ones_are_those_that_are_not_certified(self, estate):
        mine, theirs = estate.bucket(2), estate.bucket(2, org=OTHER)
        one, _ = erase(estate, mine, 0), erase(estate, theirs, 0)
        with estate.database.read() as tx:
            assert intents.organisations(tx) == [OTHER, ORG]
            assert intents.open_intents(tx, ORG) == [one]
            assert intents.of_record(tx, ORG, mine.id, 0) == [one]
            assert (
                intents.of_record(tx, ORG, mine.id, 1) == intents.of_bucket(tx, ORG, mine.id) == []
            )
        estate.complete(NOW)
        with estate.database.read() as tx:
            assert intents.organisations(tx) == []
            (done,) = intents.of_record(tx, ORG, mine.id, 0)
        assert (done.done, done.intent) == (NOW, one.intent)
        with estate.database.read() as tx:
            said = entry.decode(estate.log.entry(tx, done.entry_index))
        assert said.erasure == one.intent
