"""Serving: the one place that says how a site is run on a socket."""

import gc

import uvicorn

from epilock.assemble import Parts
from epilock.web.app import create_app


def serve(
    parts: Parts, *, host: str, port: int, behind: str | None = None, insist: bool = True
) -> None:
    """Serve the site of ``parts`` until the process is told to stop; the caller closes them.

    Args:
        parts: The running installation.
        host: Address to listen at.
        port: Port to listen at.
        behind: Address of the web server before it, whose ``X-Forwarded-For`` is believed.
        insist: As for ``create_app``.
    """
    app = create_app(parts, insist=insist)
    # What is made once (rules, tables, code) is never garbage. Searching it again and again would stop
    # every request for up to 0.3 s each time.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, loop="uvloop",
        http="httptools", server_header=False, proxy_headers=behind is not None,
        forwarded_allow_ips=behind,
    )  # fmt: skip
