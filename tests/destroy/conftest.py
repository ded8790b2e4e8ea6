"""The made-up town on either database, its key store and log beside it."""

from pathlib import Path

import pytest
from estate import Estate

from epilock.db import Database
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot

ORIGIN = "log.example/epilock"


@pytest.fixture
def keys(key_database: Database, tmp_path: Path) -> KeyStore:
    return KeyStore(key_database, KeyFileRoot(tmp_path / "root.key", make=True), tmp_path / "slots")


@pytest.fixture
def estate(database: Database, keys: KeyStore) -> Estate:
    return Estate(database, keys, Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, bytes(range(32)))))
