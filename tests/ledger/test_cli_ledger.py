"""What the terminal says of a proof or a log: the step that failed, and an exit code that a script can use."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from ledgers import ORIGIN, STANDARD, published, signer, some
from story import BUCKET, OPENING, collect
from typer.testing import CliRunner

from epilock import settings
from epilock.assemble import found
from epilock.cli import ledger as commands
from epilock.cli import monitor as watching
from epilock.cli import verify as checks
from epilock.cli.failure import explain
from epilock.errors import EpilockError
from epilock.ledger import entry as e
from epilock.ledger.notation import base64_text

VECTORS = Path(__file__).parents[1] / "vectors/ledger"
LEAF5 = VECTORS / "ct8-leaf5.tlog-proof"
VKEYS = (VECTORS / "vkeys.txt").read_text().split("\n")
ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
LOG = [e.encode(each) for each in (*OPENING, collect(0), collect(1))]
BEFORE, AFTER = "2026-03-20T09:00:00+08:00", "2026-05-20T09:00:00+08:00"


@pytest.fixture
def run():
    """Run a command as the program does; return exit code and output."""
    app = typer.Typer()
    app.command("verify")(checks.verify)
    app.command("monitor")(watching.monitor)
    app.add_typer(commands.app, name="ledger")

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if isinstance(result.exception, EpilockError):
            text, code = explain(result.exception)
            return code, text
        return result.exit_code, result.output

    return run


@pytest.fixture
def entry5(tmp_path):
    path = tmp_path / "entry"
    path.write_bytes(bytes.fromhex("40414243"))
    return path


@pytest.fixture
def folder(tmp_path):
    for name, body in published(LOG).items():
        path = tmp_path / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "log"


class TestVerify:
    def test_it_holds(self, run, entry5):
        code, text = run("verify", LEAF5, "--key", VKEYS[0], "--entry", entry5)
        assert code == 0
        assert text.split("\n")[:8] == [
            "VERIFIED",
            "  1 file         a proof of entry 5 in a log of 8",
            "  2 entry        4 bytes",
            f"  3 checkpoint   8 entries, root {ROOT}",
            "  4 origin       vectors.example/ct8",
            "  5 signature    by the log; witnesses: none known",
            "  6 policy       none was given",
            f"  7 inclusion    the entry is in the tree with the root {ROOT}",
        ]
        assert "of no type of Epilock: 40414243" in text

    def test_with_a_policy(self, run, entry5, tmp_path):
        rule = tmp_path / "policy"
        rule.write_text(
            f"log {VKEYS[0]}\nwitness ed {VKEYS[1]}\nwitness pq {VKEYS[2]}\ngroup g all ed pq\nquorum g\n"
        )
        code, text = run("verify", LEAF5, "--policy", rule, "--entry", entry5, "--json")
        assert code == 0
        assert json.loads(text)["witnesses"] == ["witness.example/ed", "witness.example/pq"]
        alone = tmp_path / "alone"
        alone.write_text("\n".join(LEAF5.read_text().split("\n")[:-3]) + "\n")
        code, text = run("verify", alone, "--policy", rule, "--entry", entry5)
        assert code == 4
        assert text.startswith("NOT VERIFIED, step 6 (policy), PolicyError: 0 of 2 known witnesses")

    def test_what_it_says(self, run, tmp_path):
        text = (
            f"c2sp.org/tlog-proof@v1\nextra {base64_text(LOG[0])}\nindex 0\n\n"
            + published(LOG[:1])["checkpoint"].decode()
        )
        path = tmp_path / "receipt.tlog-proof"
        path.write_text(text)
        code, text = run("verify", path, "--key", signer().vkey)
        assert code == 0
        assert "The entry says (organisation):" in text
        assert '{"en":"CDC","zh":"疾控中心"}' in text
        code, text = run("verify", path, "--key", signer().vkey, "--json")
        assert json.loads(text)["entry"] == json.loads(LOG[0])

    @pytest.mark.parametrize(
        ("change", "code", "told"),
        [
            (("@v1", "@v2"), 2, "file FileFormatError"),
            (("vectors.example/ct8\n8", "other.example\n8"), 3, "origin OriginError"),
            (("\n8\n", "\n08\n"), 2, "checkpoint NoteError"),
            (("\n8\n", "\n9\n"), 3, "signature ForgedError"),
            (("index 5", "index 4"), 1, "inclusion ProofError"),
        ],
    )
    def test_the_step_that_fails(self, run, entry5, change, code, told):
        path, (old, new), (step, error) = entry5.with_name("proof"), change, told.split()
        path.write_text(LEAF5.read_text().replace(old, new, 1))
        words = ("verify", path, "--key", VKEYS[0], "--entry", entry5)
        assert run(*words)[0] == code
        assert f"({step}), {error}: " in run(*words)[1]
        said = json.loads(run(*words, "--json")[1])
        assert (said["ok"], said["step"], said["error"]) == (False, step, error)

    def test_without_its_entry(self, run):
        code, text = run("verify", LEAF5, "--key", VKEYS[0])
        assert code == 2
        assert text.startswith("NOT VERIFIED, step 2 (entry), EntryError: ")

    def test_what_was_given_is_wrong(self, run, tmp_path):
        for words in (
            ("verify", LEAF5),
            ("verify", LEAF5, "--key", "x"),
            ("verify", tmp_path / "none", "--key", VKEYS[0]),
            ("verify", tmp_path, "--key", VKEYS[0]),
            ("verify", LEAF5, "--key", VKEYS[0], "--entry", tmp_path / "none"),
            ("verify", LEAF5, "--policy", LEAF5),
        ):
            code, text = run(*words)
            assert code == 2, words
            assert text

    def test_a_hostile_text_cannot_steer_the_terminal(self, run, tmp_path):
        path = tmp_path / "proof"
        path.write_text(LEAF5.read_text().replace("vectors.example/ct8\n8", "\u202e\u009b31m\n8"))
        _, text = run("verify", path, "--key", VKEYS[0], "--entry", path)
        assert text.isascii()


class TestMonitor:
    def test_nothing_is_wrong(self, run, folder):
        code, text = run("monitor", "--log", folder, "--key", signer().vkey, "--now", BEFORE)
        assert text == (
            f"{ORIGIN}: 10 entries read and hashed to the signed root\n"
            "nothing is wrong, overdue or contradictory\n"
        )
        assert code == 0

    def test_what_is_overdue(self, run, folder):
        code, text = run("monitor", "--log", folder, "--key", signer().vkey, "--now", AFTER)
        assert code == 1
        assert f"critical overdue: {BUCKET} 3-IV, entry 7" in text
        assert "没有销毁证明" in text
        code, text = run(
            "monitor", "--log", folder, "--key", signer().vkey, "--now", AFTER, "--json"
        )
        assert code == 1
        told = json.loads(text)
        assert (told["origin"], told["size"], told["conflicts"]) == (ORIGIN, 10, [])
        assert [f["kind"] for f in told["findings"]] == ["overdue", "overdue"]
        assert told["findings"][0]["detail"].keys() == {"zh", "en"}

    def test_it_remembers(self, run, folder, tmp_path):
        words = ("monitor", "--log", folder, "--key", signer().vkey, "--now", BEFORE, "--state",
                 tmp_path / "state.json")  # fmt: skip
        assert run(*words)[0] == 0
        other = [*LOG[:-1], e.encode(collect(7))]
        for name, body in published(other).items():
            (folder / name).write_bytes(body)
        code, text = run(*words)
        assert code == 1
        assert "critical inconsistent: checkpoints of 10 and 10" in text
        for name, body in published(LOG).items():
            (folder / name).write_bytes(body)
        assert "inconsistent" in run(*words)[1]

    def test_what_was_given_is_wrong(self, run, folder, tmp_path):
        for words in (
            ("--log", folder),
            ("--log", tmp_path / "none", "--key", VKEYS[0]),
            ("--log", folder, "--key", "x"),
            ("--log", folder, "--key", VKEYS[0], "--now", "2026-03-14"),
            ("--log", folder, "--key", VKEYS[0], "--state", LEAF5),
        ):
            assert run("monitor", *words)[0] == 2, words


class TestInstallation:
    def test_export_and_proof(self, run, tmp_path):
        """What an installation exports, a stranger reads; what it proves, a stranger verifies."""
        home = tmp_path / "home"
        found(settings.read({}, home=home), now=lambda: datetime(2026, 3, 14, tzinfo=UTC)).close()
        code, key = run("ledger", "key", "--home", home)
        assert code == 0
        code, text = run("ledger", "export", tmp_path / "out", "--home", home)
        assert (code, text) == (0, f"{tmp_path / 'out'} shows 1 entries of localhost/epilock\n")
        code, text = run(
            "monitor", "--log", tmp_path / "out", "--key", key.strip(), "--now", BEFORE
        )
        assert code == 0, text
        code, text = run("ledger", "proof", "0", "--home", home)
        (tmp_path / "first").write_text(text)
        code, text = run("verify", tmp_path / "first", "--key", key.strip())
        assert code == 0
        assert f'"{STANDARD}"' in text
        assert run("ledger", "proof", "1", "--home", home)[0] == 1

    def test_what_it_hands_out_shows_that_it_only_grew(self, run, tmp_path):
        """Two checkpoints and the proof between them, checked by whoever kept the older one."""
        home, now = tmp_path / "home", datetime(2026, 3, 14, tzinfo=UTC)
        parts = found(settings.read({}, home=home), now=lambda: now)
        for first in (1, 4):
            with parts.database.write() as tx:
                parts.log.append(tx, some(3, first), now=now)
        parts.close()
        key = run("ledger", "key", "--home", home)[1].strip()
        for name, words in {
            "old": ("checkpoint", "4"), "new": ("checkpoint",), "path": ("consistency-proof", "4"),
        }.items():  # fmt: skip
            code, text = run("ledger", *words, "--home", home)
            assert code == 0, text
            (tmp_path / name).write_text(text)
        old, new, path = (tmp_path / name for name in ("old", "new", "path"))
        words = ("--proof", path, "--key", key)
        code, text = run("ledger", "consistency", old, new, *words)
        assert (code, text.split("\n")[0]) == (0, "VERIFIED"), text
        assert run("ledger", "consistency", new, old, *words)[0] == 1
        assert run("ledger", "checkpoint", "3", "--home", home)[0] == 1

    def test_without_a_key_it_says_that_no_signature_was_looked_at(self, run, tmp_path):
        path = tmp_path / "empty"
        path.write_text("")
        checkpoint = VECTORS / "ct8.checkpoint"
        code, text = run("ledger", "consistency", checkpoint, checkpoint, "--proof", path)
        assert code == 0
        assert text.count("NOT CHECKED") == 3
