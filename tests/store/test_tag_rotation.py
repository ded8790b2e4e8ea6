"""Rotating a tag key: people are found all the while, no record is opened, and the old key makes no tag of today."""

import threading
from hashlib import blake2s

import pytest
import sqlalchemy as sa
from holdings import ORG, plaintext

from epilock.errors import ErasedError, InputError
from epilock.store import tags
from epilock.store.check import check
from epilock.store.retagging import rotate
from epilock.store.suite import INTERNATIONAL

FLU, COUNT = "outbreak-7", 6


@pytest.fixture
def filled(database, world):
    with database.write() as tx:
        world.collect(tx, world.sealer(tx, world.ensure(tx)), *map(plaintext, range(COUNT)))
    return world


def find(database, world, i):
    with database.read() as tx:
        return tags.find(
            tx, world.keys, ORG, FLU, "contact.mobile", plaintext(i)["2-IV"]["contact.mobile"]["mobile"]
        )  # fmt: skip


def rows(database):
    with database.read() as tx:
        return {tuple(r) for r in tx.conn.execute(sa.select(tags.tags))}


def expected(world, count=COUNT):
    key = world.keys.tag_key(ORG, FLU)
    return {
        row
        for n in range(count)
        for row in tags.tag_rows(INTERNATIONAL, key, (ORG, 1, n), tags.terms(plaintext(n)))
    }


def test_vector():
    """The tag of a generation is that of the one before it, tagged: this never changes."""
    first, second = bytes(range(32)), bytes(range(32, 64))
    one = blake2s(b"phone|13800000002", digest_size=16, key=first, person=b"epi-tags").digest()
    two = blake2s(one, digest_size=16, key=second, person=b"epi-tags").digest()
    assert tags.tag_of(INTERNATIONAL, first + second, "phone", "13800000002", 1) == one
    assert tags.tag_of(INTERNATIONAL, first + second, "phone", "13800000002") == two


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_all_tags_are_those_of_the_new_key(database, filled, batch):
    before, old = find(database, filled, 2), filled.keys.tag_key(ORG, FLU)
    stored = rows(database)
    for generation in (2, 3):
        assert sum(rotate(database, filled.keys, ORG, FLU, batch=batch)) == len(stored)
        assert rows(database) == expected(filled)
        assert {r[7] for r in rows(database)} == {generation}
        assert find(database, filled, 2) == before != []
    assert filled.keys.tag_key(ORG, FLU)[:32] == old
    assert not {r[3] for r in rows(database)} & {r[3] for r in stored}


def test_it_opens_no_record(database, filled):
    with database.write() as tx:
        tx.conn.execute(sa.text("DELETE FROM parts"))
    for _ in rotate(database, filled.keys, ORG, FLU):
        pass
    assert rows(database) == expected(filled)


def test_broken_off_after_any_batch_all_are_found_and_it_goes_on(database, filled):
    before = [find(database, filled, i) for i in range(COUNT)]
    for stop in range(len(rows(database))):
        for done, _ in enumerate(rotate(database, filled.keys, ORG, FLU, batch=1)):
            assert find(database, filled, stop % COUNT) == before[stop % COUNT]
            if done == stop:
                break
        assert [find(database, filled, i) for i in range(COUNT)] == before
    for _ in rotate(database, filled.keys, ORG, FLU):
        pass
    assert rows(database) == expected(filled)


def test_broken_off_before_the_first_batch_no_second_generation_begins(database, filled):
    filled.keys.extend_tag_key(ORG, FLU, 2)
    for _ in rotate(database, filled.keys, ORG, FLU):
        pass
    assert len(filled.keys.tag_key(ORG, FLU)) == 64
    assert rows(database) == expected(filled)


def test_a_writer_goes_on_meanwhile_and_one_who_held_the_old_key_is_taken_along(database, filled):
    stop, wrong, done = threading.Event(), [], []

    def write():
        try:
            with database.write() as tx:
                sealer = filled.sealer(tx, filled.ensure(tx))
            i = COUNT
            while not stop.is_set() or i < COUNT + 3:
                with database.write() as tx:
                    (n,) = filled.collect(tx, sealer, plaintext(i))
                assert [r[1] for r in find(database, filled, i) if r[2] == tags.SUBJECT] == [n]
                done.append((i, n))
                i += 1
        except Exception as error:  # noqa: BLE001 - told to the test
            wrong.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in rotate(database, filled.keys, ORG, FLU, batch=2):
            pass
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    old = filled.keys.tag_key(ORG, FLU)[:32]
    late = tags.tag_rows(INTERNATIONAL, old, (ORG, 1, 4000), tags.terms(plaintext(77)))
    with database.write() as tx:
        tags.keep(tx, late)
    assert [r[1] for r in find(database, filled, 77) if r[2] == tags.SUBJECT] == [4000]
    for _ in rotate(database, filled.keys, ORG, FLU):
        pass
    assert {r[7] for r in rows(database)} == {2}
    for i, n in done:
        assert [r[1] for r in find(database, filled, i) if r[2] == tags.SUBJECT] == [n]


def test_a_check_in_the_middle_finds_no_damage_and_then_a_changed_one(database, filled):
    for done, _ in enumerate(rotate(database, filled.keys, ORG, FLU, batch=1)):
        if done == 3:
            break
    assert {r[7] for r in rows(database)} == {1, 2}
    assert list(check(database, filled.keys, filled.log)) == []
    with database.write() as tx:
        tx.conn.execute(sa.text("UPDATE tags SET generation = 3 - generation WHERE n = 1"))
    assert {d.row.split(" ")[0] for d in check(database, filled.keys, filled.log)} == {"tags"}


def test_what_is_destroyed_meanwhile_stays_away(database, filled):
    for turn, _ in enumerate(rotate(database, filled.keys, ORG, FLU, batch=1)):
        if turn == 0:
            with database.write() as tx:
                tx.conn.execute(sa.delete(tags.tags).where(tags.tags.c.n == 3))
    assert rows(database) == {r for r in expected(filled) if r[4] != 3}


def test_a_key_that_is_gone_or_has_enough_generations(filled):
    for generations in (1, 2, 2):
        filled.keys.extend_tag_key(ORG, FLU, generations)
    with pytest.raises(InputError, match="this one has 2"):
        filled.keys.extend_tag_key(ORG, FLU, 4)
    filled.keys.destroy(ORG, tags=[FLU])
    with pytest.raises(ErasedError):
        filled.keys.extend_tag_key(ORG, FLU, 3)
