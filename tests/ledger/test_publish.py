"""What publishing promises: whoever reads a checkpoint finds all that it needs, whatever crashed before."""

import fcntl
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import NOW, new_log, published, signer, some

from epilock.errors import (
    ConflictError,
    InconsistentError,
    IntegrityError,
    NotFoundError,
    StateError,
)
from epilock.ledger import publish, source
from epilock.ledger.folder import DRAFT, LOCK
from epilock.ledger.monitor import Monitor

SIZES = (0, 3, 256, 300, 700)
ENTRIES = some(700)


class AnyRules:
    """No entry here is of our types, so no rule is ever asked."""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "public"
    made.mkdir()
    return made


def tree_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def without_old_partials(files, size):
    """What is left when partial files beside full ones are removed."""
    full = {name for name in published(ENTRIES[:size]) if ".p/" not in name}
    return {
        name: body
        for name, body in files.items()
        if name.split(".p/")[0] not in full or ".p/" not in name
    }


def grow(database, log, end):
    with database.read() as tx:
        size = log.size(tx)
    with database.write() as tx:
        log.append(tx, ENTRIES[size:end], now=NOW)


class TestFolder:
    def test_it_is_the_log(self, database, folder):
        """Byte for byte what another way of laying it out gives, at each size."""
        log, expected = new_log(), {}
        for size in SIZES:
            grow(database, log, size)
            shown = publish.write(database, log, folder)
            assert shown.size == size
            expected = without_old_partials(expected | published(ENTRIES[:size]), size)
            assert tree_of(folder) == expected

    def test_a_stranger_reads_it(self, database, folder):
        log = new_log()
        grow(database, log, 700)
        publish.write(database, log, folder)
        watch = Monitor(source.Folder(folder), [signer().verifier], AnyRules())
        report = watch.round(NOW)
        assert report.size == 700
        assert {each.kind for each in report.findings} == {"malformed"}

    def test_it_can_be_made_again(self, database, folder):
        log = new_log()
        grow(database, log, 700)
        publish.write(database, log, folder / "one")
        publish.write(database, new_log(), folder / "two")
        assert tree_of(folder / "one") == tree_of(folder / "two")

    def test_repeating_changes_nothing(self, database, folder):
        log = new_log()
        grow(database, log, 300)
        publish.write(database, log, folder)
        times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        publish.write(database, log, folder)
        again = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        del times[folder / LOCK], again[folder / LOCK]
        assert times == again


