"""What roles in PostgreSQL promise: who serves can't take a table away, and who reads one organisation sees no other."""

import asyncio
import os
import threading
import time
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from typer.testing import CliRunner

from epilock import assemble, migrate, roles, settings
from epilock.accounts import credentials, session, staff
from epilock.cli.app import app
from epilock.collect.point import listing as point_listing
from epilock.db import Database, open_engine
from epilock.demo import life
from epilock.destroy import run as destruction
from epilock.errors import InputError, StateError
from epilock.store.check import check
from epilock.watch.round import Sight, Watcher
from epilock.web.app import create_app

AFTERWARDS = life.START + timedelta(days=60)


def as_role(url, role):
    return url.replace("//epilock@", f"//{role}@")


@pytest.fixture(scope="module")
def urls(postgres):
    """The owner's addresses of two databases whose schema was made by ``epilock database migrate``."""
    name = f"r{os.urandom(6).hex()}"
    admin = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        for schema in (name, f"{name}_keys"):
            conn.execute(sa.text(f"CREATE SCHEMA {schema}"))
    made = tuple(f"{postgres}?options=-csearch_path%3D{n}" for n in (name, f"{name}_keys"))
    done = CliRunner().invoke(app, ["database", "migrate", "--main", made[0], "--keys", made[1]])
    assert done.exit_code == 0, done.output
    yield made
    with admin.connect() as conn:
        for schema in (name, f"{name}_keys"):
            conn.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture(scope="module")
def parts(urls, tmp_path_factory):
    """An installation that lives a whole life, served by a role that owns nothing."""
    main, keys = (as_role(url, roles.APP) for url in urls)
    told = settings.read(
        {"EPILOCK_DATABASE": main, "EPILOCK_KEY_DATABASE": keys},
        home=tmp_path_factory.mktemp("roles") / "home",
    )
    life.live(told, lambda _line: None)
    parts = assemble.build(told, now=lambda: AFTERWARDS)
    with parts.database.write() as tx:
        one, once = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny-garden", login="one",
            roles=("custodian",), now=parts.now(),
        )  # fmt: skip
        credentials.change_password(
            tx, org="sunny-garden", code=one.staff, old=once, new="a sentence that is long"
        )
    yield parts
    parts.close()


def test_a_whole_life_with_so_few_rights(parts):
    """Collected, opened, destroyed, purged and checked."""
    destruction.purge(parts.tools, now=AFTERWARDS)
    assert list(check(parts.database, parts.keys, parts.log)) == []


FORBIDDEN = {
    "drop": "DROP TABLE records",
    "truncate": "TRUNCATE records",
    "alter": "ALTER TABLE records ADD COLUMN x integer",
    "create": "CREATE TABLE x (y integer)",
    "a trigger": "CREATE TRIGGER x AFTER INSERT ON records EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a policy": "DROP POLICY epilock_org ON records",
    "records": "DELETE FROM records",
    "entries": "DELETE FROM ledger_entries",
    "another entry": "UPDATE ledger_entries SET entry = ''",
    "decisions": "DELETE FROM decisions",
    "a freeze": "DELETE FROM freezes",
}


@pytest.mark.parametrize("text", FORBIDDEN.values(), ids=FORBIDDEN)
def test_who_serves_is_refused(parts, text):
    with parts.database.write() as tx, pytest.raises(sa.exc.ProgrammingError) as refused:
        tx.conn.exec_driver_sql(text)
    assert refused.value.orig.sqlstate == "42501"  # insufficient privilege


def test_who_serves_the_keys_is_refused(parts):
    for text in ("DROP TABLE seeds", "TRUNCATE seeds", "ALTER TABLE seeds ADD COLUMN x integer"):
        with parts.keys.database.write() as tx, pytest.raises(sa.exc.ProgrammingError):
            tx.conn.exec_driver_sql(text)


class TestOneOrganisation:
    def test_nothing_of_another_is_seen_without_a_where(self, parts):
        """A query that forgot its WHERE shows one organisation, and one that asks for another nothing."""
        with parts.database.read() as tx:
            assert (
                len({s.org for o in ("sunny-garden", "qinghe-cdc") for s in staff.listing(tx, o)})
                == 2
            )
        with parts.database.read(org="sunny-garden") as tx:
            found = set(tx.conn.exec_driver_sql("SELECT org FROM staff").scalars())
            assert found == {"sunny-garden"}
            assert staff.listing(tx, "qinghe-cdc") == []
            assert tx.conn.exec_driver_sql("SELECT count(*) FROM records").scalar() > 0
        with parts.database.read(org="qinghe-cdc") as tx:
            assert tx.conn.exec_driver_sql("SELECT count(*) FROM records").scalar() == 0

    def test_every_table_with_an_organisation_has_the_wall_or_a_reason(self, parts):
        with parts.database.read(org="nobody") as tx:
            seen = set()
            for table in roles.metadata.sorted_tables:
                if "org" in table.columns and table.name[:5] != "test_":
                    query = sa.select(sa.func.count()).select_from(table)
                    if tx.conn.execute(query).scalar():
                        seen.add(table.name)
        assert seen <= roles.SHARED.keys()
        assert {"organisations", "levels"} <= seen

    def test_it_ends_with_the_transaction(self, parts):
        with parts.database.read(org="nobody") as tx:
            assert staff.listing(tx, "sunny-garden") == []
        with parts.database.read() as tx:
            assert staff.listing(tx, "sunny-garden") != []

    def test_it_writes_nothing(self, parts):
        with parts.database.read(org="sunny-garden") as tx, pytest.raises(sa.exc.ProgrammingError):
            tx.conn.exec_driver_sql("UPDATE staff SET login = 'x'")


