"""Long work goes on beside who asked: begun once, watched in numbers, known after it has stopped."""

import gc
import weakref

import pytest

from epilock.beside import MOST_KEPT, Place, Works
from epilock.errors import StateError
from held import PATIENT, Held

NAME = ("release", "sunny", "r1")


def test_who_asks_again_watches_the_one_there_is():
    works, held = Works(), Held()
    first = works.begin(NAME, held, wait=0)
    assert held.reached.wait(PATIENT)
    assert works.begin(NAME, held, wait=0) is first
    assert works.of(NAME) is first
    assert (first.is_under_way, first.at.stage, first.at.hundredths) == (True, "read", 25)
    held.open.set()
    first.wait(PATIENT)
    assert (first.is_under_way, held.begun) == (False, 1)


def test_others_do_not_wait_for_it():
    works, held, done = Works(), Held(), []
    works.begin(NAME, held, wait=0)
    other = works.begin(("release", "garden", "r1"), lambda _: done.append(1), wait=PATIENT)
    assert (done, other.is_under_way) == ([1], False)
    held.open.set()


def test_what_stopped_it_is_known_until_it_is_begun_again():
    works = Works()
    works.begin(NAME, _stop, wait=PATIENT)
    assert isinstance(works.of(NAME).problem, StateError)
    works.begin(NAME, lambda _: None, wait=PATIENT)
    assert works.of(NAME).problem is None


@pytest.mark.parametrize("stops", [False, True])
def test_what_it_worked_on_is_forgotten_when_it_has_ended(stops):
    """A list of people is in memory as long as it is brought in, also if that stops half-way."""
    works, people = Works(), People()
    gone = weakref.ref(people)
    work = works.begin(NAME, _bring_in(people, stops=stops), wait=PATIENT)
    del people
    gc.collect()
    assert (work.is_under_way, gone(), works.of(NAME)) == (False, None, work)


def test_whoever_is_told_what_stopped_it_is_not_kept_with_it():
    work, asks = Works().begin(NAME, _stop, wait=PATIENT), People()
    gone = weakref.ref(asks)
    with pytest.raises(StateError):
        _ask(work, asks)
    del asks
    gc.collect()
    assert (work.problem, gone()) == (None, None)


def test_what_it_says_in_a_log_names_nobody(caplog):
    Works().begin(NAME, _stop, wait=PATIENT)
    assert caplog.messages == ["a release that was asked for stopped: StateError"]


def test_the_eldest_that_ended_are_forgotten():
    """A process that runs for a year must not remember each work of it."""
    works = Works()
    for number in range(MOST_KEPT + 5):
        works.begin(("count", "sunny", str(number)), lambda _: None, wait=PATIENT)
    known = [works.of(("count", "sunny", str(n))) is not None for n in range(MOST_KEPT + 5)]
    assert (known[0], known[-1], sum(known)) == (False, True, MOST_KEPT + 1)


def test_how_far_is_said_in_hundredths_or_not_at_all():
    """A number of records before a release is approved would tell who came between two of them."""
    said = [Place("read", 1, 3), Place("read", 5, 3), Place("search", 7, 0), Place()]
    assert [each.hundredths for each in said] == [33, 100, None, None]


class People:
    """What must not stay in memory."""


def _bring_in(people, *, stops):
    def bring_in(_told):
        read = people
        try:
            assert not stops, read
        except AssertionError as error:
            raise StateError("row 7 is not brought in") from error

    return bring_in


def _ask(work, asks):
    assert asks
    work.check()


def _stop(told) -> None:
    raise StateError("张三 is not previewed")
