"""The reference page of the addresses, made from the site's routes so that it is never wrong.

``python -m epilock.web.reference > docs/reference/http-api.md`` writes it anew.
"""

from starlette.routing import Route

from epilock.web import app, submit
from epilock.web.console.rooms import ROUTERS

HEAD = """# Addresses

Made from the program by `python -m epilock.web.reference`; a test compares.

An installation serves its own description of the API: `/api` for people, `/api/openapi.json` (OpenAPI 3.1) for programs, with the shape of every body, and with links: which call comes next with what an answer says.
Errors are problem details (RFC 9457): see [errors](errors.md).
A receipt's code comes in a body and never in an address, because addresses are written into logs.
Bodies are JSON in UTF-8 and of limited size; a field that is not asked is refused.
"""
GROUPS = (
    ("/api", "Programs"),
    ("/log", "The public log"),
    ("/console", "The console, for staff who signed in"),
    ("/health", "The machine"),
    ("/ready", "The machine"),
    ("/metrics", "The machine"),
    ("/check", "Check before you collect, for everybody"),
    ("/", "The front page, and residents' pages"),
)


def page() -> str:
    """Return the page."""
    rows = sorted(_rows())
    text = [HEAD]
    for start, title in GROUPS:
        mine = [row for row in rows if _group(row[0]) == start]
        text += [f"## {title}", "", "| address | method | |", "|---|---|---|"]
        text += [f"| `{path}` | {method} | {said} |" for path, method, said in mine]
        text.append("")
    return "\n".join(text)


def _group(path: str) -> str:
    return next(start for start, _ in GROUPS if path.startswith(start))


def _rows() -> list[tuple[str, str, str]]:
    found = [(submit.PATH, "POST", "Submit a filled form; answered when it is durable.")]
    for router in (*(module.router for module in app.MODULES), *ROUTERS):
        for route in router.routes:
            assert isinstance(route, Route)  # noqa: S101 - a site mounts nothing else
            said = (route.endpoint.__doc__ or "").strip().partition("\n")[0].replace("``", "`")
            found += [(route.path, m, said) for m in (route.methods or set()) - {"HEAD"}]
    return found


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is what this program is for
