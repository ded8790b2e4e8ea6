"""What a change of keys promises: whoever trusted the old key finds the new one, and a sealed log stays as it is."""

import pytest
from ledgers import NOW, STANDARD, new_log, signer, some

from epilock.db import Database
from epilock.errors import (
    ClosedError,
    ConflictError,
    EntryError,
    NoteError,
    NotFoundError,
    StateError,
)
from epilock.ledger import checkpoint, entry, note, publish, shards, succession
from epilock.ledger.audit import StandardRules
from epilock.ledger.folder import CHECKPOINT
from epilock.ledger.log import Log
from epilock.ledger.monitor import Monitor, rounds
from epilock.ledger.seen import Seen, load, save
from epilock.ledger.source import Folder
from epilock.ledger.verify import verify
from epilock.standard import load as load_standard

FIRST, SECOND, THIRD = (signer(seed=n) for n in (1, 2, 3))
RULES = StandardRules([load_standard()])


@pytest.fixture
def log(database):
    log = new_log()
    with database.write() as tx:
        log.append(tx, some(5), now=NOW)
    return log


def do(database: Database, change, log, **more):
    with database.write() as tx:
        return change(tx, log, standard_ref=STANDARD, now=NOW, **more)


def signers(database, log, size=None):
    with database.read() as tx:
        text = log.checkpoint(tx, size)
    every = [key.verifier for key in (FIRST, SECOND, THIRD)]
    said, good = note.open_note(text, every)
    return checkpoint.parse(said).size, [every.index(key) + 1 for key in good]


def grow(database, log, count=1):
    with database.write() as tx:
        return log.append(tx, some(count, log.size(tx)), now=NOW)


class TestRotate:
    def test_both_sign_from_then_on(self, database, log):
        assert do(database, succession.rotate, log) == SECOND.vkey
        assert signers(database, log) == (6, [1, 2])
        assert signers(database, log, 5) == (5, [1])
        assert do(database, succession.retire, log, vkey=FIRST.vkey) == 7
        assert signers(database, log) == (7, [1, 2])
        grow(database, log)
        assert signers(database, log) == (8, [2])

    def test_old_receipts_verify_under_the_key_of_their_day(self, database, log):
        with database.read() as tx:
            old = log.proof(tx, 2)
        do(database, succession.rotate, log)
        do(database, succession.retire, log, vkey=FIRST.vkey)
        grow(database, log)
        verify(old, [FIRST.verifier])
        with database.read() as tx:
            new = log.proof(tx, 2)
        verify(new, [SECOND.verifier])
        with pytest.raises(NoteError):
            verify(new, [FIRST.verifier])

    def test_another_process_signs_with_it_too(self, database, log):
        """It learns of the key with the next batch, and signs the same bytes."""
        other = new_log()
        grow(database, other)
        do(database, succession.rotate, log)
        batch = grow(database, other)
        with database.read() as tx:
            assert other.sign(batch) == log.checkpoint(tx)
        assert signers(database, other) == (8, [1, 2])

    def test_a_change_that_was_rolled_back_never_was(self, database, log):
        def crash(tx, log, **how):
            succession.rotate(tx, log, **how)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            do(database, crash, log)
        assert signers(database, log) == (5, [1])
        assert log.signer.vkey == FIRST.vkey

    def test_one_change_after_the_other(self, database, log):
        do(database, succession.rotate, log)
        with pytest.raises(StateError, match="two keys are in use"):
            do(database, succession.rotate, log)
        do(database, succession.retire, log, vkey=FIRST.vkey)
        assert do(database, succession.rotate, log) == THIRD.vkey
        assert signers(database, log) == (8, [2, 3])

    def test_the_last_key_ends_only_with_the_log(self, database, log):
        with pytest.raises(StateError, match="the only key"):
            do(database, succession.retire, log, vkey=FIRST.vkey)
        with pytest.raises(NotFoundError):
            do(database, succession.retire, log, vkey=THIRD.vkey)


