"""Others read what we publish and we read what they publish: the Go project's notes and trees, another ML-DSA.

``foreign/main.go`` is built from ``golang.org/x/mod/sumdb``, where the formats of C2SP come from. What both
sides can be asked is asked of both, also bent: they refuse alike, but for what each test names.
"""

from base64 import b64decode

import pytest
from dilithium_py.ml_dsa import ML_DSA_44
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledgers import NOW, ORIGIN, new_log, published, signer, some
from stranger import Refused, Stranger, is_here

from epilock.errors import EpilockError, ForgedError, NoteError
from epilock.ledger import checkpoint, conflict, note, publish, tree
from epilock.ledger import proof as proofs
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.cosignature import ML_DSA_44 as TYPE_ML_DSA_44
from epilock.ledger.mirror import Mirror
from epilock.ledger.monitor import Monitor
from epilock.ledger.note import Verifier
from epilock.ledger.source import Folder
from epilock.ledger.tree import leaf_hash
from epilock.ledger.verify import verify
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory
from epilock.ledger.witness.request import AddCheckpoint
from epilock.verifier import alone
from verifier.table import VECTORS

MANY = settings(max_examples=400)
SIZES = (1, 255, 256, 300, 700)
LEAVES = [leaf_hash(each) for each in some(70)]
ROOTS = [tree.root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]
WITNESS = Cosigner.ed25519("witness.example/audit", b"\x02" * 32)
SIGNED = note.sign(Checkpoint(ORIGIN, 70, ROOTS[70]).text(), [signer()])
SIGNED += WITNESS.cosign(note.parse(SIGNED)[0], 1_700_000_000).line()
SIGNED += note.Signature("stranger.example", b"abcd", b"x").line()
KNOWN = [signer().verifier, WITNESS.verifier]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    if not is_here():
        pytest.skip("golang-go and golang-golang-x-mod-dev are not installed")
    made = Stranger(tmp_path_factory.mktemp("foreign") / "foreign")
    yield made
    made.close()


def read(height, n, leaves=LEAVES):
    return tree.root(leaves[n << height : n + 1 << height])


class AnyRules:
    """No entry of theirs is of our types, so no rule is ever asked."""


class TestTheyReadOurs:
    def test_the_published_folder(self, database, tmp_path, stranger):
        """Signature, tiles, root, every entry in its tile, every third proved, and growth from each size."""
        log, older = new_log(), []
        for size in SIZES:
            with database.write() as tx:
                had = log.size(tx)
                log.append(tx, some(size - had, had), now=NOW)
            publish.write(database, log, tmp_path)
            older.append((tmp_path / "checkpoint").read_bytes())
        told = stranger.ask(
            "read", folder=str(tmp_path), keys=[signer().vkey], every=3, older=older
        )
        assert (told["size"], told["proved"]) == (700, 234 + len(SIZES))
        with database.read() as tx:
            assert b64decode(told["root"]) == log.root(tx, 700)

    @pytest.mark.parametrize("path", ["tile/0/001", "tile/entries/002.p/188", "tile/1/000.p/2"])
    def test_they_see_what_was_changed(self, tmp_path, stranger, path):
        files = published(some(700))
        files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])
        put(tmp_path, files)
        assert not stranger.holds("read", folder=str(tmp_path), keys=[signer().vkey], every=1)

    def test_a_mirrors_folder(self, tmp_path, stranger):
        """With a cosignature of the mirror's own, which they verify too."""
        put(tmp_path / "log", published(some(700)))
        copy = tmp_path / "copy"
        keys = [signer().verifier]
        Mirror(Folder(tmp_path / "log"), keys, copy, cosigners=[WITNESS]).round(NOW)
        vkeys = [signer().vkey, WITNESS.verifier.vkey]
        signed = (copy / "checkpoint").read_bytes()
        assert stranger.ask("note", note=signed, keys=vkeys)["names"] == [
            ORIGIN,
            WITNESS.verifier.name,
        ]
        assert stranger.ask("read", folder=str(copy), keys=vkeys, every=9)["size"] == 700

    def test_what_a_witness_answers(self, tmp_path, stranger):
        memory = Memory(tmp_path)
        memory.add(signer().verifier)
        lines = Witness(memory, [WITNESS]).add_checkpoint(
            AddCheckpoint(0, (), SIGNED).body(), now=NOW
        )
        signed = (SIGNED.rpartition("\n\n")[0] + "\n\n" + lines).encode()
        told = stranger.ask("note", note=signed, keys=[WITNESS.verifier.vkey])
        assert told["names"] == [WITNESS.verifier.name]

    def test_the_vectors(self, stranger):
        """The published test data, by the packages that the formats come from."""
        log, ed25519, _ = (VECTORS / "vkeys.txt").read_text().split("\n")[:3]
        signed = (VECTORS / "ct8.checkpoint").read_bytes()
        told = stranger.ask("note", note=signed, keys=[log, ed25519])
        assert told["names"] == ["vectors.example/ct8", "witness.example/ed"]
        held = proofs.read((VECTORS / "ct8-leaf5.tlog-proof").read_bytes())
        said = checkpoint.parse(note.parse(held.checkpoint)[0])
        leaf = leaf_hash(bytes.fromhex("40414243"))
        asked = {"size": 8, "index": 5, "leaf": leaf, "root": said.root, "path": held.path}
        assert stranger.holds("inclusion", **asked)


