"""A root key in a real token (SoftHSM 2): it never comes out, and what the token destroyed opens nowhere.

The library reads its configuration once in a process, so all tests of this module share one token.
"""

import pytest

from epilock.errors import ErasedError, InputError, RootKeyError, TamperedError
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.root.moving import Both, move
from epilock.store.root.opening import open_root
from epilock.store.root.token import read_address
from epilock.store.slot import CELL
from softhsm import LABEL

pkcs11 = pytest.importorskip("pkcs11")
ORG, BUCKET, PART = "garden", "garden/outbreak-7/quarantine/2026-03-14", "2-IV"


@pytest.fixture
def token(hsm, label):
    return open_root(hsm.address(label), make=True)


def objects(token):
    """Every secret key in the token, past the program."""
    return list(
        token._connect().get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})
    )


class TestRoot:
    def test_what_it_wraps_it_unwraps(self, token):
        a, b = token.wrap(bytes(32), b"here"), token.wrap(bytes(32), b"here")
        assert a != b
        assert token.unwrap(a, b"here") == token.unwrap(b, b"here") == bytes(32)

    def test_it_is_made_once(self, hsm, token, label):
        wrapped = token.wrap(bytes(32), b"x")
        assert open_root(hsm.address(label), make=True).unwrap(wrapped, b"x") == bytes(32)

    def test_it_never_comes_out(self, token):
        (key,) = [k for k in objects(token) if bytes(k.id) == token._roots[0]]
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
        assert key[pkcs11.Attribute.SENSITIVE]
        assert not key[pkcs11.Attribute.EXTRACTABLE]
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
        assert key[pkcs11.Attribute.LOCAL]  # made in the token
        with pytest.raises(pkcs11.PKCS11Error):
            key[pkcs11.Attribute.EXTRACTABLE] = True
        a = pkcs11.Attribute
        thief = token._connect().generate_key(
            pkcs11.KeyType.AES,
            256,
            template={a.WRAP: True, a.EXTRACTABLE: True, a.SENSITIVE: False},
        )
        with pytest.raises(pkcs11.KeyUnextractable):
            thief.wrap_key(key)

    def test_an_altered_byte_or_another_context_is_named(self, token):
        wrapped = token.wrap(bytes(32), b"here")
        for bad, context in [
            (wrapped, b"there"), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"here"),
            (wrapped[:40], b"here"),
        ]:  # fmt: skip
            with pytest.raises(TamperedError, match=context.decode()):
                token.unwrap(bad, context)

    def test_what_another_root_key_wrapped_is_named(self, token, hsm, label, tmp_path):
        theirs = KeyFileRoot(tmp_path / "k", make=True).wrap(bytes(32), b"here")
        with pytest.raises(RootKeyError, match="another root key"):
            token.unwrap(theirs, b"here")
        other = open_root(hsm.address(f"{label}-2"), make=True)
        wrapped = other.wrap(bytes(32), b"here")
        for key in objects(token):
            if bytes(key.id) == other._roots[0]:
                key.destroy()
        with pytest.raises(RootKeyError, match="does not have"):
            token.unwrap(wrapped, b"here")

    def test_one_that_is_not_there_is_not_made_unasked(self, hsm, label):
        with pytest.raises(RootKeyError, match="has no root key"):
            open_root(hsm.address(f"{label}-none"))

    @pytest.mark.parametrize(
        ("change", "error", "why"),
        [
            ((LABEL, "nobody"), RootKeyError, "token nobody"),
            (("libsofthsm2.so", "none.so"), RootKeyError, "token epilock-test"),
            (("/pin", "/none"), RootKeyError, "PIN's file none"),
        ],
    )
    def test_what_is_not_there_is_named(self, hsm, token, change, error, why):
        with pytest.raises(error, match=why):
            open_root(hsm.address().replace(*change))

    def test_a_pin_that_others_may_read_is_refused(self, hsm, label):
        hsm.pin.chmod(0o640)
        try:
            with pytest.raises(RootKeyError, match="chmod 600 pin"):
                open_root(hsm.address(label), make=True)
        finally:
            hsm.pin.chmod(0o600)


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=a?module-path=m&pin-source=file:p", "pkcs11:object=a?module-path=m&pin-source=file:p",
        "pkcs11:token=a;object=b?pin-source=file:p", "pkcs11:token=a;object=b?module-path=m",
        "pkcs11:token=a;object=b?module-path=m&pin-source=1234",
        "pkcs11:token=a;object=b?module-path=m&pin-value=1234&pin-source=file:p",
        "pkcs11:token=a;object=b;serial=1?module-path=m&pin-source=file:p",
        "pkcs11:token=a;object=b?module-path=m&pin-source=file:p&epoch-keys=yes", "pkcs11:",
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

    def test_a_life_under_a_token(self, key_database, tmp_path, token):
        keys = self.store(key_database, tmp_path, token)
        leaf = keys.leaf(ORG, BUCKET, PART, 1)
        keys.destroy(ORG, punctures=[(BUCKET, PART, 0)])
        assert keys.leaf(ORG, BUCKET, PART, 1) == leaf
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, PART, 0)

    def test_without_epoch_keys_an_old_slot_and_database_open(self, key_database, tmp_path, token):
        """What slots that are archived would do: why they are not."""
        keys = self.store(key_database, tmp_path, token)
        path = keys.slot(ORG).path
        old = path.read_bytes()
        keys.destroy(ORG, punctures=[(BUCKET, PART, 0)])
        path.write_bytes(old)
        assert list(keys.slot(ORG).read()) == [1]

    def test_with_epoch_keys_no_copy_of_a_slot_opens(self, key_database, tmp_path, hsm, label):
        root = open_root(hsm.address(label, epochs=True), make=True)
        keys = self.store(key_database, tmp_path, root)
        path = keys.slot(ORG).path
        old = path.read_bytes()
        before = len(objects(root))
        keys.destroy(ORG, punctures=[(BUCKET, PART, 0)])
        assert len(objects(root)) == before  # one came, one went
        keys.leaf(ORG, BUCKET, PART, 1)
        path.write_bytes(old)
        with pytest.raises(RootKeyError, match="does not have"):
            keys.slot(ORG).read()

    def test_a_key_that_a_crash_left_in_the_token_goes_at_the_next_start(
        self, key_database, tmp_path, hsm, label
    ):
        root = open_root(hsm.address(label, epochs=True), make=True)
        keys = self.store(key_database, tmp_path, root)
        before = len(objects(root))
        with keys.slot(ORG).lock():
            keys.slot(ORG).next(2, current=1)  # and here it ends
        assert len(objects(root)) == before + 1
        KeyStore(key_database, root, tmp_path / "slots").settle()
        assert len(objects(root)) == before
        keys.leaf(ORG, BUCKET, PART, 1)

    def test_another_process_uses_the_same(self, key_database, tmp_path, hsm, label):
        """Each object has a session of its own; the token's login is the process's."""
        keys = self.store(key_database, tmp_path, open_root(hsm.address(label), make=True))
        again = KeyStore(key_database, open_root(hsm.address(label)), tmp_path / "slots")
        assert again.leaf(ORG, BUCKET, PART, 7) == keys.leaf(ORG, BUCKET, PART, 7)