class TestMonitor:
    @pytest.fixture
    def look(self, database, log, tmp_path):
        """Publish, let a stranger who holds ``key`` read it, and return the kinds of what is found."""

        def look(key, seen=None, signed_by=None):
            publish.write(database, log, tmp_path / "out")
            file = tmp_path / "out" / CHECKPOINT
            if signed_by is not None:
                file.write_text(note.sign(note.parse(file.read_text())[0], signed_by))
            watch = Monitor(Folder(tmp_path / "out"), [key.verifier], RULES, seen)
            kinds = {each.kind for each in watch.round(NOW).findings}
            return kinds - {"malformed"}, watch.seen  # the tests' other entries are of no type

        return look

    def test_it_learns_the_new_key_from_the_old(self, database, log, look, tmp_path):
        do(database, succession.rotate, log)
        found, seen = look(FIRST)
        assert (found, seen.keys) == (set(), [SECOND.vkey])
        do(database, succession.retire, log, vkey=FIRST.vkey)
        grow(database, log)
        save(seen, tmp_path / "seen.json")
        assert look(FIRST, load(tmp_path / "seen.json"))[0] == set()
        assert look(FIRST, Seen())[0] == {"unsigned"}  # who comes too late asks for the new key
        assert look(SECOND)[0] == set()

    def test_a_key_that_was_announced_must_sign(self, database, log, look):
        do(database, succession.rotate, log)
        assert look(FIRST, signed_by=[FIRST])[0] == {"key-missing"}

    def test_a_key_that_ended_must_not(self, database, log, look):
        do(database, succession.rotate, log)
        do(database, succession.retire, log, vkey=FIRST.vkey)
        grow(database, log)
        assert look(FIRST, signed_by=[FIRST, SECOND])[0] == {"key-ended"}


class TestSeal:
    def test_nothing_follows(self, database, log):
        assert do(database, succession.seal, log) == 6
        with pytest.raises(ClosedError, match="is sealed"):
            grow(database, log)
        with pytest.raises(ClosedError):
            do(database, succession.seal, log)
        with pytest.raises(ClosedError):
            do(database, succession.rotate, log)
        assert signers(database, log) == (6, [1])

    def test_its_receipts_verify_for_ever(self, database, log, tmp_path):
        do(database, succession.seal, log)
        with database.read() as tx:
            verify(log.proof(tx, 2), [FIRST.verifier])
        publish.write(database, log, tmp_path / "out")
        watch = Monitor(Folder(tmp_path / "out"), [FIRST.verifier], RULES)
        assert {each.kind for each in watch.round(NOW).findings} == {"malformed"}


NEW = "log.example/2027"


