"""What time stamps promise: each root that is due ends under one, whatever the authority answers."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN, new_log, some
from typer.testing import CliRunner

from anvil import wait_until
from epilock import settings
from epilock.assemble import build, found
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.cli.operation import anchor_rounds
from epilock.errors import (
    AnchorError,
    EpilockError,
    InconsistentError,
    InputError,
    TamperedError,
    UnreachableError,
)
from epilock.ledger.anchor import book, der, stamp, tsa
from epilock.ledger.anchor.place import Stage
from epilock.ledger.anchor.schedule import Schedule, run
from epilock.ledger.anchor.tsa import HttpAuthority, TsaAnchor, stamps
from epilock.store.check.rows import check_sealed
from tsa import OTHER_POLICY, POLICY, Authority, Server, forge

DAILY = Schedule(entries=100, every=timedelta(hours=24))
REJECTED = bytes.fromhex("30053003020102")
WAITING = bytes.fromhex("30053003020103")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tsa") / "good")


@pytest.fixture(scope="module")
def listening(authority):
    server = Server(authority)
    yield server
    server.stop()


@pytest.fixture
def server(listening):
    listening.mend()
    listening.asked.clear()
    return listening


class Desk:
    """A log, and an authority at an address of this machine."""

    def __init__(self, database, server, *, policy=None, root=None):
        self.database, self.server = database, server
        self.now = datetime.now(UTC)
        self.log = new_log()
        self.grow(8)
        self.authority = tsa.Authority(
            ask=HttpAuthority(server.url, seconds=5), root=root or server.authority.root,
            policy=policy,
        )  # fmt: skip
        self.place = TsaAnchor(database, self.authority, log=1)

    def grow(self, count):
        with self.database.read() as tx:
            size = self.log.size(tx)
        with self.database.write() as tx:
            self.log.append(tx, some(count, size), now=self.now)

    def round(self, **how):
        return run(self.database, self.place, ORIGIN, DAILY, now=self.now, **how)

    def row(self, size=8):
        with self.database.read() as tx:
            return book.find(tx, 1, self.place.name, size)

    def stored(self, size=8):
        with self.database.read() as tx:
            return tx.find(stamps, log=1, place=self.place.name, size=size)

    def root(self, size=8):
        with self.database.read() as tx:
            return self.log.root(tx, size)

    def holds(self, size=8):
        return self.place.read(ORIGIN, size) == self.root(size)


@pytest.fixture
def desk(database, server):
    return Desk(database, server)


class TestRound:
    def test_one_round_is_enough(self, desk, server):
        assert desk.round().progress.stage is Stage.DONE
        assert desk.holds()
        row = desk.row()
        assert (row.stage, row.block, row.reason) == (Stage.DONE, None, "")
        done = stamp.verify(stamp.parse(row.proof), server.authority.root)
        assert (done.origin, done.size, done.root, done.at) == (ORIGIN, 8, desk.root(), row.at)
        assert row.place == f"tsa/{stamp.fingerprint(server.authority.root)}"

    def test_how_it_asks(self, desk, server):
        """RFC 3161, section 3.4; nobody else's name and nothing about us is sent."""
        desk.round()
        ((headers, body),) = server.asked
        assert headers["Content-Type"] == "application/timestamp-query"
        assert (headers["User-Agent"], "Cookie" in headers) == ("epilock", False)
        assert ORIGIN.encode() not in body
        assert len(body) < 80

    def test_then_it_is_read_from_what_is_stored(self, desk, server):
        """The authority is not needed again; the stored bytes are checked each round."""
        desk.round()
        server.status = 500
        assert desk.round().progress.stage is Stage.DONE
        assert len(server.asked) == 1

    def test_by_growth_and_by_time(self, desk):
        desk.round()
        desk.grow(99)
        assert desk.round().size == 8
        desk.grow(1)
        assert desk.round().size == 108
        assert desk.holds(108)

    def test_one_at_a_time(self, desk, server):
        server.status = 503
        with pytest.raises(UnreachableError):
            desk.round()
        desk.grow(500)
        server.mend()
        assert desk.round(at_once=True).size == 508
        assert [desk.holds(8), desk.holds(508)] == [True, True]

    def test_a_policy_is_asked_for(self, database, server):
        desk = Desk(database, server, policy=POLICY)
        assert desk.round().progress.stage is Stage.DONE
        assert stamp.verify(stamp.parse(desk.row().proof), server.authority.root).policy == POLICY

    def test_what_is_stored_is_sealed(self, desk):
        desk.round()
        with desk.database.write() as tx:
            tx.conn.execute(stamps.update().values(nonce=1))
        with desk.database.read() as tx:
            assert [d.row.partition(" ")[0] for d in check_sealed(tx)] == ["ledger_anchor_stamps"]
        with pytest.raises(TamperedError):
            desk.round()

    def test_a_stored_stamp_that_does_not_hold(self, desk, server):
        """Nothing is believed because it is stored: it is checked to the root's certificate."""
        desk.round()
        key = {"log": 1, "place": desk.place.name, "size": 8}
        with desk.database.write() as tx:  # by this program itself, so its seal is right
            tx.update(stamps, key, reply=REJECTED)
        for act in (desk.round, desk.holds):
            with pytest.raises(AnchorError, match="the stored stamp of 8 entries: anchor-answer"):
                act()

    def test_the_address_is_told_to_nobody(self, desk, server):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(UnreachableError) as failed:
            HttpAuthority(f"http://127.0.0.1:{port}/secret", seconds=1)(b"")
        assert "secret" not in str(failed.value)
        assert str(port) not in str(failed.value)
        told = {"EPILOCK_ANCHOR_TSA": "http://a/secret", "EPILOCK_ANCHOR_TSA_ROOT": "r"}
        assert "secret" not in repr(settings.read(told))