class TestMoving:
    """From a file into a token, and back; killed at every step."""

    @pytest.fixture
    def file(self, tmp_path):
        return KeyFileRoot(tmp_path / "root.key", make=True)

    @pytest.fixture
    def keys(self, key_database, file, tmp_path):
        made = KeyStore(key_database, file, tmp_path / "slots")
        for org in (ORG, "school"):
            made.add_bucket(org, BUCKET.replace(ORG, org), [PART])
        made.secret("", "integrity")
        return made

    def what_opens(self, key_database, root, tmp_path):
        keys = KeyStore(key_database, root, tmp_path / "slots")
        keys.settle()
        names = [(org, BUCKET.replace(ORG, org)) for org in (ORG, "school")]
        leaves = [keys.leaf(org, bucket, PART, 3) for org, bucket in names]
        return [keys.secret("", "integrity"), *leaves]

    def test_everything_opens_under_the_new_one_alone(
        self, keys, key_database, tmp_path, file, token
    ):
        before = self.what_opens(key_database, file, tmp_path)
        assert move(key_database, tmp_path / "slots", file, token) == 3
        assert self.what_opens(key_database, token, tmp_path) == before
        with pytest.raises(RootKeyError):
            self.what_opens(key_database, file, tmp_path)
        assert move(key_database, tmp_path / "slots", file, token) == 3
        assert move(key_database, tmp_path / "slots", token, file) == 3
        assert self.what_opens(key_database, file, tmp_path) == before

    def test_what_another_process_made_meanwhile_is_moved_too(
        self, keys, key_database, tmp_path, file, token
    ):
        """It saw the new key late: its slot came after those that were gone through."""
        steps = []

        def late(step):
            steps.append(step)
            if steps.count("wipe done") == 2 and step == "wipe done":
                keys.add_bucket("clinic", BUCKET.replace(ORG, "clinic"), [PART])

        assert move(key_database, tmp_path / "slots", file, token, step=late) == 4
        moved = KeyStore(key_database, token, tmp_path / "slots")
        assert moved.leaf("clinic", BUCKET.replace(ORG, "clinic"), PART, 3)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_no_old_cell_is_left(self, keys, key_database, tmp_path, file, token):
        move(key_database, tmp_path / "slots", file, token)
        for path in (tmp_path / "slots").glob("*.slot"):
            data = path.read_bytes()
            assert file.fingerprint not in data
            assert sorted([data[:CELL] == bytes(CELL), data[CELL:] == bytes(CELL)]) == [False, True]

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("at", range(10))
    def test_a_crash_at_any_step_is_gone_on_with(  # noqa: PLR0917 - fixtures
        self, keys, key_database, tmp_path, file, token, at
    ):
        before = self.what_opens(key_database, file, tmp_path)
        left = at

        def crash(step):
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit(step)

        with pytest.raises(SystemExit):
            move(key_database, tmp_path / "slots", file, token, step=crash)
        assert self.what_opens(key_database, Both(token, file), tmp_path) == before
        move(key_database, tmp_path / "slots", file, token)
        assert self.what_opens(key_database, token, tmp_path) == before

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("rotations", [0, 1])
    @pytest.mark.parametrize("at", range(10))
    def test_so_it_is_with_keys_of_epochs_whichever_cell_counts(  # noqa: PLR0917 - fixtures
        self, keys, key_database, tmp_path, file, hsm, label, at, rotations
    ):
        """A start in the middle destroys no key that a cell already hangs from."""
        root = open_root(hsm.address(label, epochs=True), make=True)
        for n in range(rotations):
            keys.destroy(ORG, punctures=[(BUCKET, PART, n)])
        before = self.what_opens(key_database, file, tmp_path)
        left = at

        def crash(step):
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit(step)

        with pytest.raises(SystemExit):
            move(key_database, tmp_path / "slots", file, root, step=crash)
        assert self.what_opens(key_database, Both(root, file), tmp_path) == before
        move(key_database, tmp_path / "slots", file, root)
        assert self.what_opens(key_database, root, tmp_path) == before
