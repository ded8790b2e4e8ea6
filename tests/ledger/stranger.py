"""The program in ``foreign/``, built from the Go project's own packages and asked over a pipe."""

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

GO_PATH = Path("/usr/share/gocode")  # where Debian's packages put the sources of Go's
NEEDED = GO_PATH / "src/golang.org/x/mod/sumdb/tlog"
SOURCE = Path(__file__).parent / "foreign"
BUILD = Path(__file__).parents[2] / "build/foreign"
OFFLINE = {
    "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": "", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
}  # fmt: skip


def is_here() -> bool:
    """Tell whether it can be built on this machine."""
    return shutil.which("go") is not None and NEEDED.exists()


class Refused(Exception):  # noqa: N818 - an answer, and no fault
    """What the other side says when something does not hold."""


class Stranger:
    """The running program."""

    def __init__(self, program: Path) -> None:
        environ = {**os.environ, **OFFLINE, "GOCACHE": str(BUILD / "cache")}
        subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, env=environ, check=True)
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def ask(self, do, **asked):
        """Return what it answers.

        Raises:
            Refused: Its error.
        """
        line = json.dumps({"do": do, **asked}, default=lambda data: b64encode(data).decode())
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        if told["error"]:
            raise Refused(told["error"])
        return told

    def holds(self, do, **asked):
        """Tell whether it accepts something."""
        try:
            self.ask(do, **asked)
        except Refused:
            return False
        return True

    def proof(self, leaves, **what):
        """Return the proof that it makes in a tree of these leaf hashes: of an ``index`` or from an ``old`` size."""
        return [b64decode(each) for each in self.ask("proof", path=leaves, **what)["proofs"] or ()]
