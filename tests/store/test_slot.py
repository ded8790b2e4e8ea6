"""What the epoch slot promises: after each crash one epoch counts, and an old one never comes back."""

import json
import threading
from pathlib import Path

import pytest

from epilock.errors import KeysError, RootKeyError, TamperedError
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.slot import CELL, EMPTY, Slot

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/root.json").read_text())


@pytest.fixture
def slot(tmp_path, root) -> Slot:
    slot = Slot(tmp_path / "slots" / "sunny-garden.slot", "sunny-garden", root)
    with slot.lock():
        return slot


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


class TestFile:
    def test_it_is_made_once_for_its_owner_alone(self, slot):
        assert slot.path.stat().st_mode & 0o777 == 0o600
        assert slot.path.stat().st_size == 2 * CELL
        before = slot.path.read_bytes()
        with slot.lock():
            assert slot.path.read_bytes() == before
        assert [p.name for p in slot.path.parent.iterdir()] == ["sunny-garden.slot"]

    def test_vector(self, tmp_path):
        """A slot written by any version is read by every later one."""
        (tmp_path / "root.key").unlink(missing_ok=True)
        (tmp_path / "root.key").write_bytes(bytes.fromhex(VECTORS["root"]))
        (tmp_path / "root.key").chmod(0o600)
        v = VECTORS["slot"]
        cells = [bytes.fromhex(c["cell"]).ljust(CELL, b"\0") for c in v["cells"]]
        path = tmp_path / "x.slot"
        path.write_bytes(b"".join(cells))
        slot = Slot(path, v["org"], KeyFileRoot(tmp_path / "root.key"))
        assert slot.read() == {c["epoch"]: bytes.fromhex(c["key"]) for c in v["cells"]}

    def test_a_missing_slot_is_not_made_by_reading(self, tmp_path, root):
        """Making a new one would hide that the real one is lost."""
        with pytest.raises(KeysError, match="put back a replica"):
            Slot(tmp_path / "none.slot", "none", root).read()

    def test_a_slot_cut_short_is_named(self, slot):
        slot.path.write_bytes(slot.path.read_bytes()[:CELL])
        with pytest.raises(KeysError, match="8192 bytes"):
            slot.read()

    def test_two_threads_make_one_slot(self, tmp_path, root):
        seen = []

        def make() -> None:
            slot = Slot(tmp_path / "many" / "a-b.slot", "a-b", root)
            with slot.lock():
                seen.append(slot.read()[1])

        threads = [threading.Thread(target=make) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(seen) == 8
        assert len(set(seen)) == 1


class TestSteps:
    def test_next_then_keep_leaves_the_new_key_alone(self, slot):
        old = slot.read()[1]
        new = slot.next(2, current=1)
        assert slot.read() == {1: old, 2: new}
        slot.keep(2)
        assert slot.read() == {2: new}
        assert EMPTY in slot.path.read_bytes()

    def test_the_file_is_overwritten_in_place(self, slot):
        """A replaced file would leave the old cell's blocks to whoever finds them."""
        before = slot.path.stat().st_ino
        slot.next(2, current=1)
        slot.keep(2)
        assert slot.path.stat().st_ino == before

    def test_a_rotation_given_up_leaves_the_old_key_alone(self, slot):
        old = slot.read()
        slot.next(2, current=1)
        slot.keep(1)
        assert slot.read() == old

    def test_next_takes_the_place_of_a_next_that_was_given_up(self, slot):
        old = slot.read()[1]
        slot.next(2, current=1)
        new = slot.next(2, current=1)
        assert slot.read() == {1: old, 2: new}

    def test_many_rotations_use_the_two_cells_in_turn(self, slot):
        for epoch in range(2, 9):
            key = slot.next(epoch, current=epoch - 1)
            slot.keep(epoch)
            assert slot.read() == {epoch: key}


class TestReaders:
    def test_a_rotation_between_the_two_cells_hides_no_key(self, slot, root):
        """The reader finds the first cell not yet, the second no longer written, and reads again."""
        slot.next(2, current=1)
        slot.keep(2)
        new = []

        def rotate(step: str) -> None:
            if step == "read between" and not new:
                new.append(slot.next(3, current=2))
                slot.keep(3)

        assert Slot(slot.path, slot.path.stem, root, step=rotate).read() == {3: new[0]}


class TestCrash:
    def test_a_torn_next_is_empty(self, slot):
        """The power failed while the new cell was written: nothing happened."""
        old = slot.read()
        whole = slot.path.read_bytes()
        slot.next(2, current=1)
        torn = slot.path.read_bytes()[: CELL + 60] + whole[CELL + 60 :]
        slot.path.write_bytes(torn)
        assert slot.read() == old
        slot.keep(1)
        assert slot.path.read_bytes() == whole

    @pytest.mark.parametrize("kept", [20, 60, 100])
    def test_what_a_torn_overwrite_left_of_an_old_key_is_wiped(self, slot, kept):
        """The power failed while the old cell was overwritten, from its end: the rest goes next time."""
        new = slot.next(2, current=1)
        data = slot.path.read_bytes()
        slot.path.write_bytes(data[:kept] + bytes(CELL - kept) + data[CELL:])
        assert slot.read() == {2: new}
        slot.keep(2)
        assert slot.path.read_bytes()[:CELL] == EMPTY

    def test_an_epoch_ends_also_while_both_cells_hold_it(self, slot, root):
        """A move to another root key was broken off after the new cell was written."""

        def crash(step):
            if step == "wipe":
                raise SystemExit

        before = slot.read()
        with pytest.raises(SystemExit):
            Slot(slot.path, slot.path.stem, root, step=crash).rewrap(lambda *_: False)
        assert EMPTY not in (slot.path.read_bytes()[:CELL], slot.path.read_bytes()[CELL:])
        assert slot.read() == before
        new = slot.next(2, current=1)
        assert slot.read() == {**before, 2: new}
        slot.keep(2)
        assert slot.read() == {2: new}
        assert slot.holds_only(2)

    def test_a_slot_with_no_whole_cell_is_named(self, slot):
        _flip(slot.path, 30)
        with pytest.raises(KeysError, match="no whole epoch key"):
            slot.read()


class TestPlace:
    def test_another_organisation_s_slot_does_not_open(self, slot, root):
        other = Slot(slot.path, "school", root)
        with pytest.raises(TamperedError, match="school"):
            other.read()

    def test_another_root_key_is_named(self, slot, tmp_path):
        other = Slot(slot.path, "sunny-garden", KeyFileRoot(tmp_path / "r2.key", make=True))
        with pytest.raises(RootKeyError, match="another root key"):
            other.read()
