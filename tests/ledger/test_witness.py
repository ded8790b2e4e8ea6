"""What a witness promises: of each log it cosigns one growing history, and says so only when it is durable."""

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import NOW, ORIGIN, signer, some

from epilock.errors import (
    AccessError,
    ConflictError,
    EpilockError,
    FileFormatError,
    InconsistentError,
    InputError,
    IntegrityError,
    NotFoundError,
    OldSizeError,
    ProofError,
)
from epilock.ledger import checkpoint, note, tree
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.tree import leaf_hash
from epilock.ledger.witness import key as keys
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory, accused, origin_hash
from epilock.ledger.witness.request import AddCheckpoint, parse
from epilock.web.witness import create_witness_app

NAME = "witness.example/audit"
COSIGNERS = (Cosigner.ed25519(NAME, b"\x02" * 32), Cosigner.ml_dsa_44(NAME, b"\x03" * 32))
LEAVES = [leaf_hash(each) for each in some(40)]
OTHER = [leaf_hash(each) for each in some(40, first=100)]


def path(old, new, leaves=LEAVES):
    return tree.consistency_path(
        old, new, lambda height, n: tree.root(leaves[n << height : (n + 1) << height])
    )


def signed(size, leaves=LEAVES, *, keys=None, origin=ORIGIN):
    said = Checkpoint(origin, size, tree.root(leaves[:size]))
    return note.sign(said.text(), keys or [signer()])


def ask(old, new, leaves=LEAVES, **change):
    return AddCheckpoint(old, path(old, new, leaves), signed(new, leaves, **change)).body()


class Full(Memory):
    """A memory whose disk is full."""

    @contextmanager
    def turn(self, origin):
        with super().turn(origin) as turn:
            turn.keep = self.keep
            yield turn

    def keep(self, text):
        raise OSError("no space left")


@pytest.fixture
def witness(tmp_path):
    memory = Memory(tmp_path / "logs")
    memory.folder.mkdir()
    memory.add(signer().verifier)
    return Witness(memory, COSIGNERS)


class TestCosign:
    def test_both_keys_cosign(self, witness):
        lines = witness.add_checkpoint(ask(0, 5), now=NOW)
        text, good = note.open_note(signed(5) + lines, witness.verifiers)
        assert checkpoint.parse(text).size == 5
        assert [each.algorithm for each in good] == [4, 6]

    def test_the_time_is_in_it(self, witness):
        lines = witness.add_checkpoint(ask(0, 5), now=NOW)
        _, (_, ed25519, ml_dsa) = note.parse(signed(5) + lines)
        for each in (ed25519, ml_dsa):
            assert int.from_bytes(each.data[:8]) == NOW.timestamp()

    def test_it_follows_the_log(self, witness):
        for old, new in ((0, 3), (3, 4), (4, 32), (32, 32), (32, 40)):
            assert witness.add_checkpoint(ask(old, new), now=NOW).count("\n") == 2

    def test_an_empty_log_is_cosigned_too(self, witness):
        assert witness.add_checkpoint(ask(0, 0), now=NOW)
        assert witness.add_checkpoint(ask(0, 4), now=NOW)

    def test_it_survives_a_restart(self, witness):
        witness.add_checkpoint(ask(0, 5), now=NOW)
        again = Witness(Memory(witness.memory.folder), COSIGNERS)
        with pytest.raises(OldSizeError):
            again.add_checkpoint(ask(0, 7), now=NOW)
        assert again.add_checkpoint(ask(5, 7), now=NOW)

    def test_a_second_key_of_the_log(self, witness):
        """A log that changes its key is cosigned under either, once the witness accepts the new one."""
        new = signer(seed=9)
        with pytest.raises(AccessError):
            witness.add_checkpoint(ask(0, 5, keys=[new]), now=NOW)
        witness.memory.add(new.verifier)
        assert witness.add_checkpoint(ask(0, 5, keys=[new]), now=NOW)
        assert witness.add_checkpoint(ask(5, 6, keys=[signer()]), now=NOW)

    def test_the_newest_checkpoint_is_there_for_everybody(self, witness):
        """With the log's signature and ours, and nobody else's."""
        witness.add_checkpoint(ask(0, 5), now=NOW)
        asked = signed(8, keys=[signer(), signer("stranger.example")])
        witness.add_checkpoint(AddCheckpoint(5, path(5, 8), asked).body(), now=NOW)
        text = witness.newest(origin_hash(ORIGIN))
        known = [signer().verifier, *witness.verifiers]
        assert note.open_note(text, known)[1] == tuple(known)
        assert "stranger" not in text


