"""What a mirror promises: every byte that it keeps is proved when it comes, and none is ever changed."""

import asyncio
import json
import tracemalloc
from hashlib import sha256

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import NOW, ORIGIN, STANDARD, new_log, published, signer, some

from epilock.errors import (
    ForgedError,
    InconsistentError,
    IntegrityError,
    NoteError,
    NotFoundError,
    ProofError,
)
from epilock.ledger import checkpoint, conflict, note, publish, regime, tree
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.folder import LOCK
from epilock.ledger.mirror import EVIDENCE, Mirror
from epilock.ledger.proved import ProvedTree
from epilock.ledger.source import Memory
from epilock.ledger.tree import leaf_hash
from epilock.ledger.witness.key import Cosigner
from epilock.web.mirror import create_mirror_app

KEYS = [signer().verifier]
ENTRIES = some(1500)


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOCK
    }


class Counting(Memory):
    """A source that counts what is asked for, and may fail after some files."""

    def __init__(self, files, *, fail_after=None):
        super().__init__(files)
        self.asked, self.fail_after = [], fail_after

    def read(self, path):
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise NotFoundError("the network is gone")
        self.asked.append(path)
        return super().read(path)


def mirror(files, folder, **more):
    source = files if isinstance(files, Memory) else Memory(files)
    return Mirror(source, KEYS, folder, **more)


class TestRound:
    @pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 1280])
    def test_it_is_what_was_published_byte_for_byte(self, tmp_path, size):
        files = published(ENTRIES[:size])
        done = mirror(files, tmp_path).round(NOW)
        assert done.checkpoint.size == size
        assert files_in(tmp_path) == files

    def test_it_goes_on(self, tmp_path):
        """Partial files stay until their tile is full; what is there is not fetched again."""
        for size in (3, 300, 301, 1500):
            source = Counting(published(ENTRIES[:size]))
            mirror(source, tmp_path).round(NOW)
            files = files_in(tmp_path)
            assert files.items() >= source.files.items()
        bundles = [path for path in source.asked if path.startswith("tile/entries")]
        assert bundles == ["tile/entries/001", *(f"tile/entries/00{n}" for n in (2, 3, 4)), "tile/entries/005.p/220"]  # fmt: skip

    @pytest.mark.parametrize("after", range(1, 14))
    def test_stopped_anywhere_it_goes_on(self, tmp_path, after):
        """A copy that was stopped shows what it showed before, and fetches no bundle twice."""
        files = published(ENTRIES)
        mirror(published(ENTRIES[:200]), tmp_path).round(NOW)
        broken = Counting(files, fail_after=after)
        with pytest.raises(NotFoundError):
            mirror(broken, tmp_path).round(NOW)
        assert (
            checkpoint.parse(note.parse(files_in(tmp_path)["checkpoint"].decode())[0]).size == 200
        )
        again = Counting(files)
        done = mirror(again, tmp_path).round(NOW)
        twice = {p for p in broken.asked if "entries" in p} & {
            p for p in again.asked if "entries" in p
        }
        assert twice <= {broken.asked[-1]}
        assert done.checkpoint.size == 1500
        assert files_in(tmp_path).items() >= files.items()

    def test_a_full_file_serves_for_a_partial_one(self, tmp_path):
        """The log grew while it was read, and partial files are gone."""
        partial = ("tile/entries/001.p/44", "tile/0/001.p/44")
        files = published(ENTRIES[:512]) | published(ENTRIES[:300])
        files = {name: body for name, body in files.items() if name not in partial}
        mirror(files, tmp_path).round(NOW)
        assert files_in(tmp_path).items() >= published(ENTRIES[:300]).items()

    def test_policies_are_kept_too(self, database, tmp_path):
        log = new_log()
        text = f"log {signer().vkey}\nquorum none\n".encode()
        with database.write() as tx:
            log.append(tx, ENTRIES[:5], now=NOW)
            made = regime.announce(
                tx, log, standard_ref=STANDARD, text=text, since=NOW.date(), now=NOW
            )
        publish.write(database, log, tmp_path / "log")
        files = files_in(tmp_path / "log")
        mirror(files, tmp_path / "copy").round(NOW)
        assert files_in(tmp_path / "copy") == files
        with pytest.raises(ProofError, match="not the policy that was announced"):
            mirror(files | {made.path: b"quorum none\n"}, tmp_path / "other").round(NOW)

    def test_its_own_cosignature(self, tmp_path):
        cosigner = Cosigner.ed25519("mirror.example", b"\x05" * 32)
        mirror(published(ENTRIES[:9]), tmp_path, cosigners=[cosigner]).round(NOW)
        text = (tmp_path / "checkpoint").read_text()
        assert note.open_note(text, [*KEYS, cosigner.verifier])[1] == (*KEYS, cosigner.verifier)
        mirror(published(ENTRIES), tmp_path, cosigners=[cosigner]).round(NOW)

    def test_memory_does_not_grow_with_the_log(self, tmp_path):
        """Five times the log, the same memory, but for the test's own files."""
        peaks = []
        for size in (5120, 25600):
            files = published([b"%06d" % i * 20 for i in range(size)])
            tracemalloc.start()
            mirror(files, tmp_path / str(size)).round(NOW)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.6 * peaks[0], peaks


