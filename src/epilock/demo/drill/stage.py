"""The stage of a drill: installations that can be copied, two witnesses, a monitor, the verifier that stands alone."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from epilock import assemble, settings, verifier
from epilock.assemble import Parts
from epilock.backup import key as backup_keys
from epilock.backup import make as making
from epilock.backup import restore as restoring
from epilock.backup.place import Folder as PlaceFolder
from epilock.backup.restore import Outside, Restored
from epilock.backup.snapshot import Repository, Snapshot
from epilock.demo import life
from epilock.demo.city import Clock
from epilock.errors import DrillError, InputError, LedgerError, NotFoundError, OldSizeError
from epilock.ledger import publish, regime
from epilock.ledger.audit import StandardRules
from epilock.ledger.gather import Gatherer
from epilock.ledger.monitor import Monitor, Report
from epilock.ledger.note import Verifier
from epilock.ledger.seen import Seen
from epilock.ledger.source import Folder
from epilock.ledger.wire import Answer
from epilock.ledger.witness import key as witness_keys
from epilock.ledger.witness.ask import Send
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.memory import Memory
from epilock.standard.level import CHINA

AUDIT, PRESS = "https://audit.example", "https://press.example"
ORIGIN = "drill.example/epilock"
BACKUPS, SLOTS, KEY = "backups", "replica", "backup.key"
SECONDS = 20.0  # in memory: nothing is waited for
Say = Callable[[str], None]


class Stage:
    """One drill.

    Attributes:
        folder: Where everything lies.
        clock: Moved by hand.
        say: Is told each step.
    """

    def __init__(self, folder: Path, say: Say, *, start: datetime = life.START) -> None:
        self.clock = Clock(start)
        self.say = say
        self.folder = folder
        self._witnesses = {
            address: _witness(folder / name, name)
            for address, name in ((AUDIT, "audit.example"), (PRESS, "press.example"))
        }

    def found(self, name: str) -> Parts:
        """Make an installation whose log both witnesses know, and announce who must cosign."""
        parts = assemble.found(self.told(name), now=self.clock)
        life.prepare(parts, self.clock)
        lines = [f"log {parts.log.signer.vkey}"]
        for address, witness in self._witnesses.items():
            witness.memory.add(parts.log.signer.verifier)
            lines.append(f"witness {address[8:13]} {witness.verifiers[0].vkey} {address}")
        lines += ["group enough any audit press", "quorum enough"]
        text = ("\n".join(lines) + "\n").encode()
        with parts.database.write() as tx:
            regime.announce(
                tx, parts.log, standard_ref=parts.standard.ref, text=text,
                since=self.clock().astimezone(CHINA).date(), now=self.clock(),
            )  # fmt: skip
        return parts

    def copy(self, old: str, new: str) -> None:
        """Copy an installation that is closed, its keys too: what an operator can always do."""
        shutil.copytree(self.folder / old, self.folder / new)

    def reopen(self, name: str) -> Parts:
        """Open an installation again."""
        return assemble.build(self.told(name), now=self.clock)

    def gatherer(self, parts: Parts, asked: Collection[str] = (AUDIT, PRESS)) -> Gatherer:
        """Return what asks the witnesses for a log; those that are not ``asked`` don't answer."""
        return Gatherer(parts.database, parts.log, send=self.send(asked), seconds=SECONDS)

    def send(self, asked: Collection[str] = (AUDIT, PRESS)) -> Send:
        """Return how witnesses are reached; those that are not ``asked`` don't answer."""

        def send(address: str, body: bytes | None) -> Answer:
            place = next(each for each in self._witnesses if address.startswith(each))
            if place not in asked:
                raise InputError("it was not asked")
            return _answer(self._witnesses[place], address, body, self.clock())

        return send

    def backup(self, name: str) -> Snapshot:
        """Back up an installation into the folder ``backups``; return the snapshot."""
        key, slots = self.folder / KEY, self.folder / SLOTS
        if not key.exists():
            backup_keys.make(key)
        made = making.make(self.told(name), self.repository(), slots, now=self.clock())
        return made.snapshot

    def repository(self, key: Path | None = None) -> Repository:
        """Return the backups, to be read under the key of the stage, or another one."""
        place = PlaceFolder(self.folder / BACKUPS)
        return Repository(place, backup_keys.read(key or self.folder / KEY))

    def restore(self, name: str, root_of: str, outside: Outside) -> Restored:
        """Restore the newest snapshot into a new installation, with the root key of another one."""
        return restoring.restore(
            self.repository(), self.folder / name, self._settled, slots=self.folder / SLOTS,
            root_key=self.folder / root_of / "root.key", outside=outside, now=self.clock(),
        )  # fmt: skip

    def publish(self, parts: Parts, name: str) -> Path:
        """Publish a log into a folder of that name."""
        folder = self.folder / name
        publish.write(parts.database, parts.log, folder)
        return folder

    def shown_to(self, address: str, hashed: str) -> str:
        """Return the newest checkpoint that a witness cosigned."""
        return self._witnesses[address].newest(hashed)

    def monitor(self, parts: Parts, folder: Path, seen: Seen | None = None) -> Monitor:
        """Return a monitor that a stranger runs on a published folder."""
        rules = StandardRules([parts.standard])
        return Monitor(Folder(folder), [parts.log.signer.verifier], rules, seen)

    def verify(self, receipt: str, policy: bytes) -> "subprocess.CompletedProcess[str]":
        """Have a receipt checked against ``policy`` by the verifier that stands alone."""
        file, told = self.folder / "receipt.tlog-proof", self.folder / "policy"
        file.write_text(receipt, encoding="utf-8")
        told.write_bytes(policy)
        return self._alone(file, "--policy", str(told))

    def accuse(self, report: Report, key: Verifier) -> None:
        """Show the proof of misbehaviour and have it checked by the verifier that stands alone.

        Raises:
            DrillError: There is none, or it does not verify.
        """
        require(bool(report.conflicts), "the monitor finds two checkpoints that cannot both be")
        proof = self.folder / "proof.json"
        proof.write_text(report.conflicts[0].text(), encoding="utf-8")
        done = self._alone(proof, "--key", key.vkey)
        self.say(f"   {verifier.NAME} {proof.name} --key {key.vkey[:30]}…")
        for line in done.stdout.splitlines():
            self.say(f"   | {line}")
        require(done.returncode == 0, "the proof verifies alone")

    def told(self, name: str) -> settings.Settings:
        """Return the settings of an installation."""
        return self._settled(self.folder / name)

    @staticmethod
    def _settled(home: Path) -> settings.Settings:
        return settings.read({"EPILOCK_ORIGIN": ORIGIN}, home=home)

    def _alone(self, file: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        program = self.folder / verifier.NAME
        program.write_bytes(verifier.source())
        return subprocess.run(  # noqa: S603 - our own file, with arguments that are made here
            [sys.executable, "-I", str(program), str(file), *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip


def silent(_: str) -> None:
    """Say nothing: the steps of a record's life have a demonstration of their own."""


def in_a_city(folder: Path, say: Say, act: Callable[[Stage, Parts], None]) -> None:
    """Play ``act`` in one installation, made in the empty ``folder`` and closed in any case."""
    stage = Stage(folder, say)
    parts = stage.found("city")
    try:
        act(stage, parts)
    finally:
        parts.close()


def require(holds: bool, promise: str) -> None:
    """Return if a promise ``holds``.

    Raises:
        DrillError: It does not.
    """
    if not holds:
        raise DrillError(f"this does not hold: {promise}")


def _witness(folder: Path, name: str) -> Witness:
    folder.mkdir(parents=True)
    return Witness(Memory(folder / "logs"), witness_keys.make(folder / "keys.json", name))


def _answer(witness: Witness, address: str, body: bytes | None, now: datetime) -> Answer:
    """Return what the witness's own service would answer."""
    try:
        if body is None:
            return Answer(200, witness.newest(address.split("/")[-2]).encode())
        return Answer(200, witness.add_checkpoint(body, now=now).encode())
    except NotFoundError:
        return Answer(404, b"")
    except OldSizeError as error:
        return Answer(409, f"{error.size}\n".encode())
    except LedgerError:
        return Answer(422, b"")
