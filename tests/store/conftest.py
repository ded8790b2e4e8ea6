"""A key store on either database, its root key and slots in files; a log beside it."""

from pathlib import Path
from uuid import uuid4

import pytest
from holdings import World

from epilock.db import Database
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot
from transit import Engine

ORIGIN = "log.example/epilock"


@pytest.fixture
def root(tmp_path: Path) -> KeyFileRoot:
    return KeyFileRoot(tmp_path / "root.key", make=True)


@pytest.fixture
def keys(key_database: Database, root: KeyFileRoot, tmp_path: Path) -> KeyStore:
    return KeyStore(key_database, root, tmp_path / "slots")


@pytest.fixture
def log() -> Log:
    return Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, bytes(range(32))))


@pytest.fixture
def world(keys: KeyStore, log: Log) -> World:
    return World(keys, log)


@pytest.fixture
def label() -> str:
    """A root key in the token of each test's own."""
    return f"root-{uuid4().hex[:12]}"


@pytest.fixture
def engine(tmp_path):
    """A transit engine."""
    engine = Engine(tmp_path)
    yield engine
    engine.stop()
