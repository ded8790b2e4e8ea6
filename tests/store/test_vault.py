"""What the vault promises: what was given is there, in its place, until it dies; and then it is not."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from holdings import DAY, NOTICE, NOW, ORG, POINT, encode, handle, plaintext

from epilock.db import metadata
from epilock.errors import ClosedError, ErasedError, NotFoundError, StateError, TamperedError
from epilock.store import bucket as buckets
from epilock.store import count, removal, vault
from epilock.store.tags import tags

V = json.loads((Path(__file__).parents[1] / "vectors/store/record.json").read_text())


@pytest.fixture
def bucket(database, world):
    """A bucket with five records."""
    with database.write() as tx:
        bucket = world.ensure(tx)
        world.collect(tx, world.sealer(tx, bucket), *(plaintext(i) for i in range(5)))
    return bucket


def open_(database, world, n, *wanted):
    with database.read() as tx:
        return vault.open_record(tx, world.keys, ORG, 1, n, wanted or None)


def rows_of(tx, n):
    return [
        tx.conn.execute(sa.select(sa.func.count()).where(t.c.n == n)).scalar_one()
        for t in (vault.parts, tags)
    ]


class TestKeep:
    def test_a_record_comes_back_as_it_was_given(self, database, world, bucket):
        assert open_(database, world, 3) == encode(plaintext(3))
        assert open_(database, world, 3, "2-IV") == {"2-IV": encode(plaintext(3))["2-IV"]}
        with database.read() as tx:
            record = vault.find_record(tx, ORG, bucket.id, 3)
        assert (record.point, record.notice, record.state) == (POINT, NOTICE, "live")
        assert (record.parts, record.erased) == (("2-IV", "3-II"), ())
        assert (record.language, record.given, record.minor, record.at) == ("zh", 3, 0, NOW)

    @pytest.mark.usefixtures("bucket")
    def test_no_plaintext_is_in_any_table(self, database):
        """Every column of every row, as the database holds it."""
        secret = [b"138000000", "张三".encode(), "李四".encode(), b"139-0000"]
        with database.read() as tx:
            for table in metadata.tables.values():
                for row in tx.conn.execute(sa.text(f"SELECT * FROM {table.name}")):
                    held = b"|".join(
                        v if isinstance(v, bytes) else str(v).encode() for v in row if v is not None
                    )
                    assert not [s for s in secret if s in held], table.name

    def test_a_part_that_is_dying_takes_nothing(self, database, world, bucket):
        with database.write() as tx:
            sealer = world.sealer(tx, bucket)
            buckets.retire_parts(tx, bucket, ["3-II"], buckets.DYING, now=NOW)
            with pytest.raises(ClosedError, match="3-II"):
                world.collect(tx, sealer, plaintext(9))
            world.collect(tx, sealer, {"2-IV": plaintext(9)["2-IV"]})

    def test_a_part_that_was_not_given_is_left_out(self, database, world, bucket):
        with database.write() as tx:
            n = world.collect(tx, world.sealer(tx, bucket), {"2-IV": plaintext(9)["2-IV"]})[0]
        assert open_(database, world, n).keys() == {"2-IV"}
        assert open_(database, world, n, "3-II") == {}


class TestReceipt:
    def test_vector(self):
        """The handle that a receipt is looked up by."""
        assert vault.handle_of(bytes.fromhex(V["receipt"])).hex() == V["handle"]

    def test_it_finds_its_record(self, database, bucket):
        with database.read() as tx:
            assert vault.find_receipt(tx, ORG, handle(bucket, 2)) == (bucket, 2)
            found = vault.find_handle(tx, ORG, bucket.id, handle(bucket, 2))
            assert found is not None
            assert found.n == 2
            assert vault.find_handle(tx, ORG, bucket.id, bytes(16)) is None

    def test_it_finds_it_wherever_it_was_moved(self, database, world, bucket):
        with database.write() as tx:
            later = world.ensure(tx, day=DAY + timedelta(days=6), clock="release")
            sealer = world.sealer(tx, later)
            first, second = world.collect(tx, sealer, plaintext(2), plaintext(2))
            removal.move(tx, ORG, bucket.id, 2, to=(later.id, first))
            removal.move(tx, ORG, later.id, first, to=(later.id, second))
        with database.read() as tx:
            assert vault.find_receipt(tx, ORG, handle(bucket, 2)) == (later, second)

    @pytest.mark.parametrize("org", [ORG, "school"])
    def test_an_unknown_one_is_an_error(self, database, bucket, org):
        with database.read() as tx, pytest.raises(NotFoundError):
            vault.find_receipt(tx, org, handle(bucket, 2) if org != ORG else bytes(16))

    def test_moves_in_a_circle_end(self, database, bucket):
        """No row of ours says so; whoever forged it does not hang the server."""
        with database.write() as tx:
            for n, to in ((1, 2), (2, 1)):
                key = {"org": ORG, "bucket": 1, "n": n}
                tx.update(vault.records, key, state="moved", moved_bucket=1, moved_n=to)
            with pytest.raises(StateError, match="circle"):
                vault.find_receipt(tx, ORG, handle(bucket, 1))


class TestTampering:
    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE parts SET sealed = nonce WHERE n = 2",
            "UPDATE parts SET nonce = sealed WHERE n = 2",
            "DELETE FROM parts WHERE n = 2",
            "DELETE FROM parts WHERE n = 2 AND part = '3-II'",
            "UPDATE parts SET n = 99 WHERE n = 2",
            "UPDATE records SET point = 'x' WHERE n = 2",
            "UPDATE records SET parts = '[]' WHERE n = 2",
            "UPDATE buckets SET name = 'x'",
            "UPDATE bucket_parts SET state = 'dying'",
        ],
    )
    @pytest.mark.usefixtures("bucket")
    def test_it_is_named(self, database, world, change):
        with database.write() as tx:
            tx.conn.execute(sa.text(change))
        with pytest.raises(TamperedError):
            open_(database, world, 2)

    @pytest.mark.usefixtures("bucket")
    def test_rows_swapped_between_two_records_are_named(self, database, world):
        """Each is genuine; neither is in its place."""
        with database.write() as tx:
            for n, to in ((1, 99), (2, 1), (99, 2)):
                tx.conn.execute(sa.text(f"UPDATE parts SET n = {to} WHERE n = {n}"))
        for n in (1, 2):
            with pytest.raises(TamperedError, match=r"parts \(org=sunny-garden, bucket=1"):
                open_(database, world, n)

    def test_a_replayed_row_of_an_earlier_record_is_named(self, database, world, bucket):
        """What was corrected cannot be put back under the new number."""
        with database.write() as tx:
            new = world.collect(tx, world.sealer(tx, bucket), plaintext(7))[0]
            old = tx.conn.execute(
                sa.select(vault.parts).where(vault.parts.c.n == 1, vault.parts.c.part == "2-IV")
            ).one()
            tx.conn.execute(
                vault.parts.update()
                .where(vault.parts.c.n == new, vault.parts.c.part == "2-IV")
                .values(nonce=old.nonce, sealed=old.sealed)
            )
        with pytest.raises(TamperedError):
            open_(database, world, new)


class TestErase:
    def test_without_the_key_the_row_is_of_no_use(self, database, world, bucket):
        """Between key and row: the key is gone, the row still there."""
        world.keys.destroy(ORG, punctures=[(bucket.name, p, 2) for p in bucket.parts])
        with pytest.raises(ErasedError):
            open_(database, world, 2)
        open_(database, world, 1)

    def test_rows_and_what_the_record_told_of_the_person_are_gone(self, database, world, bucket):
        with database.write() as tx:
            record = removal.erase(tx, ORG, bucket.id, 2, ["2-IV", "3-II"])
            assert rows_of(tx, 2) == [0, 0]
            assert rows_of(tx, 1) == [2, 3]
        assert (record.state, record.left) == ("erased", ())
        assert record.at is record.given is record.minor is record.digest is record.language is None
        with pytest.raises(ErasedError):
            open_(database, world, 2)

    def test_one_part_may_go_alone(self, database, world, bucket):
        """Who withdraws what was optional keeps the rest."""
        with database.write() as tx:
            record = removal.erase(tx, ORG, bucket.id, 2, ["3-II"])
            assert rows_of(tx, 2) == [1, 2]
        assert (record.state, record.left, record.at) == ("live", ("2-IV",), NOW)
        assert open_(database, world, 2).keys() == {"2-IV"}
        with pytest.raises(ErasedError, match="3-II"):
            open_(database, world, 2, "3-II")

    def test_again_is_harmless(self, database, bucket):
        with database.write() as tx:
            first = removal.erase(tx, ORG, bucket.id, 2, ["2-IV", "3-II"])
            assert removal.erase(tx, ORG, bucket.id, 2, ["2-IV", "3-II"]) == first
            assert count.of(tx, bucket) == (5, 1)

    def test_a_moved_record_is_erased_where_it_is_now(self, database, world, bucket):
        with database.write() as tx:
            new = world.collect(tx, world.sealer(tx, bucket), plaintext(7))[0]
            removal.move(tx, ORG, bucket.id, 2, to=(bucket.id, new))
            assert rows_of(tx, 2) == [0, 0]
            with pytest.raises(StateError, match="moved"):
                removal.erase(tx, ORG, bucket.id, 2, ["2-IV"])
            with pytest.raises(StateError, match="moved"):
                vault.open_record(tx, world.keys, ORG, bucket.id, 2)

    def test_a_record_moves_once(self, database, bucket):
        with database.write() as tx:
            removal.move(tx, ORG, bucket.id, 2, to=(bucket.id, 3))
            removal.move(tx, ORG, bucket.id, 2, to=(bucket.id, 3))
            for n, to in ((2, 4), (3, 3)):
                with pytest.raises(StateError):
                    removal.move(tx, ORG, bucket.id, n, to=(bucket.id, to))


class TestCount:
    """A certificate's numbers: of the records that had any of the parts."""

    def test_by_part(self, database, world, bucket):
        with database.write() as tx:
            world.collect(tx, world.sealer(tx, bucket), {"2-IV": plaintext(9)["2-IV"]})
            removal.erase(tx, ORG, bucket.id, 0, ["3-II"])
            removal.erase(tx, ORG, bucket.id, 1, ["2-IV", "3-II"])
            removal.move(tx, ORG, bucket.id, 2, to=(bucket.id, 4096))
            assert count.of(tx, bucket) == (6, 2)
            assert count.of(tx, bucket, ["2-IV"]) == (6, 2)
            assert count.of(tx, bucket, ["3-II"]) == (5, 3)
            assert count.of(tx, bucket, ["3-II"]).left == 2
            assert vault.numbers(tx, bucket) == (0, 4096)

    def test_an_empty_bucket(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            assert count.of(tx, bucket) == (0, 0)
            assert vault.numbers(tx, bucket) == (0, 0)


class TestPurge:
    def purge(self, database, bucket, part, limit):
        done = []
        while not done or done[-1]:
            with database.write() as tx:
                done.append(removal.purge(tx, bucket, part, now=NOW, limit=limit))
        return done

    def kill(self, database, bucket, *parts):
        with database.write() as tx:
            for state in (buckets.DYING, buckets.DESTROYED):
                buckets.retire_parts(tx, bucket, parts, state, now=NOW)

    def test_a_living_part_is_not_purged(self, database, bucket):
        with database.write() as tx, pytest.raises(StateError, match="not destroyed"):
            removal.purge(tx, bucket, "2-IV", now=NOW)

    @pytest.mark.parametrize("limit", [1, 4, 1000])
    def test_a_dead_part_s_rows_go_and_no_others(self, database, world, bucket, limit):
        self.kill(database, bucket, "3-II")
        done = self.purge(database, bucket, "3-II", limit)
        assert sum(done) == 10  # five parts, five tags
        assert max(done) <= limit
        assert open_(database, world, 2).keys() == {"2-IV"}
        with database.read() as tx:
            assert buckets.part_states(tx, ORG, bucket.id)["3-II"] == "purged"
            assert rows_of(tx, 2) == [1, 2]
            assert vault.find_record(tx, ORG, bucket.id, 2).state == "live"

    @pytest.mark.parametrize("limit", [2, 1000])
    def test_with_the_last_part_the_records_forget(self, database, world, bucket, limit):
        """What is left leads from the receipt to the certificate, and tells nothing else."""
        with database.write() as tx:
            removal.erase(tx, ORG, bucket.id, 1, ["2-IV", "3-II"])
        self.kill(database, bucket, "2-IV", "3-II")
        self.purge(database, bucket, "2-IV", limit)
        self.purge(database, bucket, "3-II", limit)
        with database.read() as tx:
            for table in (vault.parts, tags):
                assert tx.conn.execute(sa.select(table)).all() == []
            for n in range(5):
                record = vault.find_record(tx, ORG, bucket.id, n)
                assert record.state == ("erased" if n == 1 else "destroyed")
                assert record[12:] == (None,) * 5
            assert vault.find_receipt(tx, ORG, handle(bucket, 2))[1] == 2
            assert count.of(tx, buckets.load(tx, ORG, bucket.id)) == (5, 1)
            with pytest.raises(ErasedError):
                vault.open_record(tx, world.keys, ORG, bucket.id, 2)

    def test_a_tampered_record_is_not_sealed_anew(self, database, bucket):
        with database.write() as tx:
            tx.conn.execute(sa.text("UPDATE records SET point = 'x' WHERE n = 2"))
        self.kill(database, bucket, "2-IV", "3-II")
        self.purge(database, bucket, "2-IV", 1000)
        with pytest.raises(TamperedError, match="n=2"):
            self.purge(database, bucket, "3-II", 1000)