class TestRefusal:
    @pytest.mark.parametrize(
        "path",
        ["tile/entries/001", "tile/entries/005.p/220", "tile/0/002", "tile/0/005.p/220", "tile/1/000.p/5"],
    )  # fmt: skip
    def test_a_changed_file_is_found_when_it_comes(self, tmp_path, path):
        files = published(ENTRIES)
        files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])
        with pytest.raises(ProofError):
            mirror(files, tmp_path).round(NOW)
        assert "checkpoint" not in files_in(tmp_path)

    def test_a_file_of_the_copy_that_was_changed(self, tmp_path):
        with pytest.raises(NotFoundError):
            mirror(Counting(published(ENTRIES), fail_after=9), tmp_path).round(NOW)
        changed = tmp_path / "tile/entries/001"
        changed.write_bytes(changed.read_bytes()[:-1] + b"x")
        with pytest.raises(IntegrityError, match="not what was fetched"):
            mirror(published(ENTRIES), tmp_path).round(NOW)

    @pytest.mark.parametrize(("keys", "error"), [([signer(seed=4)], NoteError), ([], NoteError)])
    def test_it_must_be_signed(self, tmp_path, keys, error):
        files = published(ENTRIES[:9])
        said = Checkpoint(ORIGIN, 9, bytes(32))
        files["checkpoint"] = note.sign(said.text(), keys).encode()
        with pytest.raises(error):
            mirror(files, tmp_path).round(NOW)

    def test_a_signature_that_fails(self, tmp_path):
        files = published(ENTRIES[:9])
        files["checkpoint"] = files["checkpoint"].replace(b"\n9\n", b"\n8\n")
        with pytest.raises(ForgedError):
            mirror(files, tmp_path).round(NOW)

    @pytest.mark.parametrize("size", [9, 300, 1500])
    def test_another_history_is_kept_as_evidence(self, tmp_path, size):
        """The copy stays, and anyone can check the proof with the log's key alone."""
        had = published(ENTRIES[:300])
        mirror(had, tmp_path).round(NOW)
        other = published(some(size, 5000))
        with pytest.raises(InconsistentError):
            mirror(other, tmp_path).round(NOW)
        files = files_in(tmp_path)
        evidence = [body for name, body in files.items() if name.startswith(EVIDENCE)]
        assert files.items() >= had.items()
        sizes = conflict.check(conflict.parse(evidence[0]), KEYS)
        assert sizes == (min(size, 300), max(size, 300))

    def test_a_log_that_shrinks_takes_nothing_back(self, tmp_path):
        mirror(published(ENTRIES[:300]), tmp_path).round(NOW)
        done = mirror(published(ENTRIES[:200]), tmp_path).round(NOW)
        assert done.checkpoint.size == 300


