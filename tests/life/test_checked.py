"""``epilock check`` after a whole life: silence; and the name of each row that was deleted, changed, swapped or replayed.

Tables are taken from the metadata, so that a new one can't be forgotten: either its rows are witnessed, or it
stands below with the reason why not.
"""

import random
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

import epilock.web.app  # noqa: F401 - with it every table is known
import passwords
from epilock import assemble, inventory, settings
from epilock.accounts import staff
from epilock.collect import issue, point
from epilock.db import key_metadata, metadata
from epilock.demo import city, life
from epilock.demo.people import people
from epilock.destroy import erasure, hold
from epilock.destroy import run as runs
from epilock.registry import mandate
from epilock.store import bucket as buckets
from epilock.store.check import check
from epilock.use import grant

# Tables of whose rows the ledger says nothing: one that is deleted, or put back as it was, is not missed.
UNWITNESSED = {
    "sessions": "they end by themselves",
    "rates": "attempts are counted for a day",
    "tenures": "without one the time until the next review begins anew",
    "arrivals": "told to their person, and swept after 90 days",
    "tallies": "counts of the day, which the next round commits",
    "import_batches": "where a list can be resumed; the ledger has its sums",
    "import_told": "one row for each entry of its own",
    "imports": "state of a run under way; the ledger has its sums",
    "witness_policies": "written again from the settings",
    "witness_states": "asked for again",
    "witness_shown": "asked for again",
    "witness_cosignatures": "signed again",
    "ledger_anchors": "the chain itself has them",
    "ledger_anchor_tries": "tried again",
    "ledger_anchor_stamps": "asked again",
    "release_files": "their hashes are in the ledger; asked for again",
    "release_lines": "without one its record counts as new (decision 20)",
    "offline_leases": "what a device brings in by one is an entry of its own",
    "offline_counts": "counts of a lease; without one it has no limit for the two days it lasts",
    "offline_arrivals": "each form has an entry of its own; without a row its device says that it did not arrive",
    "study_ends": "asked for again; the end itself is an entry",
    "secrets": "made once; a deleted one is made anew and opens nothing",
}
EMPTY = {  # in the life that is walked here; each has tests of its own
    "agreements", "holds", "log_keys", "orders", "aggregates", "emergency_openings", "searches",
    "studies", "privacy_datasets", "privacy_budgets", "noisy_releases", "erasure_requests", "notice_totals", "subject_requests",
    "releases", "allotments", "noisy_counts", "paper_pages", "paper_codes", "grant_studies", "freezes",
    "passkeys", "challenges", "recovery_codes", "proofs", "providers", "provider_links", "paper_photographs", "photographed",
    "service_accounts", "service_announced", "service_counted", "service_leases", "service_signed",
    "service_approvers", "service_grants", "service_opened", "service_parts", "grant_signatures", "grant_parts",
}  # fmt: skip


class Lived:
    """An installation in which everything has happened once."""

    def __init__(self, parts):
        self.parts = parts

    def found(self):
        parts = self.parts
        return [
            damage.row
            for damages in (
                check(parts.database, parts.keys, parts.log),
                inventory.check(parts.database, parts.log),
            )
            for damage in damages
        ]

    def database_of(self, table):
        keys = table.metadata is key_metadata
        return self.parts.keys.database if keys else self.parts.database

    def rows(self, table):
        """All rows as they are stored, the last by key first."""
        raw = [sa.type_coerce(c, sa.types.NullType()).label(c.name) for c in table.columns]
        order_by = [c.desc() for c in table.primary_key.columns]
        with self.database_of(table).read() as tx:
            found = tx.conn.execute(sa.select(*raw).order_by(*order_by)).mappings().all()
        return [dict(row) for row in found]

    def put(self, table, row, instead_of=None):
        """Write ``row`` as it is, past the program, in the place of one with the same key or another."""
        quote = self.parts.database.engine.dialect.identifier_preparer.quote
        self.take(table, instead_of or row)
        names = ", ".join(quote(name) for name in row)
        marks = ", ".join(f":{name}" for name in row)
        with self.database_of(table).write() as tx:
            tx.conn.execute(sa.text(f"INSERT INTO {table.name} ({names}) VALUES ({marks})"), row)

    def take(self, table, row):
        quote = self.parts.database.engine.dialect.identifier_preparer.quote
        keys = [c.name for c in table.primary_key.columns]
        where = " AND ".join(f"{quote(key)} = :{key}" for key in keys)
        with self.database_of(table).write() as tx:
            tx.conn.execute(
                sa.text(f"DELETE FROM {table.name} WHERE {where}"), {key: row[key] for key in keys}
            )


