"""Two verifiers that were written apart give the same answer to every file; the third is in tests/web."""

import pytest

from epilock.verifier import alone
from verifier.asked import package, stranger
from verifier.table import cases

CASES = cases()
EXIT = {name: code for name, _, code in alone.STEPS.values()}


def expected(case):
    if case.step is None:
        return 0, True, None
    return EXIT.get(case.step, EXIT[""]), False, case.step


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
class TestTable:
    def test_the_program(self, case, tmp_path):
        code, said = package(case, tmp_path)
        assert (code, said["ok"], said.get("step")) == expected(case), said

    def test_the_file_that_stands_alone(self, case, tmp_path):
        code, said = stranger(case, tmp_path)
        assert (code, said["ok"], said.get("step")) == expected(case), said


def test_the_table_has_every_step_and_what_holds():
    steps = {case.step for case in CASES}
    shown = {"inclusion", "consistency", "destruction", "misbehaviour"}
    assert steps == {*EXIT, *shown, None} - {"", "anchor"}  # anchors have a vector of their own
    assert len({case.name for case in CASES}) == len(CASES)
