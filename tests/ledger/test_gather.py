"""What a log promises about its witnesses: they are asked, nothing waits for them, and what they gave is kept."""

import threading
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ledgers import NOW, ORIGIN, STANDARD, new_log, published, signer, some

from epilock.errors import (
    FileFormatError,
    InconsistentError,
    InputError,
    NotFoundError,
    OldSizeError,
    PolicyError,
    TooLargeError,
)
from epilock.ledger import cosigned, note, policy, publish, regime, succession
from epilock.ledger.gather import DISAGREES, UNREACHABLE, Gatherer, status
from epilock.ledger.verify import verify
from epilock.ledger.wire import Answer
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory, origin_hash

TODAY = date(2026, 3, 14)
LATER = NOW + timedelta(minutes=1)
OFFICES = ("audit", "press")


class Town:
    """Witnesses by address, in memory but for their files; ``send`` is the network."""

    def __init__(self, folder: Path) -> None:
        self.witnesses: dict[str, Witness] = {}
        self.asked: list[str] = []
        self.sent: list[bytes] = []
        self.answers: dict[str, Answer | Exception] = {}  # instead of what the witness would say
        self.before = lambda: None
        for number, office in enumerate(OFFICES):
            name = f"witness.example/{office}"
            keys = (
                Cosigner.ed25519(name, bytes([number + 2]) * 32),
                Cosigner.ml_dsa_44(name, bytes([number + 2]) * 32),
            )
            memory = Memory(folder / office)
            memory.add(signer().verifier)
            self.witnesses[f"https://{office}.example"] = Witness(memory, keys)

    def send(self, address: str, body: bytes) -> Answer:
        self.before()
        place, _, path = address.rpartition("/")
        assert path == "add-checkpoint"
        self.asked.append(place)
        self.sent.append(body)
        if place in self.answers:
            told = self.answers[place]
            if isinstance(told, Exception):
                raise told
            return told
        try:
            return Answer(200, self.witnesses[place].add_checkpoint(body, now=NOW).encode())
        except OldSizeError as error:
            return Answer(409, f"{error.size}\n".encode())
        except InconsistentError:
            return Answer(422, b"no\n")

    def policy(self, k: str = "all") -> bytes:
        lines = [f"log {signer().vkey} https://log.example/log"]
        names = []
        for address, witness in self.witnesses.items():
            for key in witness.verifiers:
                names.append(f"{address[8:13]}-{key.algorithm}")
                lines.append(f"witness {names[-1]} {key.vkey} {address}")
        lines += [f"group enough {k} {' '.join(names)}", "quorum enough"]
        return "\n".join(lines).encode() + b"\n"


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path / "witnesses")


@pytest.fixture
def log(database):
    log = new_log()
    grow(database, log, 5)
    return log


@pytest.fixture
def gatherer(database, log, town):
    return Gatherer(database, log, send=town.send, seconds=20)


def grow(database, log, count):
    with database.write() as tx:
        log.append(tx, some(count, log.size(tx)), now=NOW)


def announce(database, log, text, since=TODAY, now=NOW):
    with database.write() as tx:
        return regime.announce(tx, log, standard_ref=STANDARD, text=text, since=since, now=now)


def shown(database, log):
    with database.read() as tx:
        return log.shown(tx)


def proof(database, log, index):
    with database.read() as tx:
        return log.proof(tx, index)


def states(database, log, now=NOW):
    with database.read() as tx:
        return status(tx, log, now=now)


