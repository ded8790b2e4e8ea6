"""A root key on paper: any so many shares give it back, fewer tell nothing, a slip is named."""

import os
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.errors import InputError
from epilock.store.root.shares import WORDS, join, split

ROOT = bytes(range(32))
MADE = split(ROOT, shares=5, needed=3)


def test_any_three_of_five():
    for some in combinations(MADE, 3):
        assert join(some) == ROOT
    assert join(MADE) == join([f"  {s.upper()}\n" for s in MADE]) == ROOT


def test_a_share_has_as_many_words_as_the_standard_says():
    """SLIP-0039: 256 bits are 33 words."""
    assert {len(each.split()) for each in MADE} == {WORDS}


@pytest.mark.parametrize("some", [MADE[:1], MADE[:2], [MADE[0], MADE[0], MADE[1]]])
def test_too_few(some):
    with pytest.raises(InputError, match="3 different shares are needed"):
        join(some)


def test_none():
    with pytest.raises(InputError, match="0 were given"):
        join([])


@given(st.integers(0, WORDS - 1), st.integers(0, 2), st.sampled_from([*MADE[3].split(), "zzzz"]))
@settings(max_examples=200)
def test_one_wrong_word_is_named_by_its_share_and_not_repeated(place, which, word):
    words = MADE[which].split()
    if words[place] == word:
        return
    words[place] = word
    some = [*MADE[:3]]
    some[which] = " ".join(words)
    with pytest.raises(InputError, match=f"share {which + 1} has a slip") as refused:
        join(some)
    assert not set(MADE[which].split()) & set(str(refused.value).replace(":", " ").split()) - {
        "list"
    }


def test_shares_of_two_keys():
    other = split(os.urandom(32), shares=3, needed=3)
    with pytest.raises(InputError, match="not all of one key"):
        join([*MADE[:2], other[0]])


@pytest.mark.parametrize("line", ["", "word", "a " * 40, "a" * 5_000])
def test_what_is_no_share(line):
    with pytest.raises(InputError, match="share 2 must have 33 words"):
        join([MADE[0], line, MADE[1]])


@pytest.mark.parametrize(("shares", "needed"), [(1, 1), (5, 1), (3, 4), (17, 3), (0, 0)])
def test_a_number_that_is_no_splitting(shares, needed):
    with pytest.raises(InputError, match="2 to 16"):
        split(ROOT, shares=shares, needed=needed)
