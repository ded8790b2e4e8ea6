"""Follow a page literally: write the files it shows, type its commands in one shell, compare what it prints.

``<!-- file: NAME -->`` stands before a block that is a file. In a block ``console`` a line that begins with
``$ `` is typed; the lines after it are what is printed, where ``…`` stands for any text of one line, and
``…`` alone for any lines. Blocks of other kinds are not run.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = Path(__file__).parents[2] / "src"
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
MARK = "@@step@@"


def steps(text):
    """Return (command, expected output) of every ``console`` block, in order."""
    found = []
    for block in CONSOLE.findall(text):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                found.append([line[2:].rstrip("\n"), ""])
            else:
                found[-1][1] += line
    return found


def follow(page, folder, before="", env=()):
    """Run the page in ``folder``; raise if a command fails or prints something else than the page says.

    Args:
        page: Path below ``docs``.
        folder: An empty folder.
        before: Commands that set the stage, not on the page.
        env: More environment variables.
    """
    text = (DOCS / page).read_text("utf-8")
    port = _free_port()
    text = re.sub(r"\b8700\b", str(port), text)
    for name, content in FILE.findall(text):
        (folder / name).write_text(content, encoding="utf-8")
    todo = steps(text)
    assert todo, f"{page} has no commands"
    script = "\n".join([before, *(f"echo {MARK}\n{command}" for command, _ in todo)])
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=folder, capture_output=True, text=True,
        encoding="utf-8", check=False, env=_environment(folder, dict(env)), timeout=240,
    )  # fmt: skip
    printed = done.stdout.split(f"{MARK}\n")[1:]
    last = todo[len(printed) - 1][0] if printed else "the stage"
    assert done.returncode == 0, f"{last}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    for (command, expected), output in zip(todo, printed, strict=True):
        assert re.fullmatch(_pattern(expected), output), f"$ {command}\n{output}"


def _pattern(expected):
    lines = [
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in expected.splitlines()
    ]
    return "".join(lines)


def program(folder):
    """Put a program ``epilock`` into ``folder`` that runs these sources."""
    folder.mkdir(parents=True)
    file = folder / "epilock"
    python = shlex.quote(sys.executable)
    file.write_text(f"#!/bin/sh\nexec {python} -c 'from epilock.cli import main; main()' \"$@\"\n")
    file.chmod(0o755)


def _environment(folder, more):
    program(folder / ".tools")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EPILOCK_")}
    return kept | {
        "PATH": f"{folder}/.tools:{os.environ['PATH']}", "PYTHONPATH": str(SOURCES),
        "PYTHONUTF8": "1", "TZ": "UTC", **more,
    }  # fmt: skip


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
