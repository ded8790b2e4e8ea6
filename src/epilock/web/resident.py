"""A point's pages for residents: notice, authorisation, fields, receipt; no cookie, no script.

One address for each point, ``/c/<organisation>/<point>``: a visit shows the notice, everything after it
is sent to the same address. Sending the last step again, by reload or by impatience, gives the same
receipt, for the form's client id is in its ticket.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import issue, qr
from epilock.collect.form import Form
from epilock.collect.issue import Issued
from epilock.collect.notice import FieldNotice, fingerprint
from epilock.collect.notice_flow import kept_sentence
from epilock.collect.notice_page import html
from epilock.collect.point import Point
from epilock.collect.record import Stored
from epilock.errors import (
    ClosedError,
    ConflictError,
    ConsentError,
    FieldProblem,
    FieldsError,
    StaleNoticeError,
)
from epilock.standard.text import Text
from epilock.web import ticket as tickets
from epilock.web import walk as walks
from epilock.web.language import Speaker
from epilock.web.page import trusted
from epilock.web.request import FormOf, Site, SiteOf, word
from epilock.web.ticket import Ticket
from epilock.web.walk import Walk

router = APIRouter(include_in_schema=False)
SECONDS_TO_STORE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One request to a point's address, with what every page of it needs."""

    site: Site
    request: Request
    t: Speaker
    point: Point
    issued: Issued
    form: Form

    def show(self, template: str, walk: Walk, *, status: int = 200, **more: Any) -> Response:
        """Return a page of this point, which carries ``walk`` on."""
        notice = self.issued.notice
        context: dict[str, Any] = {
            "point": self.point, "notice": notice, "issued": self.issued, "walk": walk,
            "mark": self.mark, "errors": [], **more,
        }  # fmt: skip
        return self.site.pages.show(
            self.request, template, status=status, speaker=self.t, **context
        )

    @property
    def mark(self) -> str:
        """The fingerprint of the notice key, to compare with the poster."""
        return fingerprint(self.site.parts.notice_signer(self.point.org).verifier.public)

    @property
    def key(self) -> tuple[str, str, str]:
        """How the tally names the notice that is shown."""
        return self.point.org, self.point.point, self.issued.sha256


@router.get("/p/{point}")
def get_short(point: str, site: SiteOf, request: Request) -> Response:
    """Lead the short address that a poster's code holds to the point's page."""
    org = point.partition(".")[0]
    return site.pages.go(request, f"/c/{org}/{point}", k=request.query_params.get("k", ""))


@router.get("/c/{org}/{point}")
def get_notice(org: str, point: str, site: SiteOf, request: Request) -> Response:
    """Show the notice."""
    visit = _visit(site, request, org, point, request.query_params.get("lang"))
    return _notice(visit, Walk())


@router.post("/c/{org}/{point}")
def post_step(org: str, point: str, site: SiteOf, request: Request, form: FormOf) -> Response:
    """Take one step of the walk and show the next page."""
    visit = _visit(site, request, org, point, word(form, "lang_to") or word(form, "lang"))
    walk = Walk.read(form)
    try:
        secret = site.parts.session_secret
        ticket = tickets.read(walk.ticket, secret, visit.point.point, now=site.now())
        if ticket.notice == visit.issued.sha256:
            return _step(visit, walk, ticket)
    except StaleNoticeError:
        pass  # the ticket ran out, or the notice changed while the form was on its way
    # What the notice of now no longer asks is left behind, for the person couldn't take it out themselves.
    typed = {name: value for name, value in walk.typed.items() if name in visit.form.by_id}
    return _notice(visit, Walk(typed=typed), stale=True)


def _visit(site: Site, request: Request, org: str, point: str, language: str | None) -> _Visit:
    with site.parts.database.read() as tx:
        found, issued = issue.in_force(tx, org, point)
    if found.closed is not None:
        raise ClosedError(f"{point} is closed: it takes nothing more")
    t = site.pages.speaker(request, language)
    if t.language not in found.languages:
        t = Speaker(site.pages.phrases, site.pages.languages[found.languages[0]])
    form = issue.form_of(site.parts.standard, found, issued)
    return _Visit(site=site, request=request, t=t, point=found, issued=issued, form=form)


def _step(visit: _Visit, walk: Walk, ticket: Ticket) -> Response:
    if walk.step == walks.NOTICE:
        return _notice(visit, walk)
    if walk.step == walks.REFUSE:
        visit.site.parts.tally.count(visit.key, "refused")
        return visit.show("resident/refused.html", Walk())
    if walk.step == walks.AUTHORISE:
        return _authorise(visit, walk)
    missing = walks.missing(visit.site.parts.standard, visit.form, walk.given)
    if missing:
        return _authorise(visit, walk, missing)
    return _fields(visit, walk) if walk.step == walks.FIELDS else _send(visit, walk, ticket)


