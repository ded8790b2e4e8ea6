"""The first page of a point: what goes over the wire to a telephone that was never there before."""

import re
import socket
from contextlib import ExitStack

from bench import row, submission
from bench.row import Row
from bench.server import folder

LINKED = re.compile(rb'<(?:link|script|img)\b[^>]*?\b(?:href|src)="(/[^"]+)"')
ASKED = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: {}\r\nConnection: close\r\n\r\n"


def measure() -> list[Row]:
    """Return the rows: the page with all it links to, heads included, as is and compressed."""
    with folder() as home, ExitStack() as stack:
        ours = submission.ours(stack, home / "sqlite")
        port, path = ours.server.port, f"/c/garden/{ours.form.point.point}"
        page = _get(port, path)
        files = [_get(port, found.decode()) for found in dict.fromkeys(LINKED.findall(page))]
        total = sum(map(len, (page, *files))) / 1000
        return [
            row.below(
                f"first page of a point with its {len(files)} linked file(s), KB", total, 30, 1
            ),
            Row("scripts on it", str(page.count(b"<script")), "none", b"<script" not in page),
        ]


def _get(port: int, path: str) -> bytes:
    """Return the whole answer to a GET, head and body."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(ASKED.format(path, "identity").encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{path}: {answer[:100]!r}")
    return answer
