"""Someone who visits the site in process: requests over ASGI, cookies kept, redirects on request."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx


class Visitor:
    """A browser without a screen; ``get`` and ``post`` as in ``httpx``.

    Args:
        app: The site.
        language: What its browser prefers.
    """

    def __init__(self, app: Any, *, language: str = "en") -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://epilock.example",
            headers={"Accept-Language": language},
        )

    def get(self, path: str, **more: Any) -> httpx.Response:
        return _run(self._client.get(path, **more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return _run(self._client.post(path, **more))

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return _run(self._client.request(method, path, **more))

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies


def _run(request: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """Run a request in a thread of its own: beside a browser, this one has a loop that runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, request).result()