class TestWeReadTheirs:
    @pytest.fixture
    def theirs(self, tmp_path, stranger):
        return stranger.ask(
            "make", folder=str(tmp_path / "log"), origin="go.example/log", seed=b"\x05" * 32,
            sizes=SIZES,
        )  # fmt: skip

    def test_a_mirror_copies_it_byte_for_byte(self, theirs, tmp_path):
        key = Verifier.from_vkey(theirs["key"])
        Mirror(Folder(tmp_path / "log"), [key], tmp_path / "copy").round(NOW)
        assert files_in(tmp_path / "copy") == files_in(tmp_path / "log")

    def test_a_monitor_follows_it(self, theirs, tmp_path):
        key = Verifier.from_vkey(theirs["key"])
        report = Monitor(Folder(tmp_path / "log"), [key], AnyRules()).round(NOW)
        assert report.size == 700
        assert {each.kind for each in report.findings} == {
            "malformed"
        }  # `record 0` is none of ours

    def test_a_witness_cosigns_it(self, theirs, tmp_path):
        """From size to size, each with the proof of growth; and never another history of it."""
        key = Verifier.from_vkey(theirs["key"])
        memory = Memory(tmp_path / "witness")
        memory.add(key)
        witness, leaves, old = Witness(memory, [WITNESS]), theirs_leaves(700), 0
        for size, signed in zip(SIZES, theirs["notes"], strict=True):
            path = tree.consistency_path(old, size, lambda h, n: read(h, n, leaves))
            assert witness.add_checkpoint(AddCheckpoint(old, path, signed).body(), now=NOW)
            old = size
        with pytest.raises(EpilockError):
            witness.add_checkpoint(AddCheckpoint(700, (), theirs["notes"][0]).body(), now=NOW)

    def test_proofs_against_their_checkpoint(self, theirs):
        leaves = theirs_leaves(700)
        for index in range(0, 700, 50):
            path = tree.inclusion_path(index, 700, lambda h, n: read(h, n, leaves))
            text = proofs.Proof(index, tuple(path), theirs["notes"][-1]).text()
            entry = f"record {index}".encode()
            assert verify(text, [Verifier.from_vkey(theirs["key"])], entry).index == index
            trust = alone.Trust([alone.read_key(theirs["key"])])
            assert alone.check_proof(text.encode(), trust, entry, None)["size"] == 700

    def test_their_two_histories_are_proved(self, theirs, tmp_path, stranger):
        """Signed by their code, accused by ours."""
        text = Checkpoint("go.example/log", 300, bytes(32)).text()
        forged = note.sign(text, [note.Signer.from_seed("go.example/log", b"\x05" * 32)])
        assert stranger.holds("note", note=forged.encode(), keys=[theirs["key"]])
        accused = conflict.Conflict(theirs["notes"][3], forged)
        assert conflict.check(accused, [Verifier.from_vkey(theirs["key"])]) == (300, 300)


