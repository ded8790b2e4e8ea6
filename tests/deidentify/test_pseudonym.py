"""What a pseudonym promises: one person, one code, in one study, while its key lives."""

import hashlib
import hmac
import os
from base64 import b32encode

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.deidentify.pseudonyms import pseudonym
from epilock.deidentify.pseudonyms.pseudonym import pseudonyms, whose
from epilock.errors import ConflictError, InputError
from epilock.store.tags import FORMS

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
RESIDENT = FORMS[1]["resident-id"]


def codes(*values, key=KEY, kind="case", **more):
    return pseudonyms(key, kind, pa.array(values, pa.string()), **more).to_pylist()


class TestCode:
    def test_never_changes(self):
        """Golden vector: change this and a study's second table does not fit its first."""
        assert codes("C-2026-0417") == ["2p26-nnpg-iajv-2lzj"]

    @given(st.text(min_size=1, max_size=40).filter(pseudonym.plain))
    def test_is_what_its_rule_says(self, value):
        """Computed by another way."""
        text = f"epilock/pseudonym/v1|case|{pseudonym.plain(value)}".encode()
        letters = b32encode(hmac.new(KEY, text, hashlib.sha256).digest()).decode().lower()
        assert codes(value)[0].replace("-", "") == letters[:16]

    def test_odds_that_two_of_25_million_meet(self):
        assert 25_000_000**2 / 2 / 2 ** (8 * pseudonym.CODE_BYTES) < 1 / 3.8e9

    def test_two_that_meet_are_an_error(self, monkeypatch):
        """Never one person for two, however small the odds: nothing is given out."""
        column = pa.array(["x", "y", None, "x"])
        monkeypatch.setattr(
            pseudonym, "_codes", lambda _key, _kind, normal: ["a" if n else None for n in normal]
        )
        assert pseudonyms(KEY, "case", pa.array(["x", None, "x"])).to_pylist() == ["a", None, "a"]
        with pytest.raises(ConflictError, match="same code"):
            pseudonyms(KEY, "case", column)


class TestOnePerson:
    def test_however_it_is_written(self):
        assert len(set(codes("c-1", " C-1", "Ｃ－１"))) == 1

    def test_by_the_forms_of_the_store(self):
        """Fifteen digits, eighteen, and a small x are one person."""
        found = codes("110105491231002", "11010519491231002X", "11010519491231002x", form=RESIDENT)
        assert len(set(found)) == 1

    def test_each_row_in_its_order(self):
        column = pa.chunked_array([["a", None, "b"], ["", "a"]])
        first, nobody, second, empty, again = pseudonyms(KEY, "case", column).to_pylist()
        assert nobody is empty is None
        assert first == again != second

    def test_each_value_is_computed_once(self):
        seen = []
        codes("a", "b", "a", "a", form=lambda v: seen.append(v) or v)
        assert seen == ["a", "b"]

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([7, None], pa.int64()),
            pa.array(["7", None], pa.large_string()),
            pa.array(["7", None]).dictionary_encode(),
            pa.chunked_array([pa.array(["7"]).dictionary_encode(), pa.array(["9", None]).dictionary_encode()]).filter(pa.array([True, False, True])),
        ],
    )  # fmt: skip
    def test_of_other_types(self, column):
        assert pseudonyms(KEY, "case", column).to_pylist() == [*codes("7"), None]

    @pytest.mark.parametrize(
        "column", [pa.array([], pa.string()), pa.chunked_array([], pa.string())]
    )
    def test_of_nobody(self, column):
        assert pseudonyms(KEY, "case", column).to_pylist() == []


class TestStudies:
    def test_nothing_in_common(self):
        people = [str(n) for n in range(1000)]
        assert not set(codes(*people)) & set(codes(*people, key=OTHER))

    def test_kinds_are_apart(self):
        assert codes("7", kind="case") != codes("7", kind="phone")


class TestWayBack:
    def test_with_the_key(self):
        wanted, stranger = codes("C-2", "C-9")
        assert whose(KEY, "case", [wanted, stranger], ["c-1", "c-2", "c-3"]) == {wanted: "c-2"}

    def test_without_it_there_is_none(self):
        """Any other key gives other codes."""
        assert whose(os.urandom(32), "case", codes("C-2"), ["C-2"]) == {}


class TestWrong:
    @pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
    def test_key(self, key):
        with pytest.raises(InputError, match="32 bytes"):
            codes("a", key=key)

    def test_column(self):
        with pytest.raises(InputError, match="holds double"):
            pseudonyms(KEY, "case", pa.array([0.5]))

    def test_a_value_too_long_is_named_by_its_row(self):
        with pytest.raises(InputError, match="row 3") as refused:
            codes("a", "a", "x" * 201)
        assert "xx" not in str(refused.value)
