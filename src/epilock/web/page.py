"""Pages: templates (Jinja2, everything escaped), strings in the person's language, addresses.

A page is told its language by ``?lang=`` (or a form's ``lang``), else by the browser; there is no cookie
for it. Once asked for, the language stays in each address that a page links to.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from epilock.collect.notice_page import in_tongues
from epilock.standard import Standard
from epilock.standard.model import FORMS
from epilock.web import language, plain
from epilock.web.detail import Details
from epilock.web.language import Language, Languages, Speaker
from epilock.web.security import POLICY_WITH_SCRIPT, size_of, taken_at
from epilock.web.slip import Slips
from epilock.web.squeeze import squeeze

HERE = Path(__file__).parent
STATIC = HERE / "static"
_PHONE = re.compile(r"(\+?[0-9][0-9 -]{5,16}[0-9])")


class Pages:
    """Renders pages; made once (``pages_in``).

    Attributes:
        phrases: Every string.
        languages: Every language, by code.
        static: Address of each static file.
    """

    def __init__(self, languages: Path) -> None:
        self.phrases = language.load()
        self.languages = language.languages(self.phrases, languages)
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True,
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )  # fmt: skip
        self.static = _static_addresses()
        self._jinja.globals["static"] = self.static
        details = Details(self.phrases)
        self._jinja.globals["detail"] = _detail(details)
        self._jinja.globals["said_at"] = _said_at(details)
        self._jinja.globals["form_names"] = FORMS
        self._jinja.globals["plain"] = plain
        self._jinja.globals["taken_at"] = taken_at
        self._jinja.globals["size_of"] = size_of
        self._jinja.globals["languages"] = self.languages
        self._jinja.filters["phones"] = phones
        self._jinja.filters["tongues"] = tongues

    def speaker(self, request: Request, asked: str | None = None) -> Speaker:
        """Return the strings in the language of ``request``; ``asked`` (of a form) goes first."""
        carried = getattr(request.state, "lang", "")  # by the form
        wanted = asked or request.query_params.get("lang") or carried
        chosen = language.choose(wanted, request.headers.get("accept-language"), self.languages)
        return Speaker(self.phrases, chosen)

    def show(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        speaker: Speaker | None = None,
        script: bool = False,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Return the page ``template``; ``script`` lets the site's own script file run in it."""
        t = speaker or self.speaker(request)
        links = Links(request, self.languages, t.code)
        body = self._jinja.get_template(template).render(
            t=t, link=links, switches=links.switches(), path=request.url.path, **context
        )
        answer = HTMLResponse(body, status, dict(headers or {}))
        answer.headers["Content-Language"] = t.tag
        if script:
            answer.headers["Content-Security-Policy"] = POLICY_WITH_SCRIPT
        squeeze(request, answer)
        return answer

    def text(
        self, template: str, content_type: str, *, headers: Mapping[str, str], **context: Any
    ) -> Response:
        """Return a file that is no page, made from ``template``."""
        body = self._jinja.get_template(template).render(**context)
        return Response(body, media_type=content_type, headers=dict(headers))

    def go(self, request: Request, path: str, /, **query: str) -> RedirectResponse:
        """Return a redirect (303) to ``path`` of this site, in the same language."""
        return RedirectResponse(Links(request, self.languages)(path, **query), 303)


@lru_cache(maxsize=2)
def pages_in(languages: Path = language.LANGUAGES) -> Pages:
    """Return the pages in the languages of a folder, made once in a process: a template is compiled once."""
    return Pages(languages)


def _detail(details: Details) -> Callable[[Context, Speaker, str], str | None]:
    """Return what templates call for an error's sentence; a page that has a standard says codes by their names."""

    @jinja2.pass_context
    def say(context: Context, t: Speaker, sentence: str) -> str | None:
        return details.say(t, sentence, _standard(context))

    return say


def _said_at(details: Details) -> Callable[[Context, Speaker, Slips], dict[str, str]]:
    """Return what templates call for what is wrong with a form: by field, each a sentence."""

    @jinja2.pass_context
    def say(context: Context, t: Speaker, slips: Slips) -> dict[str, str]:
        known = _standard(context)
        said = {
            field: details.say(t, str(slip), known) or str(slip) for field, slip in slips.items()
        }
        return {field: words[:1].upper() + words[1:] for field, words in said.items()}

    return say


def _standard(context: Context) -> Standard | None:
    found = context.get("standard")
    return found if isinstance(found, Standard) else None


class Links:
    """Makes addresses of this site; the language that was asked for stays in them."""

    def __init__(self, request: Request, known: Languages, shown: str = "") -> None:
        self._lang = request.query_params.get("lang")
        self._request = request
        self._known = known
        self._shown = shown

    def __call__(self, path: str, /, **query: Any) -> str:
        """Return ``path`` with ``query``, its empty values left out."""
        if self._lang in self._known:
            query.setdefault("lang", self._lang)
        pairs = [(k, str(v)) for k, v in query.items() if v is not None and v != ""]
        return f"{quote(path, safe='/.~:-_+')}{'?' if pairs else ''}{urlencode(pairs)}"

    def switches(self) -> list[tuple[Language, str]]:
        """Return each other language and the address of this page in it; none after a form."""
        if self._request.method != "GET":
            return []
        query = {k: v for k, v in self._request.query_params.items() if k != "lang"}
        return [
            (other, f"{self._request.url.path}?{urlencode({**query, 'lang': code})}")
            for code, other in self._known.items()
            if code != self._shown
        ]


def _static_addresses() -> Mapping[str, str]:
    """Return the address of each static file, its content's hash in it, so that it may be cached."""
    return {
        path.name: f"/static/{path.name}?v={sha256(path.read_bytes()).hexdigest()[:10]}"
        for path in sorted(STATIC.iterdir())
    }


@jinja2.pass_context
def tongues(context: jinja2.runtime.Context, text: str) -> Markup:
    """Return ``text``, escaped, with what is Chinese in it marked where the page is not."""
    return trusted(in_tongues(text, context["t"].language))


@jinja2.pass_context
def phones(context: jinja2.runtime.Context, text: str) -> Markup:
    """Return ``text`` as ``tongues``, with each telephone number in it as a link that calls it."""
    return Markup("").join(
        Markup('<a href="tel:{}">{}</a>').format(re.sub("[^+0-9]", "", piece), piece)
        if _PHONE.fullmatch(piece)
        else tongues(context, piece)
        for piece in _PHONE.split(text)
    )


def trusted(html: str) -> Markup:
    """Return ``html`` that a room below has escaped itself (a notice, a QR code)."""
    return Markup(html)  # noqa: S704 - the caller's maker escapes: ``notice_page.html``, ``qr.svg``
