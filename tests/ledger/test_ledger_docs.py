"""What the documents say of the ledger is what happens: each command in them is run, each table compared."""

import os
import re
import shlex
from pathlib import Path

import pytest
from ledgers import published, signer
from story import OPENING, collect
from typer.testing import CliRunner

from epilock.cli.app import app
from epilock.ledger import entry
from epilock.ledger.finding import KINDS
from epilock.ledger.note import Verifier
from epilock.ledger.verify import STEPS, verify

DOCS = Path(__file__).parents[2] / "docs"
VECTORS = Path(__file__).parents[1] / "vectors/ledger"
REFERENCE = (DOCS / "reference/ledger.md").read_text()
HOWTO = (DOCS / "howto/verify-a-receipt.md").read_text()
BLOCKS = re.findall(r"```console\n\$ epilock (.*?)\n(.*?)```", HOWTO, re.DOTALL)


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
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


class TestHowto:
    @pytest.mark.parametrize(("command", "output"), BLOCKS, ids=[b[0][:40] for b in BLOCKS])
    @pytest.mark.usefixtures("desk")
    def test_a_command(self, command, output):
        assert CliRunner().invoke(app, shlex.split(command)).output == output

    def test_there_are_commands(self):
        assert len(BLOCKS) == 4


class TestReference:
    def test_every_kind_of_finding(self):
        rows = {f"| `{name}` | {kind.severity} | {kind.en} |" for name, kind in KINDS.items()}
        assert {line for line in REFERENCE.split("\n") if line.startswith("| `")} >= rows

    def test_every_step(self):
        for number, (name, kinds) in enumerate(STEPS.items(), 1):
            (row,) = [
                line for line in REFERENCE.split("\n") if line.startswith(f"| {number} | `{name}`")
            ]
            assert all(f"`{kind.__name__}`" in row for kind in kinds)


def test_a_receipt_that_was_given_out_verifies_for_ever():
    """Golden: change this and every receipt that people keep stops verifying."""
    key = "log.example/epilock+b1ad8d44+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    done = verify((VECTORS / "receipt.tlog-proof").read_bytes(), [Verifier.from_vkey(key)])
    said = entry.decode(done.entry)
    assert isinstance(said, entry.Collect)
    assert (done.index, said.n, said.commitment) == (9, 1, "4c" * 32)
