"""A compound on SQLite that collects at its gate, with backups, a replica of its slots and a published log."""

import shutil
from contextlib import contextmanager
from datetime import timedelta

import pytest

from epilock import assemble, settings
from epilock.backup import key as keys
from epilock.backup import make as making
from epilock.backup import restore as restoring
from epilock.backup.place import Folder
from epilock.backup.restore import Outside
from epilock.backup.snapshot import Repository
from epilock.demo import life
from epilock.demo.city import Clock
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.ledger import publish, source
from epilock.ledger.audit import StandardRules
from epilock.ledger.monitor import Monitor
from epilock.store import bucket as buckets

ORG = "sunny-garden"


def silent(_):
    """Say nothing."""


class Estate:
    """An installation and what a test does with it again and again."""

    def __init__(self, folder):
        self.folder, self.clock = folder, Clock(life.START)
        self.home, self.place, self.slots = (folder / n for n in ("home", "backups", "replica"))
        self.key_file = folder / "backup.key"
        keys.make(self.key_file)
        self.parts = assemble.found(self.told(self.home), now=self.clock)
        life.prepare(self.parts, self.clock)
        self.form = life.open_gate(self.parts, self.clock, silent)
        self.number = 0

    @staticmethod
    def told(home):
        return settings.read({}, home=home)

    @property
    def repository(self):
        return Repository(Folder(self.place), keys.read(self.key_file))

    def give(self, parts=None):
        self.number += 1
        return life.give(parts or self.parts, self.clock, self.form, silent, number=self.number)

    def backup(self, repository=None):
        told = self.told(self.home)
        return making.make(told, repository or self.repository, self.slots, now=self.clock())

    def erase(self, stored):
        with self.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, ORG, stored.bucket)
            erasure.erase(
                tx, self.parts.log, self.parts.standard, org=ORG, bucket=bucket.id, n=stored.n,
                reason="withdrawal", now=self.clock(),
            )  # fmt: skip
        destruction.complete(self.parts.tools, now=self.clock())

    def destroy(self):
        """Let the day of everything come."""
        self.clock.instant += timedelta(days=40)
        return destruction.run(self.parts.tools, now=self.clock())

    def publish(self, parts=None, name="published"):
        parts = parts or self.parts
        publish.write(parts.database, parts.log, self.folder / name)
        return source.Folder(self.folder / name)

    def restore(self, *sources, name="restored", number=None, **outside):
        return restoring.restore(
            self.repository, self.folder / name, self.told, slots=self.slots,
            root_key=self.home / "root.key", outside=Outside(sources=sources, **outside),
            now=self.clock(), number=number,
        )  # fmt: skip

    @contextmanager
    def restored(self, name="restored"):
        parts = assemble.build(self.told(self.folder / name), now=self.clock)
        yield parts
        parts.close()

    def findings(self, parts, name):
        """What a stranger who reads the whole published log finds wrong, warnings aside."""
        folder = self.publish(parts, name)
        rules = StandardRules([parts.standard])
        watch = Monitor(folder, [parts.log.signer.verifier], rules)
        return [f for f in watch.round(self.clock()).findings if f.severity == "error"]


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """The folder of an estate in which nothing was collected yet, closed."""
    made = Estate(tmp_path_factory.mktemp("estate"))
    made.parts.close()
    return made


@pytest.fixture
def estate(begun, tmp_path):
    """A copy of it: making one anew costs a second."""
    shutil.copytree(begun.folder, tmp_path, dirs_exist_ok=True)
    made = object.__new__(Estate)
    made.folder, made.clock, made.form, made.number = tmp_path, Clock(life.START), begun.form, 0
    made.home, made.place, made.slots = (tmp_path / n for n in ("home", "backups", "replica"))
    made.key_file = tmp_path / "backup.key"
    made.parts = assemble.build(made.told(made.home), now=made.clock)
    yield made
    made.parts.close()
