"""Lines and cells decide as one would who had kept every list of who was in which class."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.deidentify.leaving import intersection
from epilock.errors import IntegrityError, RefusedError
from epilock.standard.model import Release as Asked
from epilock.use.release import joint
from epilock.use.release.question import Question
from epilock.use.release.register import Release

K, L = 3, 2
ASKED = Asked(k=K, l=L, rule="release/x", source=())
MEMBERS = st.one_of(st.none(), st.tuples(st.integers(0, 1), st.integers(0, 2)))


@st.composite
def histories(draw):
    """Of each release: who of those that still live was in it, in which class, with which value."""
    people = [f"1/{n}" for n in range(draw(st.integers(1, 14)))]
    found = []
    for _ in range(draw(st.integers(2, 4))):
        told = draw(st.lists(MEMBERS, min_size=len(people), max_size=len(people)))
        found.append(dict(zip(people, told, strict=True)))
        people = [p for p in people if not draw(st.booleans()) or not draw(st.booleans())]
        if not people:
            break
    return found


def those_in(told):
    return {record: member for record, member in told.items() if member is not None}


@settings(max_examples=200)
@given(history=histories())
def test_it_is_decided_as_if_nobody_had_been_forgotten(history):
    """Cells, their sizes and their values are the same, though the dead are known by number alone."""
    forgetful, complete = [], []
    for told in history:
        new, covered = those_in(told), list(told)
        if forgetful:
            lines = [
                {record: each[record] for record in covered if record in each} for each in complete
            ]
            forgetful = joint.completed(lines, joint.stated(forgetful), covered)
        assert joint.stated([*forgetful, new]) == joint.stated([*complete, new])
        forgetful, complete = [*forgetful, new], [*complete, new]


def test_what_was_kept_without_codes_is_taken_for_one_value():
    """A rule that asks for more than before finds nothing in releases that did not ask."""
    question = Question(
        source="garden", emergency="flu", circumstance="x", since=date(2026, 3, 1),
        until=date(2026, 3, 2), fields={"a.b": "whole", "c.d": "sensitive"}, suppressed=0,
        search="optimal",
    )  # fmt: skip
    now = datetime(2026, 3, 14, tzinfo=UTC)
    left = Release(
        question=question, release="r-1", by="s-1", by_org="city", grant="g-1", purpose="x",
        parts=(), verdict="opened", rule="x", number=1, stage="approved", found=None, problem=None,
        sha256=None, k=K, l=1, approved_by="s-2", place=1, cells=None, at=now, changed=now,
        entry_index=0, left_index=1,
    )  # fmt: skip
    before = {f"1/{n}": (0,) for n in range(6)}
    new = {record: (0, n % 2) for n, record in enumerate(before)}
    earlier = joint.earlier_of([left], [before], ASKED)
    with pytest.raises(RefusedError, match="1 different values"):
        intersection.check_together(joint.table_of(new), earlier, k=K, l=L)


def cell(class_, size, code=0):
    """A cell of one release whose records all have the same value."""
    return [[class_], size, [[0, [[[code, size]]]]]]


@pytest.mark.parametrize("cells", [None, [], [cell(0, 1)], [cell(1, 2)], [cell(0, 2, code=7)]])
def test_cells_that_contradict_the_lines(cells):
    with pytest.raises(IntegrityError):
        joint.completed([{"1/1": (0, 0), "1/2": (0, 0)}], cells, ["1/1", "1/2"])
