"""The measurements run: each section gives its rows, at a size too small to mean anything.

What needs Tink, casbin or pymerkle is left out, for they are no test's requirements; so are sections that
take longer to start their servers than a test may. ``growth`` fills, serves and loads as they do.
"""

import pytest

from bench import destruction, growth, length, recheck


@pytest.mark.parametrize(
    ("section", "size", "rows"),
    [
        (destruction, {"records": 40, "small": 10}, 5),
        (growth, {"records": 20, "few": 10, "seconds": 0.1, "rounds": 1}, 4),
        (recheck, {"entries": 700, "few": 300, "rounds": 1}, 7),
        (length, {"entries": 700, "few": 300, "rounds": 1}, 12),
    ],
    ids=["destruction", "growth", "recheck", "length"],
)
def test_a_section_gives_its_rows(section, size, rows):
    found = section.measure(**size)
    assert len(found) == rows
    assert all(row.figure for row in found)
    assert all(row.target for row in found if row.met is not None)
