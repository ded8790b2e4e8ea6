"""A key store on either database, its root key and slots in files."""

from pathlib import Path

import pytest

from epilock.db import Database
from epilock.store.keys import KeyStore
from epilock.store.root import KeyFileRoot


@pytest.fixture
def root(tmp_path: Path) -> KeyFileRoot:
    return KeyFileRoot(tmp_path / "root.key", make=True)


@pytest.fixture
def keys(key_database: Database, root: KeyFileRoot, tmp_path: Path) -> KeyStore:
    return KeyStore(key_database, root, tmp_path / "slots")