class TestRound:
    def test_receipts_hold_under_the_policy(self, database, log, town, gatherer):
        text = town.policy()
        announce(database, log, text)
        with pytest.raises(PolicyError):
            verify(proof(database, log, 2), policy=policy.parse(text))
        gatherer.round(NOW)
        done = verify(proof(database, log, 2), policy=policy.parse(text))
        assert (done.index, done.checkpoint.size, len(done.witnesses)) == (2, 6, 4)

    def test_without_a_policy_nobody_is_asked(self, database, log, town, gatherer):
        gatherer.round(NOW)
        assert (town.asked, shown(database, log)) == ([], head(database, log))

    def test_each_address_is_asked_once_and_only_about_what_is_new(
        self, database, log, town, gatherer
    ):
        announce(database, log, town.policy())
        gatherer.round(NOW)
        assert sorted(town.asked) == sorted(town.witnesses)
        gatherer.round(LATER)
        assert len(town.asked) == 2
        grow(database, log, 3)
        gatherer.round(LATER)
        assert len(town.asked) == 4
        assert town.sent[-1].startswith(b"old 6\n")

    def test_a_quiet_log_is_cosigned_again_each_hour(self, database, log, town, gatherer):
        """So that a log in which nothing happens can be told from one that is kept back."""
        announce(database, log, town.policy())
        gatherer.round(NOW)
        gatherer.round(NOW + timedelta(minutes=59))
        assert len(town.asked) == 2
        gatherer.round(NOW + timedelta(minutes=60))
        assert len(town.asked) == 4

    def test_a_sealed_log_is_cosigned_once(self, database, log, town, gatherer):
        """Its last checkpoint, as soon as a witness answers; nothing more will come."""
        announce(database, log, town.policy())
        gatherer.round(NOW)
        with database.write() as tx:
            succession.seal(tx, log, standard_ref=STANDARD, now=NOW)
        town.answers = dict.fromkeys(town.witnesses, Answer(503, b"later"))
        gatherer.round(LATER)
        town.answers.clear()
        gatherer.round(LATER)
        assert len(town.asked) == 6
        text = policy.parse(town.policy())
        assert verify(proof(database, log, 2), policy=text).checkpoint.size == 7
        gatherer.round(NOW + timedelta(days=1))
        assert len(town.asked) == 6

    def test_the_public_sees_what_witnesses_saw(self, database, log, town, gatherer):
        """What was appended since has its receipt at once, and its cosignatures with the next round."""
        announce(database, log, town.policy())
        gatherer.round(NOW)
        grow(database, log, 3)
        assert "\n6\n" in shown(database, log)
        assert "\n9\n" in proof(database, log, 8)
        assert "\n6\n" in proof(database, log, 4)
        gatherer.round(LATER)
        assert "\n9\n" in shown(database, log)
        assert shown(database, log).count("— witness.example/") == 4

    def test_submissions_do_not_wait(self, database, log, town, gatherer):
        """While witnesses are asked no transaction is open: the log grows under their hands."""
        announce(database, log, town.policy())
        once = threading.Lock()

        def meanwhile():
            if once.acquire(blocking=False):
                grow(database, log, 4)

        town.before = meanwhile
        gatherer.round(NOW)
        assert "\n6\n" in shown(database, log)
        with database.read() as tx:
            assert log.size(tx) == 10

    def test_a_quorum_of_nobody_is_shown_the_head(self, database, log, gatherer):
        announce(database, log, f"log {signer().vkey}\nquorum none\n".encode())
        gatherer.round(NOW)
        assert shown(database, log) == head(database, log)


