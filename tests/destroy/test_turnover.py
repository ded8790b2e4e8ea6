"""What the turnover promises: each record comes in the week of its day, and goes once, when all of it is gone."""

from datetime import timedelta

from estate import DAY, OTHER, midnight_after, noon

from epilock.destroy import turnover

MONDAY = DAY - timedelta(days=DAY.weekday())
GONE = midnight_after(DAY + timedelta(days=40))


def told(estate, now, **how):
    with estate.database.read() as tx:
        return {
            (w.first - MONDAY).days // 7: (w.collected, w.destroyed)
            for w in turnover.weeks(tx, now=now, **how)
        }


def test_a_record_comes_in_the_week_of_its_day(estate):
    estate.bucket(3)
    estate.bucket(2, day=DAY + timedelta(days=7))
    assert told(estate, noon(DAY + timedelta(days=14))) == {0: (3, 0), 1: (2, 0), 2: (0, 0)}


def test_it_goes_when_the_last_part_of_it_is_certified(estate):
    estate.bucket(3)
    estate.level("III", noon(DAY))
    early = midnight_after(DAY + timedelta(days=7))
    estate.run(early)  # parts that the new level does not allow
    assert set(told(estate, early).values()) == {(3, 0), (0, 0)}
    estate.run(GONE)
    weeks = told(estate, GONE)
    assert sum(destroyed for _, destroyed in weeks.values()) == 3
    assert weeks[max(weeks)] == (0, 3)


def test_of_one_organisation(estate):
    estate.bucket(3)
    estate.bucket(2, org=OTHER)
    assert told(estate, noon(DAY), org=OTHER) == {0: (2, 0)}


def test_the_last_weeks_only(estate):
    estate.bucket(3)
    assert told(estate, noon(DAY + timedelta(days=28)), most=2) == {3: (0, 0), 4: (0, 0)}


def test_before_anything_came_in_there_is_no_week(estate):
    assert told(estate, noon(DAY)) == {}
