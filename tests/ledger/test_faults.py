"""Every effect of the ledger's sequence fails once not done, and once done but reported failed.

After each failure strangers see a whole history, nothing contradicts what was shown before, and the next
round ends where it would have ended without the failure. The order of the sequence: rows and commit,
signature, published files, witnesses, what they gave; a witness's own memory; a mirror's copy.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from faults import BrokenError, Effects, every_failure, fresh, reported
from ledgers import NOW, STANDARD, new_log, published, signer, some
from test_log import append, check_everything
from test_publish import AnyRules, tree_of

from epilock.errors import EpilockError, InconsistentError, InputError, OldSizeError
from epilock.ledger import checkpoint, note, publish, regime, tree
from epilock.ledger.gather import Gatherer
from epilock.ledger.mirror import EVIDENCE, Mirror
from epilock.ledger.monitor import Monitor
from epilock.ledger.source import Folder, Memory
from epilock.ledger.tree import leaf_hash
from epilock.ledger.verify import open_checkpoint
from epilock.ledger.wire import Answer
from epilock.ledger.witness import memory
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import origin_hash
from epilock.ledger.witness.request import AddCheckpoint

KEYS = [signer().verifier]
ENTRIES = some(700)
LEAVES = [leaf_hash(each) for each in ENTRIES]
NAME = "witness.example/audit"
COSIGNERS = (Cosigner.ed25519(NAME, b"\x02" * 32), Cosigner.ml_dsa_44(NAME, b"\x03" * 32))
ADDRESS = "https://audit.example"
OF_FILES = {"write", "fsync", "replace"}


def seen(folder):
    """The size of the log that a stranger finds in a folder, every entry of it proved."""
    return Monitor(Folder(folder), KEYS, AnyRules()).round(NOW).size


class TestLog:
    """Rows, head, checkpoint row, commit; then the signature, which has no effect to fail at."""

    def test_appending(self, database):
        log, size = new_log(), 250
        append(database, log, ENTRIES[:size])

        def work(effects):
            nonlocal size
            with effects.watching(database):
                append(database, log, ENTRIES[size : size + 10])
            size += 10

        def again(effects):
            nonlocal size
            with reported(effects):
                work(effects)
            stands = effects.done and effects.names[effects.at] == "commit"
            size += (
                10 * stands
            )  # the caller finds them by a key of its own, and does not append again
            check_everything(database, log, ENTRIES[:size])
            work(Effects())
            check_everything(database, log, ENTRIES[:size])
            check_everything(database, new_log(), ENTRIES[:size])

        names = every_failure(work, again)
        assert names[-1] == "commit"
        assert Counter(names)["rows"] >= 1
        assert Counter(names)["statement"] >= 2


class TestPublishing:
    def test_each_file(self, database, tmp_path):
        """Bundle, tile, checkpoint: written, synced, renamed; folders made and synced; old partial files removed."""
        log, old, goal, now = new_log(), tmp_path / "old", tmp_path / "goal", tmp_path / "now"
        append(database, log, ENTRIES[:300])
        publish.write(database, log, old)
        append(database, log, ENTRIES[300:])

        def work(effects):
            fresh(old, goal)
            with effects.watching(database):
                publish.write(database, log, goal)

        def again(effects):
            fresh(old, now)
            with reported(effects), effects.watching(database):
                publish.write(database, log, now)
            assert seen(now) in {300, 700}
            with Effects().watching(database):
                publish.write(database, log, now)
            left = {name for name in tree_of(now) if ".p/" in name} - tree_of(goal).keys()
            assert {
                name: body for name, body in tree_of(now).items() if name not in left
            } == tree_of(goal)
            assert list(publish.compare(database, log, now)) == []

        names = Counter(every_failure(work, again))
        files = len(tree_of(goal).keys() - tree_of(old).keys()) + 1
        assert names["write"] == names["replace"] == files
        assert names["fsync"] > files  # of folders too
        assert names["unlink"] > 0


class TestWitness:
    @pytest.fixture
    def old(self, tmp_path):
        """The memory of a witness that has cosigned 300 entries."""
        kept = memory.Memory(tmp_path / "old")
        kept.folder.mkdir()
        kept.add(signer().verifier)
        Witness(kept, COSIGNERS).add_checkpoint(ask(0, 300), now=NOW)
        return kept.folder

    def test_persisting(self, old, tmp_path):
        """It answers only what is durable; what is durable and was not answered, the log is told by its size."""

        def work(effects):
            witness = Witness(memory.Memory(fresh(old, tmp_path / "now")), COSIGNERS)
            with effects.watching():
                witness.add_checkpoint(ask(300, 700), now=NOW)

        def again(effects):
            with reported(effects):
                work(effects)
            witness = Witness(memory.Memory(tmp_path / "now"), COSIGNERS)
            size = size_of(witness.newest(origin_hash(signer().name)))
            assert size in {300, 700}
            if size == 700:
                with pytest.raises(OldSizeError):
                    witness.add_checkpoint(ask(300, 700), now=NOW)
            with pytest.raises(
                InconsistentError
            ):  # another history is refused, also at this moment
                witness.add_checkpoint(ask(size, 700, LEAVES[::-1]), now=NOW)
            assert witness.add_checkpoint(ask(size, 700), now=NOW).count("\n") == 2

        assert set(every_failure(work, again)) == OF_FILES

    def test_the_evidence(self, old, tmp_path):
        """A second history is refused whether or not the evidence of it could be kept."""

        def work(effects):
            witness = Witness(memory.Memory(fresh(old, tmp_path / "now")), COSIGNERS)
            with effects.watching(), suppress(EpilockError):
                witness.add_checkpoint(ask(300, 400, LEAVES[::-1]), now=NOW)

        def again(effects):
            with reported(effects):
                work(effects)
            work(Effects())
            assert len(memory.accused(tmp_path / "now")) == 1

        assert set(every_failure(work, again)) > OF_FILES


class TestGathering:
    def test_each_step_of_a_round(self, database, tmp_path):
        """The question and its answer, the witness's memory behind it, what it gave, what is shown."""
        log = new_log()
        kept = memory.Memory(tmp_path / "witness")
        kept.folder.mkdir()
        kept.add(signer().verifier)
        witness = Witness(kept, COSIGNERS)
        append(database, log, ENTRIES[:5])
        lines = "".join(
            f"witness w{each.verifier.algorithm} {each.verifier.vkey} {ADDRESS}\n"
            for each in COSIGNERS
        )
        text = f"log {signer().vkey}\n{lines}group g all w4 w6\nquorum g\n"
        with database.write() as tx:
            regime.announce(
                tx, log, standard_ref=STANDARD, text=text.encode(), since=NOW.date(), now=NOW
            )
        now = NOW

        def work(effects):
            nonlocal now
            now += timedelta(minutes=1)
            append(database, log, [b"one more"])
            go(effects)

        def go(effects):
            with effects.watching(database):
                Gatherer(database, log, send=over(witness, effects, lambda: now), seconds=20).round(
                    now
                )

        def again(effects):
            nonlocal now
            before = shown(database, log)
            with suppress(
                BrokenError
            ):  # one of the network is a state of the witness, and no error
                work(effects)
            assert effects.at < len(effects.names)
            assert size_of(shown(database, log)) >= size_of(before)
            now += timedelta(minutes=1)
            go(Effects())
            said, good = open_checkpoint(shown(database, log), [*KEYS, *witness.verifiers])
            with database.read() as tx:
                assert said == log.head(tx)
            assert len(note.open_note(shown(database, log), witness.verifiers)[1]) == 2
            assert good == ()  # no policy was given here; who cosigned stands in the line above
            assert not memory.accused(kept.folder)

        work(Effects())  # the very first round makes rows that later ones change
        names = Counter(every_failure(work, again))
        assert names["asked"] == 1
        assert names["commit"] == 1
        assert names.keys() >= OF_FILES


