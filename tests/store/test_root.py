"""What the root key's file promises: nobody else reads it, and nothing else unwraps."""

import json
import os
from pathlib import Path

import pytest

from epilock.errors import RootKeyError, TamperedError
from epilock.store.root.keyfile import KeyFileRoot

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/root.json").read_text())


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "keys" / "root.key"


class TestFile:
    def test_it_is_made_once_with_32_bytes_for_its_owner_alone(self, path):
        first = KeyFileRoot(path, make=True)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_size == 32
        assert KeyFileRoot(path, make=True).fingerprint == first.fingerprint
        assert [p.name for p in path.parent.iterdir()] == ["root.key"]

    def test_it_is_not_made_unasked(self, path):
        with pytest.raises(RootKeyError, match="No such file"):
            KeyFileRoot(path)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
    def test_a_file_open_to_others_is_refused(self, path, mode):
        KeyFileRoot(path, make=True)
        path.chmod(mode)
        with pytest.raises(RootKeyError, match="chmod 600"):
            KeyFileRoot(path)

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_another_size_is_refused(self, path, size):
        path.parent.mkdir()
        path.write_bytes(os.urandom(size))
        path.chmod(0o600)
        with pytest.raises(RootKeyError, match="32 bytes"):
            KeyFileRoot(path)


class TestWrap:
    def test_vector(self, path):
        """The file's format never changes: this wrapped secret opens in every version."""
        path.parent.mkdir()
        path.write_bytes(bytes.fromhex(VECTORS["root"]))
        path.chmod(0o600)
        root, v = KeyFileRoot(path), VECTORS["secret"]
        assert root.fingerprint.hex() == VECTORS["fingerprint"]
        secret = root.unwrap(bytes.fromhex(v["wrapped"]), v["context"].encode())
        assert secret.hex() == v["secret"]

    def test_the_same_secret_is_wrapped_differently_each_time(self, path):
        root = KeyFileRoot(path, make=True)
        a, b = root.wrap(bytes(32), b"x"), root.wrap(bytes(32), b"x")
        assert a != b
        assert root.unwrap(a, b"x") == root.unwrap(b, b"x") == bytes(32)

    def test_another_context_or_an_altered_byte_is_named(self, path):
        root = KeyFileRoot(path, make=True)
        wrapped = root.wrap(bytes(32), b"here")
        for bad, context in [
            (wrapped, b"there"),
            (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"here"),
        ]:
            with pytest.raises(TamperedError, match=context.decode()):
                root.unwrap(bad, context)

    def test_another_root_key_is_named(self, path, tmp_path):
        wrapped = KeyFileRoot(path, make=True).wrap(bytes(32), b"here")
        with pytest.raises(RootKeyError, match="another root key"):
            KeyFileRoot(tmp_path / "other.key", make=True).unwrap(wrapped, b"here")
