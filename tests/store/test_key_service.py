"""The key service: what a client that was taken over can learn, destroy and sign is bounded, and the wire withstands it."""

import os
import socket
import ssl
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import (
    ErasedError,
    ForbiddenError,
    InputError,
    IntegrityError,
    KeysError,
    LeasedError,
    NoteError,
    RateError,
    StateError,
)
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import SeedKey
from epilock.store import keytree
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice import wire
from epilock.store.keyservice.client import RemoteKeys
from epilock.store.keyservice.desk import HANDED, Desk, Limits
from epilock.store.keyservice.server import Server

ORG, BUCKET, PART = "garden", "garden/outbreak-7/quarantine/2026-03-14", "2-IV"
OTHER = "garden/outbreak-7/quarantine/2026-03-13"
LIMITS = Limits(openings=3, parts=1, erasures=2, wait=timedelta(hours=24))
ME, SOMEBODY = b"m" * 16, b"s" * 16
_LOOPBACK = IPv4Address("127.0.0.1")


@pytest.fixture
def desk(keys, clock):
    keys.add_bucket(ORG, BUCKET, [PART, "3-II"])
    keys.add_bucket(ORG, OTHER, [PART])
    keys.add_tag_key(ORG, "outbreak-7")
    return Desk(keys, LIMITS, clock)


@pytest.fixture
def served(desk, tmp_path):
    """The desk behind a socket; gives its address."""
    at = addresses.read(f"unix:{tmp_path}/run/keys.sock")
    server = Server(desk, at)
    thread = Thread(target=server.serve)
    thread.start()
    yield at
    server.stop()
    thread.join(timeout=10)


class TestOpenings:
    def test_a_day_has_so_many_records(self, desk, clock):
        for n in (0, 1, 2):
            desk.leaf(ORG, BUCKET, PART, n)
        with pytest.raises(RateError, match="3 of the 3") as refused:
            desk.leaf(ORG, BUCKET, PART, 3)
        assert refused.value.wait == 15 * 3600 + 1  # it is nine in the morning
        desk.leaf(ORG, BUCKET, "3-II", 2)  # the other part of one that is open already
        clock.forward(hours=15, seconds=1)
        desk.leaf(ORG, BUCKET, PART, 3)

    def test_each_organisation_has_its_own(self, desk, keys):
        keys.add_bucket("school", "school/outbreak-7/quarantine/2026-03-14", [PART])
        for n in (0, 1, 2):
            desk.leaf(ORG, BUCKET, PART, n)
        desk.leaf("school", "school/outbreak-7/quarantine/2026-03-14", PART, 0)

    def test_what_is_gone_costs_nothing(self, desk, keys):
        keys.destroy(ORG, punctures=[(BUCKET, PART, 9)])
        for _ in range(5):
            with pytest.raises(ErasedError):
                desk.leaf(ORG, BUCKET, PART, 9)
        for n in (0, 1, 2):
            desk.leaf(ORG, BUCKET, PART, n)

    def test_whole_parts_have_a_bound_of_their_own(self, desk, keys):
        assert desk.whole(ORG, BUCKET, PART) == keys.cover(ORG, BUCKET, PART)
        desk.whole(ORG, BUCKET, PART)
        with pytest.raises(RateError, match="given out whole"):
            desk.whole(ORG, OTHER, PART)

    def test_a_counter_that_was_set_back_is_named(self, desk, keys, key_database):
        desk.leaf(ORG, BUCKET, PART, 0)
        with key_database.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE service_accounts SET used = 0")
        with pytest.raises(IntegrityError, match="changed past this program"):
            desk.leaf(ORG, BUCKET, PART, 1)


class TestLeases:
    def test_a_block_is_given_to_one_process(self, desk, keys):
        seed = desk.lease(ORG, BUCKET, PART, 0, ME)
        assert seed == keys.lease_seed(ORG, BUCKET, PART, 0)
        assert desk.lease(ORG, BUCKET, PART, 0, ME) == seed
        with pytest.raises(LeasedError, match="take the next"):
            desk.lease(ORG, BUCKET, PART, 0, SOMEBODY)
        desk.lease(ORG, BUCKET, PART, 1, SOMEBODY)

    def test_what_was_leased_before_the_service_is_given_to_nobody(self, desk):
        before = [(ORG, BUCKET, (PART, "3-II"), 0)]
        assert (desk.adopt(before), desk.adopt(before)) == (2, 0)
        with pytest.raises(LeasedError):
            desk.lease(ORG, BUCKET, "3-II", 0, ME)