class TestTrouble:
    def test_a_slow_witness_delays_nothing(self, database, log, town):
        """What it says after its time counts in the next round."""
        announce(database, log, town.policy("any"))
        done, slow = threading.Event(), threading.Lock()

        def wait():
            if slow.acquire(blocking=False):
                done.wait(20)

        town.before = wait
        Gatherer(database, log, send=town.send, seconds=0.5).round(NOW)
        done.set()
        assert shown(database, log).count("— witness.example/") == 2
        problems = [each.problem for each in states(database, log)]
        assert sorted(problems, key=str) == [None, UNREACHABLE]
        Gatherer(database, log, send=town.send, seconds=20).round(NOW)
        assert shown(database, log).count("— witness.example/") == 4
        assert not any(each.problem for each in states(database, log))

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (InputError("no answer: refused"), (UNREACHABLE, "no answer: refused")),
            (Answer(500, b"x"), (UNREACHABLE, "it answers 500")),
            (Answer(404, b"x"), (UNREACHABLE, "it answers 404")),
            (Answer(200, b"x"), (UNREACHABLE, "without signature lines")),
            (Answer(200, b""), (UNREACHABLE, "without signature lines")),
            (Answer(200, b"x" * (1 << 17)), (UNREACHABLE, "it answers 200")),
            (Answer(409, b"x"), (UNREACHABLE, "409 without a size")),
            (Answer(409, b"5"), (UNREACHABLE, "it answers 409")),
            (Answer(409, b"70\n"), (DISAGREES, "cosigned 70 entries, and this log has 6")),
            (Answer(422, b""), (DISAGREES, "does not continue")),
        ],
    )  # fmt: skip
    def test_each_kind(self, database, log, town, answer, told):
        problem, why = told
        announce(database, log, town.policy())
        town.answers["https://audit.example"] = answer
        Gatherer(database, log, send=town.send, seconds=20).round(NOW)
        audit, press = states(database, log)
        assert (audit.problem, audit.since, press.problem) == (problem, NOW, None)
        assert why in audit.why
        assert "\n6\n" in shown(database, log)

    def test_a_forged_cosignature_is_not_kept(self, database, log, town, gatherer):
        announce(database, log, town.policy())
        key = town.witnesses["https://audit.example"].verifiers[0]
        line = note.Signature(key.name, key.key_id, bytes(72)).line()
        town.answers["https://audit.example"] = Answer(200, line.encode())
        gatherer.round(NOW)
        assert states(database, log)[0].problem == DISAGREES
        assert "witness.example/audit" not in shown(database, log)

    def test_a_strangers_cosignature_is_not_kept(self, database, log, town, gatherer):
        announce(database, log, town.policy())
        stranger = Cosigner.ed25519("stranger.example", b"\x09" * 32)
        text = note.parse(head(database, log))[0]
        line = stranger.cosign(text, 1).line()
        town.answers["https://audit.example"] = Answer(200, line.encode())
        gatherer.round(NOW)
        assert states(database, log)[0].problem == UNREACHABLE
        assert "stranger" not in shown(database, log)

    def test_since_when(self, database, log, town, gatherer):
        """A problem that lasts keeps its first day; one that ends is forgotten."""
        announce(database, log, town.policy())
        town.answers["https://audit.example"] = Answer(500, b"")
        gatherer.round(NOW)
        gatherer.round(LATER)
        assert states(database, log)[0].since == NOW
        town.answers.clear()
        gatherer.round(LATER)
        found = states(database, log)[0]
        assert (found.problem, found.size, found.cosigned) == (None, 6, LATER)

    def test_two_histories_are_noticed(self, database, town, log, gatherer):
        """A witness that was shown another log by the same key says so to whoever asks next."""
        announce(database, log, town.policy())
        files = {"checkpoint": forked(7)}
        town.witnesses["https://press.example"].add_checkpoint(
            b"old 0\n\n" + files["checkpoint"].encode(), now=NOW
        )
        grow(database, log, 4)
        gatherer.round(NOW)
        audit, press = states(database, log)
        assert (audit.problem, press.problem) == (None, DISAGREES)

    def test_what_a_crash_leaves(self, database, log, town, gatherer):
        """The witnesses have cosigned and nothing was written: the next round gets it again."""
        announce(database, log, town.policy())
        for address in town.witnesses:
            with database.read() as tx:
                body = b"old 0\n\n" + log.checkpoint(tx).encode()
            town.send(f"{address}/add-checkpoint", body)
        assert "witness.example" not in shown(database, log)
        gatherer.round(LATER)
        assert shown(database, log).count("— witness.example/") == 4


class TestCompare:
    def test_an_older_copy_does_not_start(self, database, log, town, server):
        """The witness remembers more than the database: nothing is signed before it was replayed."""
        announce(database, log, town.policy().replace(b"https://audit.example", server.encode()))
        witness = town.witnesses["https://audit.example"]
        witness.add_checkpoint(b"old 0\n\n" + forked(40).encode(), now=NOW)
        with pytest.raises(InconsistentError, match="restored from an older backup"):
            Gatherer(database, log, seconds=5).compare(NOW)

    def test_who_does_not_answer_does_not_object(self, database, log, town):
        text = town.policy()
        for address in town.witnesses:
            text = text.replace(address.encode(), b"http://127.0.0.1:1")
        announce(database, log, text)
        Gatherer(database, log, seconds=2).compare(NOW)


