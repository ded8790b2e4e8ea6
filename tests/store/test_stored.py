"""What the check promises: silence where all is as it was left, and the name of each row that is not."""

import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from holdings import DAY, NOW, ORG, RULES, World, plaintext

import epilock
from epilock.db import Instant, Json, key_metadata, metadata
from epilock.ledger import entry
from epilock.store import bucket as buckets
from epilock.store import removal, tags
from epilock.store.bucket import Bucket
from epilock.store.check import check
from epilock.store.check.tagged import Tagged
from epilock.store.keyservice.desk import sealing
from epilock.store.remaking import remake
from epilock.store.seal import Unsealer
from epilock.store.vault import parts

EDGES = ("cli", "demo", "migrations", "web")
for module in pkgutil.walk_packages(epilock.__path__, "epilock."):
    if module.name.split(".")[1] not in EDGES:
        importlib.import_module(module.name)  # so that every table of every room is known here

OURS = ["buckets", "bucket_parts", "leases", "records", "parts", "record_counts", "tags"]
LEDGER = ["ledger_head", "ledger_entries", "ledger_tiles", "ledger_checkpoints"]
OF_OTHERS = sorted(
    name
    for name, table in metadata.tables.items()
    if "mac" in table.columns and name not in {*OURS, *LEDGER} and not name.startswith("test_")
)


def fill(database, world: World) -> None:
    """Two buckets; records that live, that were erased in part and wholly, moved; a dead part."""
    with database.write() as tx:
        first = world.ensure(tx)
        world.collect(tx, world.sealer(tx, first), *(plaintext(i) for i in range(8)))
        later = world.ensure(tx, day=DAY + timedelta(days=1))
        new = world.collect(tx, world.sealer(tx, later), plaintext(2))[0]
        removal.move(tx, ORG, first.id, 2, to=(later.id, new))
        removal.erase(tx, ORG, first.id, 3, ["3-II"])
        removal.erase(tx, ORG, first.id, 4, ["2-IV", "3-II"])
        said = [
            entry.Correct(
                org=ORG, standard=RULES.ref, at=entry.stamp(NOW), bucket=first.name, n=2,
                by_bucket=later.name, by_n=new,
            ),
            entry.Erased(
                org=ORG, standard=RULES.ref, at=entry.stamp(NOW), erasure="e-1", bucket=first.name,
                n=4, parts=["2-IV", "3-II"],
            ),
        ]  # fmt: skip
        world.log.append(tx, [entry.encode(e) for e in said], now=NOW)
        buckets.retire_parts(tx, later, ["3-II"], buckets.DYING, now=NOW)
        buckets.retire_parts(tx, later, ["3-II"], buckets.DESTROYED, now=NOW)
    gone = [
        (first.name, p, n)
        for n, p in [(2, "2-IV"), (2, "3-II"), (3, "3-II"), (4, "2-IV"), (4, "3-II")]
    ]
    world.keys.destroy(ORG, punctures=gone, drops=[(later.name, "3-II")])
    purge(database, later, "3-II")
    world.keys.secret("", "integrity")


def purge(database, bucket: Bucket, part: str) -> None:
    rows = 1
    while rows:
        with database.write() as tx:
            rows = removal.purge(tx, bucket, part, now=NOW)


@pytest.fixture
def filled(database, world) -> World:
    fill(database, world)
    return world


def found(database, world) -> list[str]:
    return [damage.row for damage in check(database, world.keys, world.log)]


def other(value: Any, column: sa.Column) -> Any:
    """``value`` with one bit of one byte flipped, or what else a hostile hand would write."""
    if value is None:
        return {"BLOB": b"\1"}.get(str(column.type), 1)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    middle = len(value) // 2
    return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]


def flips(database, table: sa.Table):
    """Change each column of the last row of ``table`` in turn; give its name, then change it back."""
    raw = [sa.type_coerce(c, sa.types.NullType()).label(c.name) for c in table.columns]
    order = [c.desc() for c in table.primary_key.columns]
    with database.read() as tx:
        row = dict(tx.conn.execute(sa.select(*raw).order_by(*order).limit(1)).mappings().one())
    for column in table.columns:
        if row[column.name] == "":
            continue
        changed = {**row, column.name: other(row[column.name], column)}
        _replace(database, table, row, changed)
        yield column.name
        _replace(database, table, changed, row)


def _replace(database, table: sa.Table, old: dict, new: dict) -> None:
    quote = database.engine.dialect.identifier_preparer.quote
    sets = ", ".join(f"{quote(name)} = :new_{name}" for name in new)
    keys = " AND ".join(f"{quote(c.name)} = :old_{c.name}" for c in table.primary_key.columns)
    values = {f"new_{k}": v for k, v in new.items()} | {f"old_{k}": v for k, v in old.items()}
    statement = sa.text(f"UPDATE {quote(table.name)} SET {sets} WHERE {keys}")
    with database.write() as tx:
        assert tx.conn.execute(statement, values).rowcount == 1


