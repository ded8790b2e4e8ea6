"""Check before you collect: anybody's form, judged before it goes out. No account, and nothing is kept.

What may be asked in a circumstance is shown at once; of a form that was pasted or uploaded, each field
is judged. A form that asks only what may be asked can be taken away, or opened as a point.
(The page on which a receipt is checked is another: ``check``.)

Rules kept in this file:
  1. Nothing of a form is stored or logged, and no error names its file or repeats what it holds.
  2. A form is small (``security.FILES``) and is judged in a second or two, or not at all.
  3. Addresses hold codes of the standard only; what was pasted comes in a body.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import template as templates
from epilock.collect.design import DesignField, read_design, read_pasted
from epilock.errors import EpilockError, InputError, TooLargeError
from epilock.standard import Standard
from epilock.standard.judge import ALLOWED, judge
from epilock.standard.level import ENDED
from epilock.standard.model import Circumstance
from epilock.web import askable, pace
from epilock.web.askable import Line, Never, Row
from epilock.web.in_force import Running, running
from epilock.web.log import download
from epilock.web.problem import of as problem_of
from epilock.web.request import FormOf, Site, SiteOf, address_of, file_in, word
from epilock.web.slip import Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/check")
MOST, WINDOW = 30, timedelta(minutes=10)  # forms that one network address has judged
MOST_FIELDS, MOST_LETTERS = 500, 40_000  # of one form: a second of work at worst
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "toml": "application/toml; charset=utf-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the page answers.

    Attributes:
        where: The circumstance.
        level: The level it was asked for.
        lines: What is said to each field of the form; empty if none was given.
        rows: What may be asked, now and later; chosen is what the form asks of it.
        never: What is asked at no level.
    """

    where: Circumstance
    level: str
    lines: list[Line]
    rows: list[Row]
    never: list[Never]

    def count(self, *said: str) -> int:
        """Return to how many fields one of ``said`` is said."""
        return sum(line.said in said for line in self.lines)


@router.get("")
def get_form(site: SiteOf, request: Request, circumstance: str = "", level: str = "") -> Response:
    """Ask what is to be collected; if the address says it, show what may be asked."""
    if not circumstance:
        return _show(site, request)
    return _show(site, request, answer=_answer(site, circumstance, level, ()))


@router.post("")
def post_form(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Judge a form, pasted or uploaded; nothing of it is kept."""
    slips: Slips = {}
    try:
        _count(site, request)
        circumstance = word(form, "circumstance")
        with at("circumstance", slips):
            if circumstance not in site.parts.standard.circumstances:
                raise InputError("choose what is to be collected from the list")
        fields = _fields(request, form, slips)
        if slips:
            return _show(site, request, form=form, slips=slips)
        answer = _answer(site, circumstance, word(form, "level"), fields)
    except EpilockError as error:
        return _show(site, request, form=form, error=error)
    return _show(site, request, form=form, answer=answer)


@router.get("/form.{kind}")
def get_template(  # noqa: PLR0917 - what the form shall be
    site: SiteOf,
    request: Request,
    kind: str,
    circumstance: str,
    level: str,
    category: Annotated[list[str], Query(default_factory=list)],
) -> Response:
    """Return a form that asks only what may be asked, as a sheet, an XLSForm or a point."""
    if kind not in KINDS:
        raise InputError(f"a form is one of {', '.join(KINDS)}")
    if not category:
        slips: Slips = {"category": InputError("tick at least one thing that the form is to ask")}
        return _show(site, request, answer=_answer(site, circumstance, level, ()), slips=slips)
    found = templates.template(site.parts.standard, circumstance, level, category)
    language = site.pages.speaker(request).language
    if kind == "csv":
        body = templates.as_csv(found, language)
    elif kind == "xlsx":
        body = templates.as_xlsform(found, language)
    else:
        body = templates.as_toml(found, _emergency(running(site)))
    return download(body, f"{circumstance}.{kind}", KINDS[kind])


def _answer(site: Site, circumstance: str, level: str, fields: tuple[DesignField, ...]) -> Answer:
    """Return what the standard says; without ``level`` at the gravest that is in force.

    Raises:
        InputError: The standard knows no such circumstance or level.
    """
    standard = site.parts.standard
    now = running(site)
    level = level or (now[0].level if now else ENDED)
    judged = judge(standard, fields, circumstance, level)
    where = standard.circumstances[circumstance]
    asked = {j.category for j in judged if j.verdict == ALLOWED}
    return Answer(
        where=where, level=level, lines=askable.lines(standard, judged),
        rows=_rows(standard, where, level, asked),
        never=askable.never(standard, circumstance, level),
    )  # fmt: skip


def _rows(standard: Standard, where: Circumstance, level: str, asked: set[str | None]) -> list[Row]:
    """Return what may be asked, with what the form asks ticked; without a form, what is mostly needed."""
    rows = askable.from_standard(
        standard, where.code, level, askable.method_of(where), assessed=True
    )
    if not asked:
        return rows
    return askable.choosing(rows, {row.id for row in rows if row.category in asked})


def _fields(request: Request, form: FormData, slips: Slips) -> tuple[DesignField, ...]:
    """Return what the form asks, pasted, uploaded or both; add what can't be read of it.

    Raises:
        TooLargeError: It asks so much that judging it would keep others waiting.
    """
    pasted = form.get("questions")
    found: tuple[DesignField, ...] = ()
    with at("questions", slips):
        if isinstance(pasted, str) and pasted.strip():
            found = read_pasted(pasted).fields
    with at("file", slips):
        called, content = file_in(request, form, "file")
        if called:
            found += read_design(content, ending=PurePath(called).suffix).fields
    if len(found) > MOST_FIELDS or sum(f.letters for f in found) > MOST_LETTERS:
        raise TooLargeError(
            f"a form of at most {MOST_FIELDS} fields and {MOST_LETTERS:,} characters is judged here;"
            " for a larger one there is: epilock standard check"
        )
    return found


def _count(site: Site, request: Request) -> None:
    """Count one form against the address it came from.

    Raises:
        RateError: There were too many.
    """
    pace.check(site, "form-check", address_of(request), most=MOST, window=WINDOW)


def _emergency(now: list[Running]) -> str:
    """Return the code of the emergency that a template is for.

    Raises:
        InputError: None is running.
    """
    if not now:
        raise InputError("no emergency is running, so there is no point to open")
    return now[0].code


def _show(
    site: Site,
    request: Request,
    *,
    answer: Answer | None = None,
    form: FormData | None = None,
    error: EpilockError | None = None,
    slips: Slips | None = None,
) -> Response:
    wrong = None if error is None else problem_of(error)
    pasted = form.get("questions") if form else ""
    now = running(site)
    chosen = answer.level if answer else word(form, "level") if form else ""
    page = site.pages.show(
        request, "form_check.html", status=status(wrong, slips or {}), wrong=wrong, script=True,
        slips=slips or {}, answer=answer, standard=site.parts.standard, groups=askable.GROUPS, running=now,
        level=chosen or (now[0].level if now else ENDED),
        circumstance=answer.where.code if answer else word(form, "circumstance") if form else "",
        questions=pasted if isinstance(pasted, str) else "",
    )  # fmt: skip
    page.headers.update(wrong.headers if wrong else {})
    return page
