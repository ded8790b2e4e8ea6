"""``kill -9`` at any moment: what was answered is there, once, with a valid proof; nothing ever contradicts itself.

The program is the real one. On SQLite it is killed a hundred times under load (``KILLS`` says another number),
on PostgreSQL a fifth of that, while its log is published into a folder and two witnesses cosign it, which
are killed too. These are forked from a process that has imported it (``program``), and two more are started
from nothing. The moments are drawn from a seed; what the machine happens to be doing then is not, and need
not be.
"""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from crowd import Crowd, bodies
from office import Office
from program import free_port, wait_for

from epilock import assemble, settings
from epilock.destroy import certificate, erasure
from epilock.errors import ErasedError
from epilock.ledger import entry, tree
from epilock.ledger import policy as policies
from epilock.ledger.folder import CHECKPOINT
from epilock.ledger.mirror import EVIDENCE, Mirror
from epilock.ledger.note import Verifier
from epilock.ledger.source import Folder
from epilock.ledger.verify import open_checkpoint, verify
from epilock.store import bucket as buckets
from epilock.store import vault

pytestmark = pytest.mark.timeout(900)  # half a minute, unless a dozen others share the machine
DAYS = 6
KILLS = int(os.environ.get("KILLS", "100"))
MOST_ANSWERS = 30  # of one life; then, within the time of a commit or two, the end
PUBLISHING_DIES, OFFICE_DIES = 0.4, 0.15  # in such a part of the lives
OFFICES = ("audit", "press")


@pytest.fixture
def reopened(environ, home, clock):
    """The installation, opened again by this process once the program is gone."""
    opened = []

    def reopen():
        opened.append(assemble.build(settings.read(environ, home=home), now=clock))
        return opened[-1]

    yield reopen
    for parts in opened:
        parts.close()