class TestDestruction:
    def test_waits_from_its_announcement(self, desk, clock, keys):
        drop = [(BUCKET, PART)]
        with pytest.raises(StateError, match="24 hours"):
            desk.destroy(ORG, drops=drop)
        clock.forward(hours=23)
        assert desk.waiting(ORG, drops=drop).drops == frozenset(drop)
        keys.leaf(ORG, BUCKET, PART, 0)
        clock.forward(hours=1)
        assert not desk.waiting(ORG, drops=drop).drops
        desk.destroy(ORG, drops=drop)
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, PART, 0)
        assert desk.listing() == []

    def test_of_an_organisation_that_is_called_like_a_file_waits_too(self, desk, keys):
        name = "paper/outbreak-7/quarantine/2026-03-14"
        keys.add_bucket("paper", name, [PART])
        with pytest.raises(StateError, match="waits 24 hours"):
            desk.destroy("paper", drops=[(name, PART)])

    def test_that_is_stopped_waits_until_it_is_let_go_on(self, desk, clock, keys):
        drop = [(BUCKET, PART)]
        desk.waiting(ORG, drops=drop)
        assert desk.stop(ORG, BUCKET) == 1
        clock.forward(days=30)
        with pytest.raises(StateError):
            desk.destroy(ORG, drops=drop)
        keys.leaf(ORG, BUCKET, PART, 0)
        assert desk.let_go_on(ORG, BUCKET) == 1
        desk.destroy(ORG, drops=drop)

    def test_of_one_thing_that_waits_keeps_the_others(self, desk, clock, keys):
        desk.waiting(ORG, drops=[(OTHER, PART)])
        clock.forward(hours=24)
        with pytest.raises(StateError, match="nothing was destroyed"):
            desk.destroy(ORG, drops=[(OTHER, PART), (BUCKET, PART)])
        keys.leaf(ORG, OTHER, PART, 0)

    def test_of_tag_keys_waits_too(self, desk, clock, keys):
        assert desk.waiting(ORG, tags=["outbreak-7"]).tags == {"outbreak-7"}
        clock.forward(hours=24)
        desk.destroy(ORG, tags=["outbreak-7"])
        assert keys.emergencies(ORG) == []

    def test_files_of_releases_go_at_once(self, desk, keys):
        keys.add_bucket(ORG, "release/r-1", ["file"])
        desk.destroy(ORG, drops=[("release/r-1", "file")])

    def test_a_day_has_so_many_erasures(self, desk, clock, keys):
        three = [(BUCKET, part, n) for n in (0, 1, 2) for part in (PART, "3-II")]
        late = desk.waiting(ORG, punctures=three).punctures
        assert late == {(BUCKET, PART, 2), (BUCKET, "3-II", 2)}
        with pytest.raises(RateError, match="erased in a day"):
            desk.destroy(ORG, punctures=three)
        keys.leaf(ORG, BUCKET, PART, 0)
        desk.destroy(ORG, punctures=[p for p in three if p not in late])
        assert desk.waiting(ORG, punctures=three).punctures == late
        clock.forward(days=1)
        desk.destroy(ORG, punctures=sorted(late))


class TestSecretsAndSignatures:
    def test_keys_that_sign_stay(self, desk, keys):
        for name in ("log", "log-2", "log.2", "log.2-3", "notice", "key-service", "root"):
            with pytest.raises(ForbiddenError):
                desk.secret("", name)
        assert {desk.secret("", name) for name in HANDED} == {keys.secret("", n) for n in HANDED}

    def test_only_keys_that_sign_do(self, desk):
        for name in (*HANDED, "logs", "log.", "notices"):
            with pytest.raises(ForbiddenError):
                desk.sign("", name, b"x")

    def test_one_size_has_one_root(self, desk, keys):
        honest, forged = (
            Checkpoint("log.example/city", 7, bytes([b]) * 32).text().encode() for b in (1, 2)
        )
        key = SeedKey(keys.secret("", "log"))
        assert desk.sign("", "log", honest) == key.sign(honest) == desk.sign("", "log", honest)
        with pytest.raises(IntegrityError, match="size 7"):
            desk.sign("", "log", forged)

    def test_a_logs_key_signs_checkpoints_alone(self, desk):
        with pytest.raises(NoteError):
            desk.sign("", "log", b"I owe you a million\n")


