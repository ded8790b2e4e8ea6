"""When a part is due: worked cases, each a line that a lawyer can check with a calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import InputError
from epilock.standard import load
from epilock.standard.clock import due
from epilock.standard.level import CHINA, LEVELS, History, LevelChange, midnight

STANDARD = load()
DAY = date(2026, 3, 14)


def history(*changes: tuple[str, str]) -> History:
    """Return a history of ("03-01", "II") or ("03-20T12", "E") in China."""
    made = []
    for at, level in changes:
        day, _, hour = at.partition("T")
        instant = datetime.fromisoformat(f"2026-{day}T{hour or '00'}:00:00+08:00")
        made.append(LevelChange(instant, level))
    return History(tuple(made))


CASES = [
    # circumstance, part, clock, history, last day, rule
    ("residential-entry", "2-IV", "collection", [("03-01", "IV")], "03-28", "retain/residential-entry/standard"),
    ("residential-entry", "2-IV", "collection", [("03-01", "II")], "04-11", "retain/residential-entry/standard/II"),
    # the level rises at noon of the day: the longer period holds for all of the bucket
    ("residential-entry", "2-IV", "collection", [("03-01", "IV"), ("03-14T12", "II")], "04-11",
     "retain/residential-entry/standard/II"),
    # it rises the day after: nothing changes for this bucket
    ("residential-entry", "2-IV", "collection", [("03-01", "IV"), ("03-15", "II")], "03-28",
     "retain/residential-entry/standard"),
    # a fall: what II allowed is due seven days later
    ("residential-entry", "3-II", "collection", [("03-01", "II"), ("03-16T10", "III")], "03-23",
     "step-down/residential-entry/II"),
    # a rise within the seven days stops it
    ("residential-entry", "3-II", "collection", [("03-01", "II"), ("03-16", "III"), ("03-22", "II")],
     "04-11", "retain/residential-entry/standard/II"),
    # a rise after them comes too late: what was due stays due
    ("residential-entry", "3-II", "collection", [("03-01", "II"), ("03-16", "III"), ("03-24", "II")],
     "03-23", "step-down/residential-entry/II"),
    # fall, rise, fall: counted from the second fall
    ("residential-entry", "3-II", "collection",
     [("03-01", "II"), ("03-16", "III"), ("03-20", "II"), ("03-25", "IV")], "04-01",
     "step-down/residential-entry/II"),
    # from I over II to III: a part of I counts from the first fall
    ("residential-entry", "3-I", "collection", [("03-01", "I"), ("03-16", "II"), ("03-20", "III")],
     "03-23", "step-down/residential-entry/I"),
    # the end: thirty days, finished by the thirtieth
    ("residential-entry", "2-IV", "collection", [("03-01", "II"), ("03-15", "E")], "04-11",
     "retain/residential-entry/standard/II"),
    ("arrival", "2-IV", "collection", [("03-01", "I"), ("03-15", "E")], "04-13", "ended/arrival"),
    # a step-down that runs goes on through the end
    ("residential-entry", "3-II", "collection", [("03-01", "II"), ("03-16", "III"), ("03-18", "E")],
     "03-23", "step-down/residential-entry/II"),
    # a statutory period is not shortened by the end
    ("accommodation", "4-N-statutory", "collection", [("03-01", "I"), ("03-15", "E")], None,
     "retain/accommodation/statutory"),
    # before its event a record lies under the ceiling; after it, under the period
    ("supplies", "2-III", "collection", [("03-01", "III")], "09-10", "retain/supplies/standard/ceiling"),
    ("supplies", "2-III", "delivery", [("03-01", "III")], "03-21", "retain/supplies/standard"),
]  # fmt: skip


class TestDue:
    @pytest.mark.parametrize(("where", "part", "clock", "levels", "last", "rule"), CASES)
    def test_worked_cases(self, where, part, clock, levels, last, rule):  # noqa: PLR0917 - a table's columns
        found = due(
            STANDARD, circumstance=where, part=part, day=DAY, clock=clock, history=history(*levels)
        )
        assert found.rule == rule
        if last is not None:
            assert found.last_day == date.fromisoformat(f"2026-{last}")
            assert found.at == midnight(found.last_day + timedelta(days=1))

    def test_what_lasts_as_long_as_the_emergency_has_no_day_yet(self):
        kept = due(
            STANDARD, circumstance="fever-clinic", part="4-N", day=DAY, clock="collection",
            history=history(("03-01", "I")),
        )  # fmt: skip
        assert kept.at is None
        assert kept.rule == "retain/fever-clinic/standard"

    def test_a_statutory_year(self):
        kept = due(
            STANDARD, circumstance="accommodation", part="4-N-statutory", day=DAY,
            clock="collection", history=history(("03-01", "N")),
        )  # fmt: skip
        assert kept.last_day == date(2027, 3, 14)

    @pytest.mark.parametrize(("where", "part"), [("nowhere", "2-IV"), ("school", "9-IX")])
    def test_what_is_unknown_is_an_error(self, where, part):
        with pytest.raises(InputError):
            due(
                STANDARD, circumstance=where, part=part, day=DAY, clock="collection",
                history=history(("03-01", "I")),
            )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Levels that change at odd hours over half a year, perhaps to the end."""
    hours = draw(st.lists(st.integers(-24 * 40, 24 * 150), min_size=1, max_size=8, unique=True))
    start = datetime(2026, 3, 14, tzinfo=CHINA)
    levels = draw(st.lists(st.sampled_from(LEVELS[1:]), min_size=len(hours), max_size=len(hours)))
    if draw(st.booleans()):
        levels[-1] = "E"
    return History(
        tuple(
            LevelChange(start + timedelta(hours=h), level)
            for h, level in zip(sorted(hours), levels, strict=True)
        )
    )


class TestAlways:
    @given(histories(), st.sampled_from(["residential-entry", "supplies", "school", "arrival"]))
    def test_no_part_is_due_while_its_day_lasts(self, levels, where):
        """Nothing goes on the day it came, unless the emergency had ended a month before."""
        for part in STANDARD.parts(where):
            found = due(
                STANDARD, circumstance=where, part=part.name, day=DAY, clock="collection",
                history=levels,
            )  # fmt: skip
            ended = levels.ended_at()
            if ended is None or ended > midnight(DAY):
                assert found.at is None or found.at >= midnight(DAY + timedelta(days=1))

    @given(histories(), st.integers(0, 24 * 60))
    def test_what_happens_after_it_was_due_changes_nothing(self, levels, hours):
        """A part that was due stays due, whatever the level does later."""
        for part in STANDARD.parts("residential-entry"):
            place = {
                "circumstance": "residential-entry", "part": part.name, "day": DAY,
                "clock": "collection",
            }  # fmt: skip
            before = due(STANDARD, history=levels, **place)
            if before.at is None or levels.ended_at() is not None:
                continue
            at = max(before.at, levels.changes[-1].at) + timedelta(hours=1 + hours)
            later = History((*levels.changes, LevelChange(at, "I")))
            assert due(STANDARD, history=later, **place) == before

    def test_instants_are_utc(self):
        found = due(
            STANDARD, circumstance="school", part="2-IV", day=DAY, clock="collection",
            history=history(("03-01", "IV")),
        )  # fmt: skip
        assert found.at is not None
        assert found.at.tzinfo is UTC
