"""What the monitor promises: it believes nothing but signatures and hashes, and misses no contradiction."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN, published, signer
from story import BUCKET, DUE, LOW, OPENING, RoundRules, certificate, collect, destroy, level

from epilock.errors import FileFormatError, LedgerError, ProofError
from epilock.ledger import conflict, note, seen
from epilock.ledger import entry as e
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.conflict import Conflict
from epilock.ledger.monitor import Monitor
from epilock.ledger.seen import Seen
from epilock.ledger.source import Memory

NOW = DUE - timedelta(days=1)
STORY = [e.encode(each) for each in OPENING]
RECORDS = [e.encode(collect(n)) for n in range(900)]
LOG = [*STORY, *RECORDS]
KEYS = [signer().verifier]


def watch(files, seen=None):
    return Monitor(Memory(files), KEYS, RoundRules(), seen)


def kinds(report):
    return [each.kind for each in report.findings]


class TestHonest:
    @pytest.mark.parametrize("size", [0, 1, 8, 255, 256, 257, 512, 908])
    def test_nothing_is_found(self, size):
        report = watch(published(LOG[:size])).round(NOW)
        assert report.findings == []
        assert (report.size, report.checkpoint.size, report.checkpoint.origin) == (
            size,
            size,
            ORIGIN,
        )

    def test_it_goes_on_from_where_it_was(self):
        """And reads each full bundle once."""
        files = dict(published(LOG[:300]))
        monitor = watch(files)
        assert monitor.round(NOW).size == 300
        files.clear()
        files.update(published(LOG))
        del files["tile/entries/000"]
        report = monitor.round(NOW)
        assert (report.size, report.findings) == (908, [])

    def test_a_full_bundle_serves_for_a_partial_one(self):
        """As tlog-tiles allows: partial files may be gone once the full one is there."""
        early, late = published(LOG[:300]), published(LOG)
        files = {name: body for name, body in early.items() if ".p/" not in name} | {
            name: body for name, body in late.items() if ".p/" not in name and name != "checkpoint"
        }
        files["tile/1/000.p/1"] = early["tile/1/000.p/1"]
        report = watch(files).round(NOW)
        assert (report.size, report.findings) == (300, [])

    def test_what_is_overdue(self):
        report = watch(published(LOG)).round(DUE + timedelta(days=2))
        assert [(f.severity, f.kind, f.index) for f in report.findings] == [
            ("critical", "overdue", 7), ("critical", "overdue", 7),
        ]  # fmt: skip
        assert {f.about for f in report.findings} == {f"{BUCKET} 3-IV", f"{BUCKET} 3-II"}

    def test_certified_meanwhile(self):
        files = dict(published(LOG))
        monitor = watch(files)
        assert kinds(monitor.round(DUE)) == ["due", "due"]
        end = [e.encode(destroy()), e.encode(certificate(900))]
        files.update(published([*LOG, *end]))
        assert kinds(monitor.round(DUE + timedelta(days=2))) == []


class TestFiles:
    """Each file that is missing, changed or cut off is found."""

    FILES = published(LOG)

    @pytest.mark.parametrize("name", sorted(FILES))
    @pytest.mark.parametrize("how", ["missing", "changed", "cut", "longer"])
    def test_every_file(self, name, how):
        files = dict(self.FILES)
        body = files.pop(name)
        if how != "missing":
            changed = body[:-7] + bytes([body[-7] ^ 1]) + body[-6:]
            files[name] = {"changed": changed, "cut": body[:-1], "longer": body + b"x"}[how]
        found = kinds(watch(files).round(NOW))
        assert found
        assert set(found) <= {"unsigned", "unreadable", "tile", "root", "malformed"}

    def test_an_entry_that_is_none(self):
        """A log that signs rubbish is accused of it, and the rest is still read."""
        report = watch(published([*LOG, b"rubbish", LOG[8]])).round(NOW)
        assert [(f.kind, f.about, f.index) for f in report.findings] == [
            ("malformed", "entry 908", 908), ("number-repeated", BUCKET, 909),
        ]  # fmt: skip
        assert report.size == 910

    def test_another_key(self):
        report = watch(published(LOG, keys=[signer(seed=2)])).round(NOW)
        assert (kinds(report), report.checkpoint, report.size) == (["unsigned"], None, 0)

    def test_no_log_at_all(self):
        assert kinds(watch({}).round(NOW)) == ["unsigned"]
        assert kinds(watch({"checkpoint": b"\xff"}).round(NOW)) == ["unsigned"]

    @given(st.binary(max_size=200))
    def test_rubbish_for_a_checkpoint(self, data):
        assert kinds(watch({"checkpoint": data}).round(NOW)) == ["unsigned"]

    @given(st.sampled_from(sorted(FILES)), st.randoms(use_true_random=False))
    def test_any_changed_octet(self, name, rnd: random.Random):
        files = dict(self.FILES)
        body = bytearray(files[name])
        body[rnd.randrange(len(body))] ^= 1 << rnd.randrange(8)
        files[name] = bytes(body)
        assert kinds(watch(files).round(NOW))


def forked(size, changed=20):
    """Another history: the entry at ``changed`` is another one."""
    entries = LOG[:size]
    entries[changed] = e.encode(collect(5000))
    return entries


class TestContradiction:
    """Two checkpoints that cannot both be are kept, and prove it to anyone who has the key."""

    def proved(self, report):
        assert "inconsistent" in kinds(report)
        (found,) = report.conflicts
        again = conflict.parse(found.text().encode())
        assert again == found
        return conflict.check(again, KEYS)

    @pytest.mark.parametrize(
        ("old", "new"), [(300, 300), (300, 908), (256, 908), (255, 257), (21, 22)]
    )
    def test_a_rewritten_log(self, old, new):
        """Found by a monitor that is kept, and by one that only remembers the checkpoint."""
        files = dict(published(LOG[:old]))
        monitor = watch(files)
        assert monitor.round(NOW).findings == []
        other = published(forked(new))
        files.clear()
        files.update(other)
        assert self.proved(monitor.round(NOW)) == (old, new)
        remembered = Seen(monitor.seen.notes[:1])
        assert self.proved(watch(other, remembered).round(NOW)) == (old, new)

    def test_a_smaller_log_of_another_history(self):
        files = dict(published(LOG))
        monitor = watch(files)
        monitor.round(NOW)
        files["checkpoint"] = published(forked(300))["checkpoint"]
        report = monitor.round(NOW)
        assert kinds(report) == ["inconsistent", "shrunk"]
        assert self.proved(report) == (300, 908)

    def test_an_older_checkpoint_of_the_same_history(self):
        """Strange, and no proof of anything: a cache may have kept it."""
        files = dict(published(LOG))
        monitor = watch(files)
        monitor.round(NOW)
        files["checkpoint"] = published(LOG[:300])["checkpoint"]
        report = monitor.round(NOW)
        assert (kinds(report), report.conflicts, report.size) == (["shrunk"], [], 908)
        fresh = watch(published(LOG[:300]), monitor.seen).round(NOW)
        assert (kinds(fresh), fresh.size) == (["shrunk"], 300)

    def test_it_is_never_forgotten(self):
        files = dict(published(LOG[:300]))
        monitor = watch(files)
        monitor.round(NOW)
        files.update(published(forked(300)))
        monitor.round(NOW)
        files.update(published(LOG))
        proofs = monitor.round(NOW).conflicts
        assert [conflict.check(each, KEYS) for each in proofs] == [(300, 300), (300, 908)]

    def test_many_earlier_checkpoints(self):
        files, monitor = {}, None
        for size in (1, 5, 255, 256, 300, 700):
            files.update(published(LOG[:size]))
            monitor = monitor or watch(files)
            assert monitor.round(NOW).findings == []
        assert len(monitor.seen.notes) == 6
        assert watch(published(LOG), Seen(list(monitor.seen.notes))).round(NOW).findings == []
        report = watch(published(forked(908, changed=400)), Seen(list(monitor.seen.notes))).round(
            NOW
        )
        assert self.proved(report) == (700, 908)


class TestConflict:
    def signed(self, size, root, key=None):
        return note.sign(Checkpoint(ORIGIN, size, root).text(), [key or signer()])

    def test_what_proves_nothing(self):
        a, b = self.signed(5, b"a" * 32), self.signed(5, b"b" * 32)
        assert conflict.check(Conflict(a, b), KEYS) == (5, 5)
        more = self.signed(6, b"c" * 32)
        other = note.sign(Checkpoint("x.example", 5, b"b" * 32).text(), [signer("x.example")])
        for false, kind in (
            (Conflict(a, a), ProofError),
            (Conflict(a, more), ProofError),
            (Conflict(a, more, b"a" * 32, (b"c" * 32,)), ProofError),
            (Conflict(a, self.signed(5, b"b" * 32, signer(seed=2))), LedgerError),
            (Conflict(a, b.replace("\nYmJi", "\nYmJj")), LedgerError),
            (Conflict(a, other), ProofError),
        ):
            with pytest.raises(kind):
                conflict.check(false, [*KEYS, signer("x.example").verifier])

    @given(st.binary(max_size=200))
    def test_rubbish_is_named(self, data):
        with pytest.raises(FileFormatError):
            conflict.parse(data)

    def test_a_file_too_large(self):
        with pytest.raises(FileFormatError):
            conflict.parse(bytes(conflict.MOST_BYTES + 1))


class TestSeen:
    def test_it_is_read_as_it_is_written(self, tmp_path):
        path = tmp_path / "state.json"
        assert seen.load(path) == Seen()
        kept = Seen(["one", "two"], [Conflict("a", "b", b"c" * 32, (b"d" * 32,))])
        seen.save(kept, path)
        seen.save(kept, path)
        assert seen.load(path) == kept
        assert [each.name for each in tmp_path.iterdir()] == ["state.json"]

    def test_what_is_no_memory(self, tmp_path):
        path = tmp_path / "state.json"
        for text in ("", "{}", "[]", '{"checkpoints":[1],"conflicts":[]}'):
            path.write_text(text)
            with pytest.raises(FileFormatError, match=r"state\.json"):
                seen.load(path)

    def test_the_first_and_the_newest_are_kept(self):
        kept = Seen()
        for number in range(400):
            kept.add(str(number))
            kept.add(str(number))
        assert kept.notes[:2] == ["0", "145"]
        assert (kept.notes[-1], len(kept.notes)) == ("399", seen.MOST_CHECKPOINTS)


def test_a_level_changes_what_is_due():
    """From the public log alone: the same records, another date."""
    files = published([*LOG, e.encode(level("IV", 16))])
    report = watch(files).round(DUE - timedelta(days=3))
    assert [f.about for f in report.findings] == [f"{BUCKET} 3-II"]
    assert LOW == "3-IV"
