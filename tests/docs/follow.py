"""Follow a page literally: write the files it shows, type its commands in one shell, compare what it prints.

``<!-- file: NAME -->`` stands before a block that is a file. In a block ``console`` a line that begins with
``$ `` is typed; the lines after it are what is printed, where ``…`` stands for any text of one line, and
``…`` alone for any lines. Blocks of other kinds are not run.
"""

import os
import re
import socket
import subprocess
from pathlib import Path

from forker import program

DOCS = Path(__file__).parents[2] / "docs"
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


def follow(page, folder, forker, env=()):
    """Run the page in ``folder``; raise if a command fails or prints something else than the page says.

    Args:
        page: Path below ``docs``.
        folder: An empty folder.
        forker: Socket of the forker.
        env: More environment variables.
    """
    text = (DOCS / page).read_text("utf-8")
    port = _free_port()
    text = re.sub(r"\b8700\b", str(port), text)
    for name, content in FILE.findall(text):
        (folder / name).write_text(content, encoding="utf-8")
    todo = steps(text)
    assert todo, f"{page} has no commands"
    script = "\n".join(f"echo {MARK}\n{command}" for command, _ in todo)
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=folder, capture_output=True, text=True,
        encoding="utf-8", check=False, env=_environment(folder, forker, dict(env)), timeout=240,
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


def _environment(folder, forker, more):
    program(folder / ".tools", forker)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EPILOCK_")}
    return kept | {"PATH": f"{folder}/.tools:{os.environ['PATH']}", "TZ": "UTC", **more}


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
