"""A root key in a transit engine: only it opens, a version that was trimmed opens nowhere, and each refusal is named."""

import os

import pytest

from epilock.errors import ErasedError, InputError, RootKeyError, TamperedError
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.root.moving import Both, move
from epilock.store.root.opening import open_root
from epilock.store.root.transit import MAGIC, MOST_ANSWER, read_address
from transit import Engine, certificate

ORG, BUCKET, PART = "garden", "garden/outbreak-7/quarantine/2026-03-14", "2-IV"


@pytest.fixture
def root(engine):
    return open_root(engine.address(), make=True)


class TestRoot:
    def test_what_it_wraps_it_unwraps(self, engine, root):
        a, b = root.wrap(bytes(32), b"here"), root.wrap(bytes(32), b"here")
        assert a != b
        assert (
            open_root(engine.address()).unwrap(a, b"here") == root.unwrap(b, b"here") == bytes(32)
        )

    def test_every_altered_byte_and_another_context_is_named(self, root):
        wrapped = root.wrap(os.urandom(32), b"here")
        with pytest.raises(TamperedError, match="there"):
            root.unwrap(wrapped, b"there")
        for at in range(len(wrapped)):
            bad = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
            with pytest.raises((TamperedError, RootKeyError)):
                root.unwrap(bad, b"here")
            with pytest.raises((TamperedError, RootKeyError)):
                root.unwrap(wrapped[:at], b"here")

    def test_no_other_key_of_the_engine_is_asked(self, engine, root):
        """Else a changed row could have this program open what belongs to another."""
        wrapped = root.wrap(bytes(32), b"here").replace(b"\x04root", b"\x04beef")
        with pytest.raises(TamperedError):
            root.unwrap(wrapped, b"here")
        assert not [each for each in engine.asked if "beef" in each]

    def test_what_another_root_key_wrapped_is_named(self, engine, root, tmp_path):
        for other in (
            KeyFileRoot(tmp_path / "k", make=True), open_root(engine.address("other"), make=True),
        ):  # fmt: skip
            with pytest.raises(RootKeyError, match="another root key"):
                root.unwrap(other.wrap(bytes(32), b"here"), b"here")

    def test_a_key_of_the_same_name_that_was_made_anew_is_another(self, engine, root):
        wrapped = root.wrap(bytes(32), b"here")
        del engine.keys["root"]
        with pytest.raises(RootKeyError, match="another root key"):
            open_root(engine.address(), make=True).unwrap(wrapped, b"here")

    def test_a_key_that_went_while_it_was_used_is_named(self, engine, root):
        wrapped = root.wrap(bytes(32), b"here")
        del engine.keys["root"]
        with pytest.raises(RootKeyError, match="does not have"):
            root.unwrap(wrapped, b"here")

    def test_one_that_is_not_there_is_not_made_unasked(self, engine):
        with pytest.raises(RootKeyError, match="no root key named none"):
            open_root(engine.address("none"))
        assert not engine.keys

    @pytest.mark.parametrize("how", ["exportable", "allow_plaintext_backup"])
    def test_a_key_that_may_come_out_is_refused(self, engine, root, how):
        engine.keys["root"].about[how] = True
        with pytest.raises(RootKeyError, match="lets the key root out"):
            open_root(engine.address())

    def test_an_engine_that_does_not_bind_the_context_is_refused(self, engine):
        engine.binds = False
        with pytest.raises(RootKeyError, match="passes over associated data"):
            open_root(engine.address(), make=True)


class TestRefusals:
    def test_sealed(self, engine, root):
        engine.sealed = True
        with pytest.raises(RootKeyError, match="is sealed"):
            root.wrap(bytes(32), b"here")

    def test_forbidden(self, engine, root):
        engine.token.write_text("s.another")
        with pytest.raises(RootKeyError, match="forbids it") as refused:
            root.wrap(bytes(32), b"here")
        assert "s.another" not in str(refused.value)

    def test_unreachable(self, engine, root):
        engine.stop()
        with pytest.raises(RootKeyError, match=r"127\.0\.0\.1.*can't be reached"):
            root.wrap(bytes(32), b"here")

    @pytest.mark.parametrize("said", [b"", b"[]", b'{"data": 1}', b"{" * 10_000, b"\xff"])
    def test_what_is_no_engine(self, engine, root, said):
        engine.answer = said
        with pytest.raises(RootKeyError, match="no transit engine"):
            root.wrap(bytes(32), b"here")

    def test_too_much(self, engine, root):
        engine.answer = b" " * (MOST_ANSWER + 1)
        with pytest.raises(RootKeyError, match="more than"):
            root.wrap(bytes(32), b"here")

    def test_a_token_that_others_may_read(self, engine):
        engine.token.chmod(0o640)
        with pytest.raises(RootKeyError, match="chmod 600 engine-token"):
            open_root(engine.address(), make=True)
        assert not engine.asked

    @pytest.mark.parametrize("line", ["", "two\nlines", "ü"])
    def test_a_file_that_holds_no_token(self, engine, line):
        engine.token.write_text(line)
        with pytest.raises(InputError, match="one line of ASCII"):
            open_root(engine.address(), make=True)

    def test_a_file_that_is_too_long(self, engine):
        engine.token.write_text("x" * 5000)
        with pytest.raises(RootKeyError, match="more than 4096 bytes"):
            open_root(engine.address(), make=True)

    def test_a_certificate_that_nobody_trusts(self, tmp_path):
        """The token is not sent before the certificate was checked."""
        engine = Engine(tmp_path, certificate=certificate(tmp_path))
        try:
            with pytest.raises(RootKeyError, match="certificate is not trusted"):
                open_root(engine.address(), make=True)
            assert not engine.asked
        finally:
            engine.stop()


