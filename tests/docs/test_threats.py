"""Each threat is answered by a test that exists, or says why it is not covered."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "explanation" / "threats").glob("*.md"))
KINDS = ["spoofing", "tampering", "repudiation", "disclosure", "denial", "elevation"]  # STRIDE
NOT_COVERED = re.compile(r"not covered, because .{20,}")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MOST_LINES = 40


def rows(page: Path) -> list[list[str]]:
    lines = [
        line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
class TestPages:
    def test_every_kind_in_its_order(self, page):
        kinds = [kind for kind, _, _ in rows(page)]
        assert list(dict.fromkeys(kinds)) == KINDS
        assert kinds == sorted(kinds, key=KINDS.index)

    def test_each_threat_is_answered_by_a_test_or_says_why_not(self, page):
        for _, threat, answer in rows(page):
            found = TEST.findall(answer)
            assert bool(found) != bool(NOT_COVERED.match(answer)), threat
            for path, name in found:
                text = (ROOT / path).read_text(encoding="utf-8")
                assert re.search(rf"^ *(def|class) {name}\b", text, re.MULTILINE), f"{path}::{name}"

    def test_it_is_one_page(self, page):
        assert len(page.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_there_is_a_page_for_each_room_that_holds_data():
    rooms = {
        "standard",
        "registry",
        "accounts",
        "collect",
        "store",
        "ledger",
        "use",
        "destroy",
        "deidentify",
        "web",
        "operation",
    }
    assert {page.stem for page in PAGES} == rooms
