"""What the file that stands alone promises beside its answers: it is alone, short, and tells which step failed."""

import ast
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock import verifier
from epilock.errors import EpilockError
from epilock.ledger import tree
from epilock.ledger.anchor import proof as anchors
from epilock.ledger.anchor.keccak import keccak256
from epilock.verifier import alone
from verifier.table import TEXTS, VECTORS

KEY, ED, _ = (VECTORS / "vkeys.txt").read_text().split("\n")[:3]
LEAF5 = (VECTORS / "ct8-leaf5.tlog-proof").read_bytes()
ENTRY5 = bytes.fromhex("40414243")
CT8 = json.loads((VECTORS / "rfc6962-ct8.json").read_text())
TRUST = alone.read_policy(TEXTS["ed"].encode())
OF_PYTHON = sys.stdlib_module_names | {"cryptography"}


class TestFile:
    def test_it_imports_nothing_but_python_and_cryptography(self):
        source = ast.parse(verifier.source())
        names = {a.name for n in ast.walk(source) if isinstance(n, ast.Import) for a in n.names}
        names |= {str(n.module) for n in ast.walk(source) if isinstance(n, ast.ImportFrom)}
        assert {name.partition(".")[0] for name in names} <= OF_PYTHON

    def test_it_can_be_read_in_an_hour(self):
        lines = verifier.source().decode().splitlines()
        code = [line for line in lines if line.strip() and not line.startswith("#")]
        assert len(code) < 500  # headings and empty lines aside
        assert len(lines) < 600
        assert max(map(len, lines)) <= 100

    def test_it_runs_where_there_is_no_epilock(self, tmp_path):
        program = tmp_path / verifier.NAME
        program.write_bytes(verifier.source())
        (tmp_path / "entry").write_bytes(ENTRY5)
        proof = VECTORS / "ct8-leaf5.tlog-proof"
        words = [program, proof, "--key", KEY, "--entry", tmp_path / "entry", "--json"]
        ran = subprocess.run(
            [sys.executable, "-I", "-W", "error", *words], capture_output=True, check=False,
            cwd=tmp_path, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert json.loads(ran.stdout)["index"] == 5


class TestTerminal:
    def test_what_is_shown(self, tmp_path, capsys):
        receipt = tmp_path / "receipt"
        receipt.write_text(TEXTS["entry0"])
        key = "log.example/records+12294d6c+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
        assert alone.main([str(receipt), "--key", key]) == 0
        told = capsys.readouterr().out
        assert told.startswith("VERIFIED\n")
        assert '"type":"collect"' in told

    def test_what_is_given_wrongly(self, tmp_path, capsys):
        proof = str(VECTORS / "ct8-leaf5.tlog-proof")
        for words in (
            [proof],
            [proof, proof, "--key", KEY],
            [proof, "--key", "x"],
            [proof, "--key", KEY, "--leaf-hash", "xyz"],
            [proof, "--key", KEY, "--entry", str(tmp_path / "none")],
            [str(tmp_path / "none"), "--key", KEY],
            [str(tmp_path), "--key", KEY],
            [proof, "--policy", proof],
            [proof, "--consistency", proof, "--key", KEY],
            [str(VECTORS / "ct8.checkpoint"), "--key", KEY, "--entry", proof],
            [proof, "--key", KEY, "--destruction", "--anchor", proof, "0x00", "0x00"],
            [proof, proof, "--key", KEY, "--consistency", proof, "--anchor", proof, "0x", "0x"],
        ):
            assert alone.main(words) == 2, words
            assert "step       file" in capsys.readouterr().out

    def test_a_hostile_text_cannot_steer_the_terminal(self, tmp_path, capsys):
        path = tmp_path / "policy"
        path.write_text("log \u202e\u009b31m\n")
        assert alone.main([str(path), "--policy", str(path)]) == 2
        assert capsys.readouterr().out.isascii()


class TestTree:
    """Its recursive tree gives what the published vectors say, and what the program's loops say."""

    def test_every_inclusion(self):
        leaves = [bytes.fromhex(each) for each in CT8["leaf_hashes"]]
        for case in CT8["inclusion"]:
            index, size = case["leaf_index"], case["tree_size"]
            path = [bytes.fromhex(each) for each in case["proof"]]
            assert alone.root_of(index, size, leaves[index], path).hex() == CT8["roots"][str(size)]

    def test_every_consistency(self):
        roots = {int(size): bytes.fromhex(root) for size, root in CT8["roots"].items()}
        for case in CT8["consistency"]:
            old, new = case["size1"], case["size2"]
            path = [bytes.fromhex(each) for each in case["proof"]]
            alone.check_prefix(old, roots[old], new, roots[new], path)

    @given(st.integers(1, 300), st.data())
    def test_as_the_programs(self, new, data):
        old, index = data.draw(st.integers(0, new)), data.draw(st.integers(0, new - 1))
        leaves = [tree.leaf_hash(bytes([i % 256, i // 256])) for i in range(new)]

        def read(height, n):
            return tree.root(leaves[n << height : n + 1 << height])

        whole = tree.root(leaves)
        path = tree.inclusion_path(index, new, read)
        assert alone.root_of(index, new, leaves[index], path) == whole
        alone.check_prefix(
            old, tree.root(leaves[:old]), new, whole, tree.consistency_path(old, new, read)
        )


class TestChange:
    """Whatever is changed in a proof that holds, it fails, or it still means the same."""

    @given(st.integers(0, len(LEAF5) - 1), st.integers(0, 255))
    def test_any_octet(self, at, octet):
        self.holds_or_means_the_same(LEAF5[:at] + bytes([octet]) + LEAF5[at + 1 :])

    @given(st.integers(0, len(LEAF5)), st.integers(0, 60), st.binary(max_size=4))
    def test_any_piece(self, at, length, put):
        self.holds_or_means_the_same(LEAF5[:at] + put + LEAF5[at + length :])

    def holds_or_means_the_same(self, data):
        try:
            said = alone.check_proof(data, TRUST, ENTRY5, None)
        except alone.Failure:
            return
        assert said == alone.check_proof(LEAF5, TRUST, ENTRY5, None)


class TestAnchor:
    """From the hash of a block down to the root; the vector is of a real node."""

    FILE = (VECTORS / "anchor/ct8.anchor").read_bytes()
    FACTS = json.loads((VECTORS / "anchor/ct8.json").read_text())
    BLOCK, CONTRACT = FACTS["block_hash"], FACTS["contract"]

    def check(self, data=FILE, block=BLOCK, contract=CONTRACT, **change):
        said = alone.read_note((VECTORS / "ct8.checkpoint").read_text())[1]._asdict()
        return alone.check_anchor(data, said | change, block, contract)

    def fails(self, step, **how):
        with pytest.raises(alone.Failure) as caught:
            self.check(**how)
        assert caught.value.args[0] == step
        return caught.value.args[1]

    def test_a_checkpoint_with_its_anchor(self, tmp_path, capsys):
        words = [str(VECTORS / "ct8.checkpoint"), "--key", KEY, "--anchor"]
        anchor = str(VECTORS / "anchor/ct8.anchor")
        assert alone.main([*words, anchor, self.BLOCK, self.CONTRACT, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["block"] == self.FACTS["number"]
        assert alone.main([*words, anchor, "0x" + "0" * 64, self.CONTRACT, "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["number"], told["step"], told["error"]) == (8, "anchor", "AnchorProofError")

    def test_of_another_block_or_contract(self):
        assert "another block" in self.fails(alone.ANCHOR, block="0x" + "1" * 64)
        assert "contract" in self.fails(alone.ANCHOR, contract="0x" + "1" * 40)

    def test_of_another_checkpoint(self):
        for change in ({"origin": "other"}, {"size": 7}, {"root": bytes(32)}):
            self.fails(alone.ANCHOR, **change)

    def test_what_is_no_anchor(self):
        for data in (
            b"", b"{}", b"[]", self.FILE.replace(b"v1", b"v2"), self.FILE.replace(b"0x", b"0y"),
            self.FILE.replace(b'"header": "', b'"header": 5, "x": "'),
        ):  # fmt: skip
            self.fails(alone.FILE, data=data)
        self.fails(alone.FILE, block="0xno")

    def test_the_code_that_it_asks_for_is_the_one_that_is_shipped(self):
        """Whoever deploys a contract of their own has anchored nothing."""
        assert {bytes.fromhex(alone.CODE)} == anchors.CODE_HASHES

    @given(st.integers(0, len(FILE) - 1), st.integers(0, 255))
    def test_any_changed_octet_as_the_program_says(self, at, octet):
        data = self.FILE[:at] + bytes([octet]) + self.FILE[at + 1 :]
        try:
            found = anchors.parse(data)
            done = anchors.verify(
                found, block_hash=bytes.fromhex(self.BLOCK[2:]),
                contract=bytes.fromhex(self.CONTRACT[2:]),
            )  # fmt: skip
            said = alone.read_note((VECTORS / "ct8.checkpoint").read_text())[1]
            anchors.check_checkpoint(done, said.origin, said.size, said.root)
        except EpilockError:
            with pytest.raises(alone.Failure):
                self.check(data=data)
        else:
            assert self.check(data=data)["block"] == done.number

    @given(st.binary(max_size=400))
    def test_its_hash_is_the_programs(self, data):
        assert alone.keccak256(data) == keccak256(data)


@pytest.mark.parametrize("data", [b"", b"\n", b"quorum", b"\xff", bytes(1 << 21)])
def test_rubbish_is_no_policy(data):
    with pytest.raises(alone.Failure):
        alone.read_policy(data)


@given(st.binary(max_size=200))
def test_rubbish_is_named(data):
    """Nothing but a failure comes out, whatever goes in."""
    for check in (
        lambda: alone.check_proof(data, TRUST, b"", None),
        lambda: alone.check_misbehaviour(data, TRUST),
        lambda: alone.check_note(alone.text_of(data), TRUST),
        lambda: alone.read_entry(data),
        lambda: alone.check_consistency(data, data, data, None),
    ):
        with pytest.raises(alone.Failure):
            check()
