"""A real JSON-RPC node for tests: anvil of the Foundry project, fetched by npm, started and killed here.

The package is fetched once into ``build/anvil``; its bytes must have the hash that stands here, whatever
the registry says. Where there is no npm the tests are skipped, which fails the run in CI.
"""

import base64
import fcntl
import hashlib
import json
import platform
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

VERSION = "1.7.1"
PACKAGES = {  # SHA-512 of the package's tarball, as npm writes it
    "x86_64": (
        "anvil-linux-amd64",
        "+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg==",
    ),
    "aarch64": (
        "anvil-linux-arm64",
        "ykHJmFOGdBR8+9smOKBm9ZZDCCCkLQctiHOAddLvmYx9mPeBDMfq6jP51hKYsO5MG8ClPLSlWe+JpiXPjoXgBQ==",
    ),
}
FOLDER = Path(__file__).parents[1] / "build/anvil"
SECONDS = 20.0


def program() -> Path:
    """The program, fetched if it is not there; a wrong hash fails the test."""
    name, wanted = PACKAGES.get(platform.machine(), ("", ""))
    path = FOLDER / f"{VERSION}-{platform.machine()}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes want it at once
        if not path.exists():
            if not name or shutil.which("npm") is None:
                pytest.skip("anvil needs npm, on an x86-64 or 64-bit ARM machine")
            _fetch(f"@foundry-rs/{name}@{VERSION}", wanted, path)
    return path


def _fetch(package: str, wanted: str, path: Path) -> None:
    packed = subprocess.run(
        ["npm", "pack", package, "--json", "--pack-destination", str(FOLDER)],
        check=True, capture_output=True, timeout=240, cwd=FOLDER,
    )  # fmt: skip
    # npm 9 writes the scope into the file name as a slash; the file itself has a hyphen.
    tarball = FOLDER / json.loads(packed.stdout)[0]["filename"].replace("@", "").replace("/", "-")
    found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != wanted:
        pytest.fail(f"{package} is not the package that was chosen: its SHA-512 is {found}")
    draft = path.with_suffix(".new")
    with tarfile.open(tarball) as archive, draft.open("wb") as file:
        shutil.copyfileobj(archive.extractfile("package/bin/anvil"), file)
    draft.chmod(0o700)
    draft.rename(path)
    tarball.unlink()


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when ``holds`` does; fail after ``SECONDS``."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.05)


class Anvil:
    """A node with a state that outlives it.

    Args:
        folder: Where its state is kept.
        options: Further options, such as ``--no-mining``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._program = program()
        self._state = folder / "anvil.json"
        self._options = options
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(self._program), "--port", str(self.port), "--silent", "--state", str(self._state),
             "--state-interval", "1", "--preserve-historical-states", *self._options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "anvil has ended by itself"
        try:
            self.ask("eth_chainId")
        except OSError:  # URLError is one
            return False
        return True

    def ask(self, method, *params):
        """Ask past the program that is tested: what a developer's node alone can do."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            found = json.loads(answer.read())
        assert "error" not in found, found
        return found["result"]

    def fund(self, address: bytes) -> None:
        self.ask("anvil_setBalance", "0x" + address.hex(), hex(10**19))

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks))

    def mine_at_once(self, *, on: bool) -> None:
        """Mine each transaction as it comes, or let them wait."""
        self.ask("evm_setAutomine", on)

    def saved(self) -> None:
        """Return when what is on the chain now is in its file."""
        since = time.time() + 0.1
        wait_until(lambda: self._state.exists() and self._state.stat().st_mtime > since)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=SECONDS)
