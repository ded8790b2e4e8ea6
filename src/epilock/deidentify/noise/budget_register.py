"""The register of budgets: a directory that keeps what the datasets of a desk may tell, without an installation.

It holds ``key`` (64 random octets) and ``budgets.sqlite``: the tables of ``budget`` and a log of their own, so
that a charge is the same transaction with the same entries as in an installation. Whoever has the directory
decides alone; in an installation a second person does.

Rules kept in this file:
  1. Both files are readable by their owner only (0600), in a folder of 0700.
  2. A directory with one of the two files and without the other is an error: nothing is begun anew.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epilock import durable
from epilock.db import Database, metadata, open_engine
from epilock.deidentify.noise.budget import Book, noisy_releases, privacy_budgets, privacy_datasets
from epilock.errors import InputError, IntegrityError, NotFoundError
from epilock.ledger import keyring, rows
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.standard.load import load

ORG = "desk"  # who answers for a dataset of a register: its owner
BY = "system"
ORIGIN = "desk/budgets"
_HALF = 32  # octets: of the rows' MACs, then of the log's key
_PRIVATE = 0o600
_TABLES = [
    rows.heads, rows.entries, rows.tiles, rows.checkpoints, keyring.keys, privacy_datasets,
    privacy_budgets, noisy_releases,
]  # fmt: skip


@contextmanager
def opened(folder: Path, *, make: bool = False) -> Iterator[tuple[Database, Book]]:
    """Give the database of the register in ``folder`` and what writes to it; with ``make`` a new one is begun.

    Raises:
        NotFoundError: There is none, and ``make`` is not said.
        InputError: The folder can't be made or read.
        IntegrityError: One of its files is missing or is none of a register.
    """
    path = folder / "budgets.sqlite"
    if not make and not path.exists() and not (folder / "key").exists():
        raise NotFoundError(
            f"{folder} is no register of budgets; `epilock budget allot` begins one"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = _key(folder, begun=path.exists())
    except OSError as error:
        raise InputError(f"the register {folder} can't be used: {error.strerror}") from None
    engine = open_engine(f"sqlite:///{path}")
    metadata.create_all(engine, tables=_TABLES)
    database = Database(engine, key[:_HALF])
    log = Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, key[_HALF:]))
    try:
        yield database, Book(log=log, standard_ref=load().ref)
    finally:
        database.close()


def _key(folder: Path, *, begun: bool) -> bytes:
    path = folder / "key"
    if not path.exists():
        if begun:
            raise IntegrityError(
                f"{path.name} of the register {folder.name} is missing: put it back"
            )
        durable.replace(path, os.urandom(2 * _HALF), mode=_PRIVATE)
    elif not begun:
        raise IntegrityError(
            f"budgets.sqlite of the register {folder.name} is missing: put it back, for what was spent stands there"
        )
    key = path.read_bytes()
    if len(key) != 2 * _HALF:
        raise IntegrityError(f"{path.name} of the register {folder.name} has another length")
    return key