class TestSilence:
    def test_an_empty_installation(self, database, world):
        assert found(database, world) == []

    def test_a_living_one(self, database, filled):
        """With records erased, moved and dead, each of which the ledger explains."""
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []

    def test_one_that_was_purged(self, database, filled):
        with database.write() as tx:
            later = buckets.load(tx, ORG, 2)
            for state in (buckets.DYING, buckets.DESTROYED):
                buckets.retire_parts(tx, later, ["2-IV"], state, now=NOW)
        filled.keys.destroy(ORG, drops=[(later.name, "2-IV")])
        purge(database, later, "2-IV")
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []

    def test_seeds_of_a_bucket_that_a_crash_kept_from_being_made(self, database, filled):
        filled.keys.add_bucket(ORG, f"{ORG}/outbreak-7/quarantine/2026-03-14", ["2-IV"])
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []

    def test_an_erasure_that_is_announced_and_half_done(self, database, filled):
        """Between key and row: the next run completes it; it is no damage."""
        with database.write() as tx:
            bucket = buckets.load(tx, ORG, 1)
            said = entry.Erasure(
                org=ORG, standard=RULES.ref, at=entry.stamp(NOW), erasure="e-2",
                bucket=bucket.name, n=5, parts=["2-IV"], reason="withdrawal",
            )  # fmt: skip
            filled.log.append(tx, [entry.encode(said)], now=NOW)
        filled.keys.destroy(ORG, punctures=[(bucket.name, "2-IV", 5)])
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []


class TestFlips:
    """One byte of each column of each table, in both databases."""

    @pytest.mark.parametrize("name", [*OURS, *LEDGER])
    def test_main_database(self, database, filled, name):
        for column in flips(database, metadata.tables[name]):
            rows = found(database, filled)
            assert any(row.startswith(name) for row in rows), (column, rows)
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []

    @pytest.mark.parametrize("name", sorted(key_metadata.tables))
    def test_key_database(self, database, key_database, filled, name):
        if name == "alembic_version":
            return
        if name.startswith("service_"):
            table = key_metadata.tables[name]
            row = {c.name: _some(c) for c in table.columns if c.name != "mac"}
            with sealing(filled.keys).write() as tx:
                tx.insert(table, **row)
        for column in flips(key_database, key_metadata.tables[name]):
            rows = found(database, filled)
            assert any(row.startswith((name, "slot")) for row in rows), (column, rows)
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []

    @pytest.mark.parametrize("name", OF_OTHERS)
    def test_tables_of_other_rooms(self, database, world, name):
        """Whatever table a room adds: its rows carry a MAC, and the check reads it. A row for each column."""
        table = metadata.tables[name]
        with database.write() as tx:
            for number, _ in enumerate(table.columns):
                tx.insert(
                    table, **{c.name: _some(c, number) for c in table.columns if c.name != "mac"}
                )
        assert found(database, world) == []
        raw = [sa.type_coerce(c, sa.types.NullType()).label(c.name) for c in table.columns]
        with database.read() as tx:
            rows = [dict(row) for row in tx.conn.execute(sa.select(*raw)).mappings()]
        for row, column in zip(rows, table.columns, strict=True):
            changed = {**row, column.name: other(row[column.name], column)}
            _replace(database, table, row, changed)
        assert len(found(database, world)) == len(rows)

    def test_no_table_is_left_out(self):
        """Without a MAC a table needs a proof of its own; ``openings`` is ``use``'s to check.

        Lines and files of releases and photographs are sealed: what was changed is named when it is opened.
        """
        plain = {n for n, t in metadata.tables.items() if "mac" not in t.columns}
        proved = {"parts", "tags", "ledger_entries", "ledger_tiles", "openings"}
        assert plain <= proved | {"release_files", "release_lines", "paper_photographs"}

    @pytest.mark.parametrize("at", [0, 20, 60, 200, 4095, 4096, 8191])
    def test_slot(self, database, filled, tmp_path, at):
        path = tmp_path / "slots" / f"{ORG}.slot"
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
        assert any("slot" in row for row in found(database, filled))

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("table", ["records", "tags", "points", "seeds"])
    def test_bytes_of_the_file_itself(self, database, key_database, filled, table):
        """Past SQL: a text that is no text, a number of another type, an index that lies."""
        held = database if table != "seeds" else key_database
        if table == "points":
            with database.write() as tx:
                points = metadata.tables["points"]
                tx.insert(points, **{c.name: _some(c) for c in points.columns if c.name != "mac"})
        with held.read() as tx:
            root = tx.conn.execute(
                sa.text("SELECT rootpage FROM sqlite_master WHERE name = :n"), {"n": table}
            ).scalar_one()
            size = tx.conn.execute(sa.text("PRAGMA page_size")).scalar_one()
        with held.engine.connect() as conn:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        held.close()
        path = Path(held.engine.url.database)
        whole = path.read_bytes()
        page = whole[(root - 1) * size : root * size]
        cells = int.from_bytes(page[5:7], "big") or 65536  # where the cells' content begins
        for at in (cells + 1, cells + 6, cells + 9, size - 20, size - 3):
            data = bytearray(whole)
            data[(root - 1) * size + at] ^= 0x80
            path.write_bytes(data)
            assert found(database, filled), f"byte {at} of the page"
            held.close()
            path.write_bytes(whole)
        assert [(d.row, d.problem) for d in check(database, filled.keys, filled.log)] == []


