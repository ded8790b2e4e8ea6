"""What gossip promises: whoever shows two people two logs is caught as soon as one of them tells."""

import json

import pytest
from ledgers import ORIGIN, published, signer, some
from story import DUE, OPENING, RoundRules, collect
from typer.testing import CliRunner

from epilock.cli.app import app
from epilock.errors import ForgedError, InputError, NoteError, NotFoundError
from epilock.ledger import conflict
from epilock.ledger import entry as e
from epilock.ledger.hearsay import listen
from epilock.ledger.monitor import Monitor
from epilock.ledger.source import Memory
from epilock.ledger.witness.memory import origin_hash

LOG = [e.encode(each) for each in (*OPENING, *(collect(n) for n in range(600)))]
OTHER = [*LOG[:200], *(e.encode(collect(n, notice="f" * 64)) for n in range(192, 600))]
KEYS = [signer().verifier]
NOW = DUE.replace(hour=1)


def shown(entries, **more):
    return published(entries, **more)["checkpoint"].decode()


def look(mine, *others):
    watch = Monitor(Memory(published(mine)), KEYS, RoundRules())
    for number, text in enumerate(others):
        watch.hear(f"place {number}", text)
    return watch.round(NOW)


class TestHear:
    @pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 600, 608])
    def test_the_same_log_at_any_size(self, size):
        report = look(LOG, shown(LOG[:size]))
        assert (report.findings, report.conflicts) == ([], [])

    @pytest.mark.parametrize("size", [201, 256, 300, 608])
    def test_another_log_by_the_same_key(self, size):
        """And the proof of it verifies alone."""
        report = look(LOG, shown(OTHER[:size]))
        assert [each.kind for each in report.findings] == ["inconsistent"]
        assert conflict.check(report.conflicts[0], KEYS) == (size, 608)

    def test_what_is_kept_back_is_said(self):
        report = look(LOG[:300], shown(LOG))
        assert [(each.kind, each.severity) for each in report.findings] == [("ahead", "warning")]

    def test_what_was_ahead_is_compared_when_the_log_has_grown(self):
        files = dict(published(LOG[:300]))
        watch = Monitor(Memory(files), KEYS, RoundRules())
        watch.hear("a witness", shown(OTHER))
        assert [each.kind for each in watch.round(NOW).findings] == ["ahead"]
        files.update(published(LOG))
        report = watch.round(NOW)
        assert [each.kind for each in report.findings] == ["inconsistent"]
        assert conflict.check(report.conflicts[0], KEYS) == (608, 608)

    def test_it_counts_because_the_log_signed_it(self):
        watch = Monitor(Memory(published(LOG)), KEYS, RoundRules())
        with pytest.raises(NoteError):
            watch.hear("a forger", shown(OTHER, keys=[signer(seed=9)]))
        with pytest.raises(ForgedError):
            watch.hear("a forger", shown(LOG).replace("\n608\n", "\n607\n"))
        assert watch.round(NOW).findings == []


class TestListen:
    def test_a_mirror_a_witness_a_receipt_and_a_checkpoint(self, tmp_path):
        text = shown(LOG)
        (tmp_path / "mirror").mkdir()
        (tmp_path / "mirror/checkpoint").write_text(text)
        (tmp_path / "witness" / origin_hash(ORIGIN)).mkdir(parents=True)
        (tmp_path / "witness" / origin_hash(ORIGIN) / "checkpoint").write_text(text)
        (tmp_path / "receipt").write_text(f"c2sp.org/tlog-proof@v1\nindex 0\n\n{text}")
        (tmp_path / "note").write_text(text)
        for name in ("mirror", "witness", "receipt", "note"):
            assert listen(str(tmp_path / name), ORIGIN) == text

    def test_nothing_is_there(self, tmp_path):
        with pytest.raises(NotFoundError):
            listen(str(tmp_path), ORIGIN)
        with pytest.raises(InputError):
            listen(str(tmp_path / "none"), ORIGIN)
        (tmp_path / "bytes").write_bytes(b"\xff")
        with pytest.raises(InputError):
            listen(str(tmp_path / "bytes"), ORIGIN)


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path):
        def folder(name, entries, **more):
            for path, body in published(entries, **more).items():
                file = tmp_path / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(body)
            return tmp_path / name

        return folder

    def run(self, *words):
        words = ("monitor", "--now", "2026-03-20T09:00:00+08:00", *map(str, words))
        result = CliRunner().invoke(app, [*words, "--key", signer().vkey])
        return result.exit_code, result.output

    def test_evidence_and_page(self, folder, tmp_path):
        mine, other = folder("mine", LOG), folder("other", OTHER)
        words = ("--log", mine, "--also", other, "--evidence", tmp_path / "found", "--page", tmp_path / "p.html")  # fmt: skip
        code, text = self.run(*words)
        assert code == 1
        assert "inconsistent: checkpoints of 608 and 608" in text
        (file,) = (tmp_path / "found").iterdir()
        assert conflict.check(conflict.parse(file.read_bytes()), KEYS) == (608, 608)
        page = (tmp_path / "p.html").read_text()
        assert "两个已签名的检查点互相矛盾" in page
        assert "<script" not in page

    def test_a_hostile_log_cannot_write_the_page(self, folder, tmp_path):
        mine = folder("mine", [*LOG, b"<script>alert(1)</script>"])
        self.run("--log", mine, "--page", tmp_path / "p.html")
        assert "<script" not in (tmp_path / "p.html").read_text()

    def test_several_logs_and_what_they_remember(self, folder, tmp_path):
        """Each has a memory of its own in the folder."""
        second = signer("second.example", 7)
        for path, body in published(LOG).items():
            file = tmp_path / "two" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        mine = folder("mine", LOG)
        words = ("--log", mine, "--log", tmp_path / "two", "--state", tmp_path / "state", "--json")
        code, text = self.run(*words, "--key", second.vkey)
        reports = [json.loads(line) for line in text.splitlines()]
        assert code == 0, text
        assert [each["log"] for each in reports] == [str(mine), str(tmp_path / "two")]
        assert len(list((tmp_path / "state").iterdir())) == 2
        folder("mine", OTHER)
        code, text = self.run(*words)
        kinds = [[f["kind"] for f in json.loads(line)["findings"]] for line in text.splitlines()]
        assert (code, kinds[0][0], kinds[1]) == (1, "inconsistent", [])

    def test_who_shows_nothing_is_named(self, folder, tmp_path):
        mine = folder("mine", LOG)
        code, text = self.run("--log", mine, "--also", tmp_path / "none")
        assert code == 1
        assert f"warning  elsewhere-unsigned: {tmp_path / 'none'}" in text


def test_entries_of_any_kind_may_be_told_of():
    """Gossip is about trees; what the entries say is another question."""
    watch = Monitor(Memory(published(some(300))), KEYS, RoundRules())
    watch.hear("a mirror", shown(some(256)))
    assert {each.kind for each in watch.round(NOW).findings} == {"malformed"}
