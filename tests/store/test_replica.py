"""What a replica of the slots promises: at each moment the last whole copy of the keys opens with it."""

import pytest

from epilock.errors import ConflictError, KeysError
from epilock.store import replica
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.slot import CELL, EMPTY, Slot


@pytest.fixture
def root(tmp_path):
    return KeyFileRoot(tmp_path / "root.key", make=True)


@pytest.fixture
def slot(tmp_path, root):
    made = Slot(tmp_path / "slots/city.slot", "city", root)
    with made.lock():
        pass
    return made


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "replica"
    replica.bind(folder, "a")
    return folder


def epochs(folder, root):
    return set(Slot(folder / "city.slot", "city", root).read())


def rotate(slot, epoch):
    slot.next(epoch, current=epoch - 1)
    slot.keep(epoch)


def test_it_opens_what_the_slot_opens(slot, copy, root):
    assert replica.take(slot.path.parent, copy, {"city": 1})
    assert Slot(copy / "city.slot", "city", root).read() == slot.read()
    assert (copy / "city.slot").stat().st_mode & 0o777 == 0o600


def test_both_epochs_are_there_until_the_new_copy_is(slot, copy, root):
    """Whichever copy of the key database is the last whole one, it opens."""
    replica.take(slot.path.parent, copy, {"city": 1})
    rotate(slot, 2)
    assert replica.take(slot.path.parent, copy, {"city": 2})
    assert epochs(copy, root) == {1, 2}
    replica.settle(copy, {"city": 2})
    assert epochs(copy, root) == {2}


def test_a_slot_that_was_wrapped_anew_takes_the_place_of_what_it_was(slot, copy, root):
    """Else both cells stay in use, and the replica follows no more. A crash before the old one is wiped changes nothing."""
    replica.take(slot.path.parent, copy, {"city": 1})
    before = (copy / "city.slot").read_bytes()[:CELL]
    with slot.lock():
        slot.rewrap(lambda *_: False)
    assert replica.take(slot.path.parent, copy, {"city": 1})
    path = copy / "city.slot"
    assert path.read_bytes()[:CELL] == EMPTY
    assert Slot(path, "city", root).read() == slot.read()
    path.write_bytes(before + path.read_bytes()[CELL:])
    assert replica.take(slot.path.parent, copy, {"city": 1})
    rotate(slot, 2)
    assert replica.take(slot.path.parent, copy, {"city": 2})
    assert epochs(copy, root) == {1, 2}


def test_what_is_settled_is_overwritten_in_place(slot, copy):
    """No byte of the old cell is left in the file, and the file is the same one."""
    replica.take(slot.path.parent, copy, {"city": 1})
    path = copy / "city.slot"
    before, inode = path.read_bytes(), path.stat().st_ino
    rotate(slot, 2)
    replica.take(slot.path.parent, copy, {"city": 2})
    replica.settle(copy, {"city": 2})
    after = path.read_bytes()
    assert path.stat().st_ino == inode
    assert EMPTY in {after[:CELL], after[CELL:]}
    assert before[26:86] not in after


def test_a_rotation_that_was_faster_is_told(slot, copy):
    """The copy of the key database is dead then, and another one is needed."""
    replica.take(slot.path.parent, copy, {"city": 1})
    rotate(slot, 2)
    assert not replica.take(slot.path.parent, copy, {"city": 1 + 2})
    assert replica.take(slot.path.parent, copy, {"city": 2})


def test_a_torn_cell_counts_as_free(slot, copy, root):
    replica.take(slot.path.parent, copy, {"city": 1})
    path = copy / "city.slot"
    data = path.read_bytes()
    path.write_bytes(data[:CELL] + b"torn" + data[CELL + 4 :])
    rotate(slot, 2)
    assert replica.take(slot.path.parent, copy, {"city": 2})
    assert epochs(copy, root) == {1, 2}


def test_it_never_loses_the_last_that_opens(slot, copy, root):
    """Told of an epoch that it does not have, it stays as it is."""
    replica.take(slot.path.parent, copy, {"city": 1})
    replica.settle(copy, {"city": 5})
    assert epochs(copy, root) == {1}


def test_what_no_copy_needs_makes_room(slot, copy, root):
    """Two backups that crashed before their first snapshot leave two cells, which nothing opens with."""
    for epoch in (1, 2):
        if epoch > 1:
            rotate(slot, epoch)
        replica.take(slot.path.parent, copy, {"city": epoch})
    rotate(slot, 3)
    with pytest.raises(KeysError, match="settle it first"):
        replica.take(slot.path.parent, copy, {"city": 3})
    replica.settle(copy, {})
    assert replica.take(slot.path.parent, copy, {"city": 3})
    assert epochs(copy, root) == {3}


def test_it_follows_one_place(copy):
    replica.bind(copy, "a")
    with pytest.raises(ConflictError, match="another place"):
        replica.bind(copy, "b")


def test_what_is_thrown_away_is_overwritten(slot, copy):
    replica.take(slot.path.parent, copy, {"city": 1})
    replica.wipe(copy)
    assert (copy / "city.slot").read_bytes() == bytes(2 * CELL)