class TestMissing:
    @pytest.mark.parametrize(
        ("table", "row"),
        [
            ("records", "records (org=sunny-garden, bucket=1, n=1)"),
            ("parts", "parts (org=sunny-garden, bucket=1, part=2-IV, n=1)"),
            ("tags", "tags (org=sunny-garden, bucket=1, part=2-IV, n=1)"),
        ],
    )
    def test_a_deleted_row_is_named(self, database, filled, table, row):
        with database.write() as tx:
            tx.conn.execute(sa.text(f"DELETE FROM {table} WHERE bucket = 1 AND n = 1"))
        assert row in found(database, filled)

    @pytest.mark.parametrize(
        ("table", "row"),
        [
            ("buckets", "buckets (org=sunny-garden, name=sunny-garden/outbreak-7/residential"),
            ("bucket_parts", "parts (org=sunny-garden, bucket=1, part="),
            ("leases", "leases (org=sunny-garden, bucket=1, block=0)"),
            ("record_counts", "record_counts (org=sunny-garden, bucket=1,"),
        ],
    )
    def test_deleted_rows_around_it_too(self, database, filled, table, row):
        with database.write() as tx:
            tx.conn.execute(sa.text(f"DELETE FROM {table} WHERE bucket = 1"))
        assert any(r.startswith(row) for r in found(database, filled))

    @pytest.mark.parametrize("table", ["seeds", "part_keys", "epochs", "tag_keys"])
    def test_deleted_rows_of_keys(self, database, key_database, filled, table):
        with key_database.write() as tx:
            tx.conn.execute(sa.text(f"DELETE FROM {table}"))
        rows = found(database, filled)
        named = {"epochs": "part_keys", "tag_keys": "tag_keys"}.get(table, "part_keys")
        assert any(r.startswith(named) for r in rows), rows


class TestReplay:
    """A whole row of an earlier day, with its MAC: the ledger knows better."""

    def old(self, database, table, where):
        with database.read() as tx:
            return tx.conn.execute(sa.text(f"SELECT * FROM {table} WHERE {where}")).all()

    def put_back(self, database, table, rows):
        columns = metadata.tables[table].columns.keys()
        marks = ", ".join(f":{c}" for c in columns)
        with database.write() as tx:
            key = [c.name for c in metadata.tables[table].primary_key.columns]
            for row in rows:
                where = " AND ".join(f"{k} = :{k}" for k in key)
                tx.conn.execute(sa.text(f"DELETE FROM {table} WHERE {where}"), row._asdict())
                tx.conn.execute(sa.text(f"INSERT INTO {table} VALUES ({marks})"), row._asdict())

    def test_an_erased_record_put_back_is_named(self, database, world):
        with database.write() as tx:
            bucket = world.ensure(tx)
            world.collect(tx, world.sealer(tx, bucket), plaintext(0), plaintext(1))
        kept = {t: self.old(database, t, "n = 1") for t in ("records", "parts", "tags")}
        with database.write() as tx:
            removal.erase(tx, ORG, 1, 1, ["2-IV", "3-II"])
            said = entry.Erased(
                org=ORG, standard=RULES.ref, at=entry.stamp(NOW), erasure="e-1",
                bucket=bucket.name, n=1, parts=["2-IV", "3-II"],
            )  # fmt: skip
            world.log.append(tx, [entry.encode(said)], now=NOW)
        world.keys.destroy(ORG, punctures=[(bucket.name, p, 1) for p in bucket.parts])
        assert found(database, world) == []
        for table, rows in kept.items():
            self.put_back(database, table, rows)
        rows = found(database, world)
        assert "records (org=sunny-garden, bucket=1, n=1)" in rows
        assert "parts (org=sunny-garden, bucket=1, part=2-IV, n=1)" in rows

    def test_a_key_that_outlives_its_certificate_is_named(self, database, filled):
        """Nothing is certified that was not done."""
        with database.write() as tx:
            bucket = buckets.load(tx, ORG, 1)
            for state in (buckets.DYING, buckets.DESTROYED):
                buckets.retire_parts(tx, bucket, ["3-II"], state, now=NOW)
        assert f"part_keys (org={ORG}, bucket={bucket.name}, part=3-II)" in found(database, filled)

    def test_a_key_that_outlives_its_record_is_named(self, database, filled):
        with database.write() as tx:
            removal.erase(tx, ORG, 1, 6, ["2-IV"])
        assert any(row.startswith("seeds (sunny-garden") for row in found(database, filled))

    def test_a_part_with_a_certificate_that_says_it_is_alive_is_named(self, database, filled):
        with database.write() as tx:
            bucket = buckets.load(tx, ORG, 1)
            said = entry.Certificate(
                org=ORG, standard=RULES.ref, at=entry.stamp(NOW), destruction="x-1",
                bucket=bucket.name, parts=["2-IV"], first=0, last=7, collected=8, erased=2,
                destroyed=6, leases=[], complete=True,
            )  # fmt: skip
            filled.log.append(tx, [entry.encode(said)], now=NOW)
        assert "bucket_parts (org=sunny-garden, bucket=1, part=2-IV)" in found(database, filled)

    def test_a_record_that_the_ledger_does_not_know_is_named(self, database, filled):
        """Somebody with the program, but past the ledger."""
        with database.write() as tx:
            key = {"org": ORG, "bucket": 1, "n": 1}
            tx.update(metadata.tables["records"], key, entry_index=0)
        assert "records (org=sunny-garden, bucket=1, n=1)" in found(database, filled)