class TestCrash:
    """The table in the module: after each effect, the next write ends in the same folder."""

    def order(self, folder, database, log):
        """Return the names of new files in the order in which they were written."""
        before = set(tree_of(folder))
        publish.write(database, log, folder)
        new = [p for p in folder.rglob("*") if p.is_file() and p.name != LOCK]
        new = [p for p in new if str(p.relative_to(folder)) not in before or p.name == "checkpoint"]
        return sorted(new, key=lambda p: p.stat().st_mtime_ns)

    def test_after_each_file(self, database, folder):
        log, goal, crashed = new_log(), folder / "goal", folder / "crashed"
        grow(database, log, 300)
        publish.write(database, log, goal)
        old = folder / "old"
        shutil.copytree(goal, old)
        grow(database, log, 700)
        written = self.order(goal, database, log)
        names = [str(p.relative_to(goal)) for p in written]
        assert names[-1] == "checkpoint"
        assert names[0].startswith("tile/entries/")
        for done in range(len(names)):
            shutil.copytree(old, crashed)
            for name in names[:done]:
                (crashed / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(goal / name, crashed / name)
            (crashed / DRAFT).write_bytes(b"half")
            assert (
                Monitor(source.Folder(crashed), [signer().verifier], AnyRules()).round(NOW).size
                == 300
            )
            publish.write(database, log, crashed)
            assert tree_of(crashed) == tree_of(goal)
            shutil.rmtree(crashed)

    def test_before_a_rename_is_one_file_however_the_log_grows(self, database, folder, monkeypatch):
        """The tile whose writing was cut short may never be written again: it is full by then."""
        log = new_log()
        grow(database, log, 300)

        def cut(self, target):
            raise OSError("the machine stops here")

        with monkeypatch.context() as machine:
            machine.setattr(Path, "replace", cut)
            with pytest.raises(OSError, match="stops"):
                publish.write(database, log, folder)
        left = set(tree_of(folder))
        assert left == {DRAFT}
        grow(database, log, 700)
        publish.write(database, log, folder)
        assert not left & set(tree_of(folder))
        assert list(publish.compare(database, log, folder)) == []

    def test_while_old_partials_are_removed(self, database, folder):
        log = new_log()
        grow(database, log, 3)
        publish.write(database, log, folder)
        partial = folder / "tile/entries/000.p"
        grow(database, log, 300)
        shutil.copytree(partial, folder / "kept")
        publish.write(database, log, folder)
        assert not partial.exists()
        shutil.move(folder / "kept", partial)
        publish.write(database, log, folder)
        assert (
            Monitor(source.Folder(folder), [signer().verifier], AnyRules()).round(NOW).size == 300
        )


class TestRefusals:
    def test_a_folder_of_a_longer_log(self, database, folder):
        """A database restored from a backup must not sign another branch."""
        grow(database, new_log(), 10)
        for name, body in published(ENTRIES[:11]).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(body)
        before = tree_of(folder)
        with pytest.raises(InconsistentError, match="has 10 entries, but 11 were published"):
            publish.write(database, new_log(), folder)
        assert tree_of(folder) == before

    def test_a_folder_of_another_history(self, database, folder):
        grow(database, new_log(), 10)
        (folder / "checkpoint").write_bytes(published(some(5, 100))["checkpoint"])
        with pytest.raises(InconsistentError, match="another root was published for 5"):
            publish.write(database, new_log(), folder)

    @pytest.mark.parametrize(
        "text",
        [b"", b"rubbish", b"\xff", published(ENTRIES[:5], keys=[signer(seed=2)])["checkpoint"]],
    )
    def test_a_folder_of_another_log(self, database, folder, text):
        (folder / "checkpoint").write_bytes(text)
        with pytest.raises(IntegrityError, match="not signed by this log"):
            publish.write(database, new_log(), folder)

    def test_a_file_that_was_published_with_other_bytes(self, database, folder):
        grow(database, new_log(), 10)
        (folder / "tile/0/000.p").mkdir(parents=True)
        (folder / "tile/0/000.p/10").write_bytes(b"other")
        with pytest.raises(
            IntegrityError, match=r"tile/0/000\.p/10 was published with other bytes"
        ):
            publish.write(database, new_log(), folder)

    @pytest.mark.parametrize(
        "spoil",
        [
            "UPDATE ledger_entries SET entry = :b WHERE idx = 5",
            "DELETE FROM ledger_entries WHERE idx = 5",
            "UPDATE ledger_tiles SET hashes = :long WHERE level = 0 AND n = 0",
        ],
    )
    def test_a_log_that_does_not_fit_itself(self, database, folder, spoil):
        """No bundle of it is written."""
        grow(database, new_log(), 300)
        values = {"b": b"x"} if ":b" in spoil else {"long": bytes(8192)} if ":long" in spoil else {}
        with database.write() as tx:
            tx.conn.execute(sa.text(spoil), values)
        with pytest.raises(IntegrityError, match=r"tile/.*000"):
            publish.write(database, new_log(), folder)
        assert tree_of(folder) == {}

    def test_two_at_once(self, database, folder):
        with (folder / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(ConflictError, match="another process"):
                publish.write(database, new_log(), folder)


class TestHttp:
    @pytest.fixture
    def log(self, database):
        log = new_log()
        for size in SIZES[1:]:
            grow(database, log, size)
        return log

    def test_each_file_of_each_checkpoint(self, database, log):
        with database.read() as tx:
            for size in SIZES[1:]:
                for name, body in published(ENTRIES[:size]).items():
                    if name != "checkpoint":
                        found = publish.read(tx, log, name)
                        assert found.body == body, name
                        assert found.content_type == "application/octet-stream"
                        assert "immutable" in found.cache_control
            found = publish.read(tx, log, "checkpoint")
            assert found.body == published(ENTRIES)["checkpoint"]
            assert found.content_type == "text/plain; charset=utf-8"
            assert found.cache_control == "public, max-age=5"

    @pytest.mark.parametrize(
        "path",
        [
            "", "tile/0/003", "tile/0/002.p/189", "tile/1/000", "tile/1/000.p/3", "tile/2/000.p/1",
            "tile/entries/002", "tile/entries/002.p/189", "tile/entries/x001/000", "tile/63/000",
            "../checkpoint", "checkpoint/", "tile/0/000.p/256",
        ],
    )  # fmt: skip
    def test_what_is_not_there(self, database, log, path):
        with database.read() as tx, pytest.raises(NotFoundError):
            publish.read(tx, log, path)

    def test_nothing_before_it_is_committed(self, database, log):
        with database.write() as tx, pytest.raises(StateError):
            publish.read(tx, log, "checkpoint")