class TestMirroring:
    def test_each_file_and_each_fetch(self, tmp_path):
        log, old, goal, now = (
            published(ENTRIES),
            tmp_path / "old",
            tmp_path / "goal",
            tmp_path / "now",
        )
        Mirror(Memory(published(ENTRIES[:300])), KEYS, old, cosigners=COSIGNERS[:1]).round(NOW)

        def copy(effects, folder):
            with effects.watching():
                Mirror(Fetched(log, effects), KEYS, folder, cosigners=COSIGNERS[:1]).round(NOW)

        def work(effects):
            copy(effects, fresh(old, goal))

        def again(effects):
            with reported(effects):
                copy(effects, fresh(old, now))
            assert seen(now) in {300, 700}
            copy(Effects(), now)
            left = {name for name in tree_of(now) if ".p/" in name} - tree_of(goal).keys()
            assert {
                name: body for name, body in tree_of(now).items() if name not in left
            } == tree_of(goal)
            assert not (now / EVIDENCE).exists()

        names = Counter(every_failure(work, again))
        assert names.keys() > OF_FILES
        assert names["fetch"] > 5


class Fetched(Memory):
    """A published log behind a network."""

    def __init__(self, files, effects):
        super().__init__(files)
        self.read = effects.of("fetch", super().read)


def over(witness, effects, now):
    """A network to one witness, whose own failures are an answer of 500."""

    def answer(body):
        try:
            return Answer(200, witness.add_checkpoint(body, now=now()).encode())
        except OldSizeError as error:
            return Answer(409, f"{error.size}\n".encode())
        except BrokenError:
            return Answer(500, b"the witness cannot cosign now\n")

    asked = effects.of("asked", answer)

    def send(address, body):
        assert address == f"{ADDRESS}/add-checkpoint"
        try:
            return asked(body)
        except BrokenError as error:
            raise InputError(f"no answer: {error}") from None

    return send


def shown(database, log):
    with database.read() as tx:
        return log.shown(tx)


def size_of(signed):
    return checkpoint.parse(note.parse(signed)[0]).size


def ask(old, new, leaves=LEAVES):
    """A request to a witness, about these leaves."""

    def read(height, n):
        return tree.root(leaves[n << height : (n + 1) << height])

    said = checkpoint.Checkpoint(signer().name, new, tree.root(leaves[:new]))
    signed = note.sign(said.text(), [signer()])
    return AddCheckpoint(old, tree.consistency_path(old, new, read), signed).body()