class TestAnswers:
    """Good and hostile ones; after each the same question gets its stamp."""

    def finish(self, desk):
        desk.server.mend()
        assert desk.round().progress.stage is Stage.DONE
        assert desk.holds()
        assert len({body for _, body in desk.server.asked}) == 1  # the same question each time

    def keeps_nothing(self, desk, reason):
        step = desk.round()
        assert step.progress.stage is Stage.SENT
        assert re.search(reason, step.progress.reason)
        assert desk.stored()["reply"] is None
        assert desk.place.read(ORIGIN, 8) is None
        assert desk.row().reason == step.progress.reason
        self.finish(desk)

    def test_of_another_question(self, desk, server):
        """An older answer that somebody kept, for the same root."""
        older = server.authority.answer(stamp.request(ORIGIN, 8, desk.root(), 12345, None))
        server.after = lambda _: older
        self.keeps_nothing(desk, "anchor-message: .*another nonce")

    def test_of_another_root(self, desk, server):
        """The nonce is ours, the root is not."""

        def other(_):
            nonce = desk.stored()["nonce"]
            return server.authority.answer(stamp.request(ORIGIN, 8, b"\1" * 32, nonce, None))

        server.after = other
        self.keeps_nothing(desk, "anchor-message: something else")

    def test_under_another_root_certificate(self, desk, server, tmp_path):
        other = Authority(tmp_path / "other")
        server.after = lambda _: other.answer(server.asked[-1][1])
        self.keeps_nothing(desk, "anchor-chain: ")

    def test_expired(self, desk, server, tmp_path):
        other = Authority(tmp_path / "other", until=desk.now - timedelta(days=1))
        desk.authority = tsa.Authority(ask=HttpAuthority(server.url), root=other.root, policy=None)
        desk.place = TsaAnchor(desk.database, desk.authority, log=1)
        server.after = lambda _: other.answer(server.asked[-1][1])
        step = desk.round()
        assert step.progress.stage is Stage.SENT
        assert "not valid at validation time" in step.progress.reason

    def test_by_a_key_for_something_else(self, desk, server, tmp_path):
        other = Authority(tmp_path / "other", usage=[ExtendedKeyUsageOID.SERVER_AUTH])
        desk.authority = tsa.Authority(ask=HttpAuthority(server.url), root=other.root, policy=None)
        desk.place = TsaAnchor(desk.database, desk.authority, log=1)
        server.after = lambda _: forge(other, server.asked[-1][1])
        step = desk.round()
        assert step.progress.stage is Stage.SENT
        assert "not for time stamps alone" in step.progress.reason

    def test_under_another_policy(self, database, server):
        desk = Desk(database, server, policy=POLICY)
        server.after = lambda _: forge(
            server.authority, server.asked[-1][1],
            policy=der.name(OTHER_POLICY),
        )  # fmt: skip
        self.keeps_nothing(desk, "anchor-message: .*policy")

    @pytest.mark.parametrize("hours", [-1.1, 1.1])
    def test_by_a_clock_that_is_wrong(self, desk, server, hours):
        at = desk.now + timedelta(hours=hours)
        server.after = lambda _: forge(server.authority, server.asked[-1][1], at=at)
        self.keeps_nothing(desk, "its clock or this machine's is wrong")

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (REJECTED, "it does not say why"),
            (bytes.fromhex("30053003020101"), "refuses"),
        ],
    )  # fmt: skip
    def test_rejected(self, desk, server, caplog, answer, said):
        """A no is final for this size; the next one is tried when it is due."""
        server.after = lambda _: answer
        with caplog.at_level(logging.WARNING):
            step = desk.round()
        assert step.progress.stage is Stage.REFUSED
        assert said in step.progress.reason
        assert "size 8 was refused" in caplog.text
        assert desk.round() is None
        assert len(server.asked) == 1
        server.mend()
        desk.grow(100)
        assert desk.round().progress.stage is Stage.DONE

    def test_really_rejected(self, database, tmp_path):
        """``openssl`` refuses a hash that it is not told to stamp, and says so."""
        server = Server(Authority(tmp_path / "tsa", digests="sha512"))
        try:
            step = Desk(database, server).round()
        finally:
            server.stop()
        assert step.progress.stage is Stage.REFUSED
        assert step.progress.reason == (
            "the authority refuses: Message digest algorithm is not supported."
        )

    @pytest.mark.parametrize(
        "answer",
        [
            WAITING,
            bytes.fromhex("300a3008020102030301" + "0002"),  # rejected: timeNotAvailable
            bytes.fromhex("300b300902010203040000" + "0040"),  # rejected: systemFailure
            bytes.fromhex("30053003020104"),
        ],
    )
    def test_not_now(self, desk, server, answer):
        server.after = lambda _: answer
        self.keeps_nothing(desk, "stamps nothing now")

    @pytest.mark.parametrize(
        "change",
        [
            lambda _: b"",
            lambda _: b"<html>busy</html>",
            lambda good: good[:-1],
            lambda good: good + b"\0",
            lambda _: bytes(stamp.MOST_REPLY + 1),
            lambda _: bytes(1 << 22),
        ],
    )
    def test_no_answer_of_an_authority(self, desk, server, change):
        server.after = change
        with pytest.raises(UnreachableError):
            desk.round()
        assert desk.row().stage is Stage.SENT
        self.finish(desk)

    @pytest.mark.parametrize(
        ("status", "kind"), [(404, tsa.REPLY), (200, "text/html"), (302, tsa.REPLY)]
    )
    def test_not_as_http_has_it(self, desk, server, status, kind):
        server.status, server.kind = status, kind
        with pytest.raises(UnreachableError):
            desk.round()
        self.finish(desk)

    def test_slow(self, desk, server):
        """Who sends a byte now and then holds nobody up for longer than twice the time."""
        with socket.create_server(("127.0.0.1", 0)) as slow:
            ask = HttpAuthority(f"http://127.0.0.1:{slow.getsockname()[1]}/", seconds=0.5)
            done = threading.Event()
            threading.Thread(target=_drip, args=(slow, done), daemon=True).start()
            begun = time.monotonic()
            with pytest.raises(UnreachableError):
                ask(b"x")
            done.set()
        assert time.monotonic() - begun < 3

    def test_not_http(self, desk, server):
        with socket.create_server(("127.0.0.1", 0)) as odd:
            ask = HttpAuthority(f"http://127.0.0.1:{odd.getsockname()[1]}/", seconds=5)
            threading.Thread(target=_speak, args=(odd, b"SSH-2.0-x\r\n"), daemon=True).start()
            with pytest.raises(UnreachableError):
                ask(b"x")

    @pytest.mark.parametrize("address", ["", "ftp://a", "http://", "http://u:p@a/", "http://[x"])
    def test_no_address(self, address):
        with pytest.raises(InputError):
            HttpAuthority(address)

    @given(st.binary(max_size=200))
    def test_garbage_is_no_answer(self, data):
        try:
            said = stamp.read_reply(data)
        except ValueError:
            return
        assert said.token is None or said.token in data


