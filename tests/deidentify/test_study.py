"""What a study's key promises: it makes the codes while it lives, and dies with a witness."""

import pyarrow as pa
import pytest

from epilock import inventory
from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study
from epilock.deidentify.pseudonyms.pseudonym import pseudonyms
from epilock.errors import (
    ApprovalError,
    ConflictError,
    ErasedError,
    KeysError,
    NotDueError,
    NotFoundError,
    StateError,
)
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.store import keyrows
from epilock.store.check import check
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import KeyFileRoot

ORIGIN = "log.example/epilock"
ORG = "jn-cdc"


@pytest.fixture
def book():
    log = Log(ORIGIN, lambda _: Signer.from_seed(ORIGIN, bytes(range(32))))
    return Book(log=log, standard_ref="2026.1+0123456789abcdef")


@pytest.fixture
def keys(key_database, tmp_path):
    return KeyStore(key_database, KeyFileRoot(tmp_path / "root.key", make=True), tmp_path / "slots")


def begin(database, keys, book, clock, name="long-covid"):
    with database.write() as tx:
        study.begin(
            tx, keys, book, org=ORG, study=name, purpose="research", by="s-1", now=clock()
        )  # fmt: skip


def key(database, keys, name="long-covid"):
    with database.read() as tx:
        return study.key_of(tx, keys, ORG, name)


def end(database, keys, book, clock):
    with database.write() as tx:
        if study.load(tx, ORG, "long-covid").end_asked_by is None:
            study.ask_end(tx, org=ORG, study="long-covid", by="s-1", now=clock())
    clock.forward(hours=24)
    study.end(database, keys, book, org=ORG, study="long-covid", by="s-2", now=clock())


def stages(database, book):
    with database.read() as tx:
        told = [entry.decode(e) for e in book.log.entries(tx, 0, 100)]
    return [said.stage for said in told]


class TestLife:
    def test_one_key_as_long_as_it_lives(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        found = key(database, keys)
        assert len(found) == 32
        assert key(database, keys) == found
        assert pseudonyms(found, "case", pa.array(["C-1"]))[0].is_valid

    def test_each_study_has_its_own(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        begin(database, keys, book, clock, "vaccines")
        assert key(database, keys) != key(database, keys, "vaccines")

    def test_a_code_is_used_once(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        end(database, keys, book, clock)
        with pytest.raises(ConflictError, match="has or had"):
            begin(database, keys, book, clock)

    def test_a_study_that_is_not(self, database, keys, book, clock):
        with pytest.raises(NotFoundError, match="no study"):
            key(database, keys)
        with pytest.raises(NotFoundError, match="no study"):
            end(database, keys, book, clock)


class TestEnd:
    def test_the_key_is_gone_and_witnessed(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        end(database, keys, book, clock)
        assert stages(database, book) == ["opened", "ending", "destroyed"]
        with pytest.raises(ErasedError, match="has ended"):
            key(database, keys)
        with pytest.raises(ErasedError):
            keys.leaf(ORG, "study/long-covid", "pseudonym", 0)

    def test_another_lives_on(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        begin(database, keys, book, clock, "vaccines")
        before = key(database, keys, "vaccines")
        end(database, keys, book, clock)
        assert key(database, keys, "vaccines") == before

    def test_it_takes_two(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        who = {"org": ORG, "study": "long-covid", "now": clock()}
        with pytest.raises(StateError, match="asked for first"):
            study.end(database, keys, book, by="s-2", **who)
        with database.write() as tx:
            study.ask_end(tx, by="s-1", **who)
        with pytest.raises(ApprovalError, match="cannot carry it out"):
            study.end(database, keys, book, by="s-1", **who)
        with pytest.raises(NotDueError, match="not before 2026-03-15T01:00"):
            study.end(database, keys, book, by="s-2", **who)
        with database.write() as tx:
            study.refuse_end(tx, org=ORG, study="long-covid")
        with pytest.raises(StateError, match="asked for first"):
            study.end(database, keys, book, by="s-2", **who)
        assert key(database, keys)

    def test_again_is_harmless(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        end(database, keys, book, clock)
        end(database, keys, book, clock)
        assert stages(database, book) == ["opened", "ending", "destroyed"]

    def test_a_crash_before_the_key_is_gone(self, database, keys, book, clock):
        """It is announced; no more codes are made; the next call does the rest."""

        class Dead:
            def destroy(self, org, *, drops):
                raise KeysError("no power")

        begin(database, keys, book, clock)
        with pytest.raises(KeysError, match="no power"):
            end(database, Dead(), book, clock)
        assert stages(database, book) == ["opened", "ending"]
        with pytest.raises(ErasedError):
            key(database, keys)
        end(database, keys, book, clock)
        assert stages(database, book) == ["opened", "ending", "destroyed"]

    def test_a_crash_after_the_key_is_gone(self, database, keys, book, clock):
        class Late:
            def destroy(self, org, *, drops):
                keys.destroy(org, drops=drops)
                raise KeysError("no power")

        begin(database, keys, book, clock)
        with pytest.raises(KeysError, match="no power"):
            end(database, Late(), book, clock)
        end(database, keys, book, clock)
        assert stages(database, book) == ["opened", "ending", "destroyed"]

    def test_nothing_of_it_is_left_in_the_key_store(self, database, keys, book, clock):
        """That no old copy opens it either is the key store's own promise."""
        begin(database, keys, book, clock)
        end(database, keys, book, clock)
        with keys.database.read() as tx:
            assert tx.all(keyrows.seeds) == tx.all(keyrows.part_keys) == []


class TestRegister:
    def test_silence(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        begin(database, keys, book, clock, "vaccines")
        end(database, keys, book, clock)
        assert list(inventory.check(database, book.log)) == []
        assert list(check(database, keys, book.log)) == []

    def test_a_deleted_row_is_named(self, database, keys, book, clock):
        begin(database, keys, book, clock)
        with database.write() as tx:
            tx.delete(study.studies, org=ORG)
        assert [d.row for d in inventory.check(database, book.log)] == [
            "studies (org=jn-cdc, study=long-covid)"
        ]