class Browser:
    """Asks the site, in this process."""

    def __init__(self, site, token):
        self.site, self.cookies = site, {"epilock": token}

    def get(self, path):
        return asyncio.run(self._get(path))

    async def _get(self, path):
        transport = httpx.ASGITransport(self.site)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://x.example", cookies=self.cookies
        ) as client:
            return await client.get(path)


class TestPages:
    """Pages about one organisation are made with the rights to one."""

    @pytest.fixture
    def browser(self, parts):
        with parts.database.write() as tx:
            who = next(s for s in staff.listing(tx, "sunny-garden") if s.login == "one")
            token = session.begin(tx, who, now=parts.now())
        return Browser(create_app(parts, insist=False), token)

    def test_a_notice(self, parts, browser):
        with parts.database.read() as tx:
            (point,) = point_listing(tx, "sunny-garden")
        place = f"sunny-garden/{point.point}"
        assert browser.get(f"/api/points/{place}").status_code == 200
        assert browser.get(f"/c/{place}").status_code == 200
        assert browser.get(f"/api/points/qinghe-cdc/{point.point}").status_code == 404

    @pytest.mark.parametrize("part", ["imports", "sheets", "studies", "account"])
    def test_the_console(self, browser, part):
        assert browser.get(f"/console/{part}").status_code == 200


def test_who_watches_reads_and_changes_nothing(parts, urls, tmp_path):
    main, keys = (Database(open_engine(as_role(url, roles.WATCH)), b"") for url in urls)
    watcher = Watcher(Sight(main=main, keys=keys, path=tmp_path / "seen.json", seconds=10))
    assert watcher.round(parts.now()) == []
    for database, text in ((main, "DELETE FROM sessions"), (keys, "DELETE FROM seeds")):
        with database.write() as tx, pytest.raises(sa.exc.ProgrammingError) as refused:
            tx.conn.exec_driver_sql(text)
        assert refused.value.orig.sqlstate == "42501"
        database.close()


def test_an_older_schema_is_left_to_its_owner(parts, urls):
    owner = open_engine(urls[0])
    with owner.connect() as conn, conn.begin():
        newest = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
    try:
        with pytest.raises(StateError, match="its owner runs `epilock database migrate`"):
            migrate.upgrade(parts.database.engine, "main")
    finally:
        with owner.connect() as conn, conn.begin():
            conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest}'")
        owner.dispose()


def test_a_name_is_no_way_in():
    with pytest.raises(InputError, match="small letters"):
        list(roles.statements("main", schema="public; DROP TABLE x"))


def test_of_two_programs_that_start_one_migrates(empty_url):
    """The other waits, and finds it done: both serve afterwards."""
    engines = [open_engine(empty_url[0]) for _ in range(3)]
    problems = []

    def start(engine):
        try:
            migrate.upgrade(engine, "main")
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=start, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    for engine in engines:
        with engine.connect() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM records").scalar() == 0
        engine.dispose()


def test_rows_that_are_there_go_forward_while_another_writes(empty_url):
    """From the schema of an earlier version, with rows, while a process of that version still writes."""
    engine = open_engine(empty_url[0])
    with engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
        command.upgrade(migrate._config(conn, "main"), "0006")
    insert = sa.text(
        "INSERT INTO rates (org, kind, who, began, count, mac) VALUES ('a', 'w', :who, 0, 1, :mac)"
    )
    written, problems, stop = [], [], threading.Event()

    def write():
        while not stop.is_set():
            who = f"{len(written):016}".encode()
            try:
                with engine.connect().execution_options(epilock_write=True) as conn, conn.begin():
                    conn.execute(insert, {"who": who, "mac": bytes(16)})
            except sa.exc.DatabaseError as error:
                problems.append(error)
            else:
                written.append(who)

    def more():
        enough = len(written) + 20
        while len(written) < enough and not problems:
            time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    more()
    second = open_engine(empty_url[0])
    migrate.upgrade(second, "main")
    second.dispose()
    more()
    stop.set()
    writer.join(30)
    assert problems == []
    with engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM rates").scalar() == len(written)
    engine.dispose()