@pytest.fixture
def lived(environ, home, clock):
    told = settings.read(environ, home=home)
    life.live(told, lambda _line: None)
    clock.forward(days=60)
    parts = assemble.build(told, now=clock)
    with parts.database.read() as tx:
        found, issued = issue.in_force(
            tx, "sunny-garden", point.listing(tx, "sunny-garden")[0].point
        )
    form, today = issue.form_of(parts.standard, found, issued), clock().date()
    for number, person in enumerate(people(4, seed=3, today=today)):
        parts.writer.submit(form.accept(city.fill(form, person, number), today=today)).result(30)
    yield Lived(parts)
    parts.close()


def all_tables():
    return [t for m in (metadata, key_metadata) for t in m.sorted_tables if t.name[:5] != "test_"]


def test_silence_after_a_whole_life(lived):
    assert lived.found() == []


def test_no_table_is_forgotten(lived):
    empty = {table.name for table in all_tables() if not lived.rows(table)}
    assert empty - UNWITNESSED.keys() == EMPTY


def test_a_deleted_row_is_named(lived):
    missed = []
    for table in all_tables():
        found = lived.rows(table)
        if found and table.name not in UNWITNESSED:
            lived.take(table, found[0])
            if not lived.found():
                missed.append(table.name)
            lived.put(table, found[0])
    assert missed == []
    assert lived.found() == []


def test_contents_that_were_swapped_are_named(lived):
    """Two rows exchange everything but their keys; each is what the program wrote, in another's place."""
    missed = []
    for table in all_tables():
        keys = {c.name for c in table.primary_key.columns}
        first, *others = lived.rows(table) or [None]
        other = next(
            (o for o in others if any(o[k] != first[k] for k in first.keys() - keys)), None
        )
        if other is not None and first.keys() - keys:
            swapped = {k: first[k] if k in keys else other[k] for k in first}
            try:
                lived.put(table, swapped)
            except sa.exc.IntegrityError:  # what must be unique can't stand twice
                lived.put(table, first)
                continue
            if not any(row.startswith((table.name, "slot")) for row in lived.found()):
                missed.append(table.name)
            lived.put(table, first)
    assert missed == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("file", "flips"), [("main.sqlite", 25), ("keys.sqlite", 15)])
def test_a_flipped_bit_of_a_file_is_found_or_means_nothing(lived, program, tmp_path, file, flips):
    """Anywhere in the file: a header, an index, a row, a free page. What is not found must not have mattered."""
    path = tmp_path / file
    for database in (lived.parts.database, lived.parts.keys.database):
        with database.engine.connect() as conn:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    lived.parts.close()
    whole = path.read_bytes()
    before = contents(path)
    chance = random.Random(file)  # noqa: S311 - places, not secrets
    unnoticed = 0
    for _ in range(flips):
        at = chance.randrange(len(whole))
        path.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        )
        code, said = program.end("check")
        if code == 0:
            unnoticed += 1
            assert contents(path) == before, f"byte {at}"
        else:
            assert "Traceback" not in said, f"byte {at}: {said}"
            assert said.strip(), f"byte {at}"
        for beside in (path.with_name(f"{file}-wal"), path.with_name(f"{file}-shm")):
            beside.unlink(missing_ok=True)
    assert unnoticed < flips
    path.write_bytes(whole)
    assert program.end("check")[0] == 0


def contents(path):
    """Everything that a SQLite file says."""
    with closing(sqlite3.connect(path)) as raw:
        raw.text_factory = bytes
        names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {
            name: sorted(raw.execute(f"SELECT * FROM {name.decode()}").fetchall(), key=repr)
            for (name,) in names.fetchall()
        }


