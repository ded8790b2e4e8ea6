"""Run many commands without starting Python for each: a process that has imported the program forks.

``python forker.py SOCKET`` waits; the small program that ``program`` writes hands over its words, folder,
environment and standard streams, and ends with the command's exit code. A SIGTERM is passed on.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect({path!r})
    told = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(s, [told], [0, 1, 2])
    lines = s.makefile("rb")
    pid = int(lines.readline())
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    sys.exit(int(lines.readline() or 1))
"""


def program(folder: Path, path: Path) -> None:
    """Put a program ``epilock`` into ``folder`` that asks the forker at ``path``."""
    folder.mkdir(parents=True)
    file = folder / "epilock"
    file.write_text(CLIENT.format(python=sys.executable, path=str(path)))
    file.chmod(0o755)


def serve(path: str) -> None:
    import epilock.cli.app  # noqa: F401, PLC0415 - imported once, by the process that forks
    from epilock.cli import main  # noqa: PLC0415 - same

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        while True:
            conn, _ = listening.accept()
            told, streams, _, _ = socket.recv_fds(conn, 1 << 20, 3)
            if os.fork() == 0:
                listening.close()
                run(main, conn, streams, *json.loads(told))
            for each in (conn.detach(), *streams):
                os.close(each)


def run(  # noqa: PLR0917 - what was handed over
    main, conn, streams, words, folder, environment
):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = words
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    conn.sendall(b"%d\n" % os.getpid())
    code = 1
    try:
        main(words[1:])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.stdout.flush()
        conn.sendall(b"%d\n" % code)
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
