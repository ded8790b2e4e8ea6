"""The pages in one process, the keys in another: one record's whole life, and what a process that was taken over can do."""

import http.client
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from crowd import bodies
from program import Program

import epilock
from epilock import assemble, settings
from epilock.assemble import open_keys
from epilock.destroy import due as dues
from epilock.destroy import intent as intents
from epilock.destroy import run as destruction
from epilock.errors import (
    ErasedError,
    ForbiddenError,
    InputError,
    LeasedError,
    RateError,
    StateError,
)
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.check import check
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice.client import RemoteKeys
from epilock.store.keyservice.desk import HANDED, Desk, Limits
from epilock.store.keyservice.server import Server

WAIT = timedelta(hours=24)
PART = "2-IV"


class Split:
    """A key service, and the pages' installation that has no keys."""

    def __init__(self, town, environ, folder, clock):
        self.town, self.clock = town, clock
        self._told = settings.read(environ, home=town.parts.settings.home)
        self._web = {
            "EPILOCK_DATABASE": environ["EPILOCK_DATABASE"],
            "EPILOCK_KEY_SERVICE": f"unix:{folder}/run/keys.sock",
        }
        self._folder = folder
        self.address = addresses.read(self._web["EPILOCK_KEY_SERVICE"])
        with town.parts.database.read() as tx:
            leased = buckets.blocks(tx)
        town.parts.close()
        self.desk = Desk(open_keys(self._told), Limits(openings=3, erasures=50, wait=WAIT), clock)
        self.desk.adopt(leased)
        self._server = Server(self.desk, self.address)
        self._thread = Thread(target=self._server.serve)
        self._thread.start()
        self.begin()

    def begin(self):
        """Start the pages' process, again if it was there."""
        told = settings.read(self._web, home=self._folder / "web")
        self.town.parts = assemble.build(told, now=self.clock)
        return self.town.parts

    def close(self):
        self.town.parts.close()
        self._server.stop()
        self._thread.join(timeout=10)
        self.desk.keys.close()


@pytest.fixture
def split(town, environ, tmp_path, clock):
    made = Split(town, environ, tmp_path, clock)
    yield made
    made.close()


class TestLife:
    def test_a_record_is_kept_opened_and_gone_on_its_day(self, split, town, clock):
        (stored,) = town.store()
        parts = town.parts
        with parts.database.read() as tx:
            bucket = buckets.load_by_name(tx, "garden", stored.bucket)
            plain = vault.open_record(tx, parts.keys, "garden", bucket.id, stored.n)
            last = max(dues.part_due(tx, parts.standard, bucket, p).at for p in bucket.parts)
        assert set(plain) == {"2-IV", "3-II", "3-IV"}
        while bucket.live and clock() < last + timedelta(days=5):
            clock.forward(days=1)
            destruction.run(parts.tools, now=clock())
            with parts.database.read() as tx:
                bucket = buckets.load(tx, "garden", bucket.id)
        assert last <= clock() < last + timedelta(days=1)  # the service was told a day before
        with parts.database.read() as tx:
            gone = intents.of_bucket(tx, "garden", bucket.id)
        assert gone
        assert all(each.entry_index is not None for each in gone)
        with parts.database.read() as tx, pytest.raises(ErasedError):
            vault.open_record(tx, parts.keys, "garden", bucket.id, stored.n)
        assert list(check(parts.database, split.desk.keys, parts.log)) == []

    def test_a_process_that_begins_again_takes_the_next_numbers(self, split, town):
        (first,) = town.store()
        town.parts.close()
        split.begin()
        (second,) = town.store()
        assert (first.n, second.n) == (0, 4096)

    def test_what_an_ended_emergency_leaves_goes_too(self, split, town, clock):
        town.store()
        clock.forward(hours=1)
        town.level("E")
        for _ in range(60):
            clock.forward(days=1)
            destruction.run(town.parts.tools, now=clock())
            if not split.desk.keys.emergencies("garden"):
                break
        assert split.desk.keys.emergencies("garden") == []

    def test_it_is_not_where_an_installation_is_made(self, split, tmp_path):
        told = settings.read({"EPILOCK_KEY_SERVICE": f"unix:{split.address.path}"}, home=tmp_path)
        with pytest.raises(InputError, match="where the keys are"):
            assemble.found(told, now=split.clock)

    def test_the_check_is_for_who_has_the_keys(self, split, town):
        with pytest.raises(StateError, match="where the key service"):
            town.parts.key_store()


