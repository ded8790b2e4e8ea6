"""What a supervisor such as systemd hands over and hears: a socket that listens, and how the service is.

The supervisor keeps the socket while the service is restarted, so that who comes meanwhile waits in it and
nobody is refused (sd_listen_fds(3), sd_notify(3)).
"""

import os
import signal
import socket
from collections.abc import Mapping

from epilock.errors import InputError

FIRST = 3  # the first file descriptor that is handed over


def inherited(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the socket that was handed over, or None if there was none.

    Raises:
        InputError: More than one was, or what was handed over does not listen.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if environ.get("LISTEN_FDS") != "1":
        raise InputError("the supervisor must hand over exactly one socket (LISTEN_FDS=1)")
    try:
        found = socket.socket(fileno=FIRST)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listens = 0
    if not listens:
        raise InputError(f"file descriptor {FIRST} is no socket that listens (LISTEN_FDS)")
    return found


def end_in_peace() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that what was begun is closed on the way out."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: object) -> None:
    del number, frame
    raise SystemExit(0)


def notify(environ: Mapping[str, str], state: str) -> None:
    """Tell the supervisor ``state``, such as ``READY=1``; without one nothing happens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.send(state.encode())
