"""Another department's witness as a process of its own, at an address that stays the same, however often it dies."""

import http.client
from pathlib import Path

from program import Program, free_port, wait_for

from epilock.ledger.witness.memory import origin_hash


class Office:
    """One witness.

    Args:
        program: Starts it.
        folder: Its memory and its keys.
        vkey: Key of the log that it watches.
    """

    def __init__(self, program: Program, folder: Path, vkey: str) -> None:
        self._program, self._folder, self._port = program, folder, free_port()
        self._path = f"/{origin_hash(vkey.partition('+')[0])}/checkpoint"
        self._pid: int | None = None
        name, url = f"witness.example/{folder.name}", f"http://127.0.0.1:{self._port}"
        program.run("witness", "init", folder, "--name", name, "--url", url)
        program.run("witness", "add-log", folder, vkey)

    def lines(self) -> str:
        """Return its lines for a policy."""
        return (self._folder / "lines.policy").read_text()

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self._pid = self._program.start("witness", "serve", self._folder, "--port", self._port)
        wait_for(self._port)

    def kill(self) -> int:
        """Kill it; return its exit code."""
        return self._program.kill(self._pid)

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that it shows, a note; None if it has cosigned nothing yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.request("GET", self._path)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return said if answer.status == http.HTTPStatus.OK else None

    def remembered(self) -> str:
        """Run its own list of what it cosigned, which ends badly if a log ever misbehaved."""
        return self._program.run("witness", "list", self._folder)