def test_an_opening_that_nobody_made_is_named(lived):
    table = metadata.tables["openings"]
    row = lived.rows(table)[0]
    for change in ({"org": "nobody"}, {"bucket": 99}, {"n": 7}, {"decision": "c-aaaaaaaaaaaa"}):
        lived.put(table, {**row, **change}, instead_of=row)
        rows = [each for each in lived.found() if each.startswith("openings")]
        assert len(rows) == 2, change  # one that is missing, one too many
        lived.put(table, row, instead_of={**row, **change})
    assert lived.found() == []


def test_a_row_put_back_as_it_was_is_named(town, clock):
    """With its own seal, of an earlier day: the hold, the point, the grant, the erasure, the account."""
    lived = Lived(town.parts)
    changes = begin(town)
    before = {table: lived.rows(table) for table in all_tables()}
    for change in changes:
        clock.forward(hours=1)
        change()
    assert lived.found() == []
    named, missed = set(), set()
    for table, rows in before.items():
        keys = [c.name for c in table.primary_key.columns]
        now = {tuple(row[k] for k in keys): row for row in lived.rows(table)}
        for old in rows:
            new = now.get(tuple(old[k] for k in keys), old)
            if new != old and table.name not in UNWITNESSED:
                lived.put(table, old)
                (named if lived.found() else missed).add(table.name)
                lived.put(table, new)
    assert missed == set()
    assert {"holds", "points", "grants", "intents", "staff", "records"} <= named
    assert lived.found() == []


def begin(town):
    """Begin what can be undone by an old row; return the steps that end each."""
    parts, clock, ref = town.parts, town.clock, town.parts.standard.ref
    first, second = town.store(town.accepted(), town.accepted())
    today = clock().date()
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, "garden", first.bucket)
        who, by, third = (
            staff.add_staff(
                tx, parts.log, standard_ref=ref, org=org, login=login, roles=(role,), now=clock(), once=passwords.once()
            )[0]
            for org, login, role in (
                ("cdc", "doctor", "analyst"), ("cdc", "second", "approver"),
                ("garden", "office", "custodian"),
            )
        )  # fmt: skip
        asked = grant.request(
            tx, parts.standard, who, source="garden", purpose="tracing", form="raw", subjects=3,
            circumstances=("residential-entry",), case="C-1", reason="contact of a case",
            until=clock() + timedelta(days=2), now=clock(),
        )  # fmt: skip
        grant.decide(
            tx, parts.log, parts.keys, standard_ref=ref, org="cdc", grant=asked.grant, by=by, approve=True,
            now=clock(),
        )  # fmt: skip
        why = mandate.record_assessment(
            tx, parts.log, standard_ref=ref, org="garden", about="hold", date_=today,
            until=today + timedelta(days=90), sha256="0" * 64, now=clock(),
        )  # fmt: skip
        erasure.erase(
            tx, parts.log, parts.standard, org="garden", bucket=bucket.id, n=second.n,
            reason="withdrawal", now=clock(),
        )  # fmt: skip
        held = hold.place(
            tx, parts.log, standard_ref=ref, org="garden", bucket=bucket.id, assessment=why,
            reason="evidence", last_day=today + timedelta(days=30), by=third.staff, now=clock(),
        )  # fmt: skip

    def written(act):
        def step():
            with parts.database.write() as tx:
                act(tx)

        return step

    return [
        written(lambda tx: hold.release(
            tx, parts.log, standard_ref=ref, org="garden", hold=held.hold, by=who.staff, now=clock()
        )),
        written(lambda tx: parts.gate.decide(
            tx, who, source="garden", places=[(bucket.id, first.n)], purpose="tracing", form="raw",
            grant=asked.grant, now=clock(),
        )),
        written(lambda tx: point.close_point(
            tx, parts.log, parts.standard, org="garden", point=town.point, reason="moved", now=clock()
        )),
        written(lambda tx: staff.set_roles(
            tx, parts.log, standard_ref=ref, org="garden", code=third.staff, roles=(), now=clock()
        )),
        lambda: runs.complete(parts.tools, now=clock()),
    ]  # fmt: skip