@pytest.mark.parametrize(
    "text",
    [
        "transit+https://a/v1/transit/keys/x", "transit+https://a/v1/transit/keys/x?token-source=1234",
        "transit+https://a/v1/transit/x?token-source=file:f", "transit+https:///v1/transit/keys/x?token-source=file:f",
        "transit+https://u:1234@a/v1/transit/keys/x?token-source=file:f", "transit+ftp://a/v1/t/keys/x?token-source=file:f",
        "transit+http://elsewhere.example/v1/transit/keys/x?token-source=file:f",
        "transit+https://a:1234567/v1/transit/keys/x?token-source=file:f",
        "transit+https://a/v1/transit/keys/../x?token-source=file:f",
        "transit+https://a/v1/transit/keys/x?token-source=file:f&token=1234",
        "transit+https://a/v1/transit/keys/x?token-source=file:f&epoch-keys=yes",
    ],
)  # fmt: skip
def test_an_address_that_says_too_little_or_too_much(text):
    with pytest.raises(InputError) as refused:
        read_address(text)
    assert "1234" not in str(refused.value)


class TestKeyStore:
    def store(self, database, folder, root):
        keys = KeyStore(database, root, folder / "slots")
        keys.add_bucket(ORG, BUCKET, [PART])
        return keys

    def test_with_epoch_keys_no_copy_of_a_slot_opens(self, key_database, tmp_path, engine):
        root = open_root(engine.address(epochs=True), make=True)
        keys = self.store(key_database, tmp_path, root)
        path, leaf = keys.slot(ORG).path, keys.leaf(ORG, BUCKET, PART, 1)
        old = path.read_bytes()
        keys.destroy(ORG, punctures=[(BUCKET, PART, 0)])
        assert keys.leaf(ORG, BUCKET, PART, 1) == leaf
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, PART, 0)
        (own,) = [key for name, key in engine.keys.items() if name != "root"]
        assert list(own.versions) == [own.latest]
        path.write_bytes(old)
        with pytest.raises(RootKeyError, match="does not have"):
            keys.slot(ORG).read()

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_the_engine_fails_in_the_middle_of_a_destruction(self, key_database, tmp_path, engine):
        """Before the commit nothing happened; after it the next start trims."""
        root = open_root(engine.address(epochs=True), make=True)

        def fail(at):
            def step(name):
                engine.sealed = engine.sealed or name == at

            return step

        for at in ("next", "commit", "keep done"):
            folder = tmp_path / at.replace(" ", "-")
            keys = KeyStore(key_database, root, folder / "slots", step=fail(at))
            bucket = f"{BUCKET}-{at.replace(' ', '-')}"
            org = f"garden-{at.replace(' ', '-')}"
            keys.add_bucket(org, bucket, [PART])
            with pytest.raises(RootKeyError, match="is sealed"):
                keys.destroy(org, punctures=[(bucket, PART, 0)])
            engine.sealed = False
            again = KeyStore(key_database, root, folder / "slots")
            again.settle()
            again.destroy(org, punctures=[(bucket, PART, 0)])
            again.leaf(org, bucket, PART, 1)
            with pytest.raises(ErasedError):
                again.leaf(org, bucket, PART, 0)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("at", range(6))
    def test_a_move_into_it_that_was_broken_off_is_gone_on_with(
        self, key_database, tmp_path, engine, at
    ):
        file = KeyFileRoot(tmp_path / "root.key", make=True)
        keys = self.store(key_database, tmp_path, file)
        before = keys.secret("", "integrity"), keys.leaf(ORG, BUCKET, PART, 3)
        root, left = open_root(engine.address(epochs=True), make=True), at

        def crash(step):
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit(step)

        with pytest.raises(SystemExit):
            move(key_database, tmp_path / "slots", file, root, step=crash)
        KeyStore(key_database, Both(root, file), tmp_path / "slots").settle()
        move(key_database, tmp_path / "slots", file, root)
        moved = KeyStore(key_database, root, tmp_path / "slots")
        assert (moved.secret("", "integrity"), moved.leaf(ORG, BUCKET, PART, 3)) == before
        assert all(p.read_bytes().count(MAGIC) == 1 for p in (tmp_path / "slots").glob("*.slot"))
