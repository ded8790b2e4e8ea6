"""A short run of the fuzzer over every parser; ``make fuzz`` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VECTORS = ROOT / "tests" / "vectors" / "ledger"
RUNS = 4_000
ORDER = ("note", "checkpoint", "proof")  # the first parsers, which have seeds
SEEDS = (VECTORS / "ct8.checkpoint", VECTORS / "ct8.checkpoint", VECTORS / "receipt.tlog-proof")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number, seed in enumerate(SEEDS):
        (folder / f"{ORDER[number]}").write_bytes(bytes([number]) + seed.read_bytes())
    return folder


def fuzz(folder, program, *words):
    return subprocess.run(
        [sys.executable, str(program), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_parser_raises_but_our_own_errors(tmp_path, corpus):
    done = fuzz(
        tmp_path,
        HERE / "parsers.py",
        "all",
        f"-runs={RUNS}",
        "-seed=7",
        "-max_len=2000",
        str(corpus),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
    assert len(list(corpus.iterdir())) > 3 * len(SEEDS)  # it found ways that no seed went


def test_a_parser_that_breaks_is_found(tmp_path):
    """The fuzzer is no formality: it finds the letters that this parser cannot bear."""
    text = (HERE / "parsers.py").read_text(encoding="utf-8")
    broken = tmp_path / "broken.py"
    harm = 'PARSERS = {"broken": lambda data: 1 // (data[:1] != b"K")}\n\n\ndef main'
    broken.write_text(text.replace("def main", harm, 1), encoding="utf-8")
    done = fuzz(tmp_path, broken, "broken", "-runs=100000", "-seed=7")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stdout + done.stderr