class TestRefusal:
    def test_another_size_was_cosigned(self, witness):
        witness.add_checkpoint(ask(0, 5), now=NOW)
        with pytest.raises(OldSizeError) as raised:
            witness.add_checkpoint(ask(4, 7), now=NOW)
        assert raised.value.size == 5

    def test_another_history(self, witness):
        """The one thing that a witness is for; and it keeps what the log signed, as evidence."""
        witness.add_checkpoint(ask(0, 5), now=NOW)
        with pytest.raises(InconsistentError):
            witness.add_checkpoint(ask(5, 9, OTHER), now=NOW)
        with pytest.raises(InconsistentError):
            witness.add_checkpoint(ask(5, 5, OTHER), now=NOW)
        kept = {each.read_text() for each in accused(witness.memory.folder)}
        assert kept == {signed(9, OTHER), signed(5, OTHER)}
        assert witness.add_checkpoint(ask(5, 9), now=NOW)

    def test_it_believes_its_own_root_and_not_the_request(self, witness):
        """A proof that is right for another old root is no proof."""
        witness.add_checkpoint(ask(0, 5), now=NOW)
        body = AddCheckpoint(5, path(5, 9, OTHER), signed(9)).body()
        with pytest.raises(InconsistentError):
            witness.add_checkpoint(body, now=NOW)

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (ask(0, 5, origin="x.example", keys=[signer("x.example")]), NotFoundError),
            (ask(0, 5, keys=[signer(seed=7)]), AccessError),
            (ask(0, 5).replace(b"\n5\n", b"\n6\n"), AccessError),
            (AddCheckpoint(6, (), signed(5)).body(), InputError),
            (AddCheckpoint(0, path(3, 5), signed(5)).body(), ProofError),
            (AddCheckpoint(0, (), note.sign(Checkpoint(ORIGIN, 0, bytes(32)).text(), [signer()])).body(), ProofError),
            (b"", FileFormatError),
            (b"old 0\n\n", FileFormatError),
            (b"new 0\n\n" + signed(5).encode(), FileFormatError),
            (b"old 00\n\n" + signed(5).encode(), FileFormatError),
            (b"old +0\n\n" + signed(5).encode(), FileFormatError),
            (b"old 0\r\n\n" + signed(5).encode(), FileFormatError),
            (b"old 0\nAA==\n\n" + signed(5).encode(), FileFormatError),
            (AddCheckpoint(0, [bytes(32)] * 64, signed(5)).body(), FileFormatError),
            (b"old 0\n\n\xff", FileFormatError),
            (b"old 0\n\nno note\n", FileFormatError),
        ],
    )  # fmt: skip
    def test_each_refusal_has_its_error(self, witness, body, error):
        with pytest.raises(error):
            witness.add_checkpoint(body, now=NOW)
        with pytest.raises(NotFoundError):
            witness.newest(origin_hash(ORIGIN))

    @given(st.binary(max_size=400))
    def test_any_bytes_are_a_request_or_an_error(self, body):
        with suppress(EpilockError):
            assert parse(body).body() == body


class TestMemory:
    def test_a_lost_memory_cosigns_nothing(self, witness):
        """Or it could be made to cosign another history from the start."""
        witness.add_checkpoint(ask(0, 5), now=NOW)
        (witness.memory.folder / origin_hash(ORIGIN) / "checkpoint").unlink()
        with pytest.raises(IntegrityError, match="put it back"):
            witness.add_checkpoint(ask(0, 5, OTHER), now=NOW)

    def test_an_altered_memory_cosigns_nothing(self, witness):
        witness.add_checkpoint(ask(0, 5), now=NOW)
        kept = witness.memory.folder / origin_hash(ORIGIN) / "checkpoint"
        kept.write_text(kept.read_text().replace("\n5\n", "\n4\n"))
        with pytest.raises(IntegrityError):
            witness.add_checkpoint(ask(4, 7), now=NOW)

    def test_what_a_crash_leaves(self, witness):
        """Not durable: nothing happened. Durable but not answered: asking again gets a cosignature."""
        full = Witness(Full(witness.memory.folder), COSIGNERS)
        with pytest.raises(OSError, match="no space"):
            full.add_checkpoint(ask(0, 5), now=NOW)
        with pytest.raises(NotFoundError):
            witness.newest(origin_hash(ORIGIN))
        witness.add_checkpoint(ask(0, 5), now=NOW)  # its answer is lost
        with pytest.raises(OldSizeError) as raised:
            witness.add_checkpoint(ask(0, 5), now=NOW)
        assert raised.value.size == 5
        lines = witness.add_checkpoint(ask(5, 5), now=NOW + timedelta(seconds=9))
        assert note.open_note(signed(5) + lines, witness.verifiers)

    def test_of_many_at_once_one_goes_first(self, witness):
        """Two histories race for the same place: one is cosigned, the other never."""
        answers = []

        def go(leaves):
            try:
                answers.append(witness.add_checkpoint(ask(0, 9, leaves), now=NOW))
            except EpilockError as error:
                answers.append(type(error))

        threads = [threading.Thread(target=go, args=(leaves,)) for leaves in (LEAVES, OTHER) * 8]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sum(isinstance(each, str) for each in answers) == 1
        assert answers.count(OldSizeError) == 15

    def test_a_key_is_added_once(self, witness):
        with pytest.raises(ConflictError, match="known already"):
            witness.memory.add(signer().verifier)
        assert witness.memory.logs() == [ORIGIN]

    @pytest.mark.parametrize("name", ["", "..", "../" + "a" * 61, "a" * 63, "A" * 65])
    def test_no_other_file_is_served(self, witness, name):
        with pytest.raises(NotFoundError):
            witness.newest(name)


