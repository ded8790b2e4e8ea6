"""Two PostgreSQL servers of which one follows the other without losing anything, and can take its place."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """Return where PostgreSQL's programs lie."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Node:
    """One server.

    Args:
        folder: Where its data lies; its user's own.
        port: Where it listens.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._server: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it; it answers when this returns."""
        with (self.folder.parent / f"log-{self.port}").open("ab") as log:
            self._server = subprocess.Popen(
                [*_prefix(), str(binaries() / "postgres"), "-D", str(self.folder), "-p", str(self.port),
                 "-k", str(self.folder.parent), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        for _ in range(400):
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("PostgreSQL did not start")

    def address(self, database: str) -> str:
        """Return the address of a database of it."""
        return f"postgresql://epilock@127.0.0.1:{self.port}/{database}"

    def stop(self, mode: str) -> None:
        """Stop it: ``fast``, or ``immediate`` as if the machine had died."""
        run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")
        self._server.wait(timeout=30)

    def execute(self, database: str, text: str) -> list:
        """Execute a statement outside of a transaction."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            done = connection.execute(text)
            return done.fetchall() if done.description else []


class Cluster:
    """A primary whose commits wait for the standby, so that a failover loses nothing.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if os.geteuid() == 0:  # PostgreSQL refuses root
            shutil.chown(folder, "postgres")
        first, second = free_port(), free_port()
        self.primary, self.standby = Node(folder / "one", first), Node(folder / "two", second)
        run(
            "initdb",
            "-D",
            str(self.primary.folder),
            "-A",
            "trust",
            "-U",
            "epilock",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        self.primary.start()
        for name in ("main", "keys"):
            self.primary.execute("postgres", f"CREATE DATABASE {name}")
        run("pg_basebackup", "-D", str(self.standby.folder), "-h", "127.0.0.1", "-p", str(first), "-U", "epilock", "-R",
            "-c", "fast", "--no-sync")  # fmt: skip
        self.standby.start()
        self.primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.execute("postgres", "SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """Return the address that finds whichever of the two takes writes."""
        hosts = f"host=127.0.0.1:{self.primary.port}&host=127.0.0.1:{self.standby.port}"
        return f"postgresql+psycopg://epilock@/{database}?{hosts}&target_session_attrs=read-write&connect_timeout=3"

    def restart(self) -> None:
        """Restart the primary."""
        self.primary.stop("fast")
        self.primary.start()

    def fail_over(self) -> None:
        """Let the primary die, and the standby take its place."""
        self.primary.stop("immediate")
        self.standby.execute("postgres", "SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def close(self) -> None:
        """Stop whatever still runs."""
        for node in (self.primary, self.standby):
            if (node.folder / "postmaster.pid").exists():
                node.stop("immediate")


def run(program: str, *words: str) -> None:
    """Run one of PostgreSQL's programs to its end."""
    command = [*_prefix(), str(binaries() / program), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _prefix() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
