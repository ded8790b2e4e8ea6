"""Departments that don't trust each other, each a process of its own on this machine's loopback.

A city runs a log; the audit office, a newspaper and a university are its witnesses; an archive mirrors it;
a monitor reads log, mirror and witnesses; a chain keeps its roots, where one is given. A resident submits
over HTTP; the receipt then verifies under the policy, and goes on to do so when one witness is gone.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from epilock import assemble, settings
from epilock.collect.form import Form
from epilock.demo import city, life
from epilock.demo.city import Clock
from epilock.demo.people import people
from epilock.errors import DrillError, EpilockError
from epilock.ledger import policy as policies
from epilock.ledger.verify import open_checkpoint
from epilock.standard.level import CHINA

OFFICES = ("audit-office", "newspaper", "university")
ORIGIN = "departments.example/epilock"
PATIENCE = 60.0  # seconds until what should come about is called missing
FUNDS = 10**19  # wei, on a chain that is thrown away
Say = Callable[[str], None]


class Department:
    """One process, stopped by its own id when its block ends.

    Args:
        words: The command.
        environ: Its settings.
        output: Where it writes.
    """

    def __init__(self, words: Sequence[str], *, environ: Mapping[str, str], output: Path) -> None:
        self._words = list(words)
        self._environ = {**os.environ, **environ}
        self._output = output

    def __enter__(self) -> Self:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, with words that are made here
                self._words, env=self._environ, stdout=output, stderr=output
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it; repeating is harmless."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Town:
    """All of them, in one folder.

    Args:
        folder: An empty folder.
        say: Is told each step.
        anvil: Program of a chain (anvil of the Foundry project); None leaves the chain out.
    """

    def __init__(self, folder: Path, say: Say, *, anvil: Path | None) -> None:
        self._folder = folder
        self._say = say
        self._anvil = anvil
        self._home = folder / "city"
        self._ports = {name: _free_port() for name in ("log", "mirror", "chain", *OFFICES)}
        self._departments: dict[str, Department] = {}

    def play(self) -> None:
        """Start everybody, follow one receipt, take a witness away, stop everybody.

        Raises:
            DrillError: Something that should come about did not.
        """
        with ExitStack() as stack:
            key, form = self._found()
            self._say(
                "1. Three departments make a witness each, and the city names them in a policy:"
            )
            policy = self._witnesses(stack, key)
            if self._anvil is not None:
                self._chain(stack)
            self._start(stack, "log", "serve", "--port", self._port("log"))
            self._until("the log answers", lambda: _get(f"{self._log}/checkpoint"))
            self._say("2. A resident submits over HTTP; the answer is the receipt:")
            index = self._submit(form, number=1)
            self._say("3. Within seconds it is cosigned; it verifies under the policy, offline:")
            self._verify(index, policy)
            self._say("4. An archive mirrors the log, verified while it is fetched, and serves it:")
            self._start(
                stack, "mirror", "mirror", self._log, str(self._folder / "copy"), "--key", key,
                "--serve", self._port("mirror"), "--every", "1",
            )  # fmt: skip
            self._until(
                "the mirror shows the log", lambda: _get(f"{self._at('mirror')}/checkpoint")
            )
            self._say(
                "5. A monitor reads the log and hears the mirror, the witnesses and the resident:"
            )
            self._monitor(key)
            if self._anvil is not None:
                self._say("6. The chain keeps the root; it is read back and compared:")
                self._anchor()
            self._say("7. The newspaper closes its office; two of three are still enough:")
            self._departments["newspaper"].stop()
            self._verify(self._submit(form, number=2), policy)
            self._tell(self._epilock("policy", "status", allowed=(0, 1)))
        self._say("everybody has stopped")

    # -- who is there ----------------------------------------------------------------------------

    def _found(self) -> tuple[str, Form]:
        parts = assemble.found(
            settings.read(self._environ(), home=self._home), now=lambda: datetime.now(UTC)
        )
        clock = Clock(parts.now())
        life.prepare(parts, clock)
        form = life.open_gate(parts, clock, lambda _: None)
        key = parts.log.signer.vkey
        parts.close()
        return key, form

    def _witnesses(self, stack: ExitStack, key: str) -> bytes:
        lines, names = f"log {key}\n", []
        for office in OFFICES:
            folder = str(self._folder / office)
            self._epilock(
                "witness", "init", folder, "--name", f"{office}.example", "--url", self._at(office)
            )
            self._epilock("witness", "add-log", folder, key)
            self._start(stack, office, "witness", "serve", folder, "--port", self._port(office))
            lines += (self._folder / office / "lines.policy").read_text(encoding="utf-8")
            names.append(f"{office}.example/ed25519")
            self._say(f"   {office} serves at {self._at(office)}")
        text = f"{lines}group two-of-three 2 {' '.join(names)}\nquorum two-of-three\n".encode()
        (self._folder / "policy").write_bytes(text)
        self._tell(self._epilock("policy", "announce", str(self._folder / "policy")))
        return text

    def _chain(self, stack: ExitStack) -> None:
        words = [str(self._anvil), "--port", self._port("chain"), "--silent"]
        self._departments["chain"] = stack.enter_context(
            Department(words, environ={}, output=self._folder / "chain.log")
        )
        self._until("the chain answers", lambda: self._ask_chain("eth_chainId"))
        account = self._epilock("anchor", "account").strip()
        self._ask_chain("anvil_setBalance", account, hex(FUNDS))
        told = self._epilock("anchor", "deploy", "--wait", "60")
        self._contract = told.rsplit("EPILOCK_ANCHOR_CONTRACT=", 1)[1].split()[0]

    # -- what they do ----------------------------------------------------------------------------

    def _submit(self, form: Form, *, number: int) -> int:
        """Submit a made-up person over HTTP; return the index of the ledger entry."""
        person = people(number, seed=14, today=datetime.now(CHINA).date())[-1]
        body = msgspec.json.encode(city.fill(form, person, number))
        address = f"{self._at('log')}/api/points/sunny-garden/{form.point.point}/submissions"
        told = json.loads(_post(address, body))
        self._say(f"   receipt {told['receipt']}, ledger entry {told['index']}")
        return int(told["index"])

    def _verify(self, index: int, text: bytes) -> None:
        """Wait until the public checkpoint covers ``index`` with a quorum, then verify its proof."""
        policy = policies.parse(text)

        def covered() -> bool:
            signed = _get(f"{self._log}/checkpoint").decode()
            try:
                return open_checkpoint(signed, policy=policy)[0].size > index
            except EpilockError:
                return False

        self._until("a quorum cosigned the receipt's tree", covered)
        receipt = self._folder / f"receipt-{index}.tlog-proof"
        receipt.write_bytes(_get(f"{self._log}/proof/{index}.tlog-proof"))
        told = self._epilock("verify", str(receipt), "--policy", str(self._folder / "policy"))
        self._tell("\n".join(told.splitlines()[:7]))

    def _monitor(self, key: str) -> None:
        also = [self._at("mirror"), *(self._at(office) for office in OFFICES)]
        receipts = map(str, self._folder.glob("receipt-*"))
        words = [word for each in (*also, *receipts) for word in ("--also", each)]
        state = str(self._folder / "seen.json")
        self._tell(
            self._epilock("monitor", "--log", self._log, "--key", key, "--state", state, *words)
        )

    def _anchor(self) -> None:
        self._epilock("anchor", "run", "--at-once", "--wait", "60")
        self._tell(self._epilock("anchor", "verify"))

    # -- means -----------------------------------------------------------------------------------

    @property
    def _log(self) -> str:
        return f"{self._at('log')}/log"

    def _at(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _port(self, name: str) -> str:
        return str(self._ports[name])

    def _environ(self) -> dict[str, str]:
        told = {"EPILOCK_ORIGIN": ORIGIN, "EPILOCK_URL": self._at("log")}
        if "chain" in self._departments:
            told |= {"EPILOCK_ANCHOR_RPC": self._at("chain"), "EPILOCK_ANCHOR_DEPTH": "1"}
            told["EPILOCK_ANCHOR_CONTRACT"] = getattr(self, "_contract", "")
        return told

    def _start(self, stack: ExitStack, name: str, *words: str) -> None:
        words = (sys.executable, "-m", "epilock", *words)
        environ = {**self._environ(), "EPILOCK_HOME": str(self._home)}
        output = self._folder / f"{name}.log"
        self._departments[name] = stack.enter_context(
            Department(words, environ=environ, output=output)
        )

    def _epilock(self, *words: str, allowed: Sequence[int] = (0,)) -> str:
        """Run a command to its end; return what it said.

        Raises:
            DrillError: It ended with another exit code than one of ``allowed``.
        """
        environ = {**os.environ, **self._environ(), "EPILOCK_HOME": str(self._home)}
        done = subprocess.run(  # noqa: S603 - our own program, with words that are made here
            [sys.executable, "-m", "epilock", *words], env=environ, text=True, check=False,
            capture_output=True, timeout=2 * PATIENCE,
        )  # fmt: skip
        if done.returncode not in allowed:
            raise DrillError(f"epilock {' '.join(words[:2])} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def _ask_chain(self, method: str, *params: str) -> object:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return json.loads(_post(self._at("chain"), json.dumps(asked).encode()))["result"]

    def _until(self, promise: str, holds: Callable[[], object]) -> None:
        """Return when ``holds`` does.

        Raises:
            DrillError: It does not within a minute.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if holds():
                    return
            except OSError:
                pass  # nobody answers yet
            time.sleep(0.1)
        raise DrillError(f"this has not come about: {promise}")

    def _tell(self, text: str) -> None:
        for line in text.rstrip().splitlines():
            self._say(f"   | {line}")


def find_chain(program: Path | None) -> Path | None:
    """Return the program of a chain: the one that is named, or ``anvil`` where the system finds it."""
    found = shutil.which(str(program) if program is not None else "anvil")
    return None if found is None else Path(found)


def _get(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback, made here
        return bytes(answer.read())


def _post(address: str, body: bytes) -> bytes:
    request = Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback, made here
    try:
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - likewise
            return bytes(answer.read())
    except HTTPError as error:
        raise DrillError(f"{error.code}: {error.read().decode(errors='replace')}") from None


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
