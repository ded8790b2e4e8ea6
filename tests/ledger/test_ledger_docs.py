"""What the documents say of the ledger is what happens: each command in them is run, each table compared."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import published, signer, some
from story import OPENING, collect
from typer.testing import CliRunner

from epilock import verifier
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.ledger import entry
from epilock.ledger.finding import KINDS
from epilock.ledger.notation import base64_text
from epilock.ledger.note import Verifier
from epilock.ledger.tree import consistency_path, leaf_hash, root
from epilock.ledger.verify import STEPS, verify

DOCS = Path(__file__).parents[2] / "docs"
VECTORS = Path(__file__).parents[1] / "vectors/ledger"
REFERENCE = (DOCS / "reference/ledger.md").read_text()
HOWTO = (DOCS / "howto/verify-a-receipt.md").read_text()
BLOCKS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", HOWTO, re.DOTALL)
VERIFICATION = (DOCS / "reference/verification.md").read_text()


@pytest.fixture
def desk(tmp_path):
    """The folder of someone who follows the document."""
    receipt = (VECTORS / "receipt.tlog-proof").read_text()
    (tmp_path / "receipt.tlog-proof").write_text(receipt)
    (tmp_path / "changed.tlog-proof").write_text(receipt.replace("index 9", "index 8"))
    witnesses = (VECTORS / "vkeys.txt").read_text().split("\n")[1:3]
    (tmp_path / "two-departments.policy").write_text(
        f"log {signer().vkey}\nwitness one {witnesses[0]}\nwitness two {witnesses[1]}\n"
        "group both all one two\nquorum both\n"
    )
    log = [entry.encode(each) for each in (*OPENING, collect(0), collect(1))]
    for name, body in published(log).items():
        path = tmp_path / "published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    entries = some(10)
    edges = [published(entries[:size])["checkpoint"] for size in (7, 10)]
    (tmp_path / "last-month.checkpoint").write_bytes(edges[0])
    (tmp_path / "today.checkpoint").write_bytes(edges[1])
    hashes = [leaf_hash(each) for each in entries]
    path = consistency_path(7, 10, lambda height, n: root(hashes[n << height : n + 1 << height]))
    (tmp_path / "growth.txt").write_text("".join(base64_text(each) + "\n" for each in path))
    (tmp_path / "epilock-verifier.py").write_bytes(verifier.source())
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


class TestHowto:
    @pytest.mark.parametrize(("command", "output"), BLOCKS, ids=[b[0][:40] for b in BLOCKS])
    @pytest.mark.usefixtures("desk")
    def test_a_command(self, command, output):
        program, *words = shlex.split(command)
        if program == "epilock":
            assert CliRunner().invoke(app, words).output == output
        else:
            ran = subprocess.run([sys.executable, "-I", *words], capture_output=True, check=False)
            assert (ran.stdout.decode(), ran.stderr) == (output, b"")

    def test_there_are_commands(self):
        assert len(BLOCKS) == 7


class TestReference:
    def test_every_kind_of_finding(self):
        rows = {f"| `{name}` | {kind.severity} | {kind.en} |" for name, kind in KINDS.items()}
        assert {line for line in REFERENCE.split("\n") if line.startswith("| `")} >= rows

    def test_every_step(self):
        for number, (name, kinds) in enumerate(STEPS.items(), 1):
            (row,) = [
                line
                for line in VERIFICATION.split("\n")
                if line.startswith(f"| {number} | `{name}`")
            ]
            assert all(f"`{kind.__name__}`" in row for kind in kinds)
            codes = {explain(kind("why"))[1] for kind in kinds}
            assert row.endswith(f"| {min(codes)} |")
            assert len(codes) == 1


def test_a_receipt_that_was_given_out_verifies_for_ever():
    """Golden: change this and every receipt that people keep stops verifying."""
    key = "log.example/epilock+b1ad8d44+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    done = verify((VECTORS / "receipt.tlog-proof").read_bytes(), [Verifier.from_vkey(key)])
    said = entry.decode(done.entry)
    assert isinstance(said, entry.Collect)
    assert (done.index, said.n, said.commitment) == (9, 1, "4c" * 32)