class TestBounds:
    def test_findings_come_one_by_one(self, database, filled):
        """A supervisor sees the first before the last is looked for."""
        with database.write() as tx:
            tx.conn.execute(sa.text("UPDATE records SET point = 'x'"))
        findings = check(database, filled.keys, filled.log)
        assert next(findings).row.startswith("records (")
        findings.close()

    def test_no_finding_holds_plaintext(self, database, filled):
        with database.write() as tx:
            tx.conn.execute(sa.text("UPDATE parts SET nonce = sealed"))
            tx.conn.execute(sa.text("UPDATE records SET notice = point"))
        said = "\n".join(f"{d.row} {d.problem}" for d in check(database, filled.keys, filled.log))
        assert "张三" not in said
        assert "1380000" not in said

    def test_tags_in_the_middle_of_being_made_again_are_no_damage(self, database, filled):
        """Two forms side by side; each record's tags are whole under one of them."""
        forms = {1: tags.FORMS[1], 2: {**tags.FORMS[1], "phone": lambda v: v[::-1]}}
        with database.write() as tx:
            remake(
                tx, filled.log, filled.keys, org=ORG, emergency="outbreak-7",
                standard_ref=RULES.ref, now=NOW, batch=5, forms=forms,
            )  # fmt: skip
            versions = set(tx.conn.execute(sa.select(tags.tags.c.version)).scalars())
            assert versions == {1, 2}
            assert self.tagged(tx, filled, forms) == []
            tx.conn.execute(sa.text("DELETE FROM tags WHERE n = 1 AND role = 'mentioned'"))
            rows = self.tagged(tx, filled, forms)
        assert [row for row, _ in rows] == ["tags (org=sunny-garden, bucket=1, part=3-II, n=1)"]

    def tagged(self, tx, world, forms) -> list[tuple[str, str]]:
        bucket = buckets.load(tx, ORG, 1)
        unsealers = {
            p: Unsealer(
                bucket, p, world.keys.cover(ORG, bucket.name, p), suite=world.keys.suite_of(ORG)
            )
            for p in bucket.parts
        }
        tagged = Tagged(tx, world.keys, bucket, unsealers, forms)
        for _, _, part, n, nonce, sealed in tx.conn.execute(
            sa.select(parts).where(parts.c.bucket == 1)
        ):
            tagged.add(n, part, unsealers[part].open(n, nonce, sealed))
        return [(damage.row, damage.problem) for damage in tagged.compare()]


def _some(column: sa.Column, number: int = 0) -> Any:
    """A value that fits ``column``; with one bit flipped it is none of another ``number``."""
    kind = column.type
    if isinstance(kind, Instant):
        return datetime(2026, 3, 14, 1, 2, 3, 456788, tzinfo=UTC) + timedelta(
            microseconds=2 * number
        )
    if isinstance(kind, Json):
        return {"a": [number, "中"]}
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.LargeBinary):
        return bytes([2 * number, *range(1, min(kind.length or 20, 256))])
    if isinstance(kind, sa.Integer):
        return 7 + 2 * number
    text = f"abcd{chr(ord('A') + 2 * number)}"
    return text[-kind.length :] if kind.length else text