class TestTakenOver:
    """Whoever controls the pages' process speaks with the service as it likes."""

    @pytest.fixture
    def many(self, town):
        """Ten records, collected before the keys were put apart."""
        town.store(*(town.accepted() for _ in range(10)))

    @pytest.fixture
    def thief(self, many, split):
        remote = RemoteKeys(split.address)
        yield remote
        remote.close()

    @pytest.fixture
    def bucket(self, many, split, town):
        with town.parts.database.read() as tx:
            (found,) = buckets.listing(tx, "garden")
        return found.name

    def test_it_opens_no_more_than_a_days_bound(self, thief, bucket):
        for n in (0, 1, 2):
            thief.leaf("garden", bucket, PART, n)
        for n in range(3, 10):
            with pytest.raises(RateError):
                thief.leaf("garden", bucket, PART, n)

    def test_it_gets_no_seed_of_what_was_collected(self, thief, bucket):
        with pytest.raises(RateError):
            thief.cover("garden", bucket, PART)
        with pytest.raises(LeasedError):
            thief.lease_seed("garden", bucket, PART, 0)

    def test_it_destroys_nothing_at_once(self, thief, bucket, split):
        with pytest.raises(StateError):
            thief.destroy("garden", drops=[(bucket, PART)], tags=["flu"])
        assert {(a.name, a.stopped) for a in split.desk.listing()} == {
            (bucket, None),
            ("flu", None),
        }
        split.desk.stop("garden", bucket)
        split.clock.forward(days=400)
        with pytest.raises(StateError):
            thief.destroy("garden", drops=[(bucket, PART)])
        split.desk.keys.leaf("garden", bucket, PART, 0)

    def test_it_has_no_key_that_signs(self, thief):
        for name in ("log", "notice"):
            with pytest.raises(ForbiddenError):
                thief.secret("", name)


def test_every_secret_that_a_room_asks_for_is_handed_out():
    """A room that needs a new one is found here, before the pages fail where the keys are apart."""
    asked = set()
    rooms = Path(epilock.__file__).parent.rglob("*.py")
    for path in (
        p for p in rooms if "drill" not in p.parts
    ):  # which ask for what they must not get
        asked |= set(re.findall(r'secret\w*[(,]\s*INSTALLATION, "([a-z-]+)"', path.read_text()))
    assert asked - {"key-service"} == set(HANDED)


def test_two_real_processes(town, environ, home, tmp_path, program):
    """The service and the pages, each the program itself; a form comes in over HTTP."""
    town.clock.instant = datetime.now(UTC)
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    path = f"/api/points/garden/{town.point}/submissions"
    body = next(bodies(form.notice, given, seed=7))
    town.parts.close()
    at = f"unix:{tmp_path}/run/keys.sock"
    keys = program.start("keys", "serve", "--at", at)
    web = Program(
        {
            "EPILOCK_HOME": str(tmp_path / "web"), "EPILOCK_KEY_SERVICE": at,
            "EPILOCK_DATABASE": environ["EPILOCK_DATABASE"],
        },
        tmp_path / "web-said",
    )  # fmt: skip
    try:
        pid, port = web.serve()
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        link.request("POST", path, body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        said = json.loads(answer.read())
        assert answer.status == http.HTTPStatus.CREATED, said
        link.close()
        assert web.kill(pid) == -9
        code, why = web.end("check")
        assert (code, "where the key service" in why) == (1, True)
    finally:
        web.close()
        program.kill(keys)
    assert "everything is as it was stored" in program.run("check")
