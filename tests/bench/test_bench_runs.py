"""The measurements run: each section gives its rows, at a size too small to mean anything.

What needs Tink, casbin or pymerkle is left out, for they are no test's requirements; so are sections that
take longer to start their servers than a test may. ``growth`` fills, serves and loads as they do. Large
tables are measured in processes of their own; here what those run is run.
"""

import pytest

from bench import deidentify_scale, destruction, growth, length, recheck, recovery


@pytest.mark.parametrize(
    ("section", "size", "rows"),
    [
        (destruction, {"records": 40, "small": 10}, 5),
        (growth, {"records": 20, "few": 10, "seconds": 0.1, "rounds": 1}, 4),
        (recheck, {"entries": 700, "few": 300, "rounds": 1}, 7),
        (length, {"entries": 700, "few": 300, "rounds": 1}, 12),
        (recovery, {"records": 40, "more": 5}, 8),
    ],
    ids=["destruction", "growth", "recheck", "length", "recovery"],
)
def test_a_section_gives_its_rows(section, size, rows):
    found = section.measure(**size)
    assert len(found) == rows
    assert all(row.figure for row in found)
    assert all(row.target for row in found if row.met is not None)


def test_a_large_table_gives_its_figures():
    found = deidentify_scale.run(deidentify_scale.adult_columns(), 300)
    assert 0 < found["combinations"] <= 300
    assert 0 < found["checked"] <= 12_960