class TestTrees:
    """Every proof of every small tree, made by either side, is the other's, byte for byte."""

    def test_proofs_are_the_same(self, stranger):
        for size in (1, 2, 3, 7, 8, 31, 64, 70):
            leaves = LEAVES[:size]
            for index in range(size):
                mine = tree.inclusion_path(index, size, lambda h, n, of=leaves: read(h, n, of))
                assert stranger.proof(leaves, index=index) == mine
            for old in range(1, size + 1):
                mine = tree.consistency_path(old, size, lambda h, n, of=leaves: read(h, n, of))
                assert stranger.proof(leaves, old=old) == mine

    @MANY
    @given(st.data())
    def test_inclusion_is_refused_alike(self, stranger, data):
        size = data.draw(st.integers(1, 70))
        index = data.draw(st.integers(0, size - 1))
        path = bent(data, tree.inclusion_path(index, size, read))
        size, index = (
            data.draw(st.just(n) | st.integers(n - 1, n + 1) | NUMBERS) for n in (size, index)
        )
        root = data.draw(st.just(ROOTS[min(size, 70)]) | st.sampled_from(ROOTS))
        leaf = data.draw(st.just(LEAVES[min(index, 69)]) | st.sampled_from(LEAVES))
        asked = {"size": size, "index": index, "leaf": leaf, "root": root, "path": path}
        theirs = stranger.holds("inclusion", **asked)
        assert holds(lambda: tree.verify_inclusion(index, size, leaf, path, root)) == theirs
        assert holds(lambda: check_alone(index, size, leaf, path, root)) == theirs

    @MANY
    @given(st.data())
    def test_growth_is_refused_alike(self, stranger, data):
        """They have no proof from the empty tree; ours is empty."""
        new = data.draw(st.integers(1, 70))
        old = data.draw(st.integers(1, new))
        path = bent(data, tree.consistency_path(old, new, read))
        old, new = (data.draw(st.just(n) | st.integers(n, n + 1) | NUMBERS) for n in (old, new))
        was, root = (
            data.draw(st.just(ROOTS[min(n, 70)]) | st.sampled_from(ROOTS)) for n in (old, new)
        )
        asked = {"size": new, "old": old, "was": was, "root": root, "path": path}
        theirs = stranger.holds("consistency", **asked)
        assert holds(lambda: tree.verify_consistency(old, new, was, root, path)) == theirs
        assert holds(lambda: alone.check_prefix(old, was, new, root, path)) == theirs


NUMBERS = st.sampled_from(
    [1, 2, 63, 64, 65, 1 << 31, 1 << 62]
)  # beyond, tlog itself loops for ever


class TestNotes:
    PIECES = st.sampled_from([
        b"\n", b"\n\n", b" ", b"\t", b"\r", b"+", b"=", b"A", b"\xff", b"\xc2\xa0", b"\xe2\x80\xa8", b"\x00",
        b"\x7f", "— ".encode(), b"\xef\xbf\xbd", b"\xed\xa0\x80", *SIGNED.encode().splitlines(keepends=True),
    ])  # fmt: skip

    @MANY
    @given(st.data())
    @example(None)
    def test_notes_are_refused_alike(self, stranger, data):
        """We are stricter in two things: stray bits in base64, and a second signature of one key that fails."""
        signed = SIGNED.encode()
        for _ in range(data.draw(st.integers(1, 2)) if data else 0):
            at = data.draw(st.integers(0, len(signed)))
            cut = data.draw(st.sampled_from([0, 0, 1, 2, 40]))
            signed = signed[:at] + data.draw(self.PIECES) + signed[at + cut :]
        try:
            told = stranger.ask("note", note=signed, keys=[each.vkey for each in KNOWN])
        except Refused:
            assert not holds(lambda: note.open_note(signed.decode(), KNOWN))
            return
        try:
            text, good = note.open_note(signed.decode(), KNOWN)
        except NoteError as error:
            if "stray bits" not in str(error):
                raise
        except ForgedError:
            lines = [(each.name, each.key_id) for each in note.parse(signed.decode())[1]]
            assert len(set(lines)) < len(lines)
        else:
            assert (told["text"], told["names"]) == (text, [each.name for each in good])

    def test_where_we_are_stricter(self, stranger):
        """Both differences are real, and both are ours: one value has one spelling, and nobody signs falsely."""
        vkeys = [each.vkey for each in KNOWN]
        line = SIGNED.splitlines(keepends=True)[4]
        assert line.endswith("=\n")
        stray = chr(ord(line[-3]) + 1)  # the same bytes to whoever ignores the last two bits
        other = SIGNED.replace(line, f"{line[:-3]}{stray}=\n")
        assert stranger.holds("note", note=other.encode(), keys=vkeys)
        with pytest.raises(NoteError, match="stray bits"):
            note.open_note(other, KNOWN)
        key = WITNESS.verifier
        twice = SIGNED + note.Signature(key.name, key.key_id, bytes(72)).line()
        assert stranger.holds("note", note=twice.encode(), keys=vkeys)
        with pytest.raises(ForgedError):
            note.open_note(twice, KNOWN)