class TestConflict:
    def test_another_root_for_the_size(self, desk):
        """Two trees under one name and size: an alarm, each round, until a person has looked."""
        desk.place.anchor(ORIGIN, 8, b"\1" * 32, now=desk.now)
        for _ in range(2):
            with pytest.raises(InconsistentError, match="another root for 8 entries"):
                desk.round()
        assert desk.row().stage is Stage.CONFLICT
        desk.grow(500)
        with pytest.raises(InconsistentError):
            desk.round()

    def test_also_before_it_was_stamped(self, desk, server):
        server.status = 500
        with pytest.raises(UnreachableError):
            desk.place.anchor(ORIGIN, 8, b"\1" * 32, now=desk.now)
        server.mend()
        with pytest.raises(InconsistentError):
            desk.round()
        assert len(server.asked) == 1


class TestCrash:
    """Each effect fails once not done, and once done but reported failed; the next round goes on."""

    def finish(self, desk):
        desk.server.mend()
        assert desk.round().progress.stage is Stage.DONE
        assert desk.holds()

    def test_asked_and_nothing_else(self, desk, server):
        server.status = 500
        with pytest.raises(UnreachableError):
            desk.round()
        assert desk.stored()["reply"] is None
        self.finish(desk)

    def test_stamped_but_not_stored(self, desk, server):
        class Lost(Exception):  # noqa: N818 - the end of the process
            pass

        def lose(request):
            HttpAuthority(server.url)(request)
            raise Lost

        place = desk.place
        desk.place = TsaAnchor(
            desk.database, tsa.Authority(ask=lose, root=desk.authority.root, policy=None), log=1
        )
        with pytest.raises(Lost):
            desk.round()
        desk.place = place
        self.finish(desk)
        assert [len(server.asked), len({body for _, body in server.asked})] == [2, 1]

    def test_stored_but_not_noted(self, desk, server):
        """The process died between the answer's commit and the note in the book."""
        server.status = 500
        with pytest.raises(UnreachableError):
            desk.round()
        server.mend()
        assert desk.place.anchor(ORIGIN, 8, desk.root(), now=desk.now).stage is Stage.DONE
        assert desk.row().stage is Stage.SENT
        assert desk.round().progress.stage is Stage.DONE
        assert (len(server.asked), desk.row().proof is None) == (2, False)

    def test_two_processes_at_once(self, desk, server):
        """Both may ask; one stamp is kept, the one that was stored first."""

        def meanwhile(answer):
            server.after = lambda good: good
            assert desk.place.anchor(ORIGIN, 8, desk.root(), now=desk.now).stage is Stage.DONE
            kept.append(bytes(desk.stored()["reply"]))
            return answer

        kept = []
        server.after = meanwhile
        assert desk.round().progress.stage is Stage.DONE
        assert kept == [bytes(desk.stored()["reply"])]

    def test_two_processes_begin_at_once(self, desk, server):
        """Whoever loses the race to store the question leaves it to the other."""
        other = TsaAnchor(desk.database, desk.authority, log=1)

        class Late(TsaAnchor):
            def _begin(self, size, root, now):
                other.anchor(ORIGIN, size, root, now=now)
                return super()._begin(size, root, now)

        desk.place = Late(desk.database, desk.authority, log=1)
        assert desk.round().progress.stage is Stage.SENT
        assert desk.round().progress.stage is Stage.DONE


