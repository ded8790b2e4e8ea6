"""A point's pages for residents: notice, authorisation, fields, receipt; no cookie, and no need of scripts.

One address for each point, ``/c/<organisation>/<point>``: a visit shows the notice, everything after it
is sent to the same address.

Rules kept in this file:
  1. Sending the last step again, by reload or by impatience, gives the same receipt, for the form's client
     id is in its ticket: an answer that was lost on the way is asked for once more.
  2. But only for ``AGAIN``, and no other step of a form that was stored is shown again: a browser keeps
     what was sent beside its "back" button, and the next person at a shared computer may press that.
  3. A page that may hold what someone typed is kept by no browser; the notice and the boxes to tick may
     be, so that "back" leads there as on any other site.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import issue
from epilock.collect.form import Form
from epilock.collect.issue import Issued
from epilock.collect.notice import FieldNotice, fingerprint
from epilock.collect.notice_flow import kept_sentence, reached
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
from epilock.web import holding as holdings
from epilock.web import plain, takeaway
from epilock.web import ticket as tickets
from epilock.web import walk as walks
from epilock.web.language import Speaker
from epilock.web.page import trusted
from epilock.web.request import FormOf, Site, SiteOf, word
from epilock.web.ticket import Ticket
from epilock.web.walk import Asked, Walk

router = APIRouter(include_in_schema=False)
SECONDS_TO_STORE = 30
AGAIN = timedelta(minutes=30)  # of a bad connection; rule 2
KEPT_BY_BROWSER = {"Cache-Control": "private, no-cache"}  # rule 3


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
            "mark": self.mark, "short": walks.is_short(self.form), **more,
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
    """Show the notice; while it waits to be issued anew, say so before anybody begins."""
    visit = _visit(site, request, org, point, request.query_params.get("lang"))
    with site.parts.database.read(org=org) as tx:
        issue.check_level(tx, visit.point, visit.issued.notice.level, now=site.now())
    return _notice(visit, Walk())


@router.post("/c/{org}/{point}")
def post_step(org: str, point: str, site: SiteOf, request: Request, form: FormOf) -> Response:
    """Take one step of the walk and show the next page."""
    visit = _visit(site, request, org, point, word(form, "lang_to") or word(form, "lang"))
    walk = Walk.read(form)
    try:
        ticket = tickets.read(walk.ticket, site.parts.session_secret, visit.point.point)
        with site.parts.database.read() as tx:
            stored = holdings.stored_at(tx, site, org, point, ticket.client)
        if stored is not None and (walk.step != walks.SEND or site.now() > stored + AGAIN):
            return _spent(visit)
        ticket.check_open(site.now())
        if ticket.notice == visit.issued.sha256:
            return _step(visit, walk, ticket, stored=stored is not None)
    except StaleNoticeError:
        pass  # the ticket ran out, or the notice changed while the form was on its way
    # What the notice of now no longer asks is left behind, for the person couldn't take it out themselves.
    typed = {name: value for name, value in walk.typed.items() if name in visit.form.by_id}
    return _notice(visit, Walk(typed=typed), stale=True)


@router.get("/left")
def get_left(site: SiteOf, request: Request) -> Response:
    """Say goodbye: nothing of what was done is on this page, and the browser is told to keep no copy."""
    return site.pages.show(request, "resident/left.html", headers={"Clear-Site-Data": '"cache"'})


def _visit(site: Site, request: Request, org: str, point: str, language: str | None) -> _Visit:
    with site.parts.database.read(org=org) as tx:
        found, issued = issue.in_force(tx, org, point)
    if found.closed is not None:
        raise ClosedError(f"{point} is closed: it takes nothing more")
    t = site.pages.speaker(request, language)
    if t.language not in found.languages:
        t = Speaker(site.pages.phrases, site.pages.languages[found.languages[0]])
    form = issue.form_of(site.parts.standard, found, issued)
    return _Visit(site=site, request=request, t=t, point=found, issued=issued, form=form)


def _step(visit: _Visit, walk: Walk, ticket: Ticket, *, stored: bool) -> Response:
    if walk.step == walks.NOTICE:
        return _notice(visit, walk)
    if walk.step == walks.REFUSE:
        visit.site.parts.tally.count(visit.key, "refused")
        return visit.show("resident/refused.html", Walk())
    if walk.step == walks.AUTHORISE:
        return _authorise(visit, walk)
    if walk.step == walks.SEND:
        return _send(visit, walk, ticket, stored=stored)
    missing = walks.missing(visit.site.parts.standard, visit.form, walk.given)
    return _authorise(visit, walk, missing) if missing else _fields(visit, walk)


def _send(visit: _Visit, walk: Walk, ticket: Ticket, *, stored: bool) -> Response:
    parts, today, language = visit.site.parts, visit.site.today(), visit.t.language
    problems: tuple[FieldProblem, ...] = ()
    missing = walks.missing(parts.standard, visit.form, walk.given)
    try:
        if not missing:
            accepted = walks.accept(visit.form, walk, ticket, language, today=today)
            return _receipt(visit, parts.writer.submit(accepted).result(timeout=SECONDS_TO_STORE))
    except ConflictError:
        return _spent(visit)
    except FieldsError as error:
        problems = error.problems
    except ConsentError as error:
        missing = list(error.missing)
    if stored:
        return _spent(visit)
    if not missing:
        return _fields(visit, walk, problems)
    problems = walks.problems(visit.form, walk, ticket, language, today=today)
    return _authorise(visit, walk, missing, problems)


def _spent(visit: _Visit) -> Response:
    return visit.show("resident/sent.html", Walk(), status=409)


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
        "resident/notice.html", carried, status=409 if stale else 200, stale=stale, script=bool(carried.typed),
        pasted=bool(given_mark) and given_mark.replace(" ", "") != visit.mark.replace(" ", ""),
        summary=_summary(visit), full=trusted(html(notice, visit.t.language)),
        labels=notice.fields,
    )  # fmt: skip


def _summary(visit: _Visit) -> dict[str, str]:
    """Return the notice in four lines: who, what for, how long, who sees it."""
    standard, notice, t = visit.site.parts.standard, visit.issued.notice, visit.t
    circumstance = standard.circumstances[notice.circumstance]
    kept = max(notice.kept, key=lambda k: (k.days is None, k.days or 0), default=None)
    asked = [field.category for field in notice.fields]
    seen = [standard.ranges[code].name for code in reached(standard, notice.circumstance, asked)]
    seen += [party.name for party in notice.third_parties]
    purposes = [a.id.partition(":")[2] for a in notice.acts if a.kind == "purpose"]
    return {
        "who": f"{t.say(notice.organisation)} · {notice.contact.telephone}",
        "why": t("resident.why", place=t.say(circumstance.everyday),
                 uses=t.listed([t.say(plain.purpose(standard, p)) for p in purposes])),
        "long": t.sentence(kept_sentence(standard, kept)) if kept else t("resident.nothing"),
        "seen": t.listed([t.say(name) for name in seen]),
    }  # fmt: skip


def _authorise(
    visit: _Visit, walk: Walk, missing: Sequence[str] = (), problems: Sequence[FieldProblem] = ()
) -> Response:
    """Show the boxes to tick; of a short form its field too, so that it is one page and one tap less."""
    said: dict[str, list[str]] = {}
    for one in visit.issued.notice.fields:
        reasons = said.setdefault(visit.form.acts.by_category.get(one.category, ""), [])
        reason = _reason(visit.t, one)
        if reason not in reasons:  # many fields of one category have one reason
            reasons.append(reason)
    acts = visit.issued.notice.acts
    for act in acts:
        if act.kind == "purpose":
            words = plain.purpose(visit.site.parts.standard, act.id.partition(":")[2])
            said[act.id] = [visit.t.sentence(words)]
    wrong = [
        (f"act-{place}", visit.t(walks.not_ticked(visit.form, act.id), what=visit.t.say(act.text)))
        for place, act in enumerate(acts)
        if act.id in missing
    ]
    asked, errors = [], {}
    short = walks.is_short(visit.form)
    if short:
        asked, errors = _asked(visit, visit.form.acts.ids), _said(visit, problems)
        wrong += walks.summary(visit.t, asked, errors)
    return visit.show(
        "resident/authorise.html", walk, status=422 if wrong else 200, script=short or bool(walk.typed), wrong=wrong,
        missing=list(missing), groups=walks.grouped(acts), said=said, asked=asked, problems=errors,
        headers={} if asked or walk.typed or wrong else KEPT_BY_BROWSER,
    )  # fmt: skip


def _reason(t: Speaker, one: FieldNotice) -> str:
    """Return why a field is asked; of a sensitive one also what it could do, and why it must be, if it must."""
    needed = [one.necessity] if one.sensitive and not one.optional else []
    sentences = [one.why, *needed, *([one.effect] if one.sensitive else [])]
    return t.joined([t.sentence(s) for s in sentences])


def _fields(visit: _Visit, walk: Walk, problems: Sequence[FieldProblem] = ()) -> Response:
    if walks.is_short(visit.form):
        return _authorise(visit, walk, problems=problems)
    asked = _asked(visit, walk.given)
    shown, errors = {one.field.id for one in asked}, _said(visit, problems)
    return visit.show(
        "resident/fields.html", walk, status=422 if problems else 200, script=True, asked=asked,
        aside={name: value for name, value in walk.typed.items() if name not in shown},
        problems=errors, wrong=walks.summary(visit.t, asked, errors),
    )  # fmt: skip


def _asked(visit: _Visit, given: Sequence[str]) -> list[Asked]:
    return walks.asked(visit.site.parts.standard, visit.issued.notice, visit.form, given)


def _said(visit: _Visit, problems: Sequence[FieldProblem]) -> dict[str, str]:
    """Return what is wrong with each field, in the language of the page."""
    return {p.field: visit.t.say(Text(p.zh, p.en)) for p in problems}


def _receipt(visit: _Visit, stored: Stored) -> Response:
    with visit.site.parts.database.read() as tx:
        held = holdings.find(tx, visit.site, stored.code)
    return visit.show(
        "resident/receipt.html", Walk(), script=True, stored=stored, held=held,
        picture=takeaway.picture_in_page(visit.site, visit.t, held),
    )  # fmt: skip