class TestQuantumSafe:
    """ML-DSA-44 cosignatures by an implementation in pure Python that knows nothing of OpenSSL."""

    MINE = Cosigner.ml_dsa_44("witness.example/pq", b"\x03" * 32)

    def message(self, name, said, seconds):
        """What C2SP tlog-cosignature has a cosigner of subtrees sign, written out anew."""
        return b"".join([
            b"subtree/v1\n\0", bytes([len(name)]), name.encode(), seconds.to_bytes(8),
            bytes([len(said.origin)]), said.origin.encode(), bytes(8), said.size.to_bytes(8), said.root,
        ])  # fmt: skip

    def test_a_witnesss_answer_holds_for_another_library(self, tmp_path):
        memory = Memory(tmp_path)
        memory.add(signer().verifier)
        lines = Witness(memory, [self.MINE]).add_checkpoint(
            AddCheckpoint(0, (), SIGNED).body(), now=NOW
        )
        text = note.parse(SIGNED)[0]
        ((line,), said) = note.parse(text + "\n" + lines)[1], checkpoint.parse(text)
        seconds = int.from_bytes(line.data[:8])
        public, message = self.MINE.verifier.public, self.message(line.name, said, seconds)
        assert seconds == NOW.timestamp()
        assert ML_DSA_44.verify(public, message, line.data[8:])
        assert not ML_DSA_44.verify(public, message + b"x", line.data[8:])

    def test_the_vector_holds_for_another_library(self):
        name, key_id, encoded = (VECTORS / "vkeys.txt").read_text().split("\n")[2].split("+", 2)
        public = b64decode(encoded)[1:]
        text, lines = note.parse((VECTORS / "ct8.checkpoint").read_text())
        line = next(each for each in lines if each.key_id.hex() == key_id)
        message = self.message(name, checkpoint.parse(text), 1_700_000_000)
        assert ML_DSA_44.verify(public, message, line.data[8:])

    def test_we_accept_what_another_library_signed(self):
        """Same seed, same key; and their signature counts as the witness's."""
        public, secret = ML_DSA_44.key_derive(b"\x07" * 32)
        mine = Cosigner.ml_dsa_44("witness.example/other", b"\x07" * 32).verifier
        assert mine.public == public
        text, seconds = note.parse(SIGNED)[0], 1_700_000_001
        message = self.message(mine.name, checkpoint.parse(text), seconds)
        data = seconds.to_bytes(8) + ML_DSA_44.sign(secret, message)
        mine.check(text, data)
        line = note.Signature(mine.name, mine.key_id, data).line()
        trust = alone.Trust(
            [alone.read_key(signer().vkey)], {b"w": alone.read_key(mine.vkey)}, quorum=b"w"
        )
        assert alone.check_note(SIGNED + line, trust).witnesses == [mine.name]
        assert mine.algorithm == TYPE_ML_DSA_44
        with pytest.raises(ForgedError):
            mine.check(text, data[:-1] + bytes([data[-1] ^ 1]))


def holds(check):
    try:
        check()
    except (EpilockError, alone.Failure, UnicodeDecodeError):
        return False
    return True


def check_alone(index, size, leaf, path, root):
    if alone.root_of(index, size, leaf, path) != root:
        raise alone.Failure(alone.SHOWN, "another root")


def bent(data, path):
    """A path, or one with a hash changed, doubled, left out or added."""
    at = data.draw(st.integers(0, len(path)))
    return data.draw(
        st.sampled_from([
            path, path, path[:at] + path[at + 1 :], [*path, bytes(32)], [*path[:at], *path[at:][::-1]],
            [*path[:at], bytes(32), *path[at + 1 :]], [*path[:at], *path[at : at + 1], *path[at:]],
        ])
    )  # fmt: skip


def theirs_leaves(size):
    return [leaf_hash(f"record {i}".encode()) for i in range(size)]


def put(folder, files):
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
