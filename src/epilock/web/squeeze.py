"""Compression of what everybody may see: a notice must come quickly over a poor line.

Always true: a page that holds a session's token, or that answers a form, is never compressed, so its
length tells nothing about a secret beside something that a visitor chose (BREACH, 2013).
"""

import gzip

from starlette.requests import Request
from starlette.responses import Response

SMALLEST = 1_000  # bytes; less fits into one packet anyway
_LEVEL = 6


def squeeze(request: Request, answer: Response) -> Response:
    """Return ``answer``, its body compressed if the browser takes that and anyone may see the page."""
    answer.headers["Vary"] = "Accept-Encoding"
    taken = "gzip" in request.headers.get("accept-encoding", "")
    if taken and request.method == "GET" and not request.cookies and len(answer.body) >= SMALLEST:
        answer.body = gzip.compress(answer.body, _LEVEL, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer
