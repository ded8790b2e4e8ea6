"""How a case of the table is put to the program and to the file that stands alone; the browser is in tests/web."""

import json
from contextlib import redirect_stdout
from io import StringIO

from typer.testing import CliRunner

from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import EpilockError
from epilock.verifier import alone


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
    words += [f"--key={key}" for key in case.keys]
    words += ["--policy", paths["policy"]] if "policy" in paths else []
    words += ["--entry", paths["entry"]] if "entry" in paths else []
    words += ["--leaf-hash", case.leaf_hash] if case.leaf_hash else []
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    if isinstance(result.exception, EpilockError):  # of the command line, before the first step
        return explain(result.exception)[1], {"ok": False, "step": "file"}
    return result.exit_code, json.loads(result.output)


def stranger(case, folder):
    """What the file that stands alone says: exit code and JSON."""
    paths, proofs = write(case, folder)
    words = [paths["file"], *proofs]
    if "newer" in paths:
        words += [paths["newer"], "--consistency", paths["consistency"]]
    words += ["--destruction"] if case.proofs is not None else []
    words += [f"--key={key}" for key in case.keys]
    words += ["--policy", paths["policy"]] if "policy" in paths else []
    words += ["--entry", paths["entry"]] if "entry" in paths else []
    words += ["--leaf-hash", case.leaf_hash] if case.leaf_hash else []
    with redirect_stdout(StringIO()) as said:
        code = alone.main([*map(str, words), "--json"])
    return code, json.loads(said.getvalue())