class TestUnderLoad:
    @pytest.fixture
    def clock(self, clock):
        """The program looks at the machine's clock, whatever that says today."""
        clock.instant = datetime.now(UTC) - timedelta(hours=1)
        return clock

    @pytest.fixture
    def crowd(self, town):
        form = town.form()
        given = [act for act in form.acts.ids if act != "guardian"]
        town.parts.close()
        path = f"/api/points/garden/{town.point}/submissions"
        return Crowd(path, bodies(form.notice, given, seed=7))

    @pytest.fixture
    def key(self, town):
        return Verifier.from_vkey(town.parts.log.signer.vkey)

    @pytest.fixture
    def offices(self, key, crowd, program, tmp_path):
        """Two witnesses, both of whom must cosign by a policy that the log has announced."""
        made = [Office(program, tmp_path / name, key.vkey) for name in OFFICES]
        names = [line.split()[1] for office in made for line in office.lines().splitlines()]
        text = f"log {key.vkey}\n{''.join(office.lines() for office in made)}"
        (tmp_path / "policy").write_text(f"{text}group both all {' '.join(names)}\nquorum both\n")
        program.run("policy", "announce", tmp_path / "policy")
        for office in made:
            office.start()
        return made

    def test_whatever_was_answered_is_there_once(  # noqa: PLR0917 - fixtures
        self, crowd, key, offices, program, database_url, reopened, tmp_path
    ):
        """No two checkpoints disagree, wherever they were seen; nothing that was answered is lost; all goes on."""
        chance, public = random.Random(7), Public(tmp_path, key)  # noqa: S311 - moments, not secrets
        kills = KILLS if database_url[0].startswith("sqlite") else -(-KILLS // 5)
        while kills > 0:
            pid, port = program.serve()
            threads = crowd.come(port)
            victims = [lambda pid=pid: program.kill(pid)]
            exporting, dying = program.start("ledger", "export", public.folder), None
            fate = chance.random()
            if fate < PUBLISHING_DIES:
                victims.append(lambda pid=exporting: program.kill(pid))
            elif fate > 1 - OFFICE_DIES:
                dying = chance.choice(offices)
                victims.append(dying.kill)
            chance.shuffle(victims)
            crowd.wait_for(len(crowd.answered) + chance.randint(0, MOST_ANSWERS))
            for kill in victims:
                time.sleep(chance.uniform(0, 0.01))
                kills -= kill() == -signal.SIGKILL
            for thread in threads:
                thread.join()
            if fate >= PUBLISHING_DIES:
                assert program.wait(exporting) == 0, program.said()
            if dying is not None:
                dying.start()
            crowd.checkpoints |= public.look() | {office.cosigned() for office in offices} - {None}
        cosigned = [said.size for said in public.cosigned(crowd.checkpoints, OFFICES[0])]
        assert len(set(cosigned)) > min(KILLS, 20) // 4  # it was asked in many lives
        self.finish(crowd, program)
        program.run("policy", "gather")  # ends badly if a witness does not answer or is at odds
        program.run("ledger", "export", public.folder)
        program.run("ledger", "check", public.folder)
        crowd.checkpoints |= public.look()
        parts = reopened()
        check_everything(crowd, parts)
        check_public(public, tmp_path / "policy", parts)
        for office in offices:
            assert f"{parts.log.origin}: " in office.remembered()
        assert "everything is as it was stored" in program.run("check")
        assert "nothing is frozen" in program.run("watch", "list")  # a crash is no attack

    def test_started_from_nothing_too(self, crowd, program, reopened):
        """No fork, no shared import: the command as an operator types it."""
        command = [sys.executable, "-c", "from epilock.cli import main; main()", "serve", "--port"]
        for answers in (1, 40):
            port = free_port()
            server = subprocess.Popen([*command, str(port)], env=program.environ)
            wait_for(port)
            threads = crowd.come(port)
            crowd.wait_for(len(crowd.answered) + answers)
            server.kill()
            assert server.wait(timeout=20) == -signal.SIGKILL
            for thread in threads:
                thread.join()
        self.finish(crowd, program)
        check_everything(crowd, reopened())

    def finish(self, crowd, program):
        """Let everyone who was not answered ask once more, and the server end in peace."""
        pid, port = program.serve()
        for thread in crowd.come(port, new=False):
            thread.join()
        os.kill(pid, signal.SIGTERM)
        program.wait(pid)
        assert crowd.faults == []
        assert not crowd.unanswered
        assert len(crowd.answered) > 40


class TestDuringDestruction:
    def test_a_run_that_was_killed_is_completed_by_a_later_one(
        self, town, clock, program, reopened, tmp_path
    ):
        """Nothing is certified that was not done, nothing is done without a witness, nothing twice."""
        given = [self.collect(town, clock) for _ in range(DAYS)]
        key = Verifier.from_vkey(town.parts.log.signer.vkey)
        town.parts.close()
        chance = random.Random(11)  # noqa: S311 - moments, not secrets
        began = time.monotonic()
        program.run("destroy", "run", "--now", clock.forward(days=28 - DAYS).isoformat())
        took = time.monotonic() - began
        for _ in range(DAYS):
            pid = program.start("destroy", "run", "--now", clock.forward(days=1).isoformat())
            time.sleep(chance.uniform(took / 4, took))
            assert program.kill(pid) in {0, -signal.SIGKILL}, program.said()
        end = clock.forward(days=30).isoformat()
        program.run("destroy", "run", "--now", end)
        check_destroyed([stored for day in given for stored in day], key, reopened())
        program.run("ledger", "export", tmp_path / "log")
        program.run("monitor", "--log", tmp_path / "log", "--key", key.vkey, "--now", end)
        program.run("check")

    def collect(self, town, clock):
        """One day: four persons, of whom one withdraws at once, which the next run is to complete."""
        stored = town.store(*(town.accepted() for _ in range(4)))
        with town.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, "garden", stored[0].bucket)
            erasure.erase(
                tx, town.parts.log, town.parts.standard, org="garden", bucket=bucket.id,
                n=stored[0].n, reason="withdrawal", now=clock(),
            )  # fmt: skip
        clock.forward(days=1)
        return stored


