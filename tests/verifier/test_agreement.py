"""Two verifiers that were written apart give the same answer to every file; the third is in tests/web."""

import json

import pytest
from typer.testing import CliRunner

from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import EpilockError
from epilock.verifier import alone
from verifier.table import cases

CASES = cases()
EXIT = {name: code for name, _, code in alone.STEPS.values()}


def write(case, folder):
    """Write the files of a case; return their paths by part, and those of the proofs."""
    paths = {}
    for part, data in case.files.items():
        paths[part] = folder / part
        paths[part].write_bytes(data)
    proofs = []
    for number, data in enumerate(case.proofs or ()):
        proofs.append(folder / f"proof-{number}")
        proofs[-1].write_bytes(data)
    return paths, proofs


def package(case, folder):
    """What the program says: exit code and JSON."""
    paths, proofs = write(case, folder)
    if "newer" in paths:
        words = ["ledger", "consistency", paths["file"], paths["newer"]]
        words += ["--proof", paths["consistency"]]
    elif case.proofs is not None:
        words = ["destroy", "verify", paths["file"], *proofs]
    else:
        words = ["verify", paths["file"]]
    words += [word for key in case.keys for word in ("--key", key)]
    words += ["--policy", paths["policy"]] if "policy" in paths else []
    words += ["--entry", paths["entry"]] if "entry" in paths else []
    words += ["--leaf-hash", case.leaf_hash] if case.leaf_hash else []
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    if isinstance(result.exception, EpilockError):  # of the command line, before the first step
        return explain(result.exception)[1], {"ok": False, "step": "file"}
    return result.exit_code, json.loads(result.output)


def stranger(case, folder, capsys):
    """What the file that stands alone says."""
    paths, proofs = write(case, folder)
    words = [paths["file"], *proofs]
    if "newer" in paths:
        words += [paths["newer"], "--consistency", paths["consistency"]]
    words += ["--destruction"] if case.proofs is not None else []
    words += [word for key in case.keys for word in ("--key", key)]
    words += ["--policy", paths["policy"]] if "policy" in paths else []
    words += ["--entry", paths["entry"]] if "entry" in paths else []
    words += ["--leaf-hash", case.leaf_hash] if case.leaf_hash else []
    code = alone.main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def expected(case):
    if case.step is None:
        return 0, True, None
    return EXIT.get(case.step, EXIT[""]), False, case.step


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
class TestTable:
    def test_the_program(self, case, tmp_path):
        code, said = package(case, tmp_path)
        assert (code, said["ok"], said.get("step")) == expected(case), said

    def test_the_file_that_stands_alone(self, case, tmp_path, capsys):
        code, said = stranger(case, tmp_path, capsys)
        assert (code, said["ok"], said.get("step")) == expected(case), said


def test_the_table_has_every_step_and_what_holds():
    steps = {case.step for case in CASES}
    shown = {"inclusion", "consistency", "destruction", "misbehaviour"}
    assert steps == {*EXIT, *shown, None} - {"", "anchor"}  # anchors have a vector of their own
    assert len({case.name for case in CASES}) == len(CASES)
