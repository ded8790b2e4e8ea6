"""The site on a port of this machine, and a real browser before it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Locator, Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"]
REQUIRED = "input[type=checkbox][required]"


def every(page: Page, selector: str) -> list[Locator]:
    """Return each element of ``selector``, once the page has one and is read to its end."""
    page.locator(selector).first.wait_for()
    page.wait_for_load_state()
    return page.locator(selector).all()


def tick(page: Page) -> None:
    """Tick each box that has to be ticked."""
    for box in every(page, REQUIRED):
        box.check()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def serving(app: Any, port: int) -> Iterator[str]:
    """Serve ``app`` on ``port`` from a thread; yield its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