class TestRegime:
    def test_the_policy_of_its_day(self, database, log, town):
        first = announce(database, log, town.policy())
        second = announce(database, log, town.policy("any"), since=date(2026, 4, 1))
        with database.read() as tx:
            assert regime.in_force(tx, log, date(2026, 3, 13)) is None
            assert regime.in_force(tx, log, date(2026, 3, 31)) == first
            assert regime.in_force(tx, log, date(2026, 4, 1)) == second
            assert regime.listing(tx, log) == [second, first]

    def test_it_is_announced_in_the_log(self, database, log, town):
        made = announce(database, log, town.policy())
        with database.read() as tx:
            said = log.entry(tx, made.index)
        assert made.sha256.encode() in said
        assert b'"witnesses":4' in said

    def test_its_bytes_are_public(self, database, log, town, gatherer, tmp_path):
        made = announce(database, log, town.policy())
        gatherer.round(NOW)
        publish.write(database, log, tmp_path / "out")
        assert (tmp_path / "out/policy" / made.sha256).read_bytes() == town.policy()
        assert (tmp_path / "out/checkpoint").read_text().count("— witness.example/") == 4
        with database.read() as tx:
            assert publish.read(tx, log, made.path).body == town.policy()
            for path in ("policy/", f"policy/{'0' * 64}", f"{made.path}/x"):
                with pytest.raises(NotFoundError):
                    publish.read(tx, log, path)

    def test_a_folder_that_is_ahead_is_not_taken_back(
        self, database, log, town, gatherer, tmp_path
    ):
        """It was written at the head, and then witnesses began to be asked."""
        announce(database, log, town.policy())
        gatherer.round(NOW)
        grow(database, log, 3)
        ahead = Gatherer(database, log, send=town.send)
        publish.write(database, log, tmp_path / "out")
        ahead.round(LATER)
        assert publish.write(database, log, tmp_path / "out").size == 9

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (
                (signer().vkey, signer("other.example").vkey),
                (InputError, "which is this log"),
            ),
            ((" https://audit.example", ""), (InputError, "needs an address")),
            (("https://audit.example", "ftp://audit.example"), (InputError, "begins with http")),
            (("quorum enough\n", ""), (FileFormatError, "one line `quorum")),
        ],
    )
    def test_what_cannot_be_followed_is_refused(self, database, log, town, change, told):
        error, why = told
        text = town.policy().replace(change[0].encode(), change[1].encode())
        with pytest.raises(error, match=why):
            announce(database, log, text)
        with database.read() as tx:
            assert (log.size(tx), regime.listing(tx, log)) == (5, [])

    def test_not_in_the_past(self, database, log, town):
        with pytest.raises(InputError, match="in the past"):
            announce(database, log, town.policy(), since=date(2026, 3, 13))

    def test_the_limit(self, database, log):
        with pytest.raises(TooLargeError):
            announce(database, log, b"#" * ((1 << 17) + 1))


class TestShort:
    def test_it_fits_into_a_code(self, database, log, town, gatherer):
        """2,953 bytes: the largest QR code. The ML-DSA-44 lines stay in the file."""
        announce(database, log, town.policy())
        gatherer.round(NOW)
        signed = shown(database, log)
        short = cosigned.short(signed)
        assert len(signed) > 6000
        assert len(short) < 600
        keys = [each.verifiers[0] for each in town.witnesses.values()]
        assert note.open_note(short, [signer().verifier, *keys])[1] == (signer().verifier, *keys)


def head(database, log):
    with database.read() as tx:
        return log.checkpoint(tx)


def forked(size):
    """A checkpoint that the same key signed over other entries."""
    return published(some(size, 500))["checkpoint"].decode()


@pytest.fixture
def server(town):
    """The address of a real web server that serves the newest checkpoint of the audit office."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == f"/{origin_hash(ORIGIN)}/checkpoint"
            body = town.witnesses["https://audit.example"].newest(origin_hash(ORIGIN)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()
