"""The real program, started again and again for the price of one import.

Run as a program itself it imports the command line and reads the rules once; then, for each line of words on standard input,
it forks a child that becomes ``epilock`` with these words, and says its process id. So a test can afford
to kill fifty servers: a start from nothing is a second of imports, a fork a few milliseconds.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


class Program:
    """``epilock`` with one environment; everything it says goes to one file.

    Args:
        environ: Settings beside those of this process.
        output: File that all children write to.
    """

    def __init__(self, environ: Mapping[str, str], output: Path) -> None:
        self.output = output
        self.environ = {**os.environ, **environ}
        self._mother = subprocess.Popen(
            [sys.executable, __file__, str(output)], env=self.environ, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, *words: object) -> int:
        """Start the program in the background; return its process id."""
        return self._ask([str(word) for word in words])

    def wait(self, pid: int) -> int:
        """Return the exit code of a child that was started here; -9 if it was killed."""
        return self._ask(pid)

    def kill(self, pid: int) -> int:
        """End a child so that it does nothing more; return what ``wait`` does."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def run(self, *words: object) -> str:
        """Run the program to its end; return what it said, which must be that all is well."""
        code, said = self.end(*words)
        assert code == 0, said
        return said

    def end(self, *words: object) -> tuple[int, str]:
        """Run the program to its end; return its exit code and what it said."""
        before = len(self.said())
        code = self.wait(self.start(*words))
        return code, self.said()[before:]

    def said(self) -> str:
        """Return everything that the children said."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def serve(self, *words: object) -> tuple[int, int]:
        """Start a server and wait until it answers; return its process id and port."""
        port = free_port()
        pid = self.start("serve", "--port", port, *words)
        wait_for(port)
        return pid, port

    def close(self) -> None:
        """End the process that forks."""
        self._mother.stdin.close()
        self._mother.wait(timeout=20)
        self._mother.stdout.close()

    def _ask(self, what: object) -> int:
        self._mother.stdin.write(json.dumps(what) + "\n")
        self._mother.stdin.flush()
        return int(self._mother.stdout.readline())


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Return when someone listens on ``port``."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.005)
        else:
            return


def _become(words: list[str], output: str) -> None:
    """Be ``epilock`` with these words; never return."""
    from epilock.cli import main  # noqa: PLC0415 - the mother has imported it; a test need not

    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = ["epilock", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _mother(output: str) -> None:
    import uvicorn.protocols.http.httptools_impl  # noqa: F401, PLC0415 - which a server makes when it starts

    import epilock.cli.app  # noqa: F401, PLC0415 - the one import that all children share
    from epilock.standard import load  # noqa: PLC0415
    from epilock.use.gate import compile_table  # noqa: PLC0415

    compile_table(load())  # the rules, which every child would read and compile anew
    gc.freeze()  # what all share is no child's garbage

    alive: set[int] = set()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if isinstance(asked, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1])
            alive.discard(asked)
        else:
            answer = os.fork()
            if answer == 0:
                _become(asked, output)
            alive.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in alive:  # whoever asked is gone: nobody else would end these
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _mother(sys.argv[1])