class TestKeys:
    def test_made_once_and_for_nobody_else(self, tmp_path):
        path = tmp_path / "keys.json"
        made = keys.make(path, NAME)
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.verifier for each in keys.load(path)] == [each.verifier for each in made]
        with pytest.raises(ConflictError):
            keys.make(path, NAME)
        path.chmod(0o640)
        with pytest.raises(FileFormatError, match="0600"):
            keys.load(path)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "é" * 128])
    def test_names(self, tmp_path, name):
        with pytest.raises(FileFormatError, match="name"):
            keys.make(tmp_path / "keys.json", name)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("change", [{"ed25519": "AA=="}, {"more": 1}, {"ml_dsa_44": 5}])
    def test_a_bad_file_tells_no_seed(self, tmp_path, change):
        path = tmp_path / "keys.json"
        keys.make(path, NAME)
        told = json.loads(path.read_text())
        path.write_text(json.dumps(told | change))
        with pytest.raises(FileFormatError) as raised:
            keys.load(path)
        assert told["ed25519"] not in str(raised.value)
        with pytest.raises(NotFoundError):
            keys.load(tmp_path / "none")

    def test_a_cosignature_is_of_one_name(self):
        """Another witness's name makes another ML-DSA message."""
        mine = COSIGNERS[1].cosign(note.parse(signed(5))[0], 9)
        other = Cosigner.ml_dsa_44("witness.example/other", b"\x03" * 32).verifier
        with pytest.raises(EpilockError):
            other.check(note.parse(signed(5))[0], mine.data)


class TestHttp:
    @pytest.fixture
    def call(self, witness):
        app = create_witness_app(witness, now=lambda: NOW)

        def call(path, body=None):
            async def go():
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://w.example"
                ) as client:
                    method = "GET" if body is None else "POST"
                    return await client.request(method, path, content=body)

            return asyncio.run(go())

        return call

    def test_the_statuses_of_the_specification(self, call, witness):
        def post(body):
            return call("/add-checkpoint", body)

        first = post(ask(0, 5))
        assert first.status_code == 200
        assert note.open_note(signed(5) + first.text, witness.verifiers)
        again = post(ask(0, 5))
        assert (again.status_code, again.text) == (409, "5\n")
        assert again.headers["content-type"] == "text/x.tlog.size"
        assert post(ask(0, 5, origin="x.example", keys=[signer("x.example")])).status_code == 404
        assert post(ask(5, 6, keys=[signer(seed=7)])).status_code == 403
        assert post(AddCheckpoint(6, (), signed(5)).body()).status_code == 400
        assert post(ask(5, 9, OTHER)).status_code == 422
        assert post(b"x").status_code == 400
        assert post(b"x" * (1 << 20) + b"x").status_code == 413
        assert call("/add-checkpoint").status_code == 405

    def test_the_newest_checkpoint(self, call):
        address = f"/{origin_hash(ORIGIN)}/checkpoint"
        assert call(address).status_code == 404
        call("/add-checkpoint", ask(0, 5))
        got = call(address)
        assert got.status_code == 200
        assert got.text.startswith(signed(5))
        assert got.headers["content-type"] == "text/plain; charset=utf-8"

    def test_a_fault_inside_tells_nothing(self, call, witness):
        call("/add-checkpoint", ask(0, 5))
        (witness.memory.folder / origin_hash(ORIGIN) / "checkpoint").write_text("x")
        got = call("/add-checkpoint", ask(5, 6))
        assert (got.status_code, got.text) == (500, "the witness cannot cosign now\n")