def _send(visit: _Visit, walk: Walk, ticket: Ticket) -> Response:
    parts = visit.site.parts
    try:
        accepted = walks.accept(
            visit.form, walk, ticket, visit.t.language, today=visit.site.today()
        )
        stored = parts.writer.submit(accepted).result(timeout=SECONDS_TO_STORE)
    except FieldsError as error:
        return _fields(visit, walk, error.problems)
    except ConsentError as error:
        return _authorise(visit, walk, error.missing)
    except ConflictError:
        return visit.show("resident/sent.html", Walk(), status=409)
    return _receipt(visit, stored)


def _notice(visit: _Visit, walk: Walk, *, stale: bool = False) -> Response:
    parts, notice = visit.site.parts, visit.issued.notice
    begun = walk.ticket
    if not begun:
        parts.tally.count(visit.key, "shown")
        new = tickets.new(visit.issued.sha256, now=visit.site.now())
        begun = tickets.write(new, parts.session_secret, visit.point.point)
    carried = Walk(ticket=begun, given=walk.given, typed=walk.typed)
    given_mark = visit.request.query_params.get("k", "")
    return visit.show(
        "resident/notice.html", carried, status=409 if stale else 200, stale=stale,
        pasted=bool(given_mark) and given_mark.replace(" ", "") != visit.mark.replace(" ", ""),
        summary=_summary(visit), full=trusted(html(notice, visit.t.language)),
        labels=notice.fields,
    )  # fmt: skip


def _summary(visit: _Visit) -> dict[str, str]:
    """Return the notice in four lines: who, what for, how long, who sees it."""
    standard, notice, t = visit.site.parts.standard, visit.issued.notice, visit.t
    circumstance = standard.circumstances[notice.circumstance]
    kept = max(notice.kept, key=lambda k: (k.days is None, k.days or 0), default=None)
    seen = [standard.ranges[code].name for code in circumstance.ranges]
    seen += [party.name for party in notice.third_parties]
    purposes = [a.id.partition(":")[2] for a in notice.acts if a.kind == "purpose"]
    return {
        "who": f"{t.say(notice.organisation)} · {notice.contact.telephone}",
        "why": t("resident.why", place=t.say(circumstance.name),
                 uses=t.listed([t.say(standard.purposes[p].name) for p in purposes])),
        "long": t.sentence(kept_sentence(standard, kept)) if kept else t("resident.nothing"),
        "seen": t.listed([t.say(name) for name in seen]),
    }  # fmt: skip


def _authorise(visit: _Visit, walk: Walk, missing: Any = ()) -> Response:
    said: dict[str, list[str]] = {}
    for one in visit.issued.notice.fields:
        reasons = said.setdefault(visit.form.acts.by_category.get(one.category, ""), [])
        reason = _reason(visit.t, one)
        if reason not in reasons:  # many fields of one category have one reason
            reasons.append(reason)
    return visit.show(
        "resident/authorise.html", walk, status=422 if missing else 200, missing=list(missing),
        groups=walks.grouped(visit.issued.notice.acts), said=said,
    )  # fmt: skip


def _reason(t: Speaker, one: FieldNotice) -> str:
    """Return why a field is asked; of a sensitive one also why it must be, and what it could do."""
    sentences = [one.why, one.necessity, one.effect] if one.sensitive else [one.why]
    return t.joined([t.sentence(s) for s in sentences])


def _fields(visit: _Visit, walk: Walk, problems: tuple[FieldProblem, ...] = ()) -> Response:
    standard = visit.site.parts.standard
    asked = walks.asked(standard, visit.issued.notice, visit.form, walk.given)
    shown = {one.field.id for one in asked}
    return visit.show(
        "resident/fields.html", walk, status=422 if problems else 200, asked=asked,
        aside={name: value for name, value in walk.typed.items() if name not in shown},
        problems={p.field: visit.t.say(Text(p.zh, p.en)) for p in problems},
    )  # fmt: skip


def _receipt(visit: _Visit, stored: Stored) -> Response:
    address = qr.receipt_url(visit.site.parts.settings.url, stored.code)
    title = visit.t("receipt.qr")
    return visit.show(
        "resident/receipt.html", Walk(), stored=stored, code=stored.code,
        code_image=trusted(qr.svg(address, title=title)),
    )  # fmt: skip