class TestWire:
    def test_a_client_has_what_the_store_has(self, served, keys):
        remote = RemoteKeys(served)
        assert remote.notice == timedelta(hours=24)
        assert remote.secret("", "receipts") == keys.secret("", "receipts")
        remote.extend_tag_key(ORG, "outbreak-7", 2)
        assert len(remote.tag_key(ORG, "outbreak-7")) == 64
        assert remote.tag_key(ORG, "outbreak-7") == keys.tag_key(ORG, "outbreak-7")
        assert remote.leaf(ORG, BUCKET, PART, 5) == keys.leaf(ORG, BUCKET, PART, 5)
        path = keytree.path(6)
        (leaf,) = remote.cover(ORG, BUCKET, PART, path).values()
        assert leaf == keys.leaf(ORG, BUCKET, PART, 6)
        assert remote.cover(ORG, BUCKET, PART) == keys.cover(ORG, BUCKET, PART)
        assert remote.signing_key(ORG, "notice").sign(b"x") == SeedKey(
            keys.secret(ORG, "notice")
        ).sign(b"x")
        assert (remote.organisations(), remote.emergencies(ORG)) == ([ORG], ["outbreak-7"])
        assert remote.waiting(ORG, drops=[(BUCKET, PART)]).drops == {(BUCKET, PART)}
        assert remote.destroy(ORG, punctures=[(BUCKET, PART, 5)]) == 2
        with pytest.raises(ErasedError, match="erased"):
            remote.leaf(ORG, BUCKET, PART, 5)
        remote.close()

    def test_an_error_is_the_same_on_the_other_side(self, served):
        remote = RemoteKeys(served)
        for n in range(3):
            remote.leaf(ORG, BUCKET, PART, n)
        with pytest.raises(RateError) as refused:
            remote.leaf(ORG, BUCKET, PART, 3)
        assert refused.value.wait > 0
        with pytest.raises(InputError, match="path of one record"):
            remote.cover(ORG, BUCKET, PART, [(3, 0)])
        remote.close()

    def test_two_processes_are_two(self, served):
        first, second = RemoteKeys(served), RemoteKeys(served)
        first.lease_seed(ORG, BUCKET, PART, 0)
        first.lease_seed(ORG, BUCKET, PART, 0)
        with pytest.raises(LeasedError):
            second.lease_seed(ORG, BUCKET, PART, 0)
        first.close()
        second.close()

    def test_a_service_that_began_again_is_asked_again(self, desk, tmp_path, keys):
        at = addresses.read(f"unix:{tmp_path}/keys.sock")
        remote = None
        for n in (0, 1):
            server = Server(desk, at)
            thread = Thread(target=server.serve)
            thread.start()
            remote = remote or RemoteKeys(at)
            assert remote.leaf(ORG, BUCKET, PART, n) == keys.leaf(ORG, BUCKET, PART, n)
            server.stop()
            thread.join(timeout=10)
        with pytest.raises(KeysError, match="doesn't answer"):
            remote.leaf(ORG, BUCKET, PART, 2)

    def test_another_user_is_let_go(self, desk, tmp_path):
        at = addresses.read(f"unix:{tmp_path}/keys.sock")
        server = Server(desk, at, users=[os.getuid() + 1])
        thread = Thread(target=server.serve)
        thread.start()
        with pytest.raises(KeysError, match=r"answer|let the connection go"):
            RemoteKeys(at)
        server.stop()
        thread.join(timeout=10)

    def test_a_second_service_at_one_place_is_refused(self, desk, served):
        with pytest.raises(KeysError, match="another key service"):
            Server(desk, served)
        RemoteKeys(served).close()

    def test_only_its_owner_and_group_may_connect(self, served):
        assert served.path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestHostileWire:
    def speak(self, at, *frames: bytes) -> bytes:
        """Send raw bytes; return what comes back before the service lets go."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(10)
        link.connect(str(at.path))
        with link:
            try:
                for frame in frames:
                    link.sendall(frame)
                link.shutdown(socket.SHUT_WR)
                return link.recv(1 << 16)
            except (BrokenPipeError, ConnectionResetError):
                return b""

    def test_whatever_is_sent_the_next_client_is_served(self, served):
        hello = _framed(_hello(wire.VERSION))

        @given(st.lists(st.binary(max_size=300), max_size=3), st.booleans(), st.booleans())
        def speak(bodies, framed, greeted):
            sent = [_framed(b) if framed else b for b in bodies]
            self.speak(served, *([hello] if greeted else []), *sent)

        speak()
        RemoteKeys(served).close()

    def test_a_frame_that_is_too_long_is_not_read(self, served):
        assert self.speak(served, struct.pack(">I", wire.MOST_REQUEST + 1) + b"x" * 100) == b""

    def test_another_version_is_let_go(self, served):
        assert self.speak(served, _framed(_hello(wire.VERSION + 1))) == b""

    def test_an_error_inside_says_nothing_of_itself(self, served, caplog):
        remote = RemoteKeys(served)
        with pytest.raises(KeysError, match="failed inside"):
            remote.leaf(ORG, BUCKET, PART, 1 << 40)
        assert [r.getMessage() for r in caplog.records] == ["a request failed: ValueError"]
        remote.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestTls:
    @pytest.fixture
    def folders(self, tmp_path):
        """Folders of a server, of a client of the same authority, and of one of another."""
        ours, theirs = _authority("keys"), _authority("others")
        made = {}
        for name, authority in (("server", ours), ("client", ours), ("stranger", theirs)):
            folder = tmp_path / name
            folder.mkdir()
            _certify(folder, authority, trusted=ours)
            made[name] = folder
        return made

    @pytest.fixture
    def port(self, desk, folders):
        server = Server(desk, addresses.read("tls://127.0.0.1:0", folders["server"]))
        thread = Thread(target=server.serve)
        thread.start()
        yield server.port
        server.stop()
        thread.join(timeout=10)

    def test_who_has_a_certificate_is_served(self, port, folders, keys):
        remote = RemoteKeys(addresses.read(f"tls://127.0.0.1:{port}", folders["client"]))
        assert remote.leaf(ORG, BUCKET, PART, 0) == keys.leaf(ORG, BUCKET, PART, 0)
        remote.close()

    def test_who_has_one_of_another_authority_is_not(self, port, folders):
        with pytest.raises(KeysError, match="doesn't answer"):
            RemoteKeys(addresses.read(f"tls://127.0.0.1:{port}", folders["stranger"]))

    def test_who_has_none_is_not(self, port, folders):
        bare = ssl.create_default_context(cafile=str(folders["client"] / "ca.pem"))
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        heard = b""
        with suppress(OSError), bare.wrap_socket(raw, server_hostname="127.0.0.1") as link:
            link.sendall(_framed(_hello(wire.VERSION)) + _framed(wire.encoded(wire.Ask())))
            heard = link.recv(100)
        assert heard == b""  # with a certificate this is answered: see above

    def test_a_key_that_others_may_read_is_refused(self, folders, port):
        (folders["client"] / "key.pem").chmod(0o644)
        with pytest.raises(InputError, match="chmod 600 key"):
            RemoteKeys(addresses.read(f"tls://127.0.0.1:{port}", folders["client"]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unix:PATH or tls"), ("unix:", "unix:PATH"), ("http://a:1", "unix:PATH"),
        ("tls://a", "unix:PATH"), ("tls://:1", "unix:PATH"), ("tls://a:x", "unix:PATH"),
        ("tls://a:1", "needs the folder"),
    ],
)  # fmt: skip
def test_an_address_that_is_none(text, why):
    with pytest.raises(InputError, match=why):
        addresses.read(text)


def _hello(version: int) -> bytes:
    return wire.encoded(wire.Hello(version, b"x" * wire.SESSION_BYTES))


def _framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def _authority(name: str):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = _builder(subject, subject, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return key, made.sign(key, hashes.SHA256())


def _certify(folder, authority, *, trusted) -> None:
    signer, parent = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    name = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(_LOOPBACK)])
    made = _builder(subject, parent.subject, key.public_key()).add_extension(name, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.sign(signer, hashes.SHA256()).public_bytes(pem))
    (folder / "ca.pem").write_bytes(trusted[1].public_bytes(pem))
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _builder(subject, issuer, public):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
