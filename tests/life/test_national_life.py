"""A record of an organisation with the national suite: collected, found, opened, checked and destroyed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from epilock.destroy import run as destruction
from epilock.errors import ErasedError, TamperedError
from epilock.ledger import entry, shards
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.check import check
from epilock.store.seal import Unsealer, commitment
from epilock.store.suite import INTERNATIONAL, NATIONAL

PLAIN = "13912345678"


@pytest.fixture
def stored(town):
    """Where a record lies that was given to the garden, which seals with SM4 and SM3."""
    town.parts.keys.choose_suite("garden", NATIONAL.name)
    (given,) = town.store()
    with town.parts.database.read() as tx:
        return given, buckets.load_by_name(tx, "garden", given.bucket)


def record_of(town, given, bucket):
    with town.parts.database.read() as tx:
        return vault.find_record(tx, "garden", bucket.id, given.n)


def test_its_person_is_found_and_what_was_given_opens(town, stored):
    given, bucket = stored
    with town.parts.database.read() as tx:
        found = tags.find(tx, town.parts.keys, "garden", "flu", "contact.mobile", PLAIN)
        opened = vault.open_known(tx, town.parts.keys, bucket, record_of(town, given, bucket))
    assert [(b, n) for b, n, _ in found] == [(bucket.id, given.n)]
    assert any(PLAIN.encode() in text for text in opened.values())


def test_the_log_holds_a_commitment_that_the_person_can_show(town, stored):
    given, bucket = stored
    with town.parts.database.read() as tx:
        said = entry.decode(shards.entry_at(tx, town.parts.log, given.index))
        plain = vault.open_known(tx, town.parts.keys, bucket, record_of(town, given, bucket))
    assert commitment(given.commitment_key, plain, NATIONAL).hex() == said.commitment
    assert commitment(given.commitment_key, plain, INTERNATIONAL).hex() != said.commitment


def test_no_byte_of_it_opens_under_the_other_suite(town, stored):
    given, bucket = stored
    with town.parts.database.read() as tx:
        p = vault.parts.c
        query = sa.select(p.part, p.nonce, p.sealed).where(p.org == "garden", p.n == given.n)
        for part, nonce, sealed in tx.conn.execute(query):
            cover = town.parts.keys.cover("garden", bucket.name, part)
            for suite, opens in ((NATIONAL, True), (INTERNATIONAL, False)):
                unsealer = Unsealer(bucket, part, cover, suite=suite)
                if opens:
                    unsealer.open(given.n, nonce, sealed)
                else:
                    with pytest.raises(TamperedError):
                        unsealer.open(given.n, nonce, sealed)


def test_a_check_opens_everything_and_finds_nothing_changed(town, stored):
    parts = town.parts
    assert list(check(parts.database, parts.keys, parts.log)) == []


def test_on_its_day_it_is_destroyed_and_certified(town, stored):
    given, bucket = stored
    record = record_of(town, given, bucket)
    destruction.run(town.parts.tools, now=town.clock() + timedelta(days=60))
    for part in record.parts:
        with pytest.raises(ErasedError):
            town.parts.keys.leaf("garden", bucket.name, part, given.n)
    with town.parts.database.read() as tx:
        said = [entry.decode(e) for e in shards.entries_at(tx, town.parts.log, 0, 1000)]
    assert sum(e.destroyed for e in said if isinstance(e, entry.Certificate)) == 1