class Public:
    """What strangers see of the log: a folder that is published into, and a mirror that follows it.

    The mirror proves every byte that is new, and would keep as evidence two checkpoints that cannot both be.
    """

    def __init__(self, place, key):
        self.folder, self.copy, self._key = place / "public", place / "copy", key
        self._mirror = Mirror(Folder(self.folder), [key], self.copy)

    def look(self):
        """Return the checkpoint that the folder shows, whose every file must be there; none if it shows none."""
        if not (self.folder / CHECKPOINT).exists():
            return set()
        self._mirror.round(datetime.now(UTC))
        return {(self.copy / CHECKPOINT).read_text()}

    def cosigned(self, texts, office):
        """Return what those of the checkpoints claim that this witness has cosigned."""
        return {
            open_checkpoint(text, [self._key])[0]
            for text in texts
            if f"— witness.example/{office} " in text
        }


def check_public(public, policy, parts):
    """The folder is the log's, the mirror's is the folder's, and both witnesses stand behind it."""
    text = (public.folder / CHECKPOINT).read_text()
    said, witnesses = open_checkpoint(text, policy=policies.parse(policy.read_bytes()))
    assert len(witnesses) == 2 * len(OFFICES)
    with parts.database.read() as tx:
        assert said == parts.log.head(tx)
    assert (public.copy / CHECKPOINT).read_text() == text
    assert not (public.copy / EVIDENCE).exists()


def check_destroyed(given, key, parts):
    """Every receipt proves its record's end to a stranger; each part has one certificate and no key."""
    with parts.database.read() as tx:
        for stored in given:
            bucket = buckets.load_by_name(tx, "garden", stored.bucket)
            proofs = certificate.prove(tx, parts.log, "garden", bucket.id, stored.n)
            gone = certificate.check_all(stored.proof, [p.text for p in proofs], [key])
            assert {g.part for g in gone} == set(
                entry.decode(verify(stored.proof, [key]).entry).parts
            )
            for part in bucket.parts:
                with pytest.raises(ErasedError):
                    parts.keys.cover("garden", bucket.name, part)
        said = list(all_entries(tx, parts.log))
    certified = [(e.bucket, p) for e in said if isinstance(e, entry.Certificate) for p in e.parts]
    erased = [(e.bucket, e.n) for e in said if isinstance(e, entry.Erased)]
    assert len(set(certified)) == len(certified) > 0
    assert len(set(erased)) == len(erased) == DAYS


def check_everything(crowd, parts):
    """Verify as a stranger would, then count as an inspector would."""
    key = [Verifier.from_vkey(parts.log.signer.vkey)]
    shown = {open_checkpoint(text, key)[0] for text in crowd.checkpoints}
    for answer in crowd.answered.values():
        if not answer["repeated"]:  # else its proof is made when it is asked for, below
            shown.add(check_proof(answer, answer["proof"], key).checkpoint)
    with parts.database.read() as tx:
        collected = [s for s in all_entries(tx, parts.log) if isinstance(s, entry.Collect)]
        handles = tx.conn.execute(sa.select(vault.records.c.handle)).scalars().all()
        for answer in crowd.answered.values():
            if answer["repeated"]:
                check_proof(answer, parts.log.proof(tx, answer["index"]), key)
        check_consistent(parts.log, tx, shown)
    assert len({(said.bucket, said.n) for said in collected}) == len(collected)
    assert len(collected) == len(handles) == len(set(handles)) == len(crowd.answered)


def check_proof(answer, proof, key):
    """The proof is of the record that was answered."""
    found = verify(proof, key)
    said = entry.decode(found.entry)
    assert (found.index, said.bucket, said.n) == (answer["index"], answer["bucket"], answer["n"])
    return found


def all_entries(tx, log):
    for first in range(0, log.size(tx), 1000):
        yield from map(entry.decode, log.entries(tx, first, 1000))


def check_consistent(log, tx, shown):
    """Each checkpoint that was ever handed out is one of the log as it is now; no size has two roots."""
    now = log.head(tx)
    assert len({said.size for said in shown}) == len(shown)
    for said in shown:
        path = log.consistency(tx, said.size, now.size)
        tree.verify_consistency(said.size, now.size, said.root, now.root, path)
