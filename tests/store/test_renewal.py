"""Renewing a key file while others use it: nothing is lost at any step, and the old key ends."""

import threading
from pathlib import Path

import pytest

from epilock.errors import ConflictError, RootKeyError
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import FileKey, KeyFileRoot, next_of, put, read
from epilock.store.root.renewal import renew
from epilock.store.slot import storing

ORG, BUCKET, PART = "garden", "garden/flu/residential-entry/2026-03-14", "2-IV"
SECRETS, SLOTS = 1, 2
WAIT = 30


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "root.key"


@pytest.fixture
def slots(tmp_path) -> Path:
    return tmp_path / "slots"


@pytest.fixture
def filled(keys):
    for org in (ORG, "school"):
        keys.add_bucket(org, BUCKET.replace(ORG, org), [PART])
    keys.secret("", "integrity")
    return keys


def opened(keys: KeyStore) -> list[bytes]:
    return [
        keys.secret("", "integrity"), keys.leaf(ORG, BUCKET, PART, 3),
        keys.leaf("school", BUCKET.replace(ORG, "school"), PART, 3),
    ]  # fmt: skip


def test_another_key_takes_its_place_and_who_had_the_old_one_goes_on(filled, path, slots):
    before, old = opened(filled), read(path)
    assert renew(filled, slots, path) == SECRETS + SLOTS
    assert read(path) != old
    assert sorted(p.name for p in path.parent.glob("root.key*")) == ["root.key"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert opened(filled) == before  # the same object, which read the old file when it was made
    assert filled.destroy(ORG, drops=[(BUCKET, PART)]) == 2
    stranger = KeyStore(filled.database, FileKey(old), slots)
    with pytest.raises(RootKeyError, match="another root key"):
        stranger.secret("", "integrity")
    with pytest.raises(RootKeyError, match="another root key"):
        stranger.leaf("school", BUCKET.replace(ORG, "school"), PART, 3)


def test_the_old_key_is_overwritten_before_its_name_goes(filled, path, slots, tmp_path):
    (tmp_path / "kept").hardlink_to(path)  # what somebody would find who reads the disk
    renew(filled, slots, path)
    assert (tmp_path / "kept").read_bytes() == bytes(32)


def test_killed_at_each_step_it_goes_on(filled, path, slots):
    """After each crash a server opens everything and makes new things; the next call brings it to its end."""
    before = opened(filled)
    seen: list[str] = []
    renew(filled, slots, path, step=seen.append)
    assert {"next key done", "secrets done", "rewrap done", "wipe done", "overwritten"} <= set(seen)
    for at in range(len(seen)):
        left, old = at, read(path)

        def crash(step):
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit(step)

        with pytest.raises(SystemExit):
            renew(filled, slots, path, step=crash)
        started = KeyStore(filled.database, KeyFileRoot(path), slots)
        started.settle()
        assert opened(started) == opened(filled) == before, seen[at]
        made = started.secret("", f"made-after-{at}")
        renew(filled, slots, path)
        assert sorted(p.name for p in path.parent.glob("root.key*")) == ["root.key"], seen[at]
        assert read(path) != old
        assert opened(KeyStore(filled.database, KeyFileRoot(path), slots)) == before, seen[at]
        assert filled.secret("", f"made-after-{at}") == made


def test_what_only_waits_for_its_destruction_is_destroyed_and_no_more(filled, path, slots):
    def crash(step):
        if step == "destroy":
            raise SystemExit

    with pytest.raises(SystemExit):
        renew(filled, slots, path, step=crash)
    new = read(path)
    assert renew(filled, slots, path) == 0
    assert read(path) == new
    assert not path.with_name("root.key.old").exists()


def test_a_destruction_in_the_middle_is_settled_first(key_database, root, path, slots):
    def crash(step):
        if step == "commit done":
            raise SystemExit

    keys = KeyStore(key_database, root, slots, step=crash)
    keys.add_bucket(ORG, BUCKET, [PART, "3-II"])
    leaf = keys.leaf(ORG, BUCKET, "3-II", 1)
    with pytest.raises(SystemExit):
        keys.destroy(ORG, drops=[(BUCKET, PART)])
    renew(KeyStore(key_database, root, slots), slots, path)
    assert keys.leaf(ORG, BUCKET, "3-II", 1) == leaf


def test_it_waits_for_what_was_wrapped_and_is_not_stored_yet(filled, path, slots):
    done = threading.Event()

    def run():
        renew(filled, slots, path)
        done.set()

    with storing(slots):
        thread = threading.Thread(target=run)
        thread.start()
        while not next_of(path).exists():
            assert thread.is_alive()
        assert not done.wait(0.2)
    assert done.wait(WAIT)
    thread.join()


def test_others_use_the_keys_all_the_while(filled, path, slots):
    """Two threads with key stores of their own read, make secrets and destroy while the root is renewed again and again."""
    before, stop, wrong = opened(filled), threading.Event(), []

    def serve(name):
        own, i = KeyStore(filled.database, KeyFileRoot(path), slots), 0
        try:
            while not stop.is_set():
                assert opened(own) == before
                assert own.secret("", f"{name}-{i}") == filled.secret("", f"{name}-{i}")
                bucket = f"{name}/flu/residential-entry/2026-03-{i}"
                own.add_bucket(name, bucket, [PART])
                own.destroy(name, drops=[(bucket, PART)])
                i += 1
        except Exception as error:  # noqa: BLE001 - told to the test
            wrong.append(error)

    threads = [threading.Thread(target=serve, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            renew(filled, slots, path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert opened(KeyStore(filled.database, KeyFileRoot(path), slots)) == before


def test_two_at_once_are_one(filled, path, slots):
    def again(step):
        if step == "secrets":
            with pytest.raises(ConflictError, match="being renewed already"):
                renew(filled, slots, path)

    renew(filled, slots, path, step=again)


def test_what_neither_key_wrapped_stops_it_and_both_stay(filled, path, slots, tmp_path):
    put(tmp_path / "foreign", bytes(range(32)))
    foreign = KeyFileRoot(tmp_path / "foreign")
    KeyStore(filled.database, foreign, slots).secret("", "foreign")
    old = read(path)
    with pytest.raises(RootKeyError, match="another root key"):
        renew(filled, slots, path)
    assert read(path) == old
    assert next_of(path).exists()
