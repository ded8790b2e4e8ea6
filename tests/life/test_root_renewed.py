"""The root key is renewed in its place again and again, in a token and in an engine: nobody who is served notices.

Each process is the real program with a memory of its own: one that has pages and keys, one that serves keys, and
the command that renews.
"""

import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from crowd import Crowd, bodies
from program import Program

from epilock.store.keyservice import address as addresses
from epilock.store.keyservice.client import RemoteKeys
from softhsm import SoftHsm
from transit import Engine

pytestmark = pytest.mark.timeout(300)
TIMES = 3
PART = "2-IV"


@pytest.fixture
def clock(clock):
    """The program looks at the machine's clock, whatever that says today."""
    clock.instant = datetime.now(UTC) - timedelta(hours=1)
    return clock


@pytest.fixture(params=["token", "token of epochs", "transit", "transit of epochs"])
def rooted(request, tmp_path):
    """The environment of a program that has its root key there."""
    kind, _, epochs = request.param.partition(" ")
    if kind == "token":
        pytest.importorskip("pkcs11")
        hsm = SoftHsm(tmp_path / "hsm")
        address = hsm.address(epochs=bool(epochs))
        yield {"EPILOCK_ROOT_KEY": address, "SOFTHSM2_CONF": str(hsm.config)}
        return
    engine = Engine(tmp_path)
    yield {"EPILOCK_ROOT_KEY": engine.address(epochs=bool(epochs))}
    engine.stop()


@pytest.fixture
def crowd(town):
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    path = f"/api/points/garden/{town.point}/submissions"
    town.parts.close()
    return Crowd(path, bodies(form.notice, given, seed=8))


@pytest.fixture
def program(crowd, environ, rooted, home, tmp_path):
    """The program with its root key moved there from a file."""
    del crowd  # it has seen the town, whose process is done with
    told = {**environ, "EPILOCK_HOME": str(home)}
    conf = {name: value for name, value in rooted.items() if name == "SOFTHSM2_CONF"}
    before = Program({**told, **conf}, tmp_path / "moved")
    before.run("keys", "move", rooted["EPILOCK_ROOT_KEY"])
    before.close()
    (home / "root.key").unlink()
    made = Program({**told, **rooted}, tmp_path / "said")
    yield made
    made.close()


class Visitor:
    """Somebody who asks the key service for what it makes, opens and destroys, until it is enough."""

    def __init__(self, address):
        self.done, self.wrong, self._enough = 0, [], Event()
        self._keys = RemoteKeys(address)
        self._thread = Thread(target=self._come)
        self._thread.start()

    def _come(self):
        try:
            while not self._enough.is_set():
                self._ask(f"org-{self.done}")
                self.done += 1
        except Exception as error:  # noqa: BLE001 - told to the test
            self.wrong.append(error)

    def _ask(self, org):
        bucket, keys = f"{org}/flu/residential-entry/2026-03-14", self._keys
        keys.add_bucket(org, bucket, [PART, "3-II"])
        leaf = keys.leaf(org, bucket, PART, 7)
        keys.waiting(org, drops=[(bucket, "3-II")])
        assert keys.destroy(org, drops=[(bucket, "3-II")]) == 2
        assert keys.leaf(org, bucket, PART, 7) == leaf

    def leave(self):
        self._enough.set()
        self._thread.join()
        self._keys.close()


def test_while_people_are_answered(crowd, program, tmp_path):
    server, port = program.serve()
    at = f"unix:{tmp_path}/run/keys.sock"
    service = program.start("keys", "serve", "--at", at, "--wait", "0", "--openings", "1000000")
    while f"keys at {at}" not in program.said():
        time.sleep(0.01)
    visitor = Visitor(addresses.read(at))
    threads = crowd.come(port)
    for n in range(1, TIMES + 1):
        crowd.wait_for(20 * n)
        said = program.run("keys", "rotate", "root")
        assert "by it alone" in said
    crowd.wait_for(len(crowd.answered) + 20)
    visitor.leave()
    program.kill(service)
    program.kill(server)
    for thread in threads:
        thread.join()
    assert visitor.wrong == []
    assert crowd.faults == []
    assert (visitor.done > 0, len(crowd.answered) >= 20 * TIMES) == (True, True)
    assert program.run("check") == "everything is as it was stored\n"