class TestSucceed:
    """Sealed, and another goes on: who trusted the one finds the other."""

    @pytest.fixture
    def following(self, database, log):
        with database.read() as tx:
            base = log.size(tx) + 1  # with the entry that seals it
        return Log(NEW, lambda number: signer(NEW, 8 + number), earlier=(log,), base=base)

    @pytest.fixture
    def look(self, database, log, following, tmp_path):
        """Let a stranger who holds the old log's key read both; return the kinds found in each."""

        def look(*, watches=None):
            for each in (log, following):
                publish.write(database, each, tmp_path / each.origin)
            sources = [Folder(tmp_path / each.origin) for each in (log, following)]
            old = Monitor(sources[0], [FIRST.verifier], RULES)
            watches = watches or [old, Monitor(sources[1], [FIRST.verifier], RULES, earlier=(old,))]
            found = [{each.kind for each in report.findings} for report in rounds(watches, NOW)]
            return [kinds - {"malformed"} for kinds in found], watches

        return look

    def continues(self, database, log, **change):
        """Write what begins a new log by hand."""
        with database.read() as tx:
            head = log.head(tx)
        values = {"key": FIRST.vkey, "size": head.size, "root": head.root.hex()} | change
        return entry.encode(
            entry.LogContinues(org="", standard=STANDARD, at=entry.stamp(NOW), **values)
        )

    def test_each_names_the_other(self, database, log, following):
        assert do(database, succession.succeed, log, successor=following) == 6
        with database.read() as tx:
            last = entry.decode(log.entry(tx, 5))
            first = entry.decode(following.entry(tx, 0))
            root = log.head(tx).root.hex()
        assert last.successor == following.signer.vkey
        assert (first.key, first.size, first.root) == (FIRST.vkey, 6, root)
        with pytest.raises(ClosedError):
            grow(database, log)
        grow(database, following)

    def test_the_old_key_is_all_that_a_stranger_needs(self, database, log, following, look):
        do(database, succession.succeed, log, successor=following)
        found, watches = look()
        assert found == [set(), set()]
        grow(database, following)
        assert look(watches=watches)[0] == [set(), set()]  # and who goes on watching, too

    def test_who_comes_before_the_end_of_the_old_one_waits(
        self, database, log, following, look, tmp_path
    ):
        """The new log is read first by mischance: it is audited as soon as the old one was read."""
        do(database, succession.succeed, log, successor=following)
        look()
        old = Monitor(Folder(tmp_path / log.origin), [FIRST.verifier], RULES)
        key = following.signer.verifier
        new = Monitor(Folder(tmp_path / NEW), [key], RULES, earlier=(old,))
        for _ in range(2):
            assert {each.kind for each in new.round(NOW).findings} == {"history-missing"}
        old.round(NOW)
        assert new.round(NOW).findings == []

    @pytest.mark.parametrize("change", [{"root": "0" * 64}, {"size": 5}])
    def test_a_log_that_says_it_continues_something_else(
        self, database, log, following, look, change
    ):
        """Else an operator could drop the end of a year."""
        do(database, succession.seal, log, successor=following.signer.vkey)
        with database.write() as tx:
            following.append(tx, [self.continues(database, log, **change)], now=NOW)
        assert look()[0] == [set(), {"succession"}]

    def test_a_log_that_the_old_one_does_not_name(self, database, log, following, look, tmp_path):
        do(database, succession.seal, log, successor=signer(NEW, 77).vkey)
        with database.write() as tx:
            following.append(tx, [self.continues(database, log)], now=NOW)
        found, (old, _) = look()
        assert found == [{"goes-on"}, {"unsigned"}]  # its key is nobody's whom the stranger trusts
        key = following.signer.verifier
        misled = Monitor(Folder(tmp_path / NEW), [key], RULES, earlier=(old,))
        assert {each.kind for each in misled.round(NOW).findings} == {"succession"}

    def test_it_is_said_once_and_first(self, database, log, following, look):
        do(database, succession.succeed, log, successor=following)
        with database.write() as tx:
            following.append(tx, [self.continues(database, log)], now=NOW)
        assert look()[0] == [set(), {"succession"}]

    def test_a_name_that_is_taken(self, database, log):
        with pytest.raises(ConflictError, match="another name"):
            do(database, succession.succeed, log, successor=new_log())
        grow(database, log)

    def test_a_key_that_no_entry_can_hold(self, database, log):
        long = Log("x" * 200, lambda _: signer("x" * 200), earlier=(log,), base=6)
        with pytest.raises(EntryError):
            do(database, succession.succeed, log, successor=long)
        grow(database, log)

    def test_positions_are_told_apart(self, database, log, following):
        do(database, succession.succeed, log, successor=following)
        grow(database, following, 3)
        assert [shards.at(following, n) for n in (0, 5, 6, 9)] == [
            (log, 0), (log, 5), (following, 0), (following, 3),
        ]  # fmt: skip
        with database.read() as tx:
            assert shards.entries_at(tx, following, 4, 4) == [
                *log.entries(tx, 4, 2), *following.entries(tx, 0, 2),
            ]  # fmt: skip
            assert shards.entries_at(tx, following, 9, 4) == following.entries(tx, 3, 1)
            verify(shards.proof_at(tx, following, 2), [FIRST.verifier])
            verify(shards.proof_at(tx, following, 8), [following.signer.verifier])
            with pytest.raises(NotFoundError):
                shards.entry_at(tx, following, 10)
            with pytest.raises(NotFoundError):
                shards.entry_at(tx, following, -1)
        with pytest.raises(NotFoundError):
            shards.numbered(following, 3)
