"""What the short code promises: it survives being written down and read out, or says where it broke."""

import json
from itertools import combinations
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.collect import code
from epilock.errors import FieldsError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/receipt-code.json").read_text())

serials = st.integers(0, code.MAX_SERIAL)
ids = st.uuids(version=4).map(lambda u: u.bytes)
EXAMPLE = UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301").bytes


def fails(text: str) -> bool:
    try:
        code.parse(text)
    except FieldsError:
        return True
    return False


class TestReceiptId:
    @pytest.mark.parametrize("vector", VECTORS["receipt_ids"])
    def test_never_changes(self, vector):
        """Golden vector: change this and a repeated submission gets a second record."""
        made = code.receipt_id(
            bytes.fromhex(vector["secret"]), vector["org"], vector["point"], vector["client"]
        )

        assert code.as_uuid(made) == vector["receipt_id"]
        assert code.handle(made).hex() == vector["handle"]

    @given(st.binary(min_size=32, max_size=32), st.text(max_size=40))
    def test_is_a_random_looking_uuid(self, secret, client):
        made = UUID(bytes=code.receipt_id(secret, "sunny-garden", "sunny-garden.abcdef", client))

        assert made.version == 4

    def test_depends_on_each_input(self):
        """Another secret, organisation, point or client is another receipt."""
        secret = bytes(32)
        made = {
            code.receipt_id(secret, "a1", "a1.b", "c"),
            code.receipt_id(secret, "a1", "a1.c", "c"),
            code.receipt_id(secret, "a2", "a1.b", "c"),
            code.receipt_id(secret, "a1", "a1.b", "d"),
            code.receipt_id(bytes([1]) * 32, "a1", "a1.b", "c"),
        }

        assert len(made) == 5


class TestCode:
    @pytest.mark.parametrize("vector", VECTORS["codes"])
    def test_never_changes(self, vector):
        """Golden vector: codes on paper must stay readable."""
        assert code.encode(vector["serial"], UUID(vector["receipt_id"]).bytes) == vector["code"]

    @given(serials, ids)
    def test_comes_back(self, serial, receipt_id):
        text = code.encode(serial, receipt_id)

        assert code.parse(text) == code.ReceiptCode(serial, receipt_id)
        assert [len(group) for group in text.split("-")] == [5] * 6

    @given(serials, ids)
    def test_spelling_is_forgiven(self, serial, receipt_id):
        """Lower case, O for 0, I or L for 1, spaces or nothing between groups, full-width letters."""
        text = code.encode(serial, receipt_id)
        spoken = text.lower().replace("-", "  ").replace("0", "o").replace("1", "l")
        wide = "".join(chr(ord(c) + 0xFEE0) for c in text.replace("1", "I"))

        for written in (
            spoken,
            wide,
            f"\n{text.replace('-', '')} ",
            f"收据码：{text}",
            f"Code: {spoken}",
        ):
            assert code.parse(written) == code.ReceiptCode(serial, receipt_id)

    @given(st.text(max_size=60))
    def test_anything_else_is_one_error(self, text):
        assert fails(text)

    def test_what_is_not_a_code_of_ours_is_not_made(self):
        with pytest.raises(ValueError, match="15 bits"):
            code.encode(1 << 15, EXAMPLE)
        with pytest.raises(ValueError, match="version 4"):
            code.encode(1, bytes(16))


class TestCheckCharacters:
    """The check is linear: whether an error is caught depends on the error alone, not on the code.

    So it is enough to try every error on one code, and every error is tried.
    """

    TEXT = code.encode(12345, EXAMPLE).replace("-", "")

    def changed(self, changes: dict[int, str]) -> str:
        return "".join(changes.get(i, c) for i, c in enumerate(self.TEXT))

    def test_every_single_substitution_is_caught_and_placed(self):
        """30 x 31 changes; the message names the group of each."""
        for at in range(code.CHARACTERS):
            for other in code.ALPHABET:
                if other != self.TEXT[at]:
                    with pytest.raises(FieldsError, match=f"group {at // 5 + 1}"):
                        code.parse(self.changed({at: other}))

    def test_every_swap_is_caught(self):
        """Neighbours and all others: 435 pairs, with every pair of different characters there."""
        for i, j in combinations(range(code.CHARACTERS), 2):
            for difference in range(1, 32):
                # Swapping x and y adds x + y at both places; only that sum matters.
                symbols = [0] * code.CHARACTERS
                symbols[i] = symbols[j] = difference
                assert code._syndromes(symbols) != (0, 0)

    def test_every_double_substitution_is_caught(self):
        """418,035 double errors: one escapes only if two single errors have the same sums."""
        seen = set()
        for at in range(code.CHARACTERS):
            for error in range(1, 32):
                symbols = [0] * code.CHARACTERS
                symbols[at] = error
                seen.add(code._syndromes(symbols))

        assert len(seen) == code.CHARACTERS * 31

    @given(serials, ids, st.integers(0, 28))
    def test_neighbours_swapped_in_a_real_code(self, serial, receipt_id, at):
        text = code.encode(serial, receipt_id).replace("-", "")
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if swapped != text:
            assert fails(swapped)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [("", "length"), ("ABC", "length"), ("U" * 30, "character"), ("0" * 31, "length")],
    )
    def test_says_what_to_do(self, text, problem):
        """In both languages, and without the code itself."""
        with pytest.raises(FieldsError) as caught:
            code.parse(text)

        assert caught.value.problems[0].code == problem

    def test_bits_that_no_code_has(self):
        """Three bits are always zero: a code that sets one is refused though its check fits."""
        number = 1 << 124
        symbols = [number >> shift & 31 for shift in range(5 * 27, -1, -5)]
        total, weighted = code._syndromes(symbols)
        first = code._PER_A1[code._BY_A2[weighted] ^ total]
        text = "".join(code.ALPHABET[s] for s in [*symbols, first, total ^ first])

        assert fails(text)
