"""Renewing the root key while others use it: nothing is lost at any step, and the old key ends; in each back end."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from epilock.errors import ConflictError, RootKeyError
from epilock.store.keyrows import secret_context, secrets
from epilock.store.keys import KeyStore
from epilock.store.root.keyfile import FileKey, KeyFileRoot, read
from epilock.store.root.opening import open_root
from epilock.store.root.renewal import renew
from epilock.store.slot import Slot, storing

ORG, BUCKET, PART = "garden", "garden/flu/residential-entry/2026-03-14", "2-IV"
SECRETS, SLOTS = 1, 2
WAIT = 30


class File:
    """A key file."""

    def __init__(self, tmp_path):
        self.path = tmp_path / "root.key"
        self.address = str(self.path)

    def there(self):
        """The root keys that are there, past the program."""
        return sorted(p.read_bytes() for p in self.path.parent.glob("root.key*"))

    def epochs(self):
        """The keys of epochs that open something."""
        return []


class Token:
    """A key in a token."""

    def __init__(self, hsm, label, *, epochs):
        self.label, self.address = label, hsm.address(label, epochs=epochs)
        self._root = open_root(self.address, make=True)
        self._others = self._named("epilock-epoch")  # of the tests of before

    def _named(self, label):
        with self._root._lock:
            found = {bytes(each.id): each.label for each in self._root._find({})}
        return [name for name, named in found.items() if named.startswith(label)]

    def there(self):
        return sorted(self._named(self.label))

    def epochs(self):
        return [name for name in self._named("epilock-epoch") if name not in self._others]


class Transit:
    """A key in a transit engine."""

    def __init__(self, engine, *, epochs):
        self.engine, self.address = engine, engine.address(epochs=epochs)

    def there(self):
        return sorted(self.engine.keys["root"].versions)

    def epochs(self):
        """A version that wraps nothing is left of what was retired; it stands for one that is gone."""
        own = [key for name, key in self.engine.keys.items() if name != "root"]
        assert all(list(key.versions) == [key.latest] for key in own)
        return [key for key in own if key.used.intersection(key.versions)]


@pytest.fixture(params=["file", "token", "token of epochs", "transit", "transit of epochs"])
def place(request, tmp_path):
    """Where the root key is."""
    kind, _, epochs = request.param.partition(" ")
    if kind == "token":
        hsm, label = request.getfixturevalue("hsm"), request.getfixturevalue("label")
        return Token(hsm, label, epochs=bool(epochs))
    if kind == "transit":
        return Transit(request.getfixturevalue("engine"), epochs=bool(epochs))
    return File(tmp_path)


@pytest.fixture
def root(place):
    return open_root(place.address, make=True)


@pytest.fixture
def slots(tmp_path) -> Path:
    return tmp_path / "slots"


@pytest.fixture
def filled(keys):
    for org in (ORG, "school"):
        keys.add_bucket(org, BUCKET.replace(ORG, org), [PART])
    keys.secret("", "integrity")
    return keys


@pytest.fixture
def again(filled, place, slots):
    """Return a key store of another process."""
    return lambda: KeyStore(filled.database, open_root(place.address), slots)


def opened(keys: KeyStore) -> list[bytes]:
    return [
        keys.secret("", "integrity"), keys.leaf(ORG, BUCKET, PART, 3),
        keys.leaf("school", BUCKET.replace(ORG, "school"), PART, 3),
    ]  # fmt: skip


def wrapped(keys: KeyStore) -> bytes:
    with keys.database.read() as tx:
        return tx.find(secrets, org="", name="integrity")["wrapped"]


def test_another_key_takes_its_place_and_who_had_the_old_one_goes_on(
    filled, root, place, again, slots
):
    other, before, old = again(), opened(filled), place.there()
    assert renew(filled, slots, root) == SECRETS + SLOTS
    assert len(place.there()) == 1
    assert place.there() != old
    assert opened(filled) == opened(other) == opened(again()) == before
    assert other.destroy(ORG, drops=[(BUCKET, PART)]) == 2
    assert other.secret("", "more") == filled.secret("", "more")


def test_what_the_old_key_wrapped_opens_nowhere_any_more(filled, root, place, again, slots):
    """Not a row of a copy, and not a slot of one."""
    row, cells = wrapped(filled), {p.stem: p.read_bytes() for p in slots.glob("*.slot")}
    renew(filled, slots, root)
    for each in (root, open_root(place.address)):
        with pytest.raises(RootKeyError):
            each.unwrap(row, secret_context("", "integrity"))
        for org, copied in cells.items():
            copy = slots / f"{org}.copy"
            copy.write_bytes(copied)
            with pytest.raises(RootKeyError):
                Slot(copy, org, each).read()
    assert len(place.epochs()) in {0, SLOTS}


def test_again_and_again(filled, root, place, again, slots):
    before, had = opened(filled), [place.there()]
    for _ in range(3):
        renew(filled, slots, root)
        had.append(place.there())
    assert all(len(each) == 1 for each in had)
    assert len({each[0] for each in had}) == len(had)
    assert opened(again()) == before


def test_killed_at_each_step_it_goes_on(filled, root, place, again, slots):
    """After each crash a server opens everything, makes new things and destroys; the next call brings it to its end."""
    before = opened(filled)
    seen: list[str] = []
    count = SLOTS
    renew(filled, slots, root, step=seen.append)
    assert {"next key done", "secrets done", "rewrap done", "wipe done", "destroy done"} <= set(
        seen
    )
    for at in range(len(seen)):
        left, old = at, place.there()

        def crash(step):
            nonlocal left
            left -= 1
            if left < 0:
                raise SystemExit(step)

        with pytest.raises(SystemExit):
            renew(filled, slots, open_root(place.address), step=crash)
        started = again()
        started.settle()
        assert opened(started) == opened(filled) == before, seen[at]
        made = started.secret("", f"made-after-{at}")
        started.destroy(ORG, punctures=[(BUCKET, PART, 100 + at)])
        if seen[at] == "secrets":  # when both keys are there
            started.add_bucket("clinic", BUCKET.replace(ORG, "clinic"), [PART])
            count += 1
        renew(filled, slots, open_root(place.address))
        assert len(place.there()) == 1, seen[at]
        assert place.there() != old
        assert len(place.epochs()) in {0, count}
        assert opened(again()) == before, seen[at]
        assert filled.secret("", f"made-after-{at}") == made


def test_a_destruction_in_the_middle_is_settled_first(key_database, root, slots):
    def crash(step):
        if step == "commit done":
            raise SystemExit

    keys = KeyStore(key_database, root, slots, step=crash)
    keys.add_bucket(ORG, BUCKET, [PART, "3-II"])
    leaf = keys.leaf(ORG, BUCKET, "3-II", 1)
    with pytest.raises(SystemExit):
        keys.destroy(ORG, drops=[(BUCKET, PART)])
    renew(KeyStore(key_database, root, slots), slots, root)
    assert keys.leaf(ORG, BUCKET, "3-II", 1) == leaf


def _renew_while(held, filled, place, slots):
    """Begin to renew while somebody ``held`` what is to be stored; return how to see that it is waited for."""
    done = threading.Event()

    def run():
        renew(filled, slots, open_root(place.address))
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while len(place.there()) == 1:
        assert thread.is_alive()
    assert not done.wait(0.2)
    held()
    assert done.wait(WAIT)
    thread.join()
    assert len(place.there()) == 1


def test_it_waits_for_what_was_wrapped_and_is_not_stored_yet(filled, place, slots):
    holding = storing(slots)
    holding.__enter__()
    _renew_while(lambda: holding.__exit__(None, None, None), filled, place, slots)


def test_it_waits_for_a_suite_that_is_being_chosen(filled, root, place, again, slots):
    wrapping, go = threading.Event(), threading.Event()

    class Slow:
        def wrap(self, secret, context, *, scope=""):
            done = root.wrap(secret, context, scope=scope)
            wrapping.set()
            go.wait(WAIT)
            return done

        unwrap, keep = root.unwrap, root.keep

    slow = KeyStore(filled.database, Slow(), slots)
    thread = threading.Thread(target=slow.choose_suite, args=("clinic", "national-1"))
    thread.start()
    assert wrapping.wait(WAIT)

    def held():
        go.set()
        thread.join()

    _renew_while(held, filled, place, slots)
    assert again().suite_of("clinic").name == "national-1"


def test_others_use_the_keys_all_the_while(filled, root, again, slots):
    """Two threads with key stores of their own read, make secrets and destroy while the root is renewed again and again."""
    before, stop, wrong = opened(filled), threading.Event(), []

    def serve(name):
        own, i = again(), 0
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
            renew(filled, slots, root)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert opened(again()) == before


def test_two_at_once_are_one(filled, root, slots):
    def again(step):
        if step == "secrets":
            with pytest.raises(ConflictError, match="being renewed already"):
                renew(filled, slots, root)

    renew(filled, slots, root, step=again)


def test_what_neither_key_wrapped_stops_it_and_both_stay(filled, root, place, slots, tmp_path):
    foreign = KeyFileRoot(tmp_path / "foreign", make=True)
    KeyStore(filled.database, foreign, slots).secret("", "foreign")
    (old,) = place.there()
    with pytest.raises(RootKeyError, match="another root key"):
        renew(filled, slots, root)
    assert old in place.there()
    assert len(place.there()) == 2


@pytest.mark.parametrize("place", ["file"], indirect=True)
class TestFile:
    """What is so of a file alone."""

    def test_who_has_a_copy_of_the_old_one_opens_nothing_of_later(self, filled, root, place, slots):
        old = FileKey(read(place.path))
        renew(filled, slots, root)
        assert sorted(p.name for p in place.path.parent.glob("root.key*")) == ["root.key"]
        assert place.path.stat().st_mode & 0o777 == 0o600
        stranger = KeyStore(filled.database, old, slots)
        with pytest.raises(RootKeyError, match="another root key"):
            stranger.secret("", "integrity")
        with pytest.raises(RootKeyError, match="another root key"):
            stranger.leaf("school", BUCKET.replace(ORG, "school"), PART, 3)

    def test_the_old_key_is_overwritten_before_its_name_goes(self, filled, root, place, slots):
        kept = place.path.with_name("kept")
        kept.hardlink_to(place.path)  # what somebody would find who reads the disk
        renew(filled, slots, root)
        assert kept.read_bytes() == bytes(32)

    @pytest.mark.parametrize("at", ["destroy", "overwritten"])
    def test_what_only_waits_for_its_destruction_is_destroyed_and_no_more(
        self, filled, root, place, slots, at
    ):
        def crash(step):
            if step == at:
                raise SystemExit

        with pytest.raises(SystemExit):
            renew(filled, slots, root, step=crash)
        new = read(place.path)
        assert renew(filled, slots, root) == SECRETS + SLOTS
        assert place.there() == [new]


@pytest.mark.parametrize("place", ["transit", "transit of epochs"], indirect=True)
class TestTransit:
    """What is so of an engine alone."""

    def test_what_it_rotated_by_itself_belongs_to_the_present_key(
        self, filled, root, place, again, slots
    ):
        """Until it is renewed: then all versions of before go."""
        before = opened(filled)
        place.engine.keys["root"].rotate()
        assert again().secret("", "more") == filled.secret("", "more")
        filled.destroy(ORG, punctures=[(BUCKET, PART, 0)])
        assert opened(again()) == before
        renew(filled, slots, root)
        assert place.there() == [3]
        assert opened(again()) == before

    def test_the_engine_itself_encrypts_with_nothing_older_from_the_first_step_on(
        self, filled, root, place, slots
    ):
        def look(step):
            if step == "next key done":
                about = place.engine.keys["root"].about
                assert (about["min_encryption_version"], about["min_decryption_version"]) == (2, 1)

        renew(filled, slots, root, step=look)
        about = place.engine.keys["root"].about
        assert {
            about[f"min_{each}_version"] for each in ("encryption", "decryption", "available")
        } == {2}

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_the_engine_fails_at_any_change(self, filled, root, place, again, slots):
        before, at = opened(filled), 0
        while True:
            place.engine.changes = at
            try:
                renew(filled, slots, root)
            except RootKeyError as error:
                assert "is sealed" in str(error)  # noqa: PT017 - how many changes there are is not known
            else:
                break
            place.engine.changes, place.engine.sealed = None, False
            started = again()
            started.settle()
            assert opened(started) == opened(filled) == before
            renew(filled, slots, open_root(place.address))
            assert len(place.there()) == 1
            assert len(place.epochs()) in {0, SLOTS}
            at += 1
        assert at > 3
        assert opened(again()) == before

    def test_what_was_disallowed_and_not_trimmed_is_trimmed_and_no_more(
        self, filled, root, place, slots
    ):
        def crash(step):
            if (
                step == "disallowed"
                and place.engine.keys["root"].about["min_decryption_version"] > 1
            ):
                raise SystemExit

        with pytest.raises(SystemExit):
            renew(filled, slots, root, step=crash)
        assert place.there() == [1, 2]
        renew(filled, slots, open_root(place.address))
        assert place.there() == [2]

    def test_a_version_that_still_wraps_something_is_never_trimmed(
        self, filled, root, place, slots
    ):
        """Somebody disallowed it by hand: that can be taken back, and is said."""
        key = place.engine.keys["root"]
        key.rotate()
        least = {"min_decryption_version": 2, "min_encryption_version": 2}
        key.configure(least)
        with pytest.raises(RootKeyError, match=r"another root key|does not have"):
            renew(filled, slots, root)
        assert place.there() == [1, 2]
        key.configure({"min_decryption_version": 1})
        assert renew(filled, slots, root) == SECRETS + SLOTS
        assert place.there() == [2]


@pytest.mark.parametrize("place", ["token", "token of epochs"], indirect=True)
class TestToken:
    """What is so of a token alone."""

    def test_a_second_key_of_the_label_that_is_not_its_next_is_refused(self, root, place):
        root._make(place.label, bytes(16))
        with pytest.raises(RootKeyError, match="has two root keys"):
            root.wrap(bytes(32), b"here")
        with pytest.raises(RootKeyError, match="has two root keys"):
            open_root(place.address)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_the_token_fails_at_any_change(self, filled, place, again, slots):
        before = opened(filled)
        for at in range(8):
            failing = open_root(place.address)
            left = at

            def change(do):
                def fail(*args):
                    nonlocal left
                    left -= 1
                    if left < 0:
                        raise RootKeyError("the token does not do it")
                    do(*args)

                return fail

            failing._make, failing._destroy = change(failing._make), change(failing._destroy)
            with suppress(RootKeyError):
                renew(filled, slots, failing)
            started = again()
            started.settle()
            assert opened(started) == opened(filled) == before
            renew(filled, slots, open_root(place.address))
            assert len(place.there()) == 1
            assert len(place.epochs()) in {0, SLOTS}
        assert left >= 0  # the last went to its end
