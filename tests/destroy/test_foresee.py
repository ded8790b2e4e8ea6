"""What a change of level would do is told before: in groups, and the same as part by part."""

from collections import Counter
from datetime import timedelta
from itertools import product

import pytest
from estate import CITY, CLINIC, DAY, DELIVERY, EMERGENCY, GATE, ORG, OTHER, VACCINE, noon

from epilock.destroy.foresee import foresee
from epilock.registry import emergency as emergencies
from epilock.standard.clock import due as due_of
from epilock.standard.level import LEVELS, History, LevelChange
from epilock.store import bucket as buckets

NOW = noon(DAY + timedelta(days=9))


def told(estate, level, now=NOW):
    with estate.database.read() as tx:
        return foresee(tx, estate.standard, CITY, EMERGENCY, level, now=now)


def part_by_part(estate, level):
    """Work out the day of each living part of each bucket, now and then, with nothing shared between them."""
    with estate.database.read() as tx:
        history = emergencies.history(tx, CITY, EMERGENCY)
        would = History((*history.changes, LevelChange(NOW, level)))
        for bucket, part in [(b, p) for b in buckets.listing(tx) for p in b.live]:
            before, after = (
                due_of(
                    estate.standard, circumstance=bucket.circumstance, part=part, day=bucket.day,
                    clock=bucket.clock, history=levels,
                )
                for levels in (history, would)
            )  # fmt: skip
            if before.at != after.at:
                about = bucket.circumstance, bucket.day, bucket.clock, part
                yield *about, before.at, after.at, after.rule


@pytest.fixture
def filled(estate):
    """Buckets of ten days of two organisations, of which some parts are gone; the level fell and rose meanwhile."""
    with estate.database.write() as tx:
        for org, day, where in product((ORG, OTHER), range(10), (GATE, DELIVERY, CLINIC, VACCINE)):
            estate.ensure(tx, where, DAY + timedelta(days=day), org)
        for n in (1, 5, 11):
            bucket = buckets.load(tx, ORG, n)
            buckets.retire_parts(tx, bucket, bucket.parts[:1], "dying", now=NOW)
        buckets.ensure(
            tx, estate.log, estate.keys, estate.standard, org=ORG, authority=CITY, now=NOW,
            emergency=EMERGENCY, circumstance=CLINIC, day=DAY, clock="release",
        )  # fmt: skip
    estate.level("III", noon(DAY + timedelta(days=3)))
    estate.level("II", noon(DAY + timedelta(days=6)))
    return estate


@pytest.mark.parametrize("level", LEVELS)
def test_groups_say_what_each_part_alone_would(filled, level):
    found = told(filled, level)
    grouped = {
        (f.circumstance, f.day, f.clock, f.part, f.now, f.then, f.rule): f.parts for f in found
    }
    assert grouped == Counter(part_by_part(filled, level))
    assert [f.then is None for f in found] == sorted(f.then is None for f in found)
    dated = [f.then for f in found if f.then]
    assert dated == sorted(dated)


def test_one_day_of_one_kind_is_one_group_however_many_organisations_there_are(filled):
    day = DAY + timedelta(days=4)
    found = [f for f in told(filled, "N") if (f.circumstance, f.day) == (GATE, day)]
    assert {f.parts for f in found} == {2}


def test_a_part_that_the_standard_does_not_know_has_no_day_that_could_change(estate):
    bucket = estate.bucket()
    before = told(estate, "N")
    with estate.database.write() as tx:
        tx.insert(
            buckets.bucket_parts, org=ORG, bucket=bucket.id, part="4-N-old", state="live",
            changed=noon(DAY),
        )  # fmt: skip
    assert before
    assert told(estate, "N") == before


def test_another_authoritys_emergency_is_left_out(filled):
    with filled.database.read() as tx:
        assert foresee(tx, filled.standard, ORG, EMERGENCY, "N", now=NOW) == []