class TestCommands:
    @pytest.fixture
    def env(self, tmp_path, database_url, server):
        env = {
            "EPILOCK_HOME": str(tmp_path / "home"), "EPILOCK_DATABASE": database_url[0],
            "EPILOCK_KEY_DATABASE": database_url[1], "EPILOCK_ANCHOR_TSA": server.url,
            "EPILOCK_ANCHOR_TSA_ROOT": str(server.authority.root_file),
        }  # fmt: skip
        found(settings.read(env), now=lambda: datetime.now(UTC)).close()
        return env

    @pytest.fixture
    def epilock(self, env):
        def run(*words):
            result = CliRunner(env=env).invoke(app, [str(word) for word in words])
            if isinstance(result.exception, EpilockError):
                text, code = explain(result.exception)
                return code, result.stdout + text, result.stderr
            assert result.exception is None or isinstance(result.exception, SystemExit)
            return result.exit_code, result.stdout, result.stderr

        return run

    def test_from_a_setting_to_a_proof_that_needs_nobody(self, epilock, env, server, tmp_path):
        code, said, aside = epilock("anchor", "run")
        assert (code, said) == (0, "the root of 1 entries is stamped\n")
        assert "proves the code, not the time" in aside
        assert "不能证明时间" in aside
        fingerprint = stamp.fingerprint(server.authority.root)
        code, said, _ = epilock("anchor", "list")
        assert re.fullmatch(rf"tsa/{fingerprint}\n +1  done +\S+  stamped 20\S+\n", said)
        code, said, _ = epilock("anchor", "verify")
        assert (code, said) == (0, f"tsa/{fingerprint}\n           1  holds\n")
        kept = tmp_path / "kept"
        code, said, _ = epilock("anchor", "proof", 0, kept)
        assert re.fullmatch(
            rf"entry 0 in the tree of 1, stamped at 20\S+\nSHA-256 of the root's certificate {fingerprint}\n",
            said,
        )
        env["EPILOCK_ANCHOR_TSA"] = ""
        key = epilock("ledger", "key")[1].strip()
        asked = ("verify", kept / "entry-0-stamp.tlog-proof", "--key", key,
                 "--anchor", kept / "entry-0-stamp.anchor")  # fmt: skip
        code, said, _ = epilock(*asked, "--tsa-root", server.authority.root_file)
        assert code == 0
        assert re.search(
            r"^  8 anchor +stamped by CN=stamps, which says that it was 20\S+ to 1\.5001 s$",
            said, re.MULTILINE,
        )  # fmt: skip
        other = Authority(tmp_path / "other")
        code, said, _ = epilock(*asked, "--tsa-root", other.root_file)
        assert code == 1
        assert said.startswith("NOT VERIFIED, step 8 (anchor), AnchorProofError: anchor-chain: ")
        code, said, _ = epilock(*asked)
        assert (code, "--tsa-root for a time stamp" in said) == (2, True)

    def test_openssl_is_the_independent_check(self, epilock, server, tmp_path):
        """What is exported is what ``openssl ts -verify`` takes; the text is that of the signed checkpoint."""
        epilock("anchor", "run")
        epilock("anchor", "proof", 0, tmp_path / "kept")
        said = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "entry-0-stamp.message", "-in",
             "entry-0-stamp.tsr", "-CAfile", str(server.authority.root_file)],
            check=True, capture_output=True, cwd=tmp_path / "kept", text=True,
        )  # fmt: skip
        assert said.stdout == "Verification: OK\n"
        told = (tmp_path / "kept/entry-0-stamp.message").read_text()
        assert f"\n\n{told}\n" in (tmp_path / "kept/entry-0-stamp.tlog-proof").read_text()
        (tmp_path / "kept/entry-0-stamp.message").write_text(told.replace("\n1\n", "\n2\n"))
        bent = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "entry-0-stamp.message", "-in",
             "entry-0-stamp.tsr", "-CAfile", str(server.authority.root_file)],
            check=False, capture_output=True, cwd=tmp_path / "kept",
        )  # fmt: skip
        assert bent.returncode != 0

    def test_killed_between_the_answer_and_its_storing(self, epilock, env, server):
        """``kill -9`` while the stamp is on its way: the next run asks the same and has one."""
        reached, leave = threading.Event(), threading.Event()

        def hold(answer):
            reached.set()
            leave.wait(30)
            return answer

        server.after = hold
        process = subprocess.Popen(
            [sys.executable, "-m", "epilock", "anchor", "run"], env={**os.environ, **env},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert reached.wait(30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        leave.set()
        server.after = lambda answer: answer
        assert "  sent  " in epilock("anchor", "list")[1]
        assert epilock("anchor", "run")[:2] == (0, "the root of 1 entries is stamped\n")
        assert len({body for _, body in server.asked}) == 1
        assert len(server.asked) == 2

    def test_a_chain_that_is_gone_does_not_hold_up_the_stamps(self, epilock, env):
        """Both may be set; each is asked, and what one says is said too."""
        env["EPILOCK_ANCHOR_RPC"] = "http://127.0.0.1:9/"
        env["EPILOCK_ANCHOR_CONTRACT"] = "0x" + "1" * 40
        code, said, _ = epilock("anchor", "run")
        assert code == 1
        assert "the root of 1 entries is stamped\n" in said
        assert "the node cannot be reached" in said

    def test_the_background_does_it_too(self, env, server):
        parts = build(settings.read(env), now=lambda: datetime.now(UTC))
        (rounds,) = anchor_rounds(parts, every=0.05)
        try:
            wait_until(lambda: parts.stamps.place().read(parts.log.origin, 1) is not None)
        finally:
            rounds.stop()
            parts.close()

    def test_why_it_is_not_stamped_is_said(self, epilock, server, tmp_path):
        server.after = lambda _: WAITING
        code, said, aside = epilock("anchor", "run")
        assert (code, said) == (1, "not stamped yet: repeat the command to go on\n")
        assert "not yet: the authority stamps nothing now" in aside
        server.after = lambda _: REJECTED
        code, said, _ = epilock("anchor", "run")
        assert (code, said) == (
            1, "epilock: the root of 1 entries: the authority refuses: it does not say why",
        )  # fmt: skip
        assert "refuses" in epilock("anchor", "list")[1]
        assert "FAILS: refused" in epilock("anchor", "verify")[1]
        assert "no anchor with a proof covers" in epilock("anchor", "proof", 0, tmp_path)[1]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"EPILOCK_ANCHOR_TSA": ""}, "or EPILOCK_ANCHOR_TSA"),
            ({"EPILOCK_ANCHOR_TSA": "x"}, "EPILOCK_ANCHOR_TSA must begin with"),
            ({"EPILOCK_ANCHOR_TSA_ROOT": ""}, "needs EPILOCK_ANCHOR_TSA_ROOT"),
            ({"EPILOCK_ANCHOR_TSA_ROOT": "nowhere"}, "EPILOCK_ANCHOR_TSA_ROOT: "),
            ({"EPILOCK_ANCHOR_TSA_ROOT": __file__}, "one certificate in PEM"),
            ({"EPILOCK_ANCHOR_TSA_POLICY": "2.05"}, "EPILOCK_ANCHOR_TSA_POLICY must be"),
        ],
    )
    def test_what_is_wrong_is_said(self, epilock, env, change, said):
        env.update(change)
        code, text, _ = epilock("anchor", "run")
        assert code in {1, 2}
        assert said in text


def _drip(listener, done):
    peer, _ = listener.accept()
    with peer:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/timestamp-reply\r\n\r\n")
        while not done.wait(0.1):
            try:
                peer.sendall(b"x")
            except OSError:
                return


def _speak(listener, words):
    peer, _ = listener.accept()
    with peer:
        peer.recv(4096)
        peer.sendall(words)
