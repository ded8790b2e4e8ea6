"""Serving: the one place that says how a site is run on a socket."""

import gc
import socket

from epilock.assemble import Parts
from epilock.web import connection
from epilock.web.app import create_app
from epilock.web.hall import Hall


def serve(
    parts: Parts,
    *,
    host: str,
    port: int,
    behind: str | None = None,
    insist: bool = True,
    inherited: socket.socket | None = None,
) -> None:
    """Serve the site of ``parts`` until the process is told to stop; the caller closes them.

    Args:
        parts: The running installation.
        host: Address to listen at.
        port: Port to listen at.
        behind: Address of the web server before it, whose ``X-Forwarded-For`` is believed.
        insist: As for ``create_app``.
        inherited: A socket that listens already, instead of ``host`` and ``port``.
    """
    hall = Hall()
    app = create_app(parts, insist=insist, hall=hall)
    # What is made once (rules, tables, code) is never garbage. Searching it again and again would stop
    # every request for up to 0.3 s each time.
    gc.collect()
    gc.freeze()
    connection.run(app, hall, host, port, behind, inherited)
