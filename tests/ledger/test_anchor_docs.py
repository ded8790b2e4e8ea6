"""What the documents say of anchors is what happens: commands are run, tables compared."""

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from epilock import settings
from epilock.assemble import found
from epilock.cli.app import app
from epilock.ledger.anchor import contract, proof, stamp
from epilock.ledger.anchor.book import anchors
from epilock.ledger.anchor.outbox import tries
from epilock.ledger.anchor.place import Stage
from epilock.ledger.anchor.tsa import stamps
from tsa import Authority, Server, pem

DOCS = Path(__file__).parents[2] / "docs"
VECTORS = Path(__file__).parents[1] / "vectors/ledger"
HOWTO = (DOCS / "howto/anchor-the-log.md").read_text()
REFERENCE = (DOCS / "reference/anchor.md").read_text()
BLOCKS = re.findall(r"```console\n\$ epilock (.*?)\n(.*?)```", HOWTO, re.DOTALL)
COMMANDS = re.findall(r"^epilock (anchor .*)$", HOWTO, re.MULTILINE)
VECTOR = shlex.split(BLOCKS[0][0])


@pytest.fixture
def desk(tmp_path):
    """The folder of someone who checks an anchor."""
    for name in ("ct8-leaf5.tlog-proof", "ct8.checkpoint", "anchor/ct8.anchor"):
        (tmp_path / Path(name).name).write_bytes((VECTORS / name).read_bytes())
    (tmp_path / "entry").write_bytes(bytes.fromhex("40414243"))
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def verify(**change):
    words = list(VECTOR)
    for option, value in change.items():
        at = words.index(f"--{option}")
        words[at : at + 2] = [] if value is None else [f"--{option}", value]
    return CliRunner().invoke(app, words)


class TestHowto:
    @pytest.mark.parametrize(("command", "output"), BLOCKS, ids=["holds", "fails"])
    @pytest.mark.usefixtures("desk")
    def test_a_command(self, command, output):
        assert CliRunner().invoke(app, shlex.split(command)).output == output

    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_operators_command_is_one(self, command):
        group, name, *words = shlex.split(command)
        told = CliRunner().invoke(app, [group, name, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0
        assert all(word in told.output for word in words if word.startswith("--"))

    def test_there_are_commands(self):
        assert len(BLOCKS) == 2
        assert len(COMMANDS) == 8


@pytest.mark.usefixtures("desk")
class TestVerify:
    def test_with_a_checkpoint_alone(self):
        words = ["verify", "ct8.checkpoint", *VECTOR[2:4], *VECTOR[6:]]
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 0
        assert "  8 anchor       held at block 6" in told.output

    def test_as_json(self):
        told = CliRunner().invoke(app, [*VECTOR, "--json"])
        assert '"anchor":{"block":6,"at":"2026-03-14T01:00:01+00:00"}' in told.output

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            ({"block": "1" * 64}, 1, "anchor-block"),
            ({"contract": "0x" + "1" * 40}, 1, "anchor-contract"),
            ({"anchor": "entry"}, 2, "step 1 (file), FileFormatError"),
            ({"anchor": "ct8.checkpoint"}, 2, "step 1 (file), FileFormatError"),
        ],
    )
    def test_what_does_not_hold(self, change, code, said):
        told = verify(**change)
        assert told.exit_code == code
        assert said in told.output

    def test_of_another_checkpoint(self):
        """A true anchor beside a receipt of another size proves nothing about that receipt."""
        words = ["verify", str(VECTORS / "receipt.tlog-proof"), "--key",
                 "log.example/epilock+b1ad8d44+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"]  # fmt: skip
        told = CliRunner().invoke(app, [*words, *VECTOR[6:], "--json"])
        assert told.exit_code == 1
        assert '"number":8,"step":"anchor","error":"AnchorProofError"' in told.output
        assert "anchor-checkpoint: the anchor is not of this receipt's checkpoint" in told.output

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"block": None}, "--anchor needs --block and --contract"),
            ({"contract": None}, "--anchor needs --block and --contract"),
            ({"block": "0x12"}, "--block is 64 hex digits"),
            ({"contract": "0x12"}, "--contract: an address is 0x and 40"),
        ],
    )
    def test_a_command_that_is_not_written_as_it_should_be(self, change, said):
        told = verify(**change)
        assert said in str(told.exception)


class TestStamps:
    """The other how-to, its commands run one after another by a shell, at a real authority."""

    HOWTO = (DOCS / "howto/stamp-the-log.md").read_text()

    def test_every_command(self, tmp_path):
        authority = Authority(tmp_path / "tsa")
        server = Server(authority)
        (tmp_path / "stamps-root.pem").write_bytes(pem(authority.root))
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "EPILOCK_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        lines = "\n".join(re.findall(r"```sh\n(.*?)```", self.HOWTO, re.DOTALL))
        script = lines.replace("https://stamps.example/tsa", server.url)
        first = 'set -e\nKEY="$(epilock ledger key)"\n'
        found(settings.read({}, home=tmp_path / "home"), now=lambda: datetime.now(UTC)).close()
        try:
            told = subprocess.run(
                ["bash", "-c", first + script], capture_output=True, text=True, cwd=tmp_path,
                env=env, check=False,
            )  # fmt: skip
        finally:
            server.stop()
        assert told.returncode == 0, told.stderr
        assert "the root of 1 entries is stamped" in told.stdout
        assert "  8 anchor       stamped by CN=stamps" in told.stdout
        assert "Verification: OK" in told.stdout
        assert "Time stamp: " in told.stdout

    def test_it_says_what_a_stamp_does_not_prove(self):
        for text in (self.HOWTO, REFERENCE):
            assert "two histories" in text
            assert "clock and" in text


class TestReference:
    def test_every_stage(self):
        assert all(f"| `{stage.value}` |" in REFERENCE for stage in Stage)

    def test_every_step(self):
        assert all(f"| `{step}` |" in REFERENCE for step in (*proof.STEPS, *stamp.STEPS))

    def test_every_method_of_the_contract(self):
        names = {each["name"] for each in contract.artefact()["abi"]}
        assert all(f"`{name}" in REFERENCE for name in names)

    def test_every_code(self):
        assert all(code.hex() in REFERENCE for code in proof.CODE_HASHES)

    def test_every_column(self):
        for table in (anchors, stamps, tries):
            (row,) = [
                line for line in REFERENCE.split("\n") if line.startswith(f"| `{table.name}`")
            ]
            assert all(
                f"`{column.name}`" in row for column in table.columns if column.name != "mac"
            )

    def test_every_setting(self):
        names = [name for name in settings.VARIABLES if name.startswith("EPILOCK_ANCHOR_")]
        assert all(f"`{name}`" in REFERENCE for name in names)