class TestProvedTree:
    @given(st.integers(1, 1500), st.data())
    def test_each_proof_is_that_of_the_tree(self, size, data):
        files = published(ENTRIES[:size])
        said = checkpoint.parse(note.parse(files["checkpoint"].decode())[0])
        proved = ProvedTree(Memory(files), said)
        index = data.draw(st.integers(0, size - 1))
        path = tree.inclusion_path(index, size, proved.node)
        tree.verify_inclusion(index, size, leaf_hash(ENTRIES[index]), path, said.root)
        old = data.draw(st.integers(0, size))
        root = tree.root([leaf_hash(each) for each in ENTRIES[:old]])
        path = tree.consistency_path(old, size, proved.node)
        tree.verify_consistency(old, size, root, said.root, path)

    def test_a_tile_that_is_cut_off(self):
        files = published(ENTRIES)
        files["tile/0/001"] = files["tile/0/001"][:-32]
        said = checkpoint.parse(note.parse(files["checkpoint"].decode())[0])
        with pytest.raises(ProofError, match="does not hold 256 hashes"):
            ProvedTree(Memory(files), said).tile(0, 1)


class TestHttp:
    @pytest.fixture
    def get(self, tmp_path):
        mirror(published(ENTRIES[:300]), tmp_path / "copy").round(NOW)
        (tmp_path / "copy" / EVIDENCE).mkdir()
        (tmp_path / "copy" / EVIDENCE / "x.json").write_text(json.dumps("x"))
        (tmp_path / "secret").write_text("x")
        app = create_mirror_app(tmp_path / "copy")

        def get(path):
            async def go():
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://m.example"
                ) as client:
                    return await client.get(path)

            return asyncio.run(go())

        return get

    def test_it_serves_what_it_keeps(self, get):
        for name, body in published(ENTRIES[:300]).items():
            got = get(f"/{name}")
            assert (got.status_code, got.content) == (200, body)
        assert "immutable" in get("/tile/0/000").headers["cache-control"]
        assert get("/checkpoint").headers["content-type"] == "text/plain; charset=utf-8"

    def test_below_the_hash_of_the_origin(self, get):
        hashed = "9d7b3b2d"  # any other is none
        assert get(f"/{hashed}/checkpoint").status_code == 404
        assert get(f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint").status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/.lock", f"/{EVIDENCE}/x.json", "/..%2Fsecret", "/%2e%2e/secret", "/tile", "/tile/0/000/", "/tile/0/999"],
    )  # fmt: skip
    def test_and_nothing_else(self, get, path):
        assert get(path).status_code == 404


class TestCompare:
    """`epilock ledger check`: a published folder against the database that made it."""

    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "out"

    @pytest.fixture
    def made(self, database, folder):
        log = new_log()
        for size in (200, 300):
            with database.write() as tx:
                log.append(tx, ENTRIES[log.size(tx) : size], now=NOW)
            publish.write(database, log, folder)
        return log

    def test_it_is_what_the_database_makes_of_it(self, database, made, folder):
        assert list(publish.compare(database, made, folder)) == []

    @pytest.mark.parametrize("path", ["tile/entries/000", "tile/0/001.p/44", "tile/1/000.p/1"])
    def test_each_change_is_named(self, database, made, folder, path):
        file = folder / path
        file.write_bytes(file.read_bytes()[:-1] + b"\x00")
        assert [each.row for each in publish.compare(database, made, folder)] == [path]
        file.unlink()
        assert [(each.row, each.problem) for each in publish.compare(database, made, folder)] == [
            (path, "is missing")
        ]

    def test_what_does_not_belong_there(self, database, made, folder):
        (folder / "notes.txt").write_text("x")
        (folder / "tile/0/777").write_bytes(b"x")
        assert [each.row for each in publish.compare(database, made, folder)] == [
            "notes.txt", "tile/0/777",
        ]  # fmt: skip


def test_an_entry_that_looks_like_a_policy_is_none(tmp_path):
    """The mark is only a saving; what is no entry of ours is kept like any other."""
    files = published([b'{"type":"policy"}', b'x"type":"policy"x'])
    mirror(files, tmp_path).round(NOW)
    assert files_in(tmp_path) == files
