"""What the key store promises: what is destroyed stays destroyed, in every copy, after every crash."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from epilock.db import key_metadata
from epilock.errors import ErasedError, InputError, KeysError, TamperedError
from epilock.store import keyrows, keytree
from epilock.store.keys import KeyStore
from epilock.store.keytree import DEPTH, ROOT
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.slot import Slot
from epilock.store.suite import INTERNATIONAL

ORG = "sunny-garden"
BUCKET = "sunny-garden/outbreak-7/residential-entry/2026-03-14"
OTHER = "sunny-garden/outbreak-7/residential-entry/2026-03-15"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/store/wraps.json").read_text())


def fill(keys: KeyStore) -> None:
    keys.add_bucket(ORG, BUCKET, ["2-IV", "3-II"])
    keys.add_bucket(ORG, OTHER, ["2-IV"])
    keys.add_tag_key(ORG, "outbreak-7")
    keys.add_tag_key(ORG, "flood-2")


def leaves(keys: KeyStore) -> dict[str, bytes]:
    """Everything the store can give, for comparison."""
    found = {}
    for bucket, part in [(BUCKET, "2-IV"), (BUCKET, "3-II"), (OTHER, "2-IV")]:
        for n in (0, 1, 2, 5000):
            found[f"{bucket} {part} {n}"] = keys.leaf(ORG, bucket, part, n)
    for emergency in ("outbreak-7", "flood-2"):
        found[emergency] = keys.tag_key(ORG, emergency)
    return found


class TestVectors:
    """The associated data and the form of each wrapped row, byte for byte."""

    @pytest.mark.parametrize("v", VECTORS["rows"], ids=lambda v: v["kind"])
    def test_row(self, v):
        s = INTERNATIONAL
        place = (v["org"], v.get("bucket", ""), v.get("part", ""))
        aads: dict[str, Callable[[], bytes]] = {
            "epoch": lambda: keyrows.epoch_aad(s, v["org"], v["epoch"]),
            "tag": lambda: keyrows.tag_aad(s, v["org"], v["emergency"], v["epoch"]),
            "part": lambda: keyrows.part_aad(s, place, v["epoch"], v["seeds"]),
            "seed": lambda: keyrows.seed_aad(s, place, (v["depth"], v["prefix"])),
        }
        aad = aads[v["kind"]]()
        assert aad.decode() == v["aad"]
        above = s.cipher(bytes.fromhex(v["above"]))
        assert keyrows.unwrap(s, above, bytes.fromhex(v["wrapped"]), aad).hex() == v["key"]


class TestSecrets:
    def test_a_secret_is_made_once_and_differs_by_name_and_organisation(self, keys):
        found = {keys.secret(o, n) for o in ("", ORG) for n in ("integrity", "log/signing")}
        assert len(found) == 4
        assert all(len(s) == 32 for s in found)
        assert keys.secret("", "integrity") in found

    def test_a_swapped_secret_is_named(self, keys):
        keys.secret("", "a")
        keys.secret("", "b")
        with keys.database.write() as tx:
            tx.conn.execute(sa.text("DELETE FROM secrets WHERE name = 'a'"))
            tx.conn.execute(sa.text("UPDATE secrets SET name = 'a' WHERE name = 'b'"))
        with pytest.raises(TamperedError, match="secret"):
            keys.secret("", "a")

    def test_two_threads_get_one_secret(self, keys):
        seen = []
        threads = [
            threading.Thread(target=lambda: seen.append(keys.secret("", "x"))) for _ in range(6)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(seen) == 6
        assert len(set(seen)) == 1


class TestBuckets:
    def test_leaves_are_those_of_the_tree(self, keys):
        fill(keys)
        seed = keys.cover(ORG, BUCKET, "2-IV")[keytree.ROOT]
        assert keys.leaf(ORG, BUCKET, "2-IV", 4711) == keytree.derive(
            seed, ROOT, (DEPTH, 4711), INTERNATIONAL.child
        )
        block = keys.lease_seed(ORG, BUCKET, "2-IV", 1)
        assert keytree.derive(block, (3, 1), (DEPTH, 4711), INTERNATIONAL.child) == keytree.derive(
            seed, ROOT, (DEPTH, 4711), INTERNATIONAL.child
        )

    def test_adding_again_changes_nothing(self, keys):
        fill(keys)
        before = leaves(keys)
        fill(keys)
        assert leaves(keys) == before

    def test_every_part_and_bucket_has_a_seed_of_its_own(self, keys):
        fill(keys)
        found = leaves(keys)
        assert len(set(found.values())) == len(found)

    def test_what_was_never_made_is_an_error(self, keys):
        fill(keys)
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, "4-I", 0)
        with pytest.raises(KeysError, match="slot"):
            keys.leaf("school", "school/x/y/2026-03-14", "2-IV", 0)

    @pytest.mark.parametrize("org", ["../etc", "a|b", "", "A", "x/y"])
    def test_a_code_that_could_leave_the_folder_is_refused(self, keys, org):
        with pytest.raises(InputError):
            keys.add_bucket(org, BUCKET, ["2-IV"])

    def test_names_that_could_be_taken_for_others_are_refused(self, keys):
        """``|`` separates the fields of the associated data."""
        with pytest.raises(InputError):
            keys.add_bucket(ORG, "a|b", ["2-IV"])
        with pytest.raises(InputError):
            keys.add_bucket(ORG, BUCKET, ["2|IV"])


class TestDestroy:
    def test_one_record_is_gone_and_nothing_else(self, keys):
        fill(keys)
        before = leaves(keys)
        keys.destroy(ORG, punctures=[(BUCKET, "2-IV", 1)])
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, "2-IV", 1)
        for name, key in before.items():
            if name != f"{BUCKET} 2-IV 1":
                assert key in _all(keys).values(), name

    def test_a_part_is_gone_and_nothing_else(self, keys):
        fill(keys)
        before = leaves(keys)
        keys.destroy(ORG, drops=[(BUCKET, "3-II")])
        with pytest.raises(ErasedError):
            keys.leaf(ORG, BUCKET, "3-II", 0)
        assert keys.leaf(ORG, BUCKET, "2-IV", 0) == before[f"{BUCKET} 2-IV 0"]
        assert keys.leaf(ORG, OTHER, "2-IV", 0) == before[f"{OTHER} 2-IV 0"]

    def test_a_tag_key_is_gone_and_no_other(self, keys):
        fill(keys)
        other = keys.tag_key(ORG, "flood-2")
        keys.destroy(ORG, tags=["outbreak-7"])
        with pytest.raises(ErasedError):
            keys.tag_key(ORG, "outbreak-7")
        assert keys.tag_key(ORG, "flood-2") == other

    def test_another_organisation_is_untouched(self, keys):
        fill(keys)
        keys.add_bucket("school", BUCKET.replace(ORG, "school"), ["2-IV"])
        before = keys.leaf("school", BUCKET.replace(ORG, "school"), "2-IV", 0)
        keys.destroy(ORG, drops=[(BUCKET, "2-IV"), (BUCKET, "3-II")])
        assert keys.leaf("school", BUCKET.replace(ORG, "school"), "2-IV", 0) == before

    def test_again_is_harmless_and_costs_no_epoch(self, keys):
        fill(keys)
        what = {
            "punctures": [(BUCKET, "2-IV", 1), (BUCKET, "2-IV", 9)],
            "drops": [(OTHER, "2-IV")],
            "tags": ["flood-2"],
        }
        first = keys.destroy(ORG, **what)
        assert first == 2
        before = _all(keys)
        assert keys.destroy(ORG, **what) == first
        assert _all(keys) == before

    def test_many_punctures_at_once_leave_the_right_ones(self, keys):
        fill(keys)
        gone = range(0, 600, 2)
        before = {n: keys.leaf(ORG, BUCKET, "2-IV", n) for n in (1, 301, 600)}
        keys.destroy(ORG, punctures=[(BUCKET, "2-IV", n) for n in gone])
        cover = keys.cover(ORG, BUCKET, "2-IV")
        assert all(keytree.above(cover, (6, n)) is None for n in gone)
        assert {n: keys.leaf(ORG, BUCKET, "2-IV", n) for n in before} == before

    def test_a_block_that_lost_a_leaf_is_not_leased_again(self, keys):
        fill(keys)
        keys.destroy(ORG, punctures=[(BUCKET, "2-IV", 4097)])
        with pytest.raises(ErasedError):
            keys.lease_seed(ORG, BUCKET, "2-IV", 1)
        keys.lease_seed(ORG, BUCKET, "2-IV", 2)


def _all(keys: KeyStore) -> dict[str, bytes]:
    """Every leaf and tag key that is still there, of those that ``leaves`` asks for."""
    found = {}
    for bucket, part in [(BUCKET, "2-IV"), (BUCKET, "3-II"), (OTHER, "2-IV")]:
        for n in (0, 1, 2, 5000):
            try:
                found[f"{bucket} {part} {n}"] = keys.leaf(ORG, bucket, part, n)
            except ErasedError:
                continue
    for emergency in ("outbreak-7", "flood-2"):
        try:
            found[emergency] = keys.tag_key(ORG, emergency)
        except ErasedError:
            continue
    return found


class TestOldCopies:
    """The promise the product rests on, played literally."""

    def _copy(self, keys: KeyStore, to: Path) -> None:
        to.mkdir()
        for file in Path(keys.database.engine.url.database).parent.glob("keys.sqlite*"):
            shutil.copy(file, to)

    def _restore(self, keys: KeyStore, root: KeyFileRoot, tmp_path: Path) -> KeyStore:
        home = Path(keys.database.engine.url.database).parent
        keys.database.close()
        for file in home.glob("keys.sqlite*"):
            file.unlink()
        for file in (tmp_path / "copy").iterdir():
            shutil.copy(file, home)
        return KeyStore(keys.database, root, tmp_path / "slots")

    @pytest.mark.parametrize("what", ["puncture", "drop", "tag"])
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_an_old_key_database_opens_nothing_that_was_destroyed_since(
        self, keys, root, tmp_path, what
    ):
        """With the right root key and the present slot, before and after a rotation."""
        fill(keys)
        self._copy(keys, tmp_path / "copy")
        keys.destroy(
            ORG,
            punctures=[(BUCKET, "2-IV", 1)] if what == "puncture" else [],
            drops=[(BUCKET, "2-IV")] if what == "drop" else [],
            tags=["outbreak-7"] if what == "tag" else [],
        )
        old = self._restore(keys, root, tmp_path)
        for ask in (
            lambda: old.leaf(ORG, BUCKET, "2-IV", 1),
            lambda: old.cover(ORG, BUCKET, "2-IV"),
            lambda: old.lease_seed(ORG, BUCKET, "2-IV", 0),
            lambda: old.tag_key(ORG, "outbreak-7"),
        ):
            with pytest.raises(ErasedError, match="copy of before a destruction"):
                ask()

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_nothing_is_written_into_an_old_key_database(self, keys, root, tmp_path):
        """The slot is not rolled back to fit it, and no new bucket is started in it."""
        fill(keys)
        self._copy(keys, tmp_path / "copy")
        keys.destroy(ORG, drops=[(BUCKET, "2-IV")])
        slot = (tmp_path / "slots" / f"{ORG}.slot").read_bytes()
        old = self._restore(keys, root, tmp_path)
        for act in (
            lambda: old.add_bucket(ORG, OTHER + "+delivery", ["2-IV"]),
            lambda: old.destroy(ORG, drops=[(BUCKET, "3-II")]),
            old.settle,
        ):
            with pytest.raises(ErasedError, match="copy of before a destruction"):
                act()
        assert (tmp_path / "slots" / f"{ORG}.slot").read_bytes() == slot

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_copy_made_after_the_last_destruction_is_as_good_as_the_original(
        self, keys, root, tmp_path
    ):
        fill(keys)
        keys.destroy(ORG, drops=[(BUCKET, "3-II")])
        before = _all(keys)
        self._copy(keys, tmp_path / "copy")
        keys.add_bucket(ORG, OTHER + "+delivery", ["2-IV"])
        assert _all(self._restore(keys, root, tmp_path)) == before

    def test_an_old_slot_is_named(self, keys, tmp_path):
        fill(keys)
        path = tmp_path / "slots" / f"{ORG}.slot"
        before = path.read_bytes()
        keys.destroy(ORG, drops=[(BUCKET, "3-II")])
        path.write_bytes(before)
        with pytest.raises(KeysError, match="latest replica") as caught:
            keys.leaf(ORG, BUCKET, "2-IV", 0)
        assert not isinstance(caught.value, ErasedError)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_no_old_row_is_left_in_the_files(self, keys):
        """Deleted rows are overwritten in the file, and the write-ahead log is cut to nothing."""
        fill(keys)
        with keys.database.read() as tx:
            rows = [*tx.all(keyrows.seeds), *tx.all(keyrows.part_keys), *tx.all(keyrows.tag_keys)]
        keys.destroy(ORG, punctures=[(BUCKET, "2-IV", 1)], drops=[(BUCKET, "3-II")])
        home = Path(keys.database.engine.url.database).parent
        held = b"".join(f.read_bytes() for f in home.glob("keys.sqlite*"))
        alive = {(OTHER, "2-IV")}  # its seed keeps its row; the key above it was rewrapped
        for row in rows:
            if "depth" not in row or (row["bucket"], row["part"]) not in alive:
                assert bytes(row["wrapped"]) not in held
        assert (home / "keys.sqlite-wal").stat().st_size == 0


STEPS = ("next", "next done", "commit", "commit done", "keep", "keep done",
         "empty log", "empty log done")  # fmt: skip


class CrashError(Exception):
    """The machine stopped."""


class TestCrash:
    """Each effect failed twice: not done, and done but reported failed; then the same call again."""

    @pytest.mark.parametrize("at", STEPS)
    def test_the_next_call_completes_it(self, keys, root, tmp_path, at):
        if at.startswith("empty log") and keys.database.engine.dialect.name != "sqlite":
            at = "keep done"
        fill(keys)
        before = leaves(keys)
        what = {"punctures": [(BUCKET, "2-IV", 1)], "drops": [(OTHER, "2-IV")], "tags": ["flood-2"]}

        def crash(step: str) -> None:
            if step == at:
                raise CrashError(step)

        broken = KeyStore(keys.database, root, tmp_path / "slots", step=crash)
        with pytest.raises(CrashError):
            broken.destroy(ORG, **what)

        after = KeyStore(keys.database, root, tmp_path / "slots")
        alive = _all(after)
        assert all(before[name] == key for name, key in alive.items())
        done = at in STEPS[3:]
        assert len(alive) == (len(before) if not done else len(before) - 6)

        assert after.destroy(ORG, **what) == 2
        assert len(_all(after)) == len(before) - 6
        assert len(_slot(tmp_path, root).read()) == 1

    @pytest.mark.parametrize("at", ["next done", "commit", "commit done", "keep"])
    @pytest.mark.parametrize("then", ["settle", "add_bucket", "add_tag_key"])
    def test_any_writing_call_settles_the_slot(self, keys, root, tmp_path, at, then):
        fill(keys)

        def crash(step: str) -> None:
            if step == at:
                raise CrashError(step)

        with pytest.raises(CrashError):
            KeyStore(keys.database, root, tmp_path / "slots", step=crash).destroy(
                ORG, drops=[(BUCKET, "3-II")]
            )
        assert len(_slot(tmp_path, root).read()) == 2
        {
            "settle": keys.settle,
            "add_bucket": lambda: keys.add_bucket(ORG, OTHER, ["2-IV"]),
            "add_tag_key": lambda: keys.add_tag_key(ORG, "flood-2"),
        }[then]()
        assert len(_slot(tmp_path, root).read()) == 1
        keys.leaf(ORG, BUCKET, "2-IV", 0)

    def test_a_reader_in_the_middle_of_a_rotation_reads_what_counts(self, keys, root, tmp_path):
        """Between each two effects, from another thread's or process's view."""
        fill(keys)
        before = leaves(keys)
        seen = []

        def look(step: str) -> None:
            if (
                step != "commit"
            ):  # SQLite's writer is not in the way of readers; the view is the old
                seen.append(step)
                assert keys.leaf(ORG, BUCKET, "2-IV", 0) == before[f"{BUCKET} 2-IV 0"]

        KeyStore(keys.database, root, tmp_path / "slots", step=look).destroy(
            ORG, drops=[(OTHER, "2-IV")]
        )
        assert len(seen) >= 5

    def test_readers_never_miss_a_key_while_others_destroy(self, keys):
        fill(keys)
        key = keys.leaf(ORG, BUCKET, "2-IV", 0)
        stop, wrong = threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                try:
                    assert keys.leaf(ORG, BUCKET, "2-IV", 0) == key
                except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
                    wrong.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        for n in range(1, 16):
            keys.destroy(ORG, punctures=[(BUCKET, "2-IV", n)])
        stop.set()
        thread.join()
        assert wrong == []

    def test_two_destroyers_at_once_both_succeed(self, keys):
        fill(keys)
        wrong = []

        def destroy(numbers: range) -> None:
            try:
                for n in numbers:
                    keys.destroy(ORG, punctures=[(BUCKET, "2-IV", n)])
            except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
                wrong.append(error)

        threads = [threading.Thread(target=destroy, args=(range(k, 16, 2),)) for k in (0, 1)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert wrong == []
        cover = keys.cover(ORG, BUCKET, "2-IV")
        assert all(keytree.above(cover, (6, n)) is None for n in range(16))
        assert keytree.above(cover, (6, 16)) is not None


def _slot(tmp_path: Path, root: KeyFileRoot) -> Slot:
    return Slot(tmp_path / "slots" / f"{ORG}.slot", ORG, root)


class TestTampering:
    """Whoever holds the key database but not the root key changes nothing unseen."""

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE part_keys SET epoch = epoch - 1",
            "UPDATE part_keys SET seeds = 2",
            "UPDATE part_keys SET bucket = bucket || 'x'",
            "UPDATE seeds SET prefix = 1, depth = 1",
            "UPDATE seeds SET bucket = bucket || 'x'",
            "UPDATE seeds SET part = '2-I' WHERE part = '2-IV'",
        ],
    )
    def test_a_changed_or_moved_row_never_opens(self, keys, change):
        fill(keys)
        with keys.database.write() as tx:
            tx.conn.execute(sa.text(change))
        with pytest.raises((TamperedError, ErasedError)):
            keys.leaf(ORG, BUCKET, "2-IV", 0)

    def test_rows_swapped_between_parts_are_named(self, keys):
        fill(keys)
        with keys.database.write() as tx:
            tx.conn.execute(sa.text("UPDATE part_keys SET part = 'x' WHERE part = '2-IV'"))
            tx.conn.execute(sa.text("UPDATE part_keys SET part = '2-IV' WHERE part = '3-II'"))
        with pytest.raises(TamperedError, match="2-IV"):
            keys.leaf(ORG, BUCKET, "2-IV", 0)

    def test_a_damaged_row_stops_a_rotation_and_loses_nothing_else(self, keys):
        fill(keys)
        with keys.database.write() as tx:
            tx.conn.execute(
                keyrows.part_keys.update()
                .where(keyrows.part_keys.c.bucket == OTHER)
                .values(wrapped=bytes(60))
            )
        with pytest.raises(TamperedError, match="2026-03-15"):
            keys.destroy(ORG, drops=[(BUCKET, "3-II")])
        keys.leaf(ORG, BUCKET, "3-II", 0)
        keys.destroy(ORG, drops=[(BUCKET, "3-II"), (OTHER, "2-IV")])
        keys.leaf(ORG, BUCKET, "2-IV", 0)

    def test_a_forged_epoch_is_named(self, keys):
        """Whoever could set it back would have the slot wiped of the epoch that counts."""
        fill(keys)
        keys.destroy(ORG, drops=[(BUCKET, "3-II")])
        with keys.database.write() as tx:
            tx.conn.execute(keyrows.epochs.update().values(proof=bytes(28)))
        with pytest.raises(TamperedError, match="epoch-row"):
            keys.add_bucket(ORG, OTHER, ["2-IV"])

    def test_every_table_s_key_begins_with_the_organisation(self):
        for table in key_metadata.tables.values():
            assert next(iter(table.primary_key.columns)).name == "org"
