"""Opening a point: from the standard, in everyday words, or from a form that someone has already.

What may not be asked is shown beside what may, each with its reason, before anything is opened; the
standard decides again when it is. What someone does is in the address, so that a public page can lead
here past the door.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.collect import issue
from epilock.collect import point as points
from epilock.collect.adopt import adopt
from epilock.collect.point import LANGUAGES, Field, Plan
from epilock.collect.template import field_id
from epilock.errors import EpilockError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.standard.judge import REFUSED, UNNAMED, Judgement
from epilock.standard.level import ENDED
from epilock.standard.synonyms import META
from epilock.standard.text import Text
from epilock.web import askable
from epilock.web.askable import Row
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.once import MadeError, once
from epilock.web.console.point import PART
from epilock.web.in_force import running
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, file_in, word, words
from epilock.web.slip import WRONG, Slips, at, status

MOST_NAME = 100  # characters of a point's name
router = APIRouter(include_in_schema=False, prefix="/console/points")


@router.get("/new")
def get_new(desk: DeskOf) -> Response:
    """Ask what is to be done, in everyday words."""
    desk.enter(PART)
    standard, now = desk.site.parts.standard, running(desk.site)
    level = now[0].level if now else ENDED
    barred = set()
    for code, where in standard.circumstances.items():
        rows = askable.from_standard(
            standard, code, level, askable.method_of(where), assessed=False
        )
        if _waits(rows) and not _is_assessed(desk, code):
            barred.add(code)
    return desk.show(
        "point_new.html", here=PART, groups=askable.GROUPS, running=now, barred=barred
    )  # fmt: skip


@router.get("/new/{circumstance}")
def get_fields(
    desk: DeskOf,
    circumstance: str,
    category: Annotated[list[str], Query(default_factory=list)],
    emergency: str = "",
    method: str = "",
) -> Response:
    """Show what may be asked, what later, what never, and why; ``category`` is what was ticked before."""
    desk.enter(PART)
    standard = desk.site.parts.standard
    if not emergency:
        now = running(desk.site)
        if not now:
            return desk.go("/console/points/new")
        emergency = now[0].code
    if not method and circumstance in standard.circumstances:
        method = askable.method_of(standard.circumstances[circumstance])
    level = _level(desk, emergency, circumstance, method)
    rows = askable.from_standard(
        standard, circumstance, level, method, assessed=_is_assessed(desk, circumstance)
    )
    if category:
        wanted = {row.id for row in rows if row.category in category}
        rows = askable.choosing(rows, wanted)
    return _fields(desk, emergency, circumstance, method, level, rows)


@router.post("/upload")
def post_upload(desk: DeskOf, form: CheckedForm) -> Response:
    """Read a form that someone designed and show what of it may be asked; the file is not kept."""
    desk.enter(PART)
    return _uploaded(desk, form)


@router.post("/new")
def post_new(desk: DeskOf, form: CheckedForm) -> Response:
    """Open the point and issue its first notice."""
    desk.enter(PART)
    parts = desk.site.parts
    emergency, circumstance = word(form, "emergency"), word(form, "circumstance")
    method, code, slips = word(form, "method"), "", Slips()
    try:
        code = points.code_for(desk.org, begun(form, "once"))
        with once(desk, points.is_there, code):
            plan = _plan(form, emergency, circumstance, method, slips)
            if plan is None:
                return _again(desk, form, slips=slips)
            with parts.database.write() as tx:
                issue.open_with_notice(
                    tx, parts.press, org=desk.org, plan=plan, now=desk.site.now(), code=code
                )
    except MadeError:
        return desk.go(f"/console/points/{code}", done="made")
    except WRONG as error:
        return _again(desk, form, error=error)
    return desk.go(f"/console/points/{code}", done="opened")


def _again(
    desk: Desk, form: FormData, *, error: EpilockError | None = None, slips: Slips | None = None
) -> Response:
    """Show the form again as it was sent."""
    emergency, circumstance = word(form, "emergency"), word(form, "circumstance")
    method = word(form, "method")
    level = _level(desk, emergency, circumstance, method)
    rows = _rows_again(desk, form, circumstance, level, method)
    return _fields(
        desk, emergency, circumstance, method, level, rows, error=error, slips=slips,
        unknown=words(form, "unknown"),
    )  # fmt: skip


def _uploaded(desk: Desk, form: FormData) -> Response:
    standard = desk.site.parts.standard
    emergency, circumstance = word(form, "emergency"), word(form, "circumstance")
    method = word(form, "method")
    level = _level(desk, emergency, circumstance, method)
    assessed = _is_assessed(desk, circumstance)
    try:
        name, body = file_in(desk.request, form, "file")
        adopted = adopt(
            standard, body, PurePath(name).suffix, circumstance=circumstance, method=method
        )
    except WRONG as error:
        rows = askable.from_standard(standard, circumstance, level, method, assessed=assessed)
        return _fields(desk, emergency, circumstance, method, level, rows, error=error)
    rows = askable.from_form(
        standard, adopted.fields, circumstance, level, method, assessed=assessed
    )
    return _fields(desk, emergency, circumstance, method, level, rows, dropped=adopted.dropped)


def _plan(
    form: FormData, emergency: str, circumstance: str, method: str, slips: Slips
) -> Plan | None:
    """Return what the form describes; the standard decides when it is opened. If it is wrong, add that and return None."""
    zh, en = word(form, "zh"), word(form, "en")
    for language, name_ in (("zh", zh), ("en", en)):
        with at(language, slips):
            if len(name_) > MOST_NAME:
                raise InputError(f"a point's name has at most {MOST_NAME} characters")
    with at(word(form, "first") if word(form, "first") in LANGUAGES else LANGUAGES[0], slips):
        if not zh and not en:
            raise InputError("give the point a name, so that people know where they are")
    with at("language", slips):
        if not words(form, "language"):
            raise InputError("tick at least one language of the notice")
    name = Text(zh or en, en or zh)  # a name on a gate is often in one language only
    fields = [_field(form, id_) for id_ in dict.fromkeys(words(form, "field"))]
    taken = {f.id for f in fields}
    for number, label in enumerate(words(form, "unknown")):
        category = word(form, f"is.{number}")
        if category:  # someone said what it is
            id_ = f"{field_id(category)[:36]}_{number}"
            fields.append(
                Field(id=id_, category=category, label=Text(label, label), optional=False)
            )
    with at("field", slips):
        if not taken and not fields:
            raise InputError(
                "choose at least one thing to ask; if nothing is needed, no point is needed"
            )
    if slips:
        return None
    return Plan(
        emergency=emergency, circumstance=circumstance, name=name, method=method,
        languages=tuple(words(form, "language")),
        media=tuple(dict.fromkeys(("vault", *words(form, "medium")))), fields=tuple(fields),
    )  # fmt: skip


def _field(form: FormData, id_: str) -> Field:
    return Field(
        id=id_, category=word(form, f"category.{id_}"),
        label=Text(word(form, f"zh.{id_}", most=200), word(form, f"en.{id_}", most=200)),
        optional=bool(word(form, f"optional.{id_}")), words=bool(word(form, f"words.{id_}")),
    )  # fmt: skip


def _rows_again(
    desk: Desk, form: FormData, circumstance: str, level: str, method: str
) -> list[Row]:
    """Return the rows as they were sent, so that nothing is lost on an error."""
    standard = desk.site.parts.standard
    listed = standard.circumstances[circumstance].allows
    sent = [_field(form, id_) for id_ in dict.fromkeys(words(form, "row"))]
    known = [f for f in sent if f.category in listed]
    rows = askable.from_form(standard, known, circumstance, level, method, assessed=True)
    return askable.choosing(rows, set(words(form, "field")))


def _waits(rows: Sequence[Row]) -> bool:
    """Tell whether nothing may be asked before there is an assessment: now, or where nothing is asked now, later."""
    asked = [row for row in rows if row.when == askable.NOW] or rows
    return all(row.assess for row in asked)


def _is_assessed(desk: Desk, circumstance: str) -> bool:
    """Tell whether the organisation has an assessment of the circumstance in force."""
    with desk.site.parts.database.read() as tx:
        found = mandates.find_assessment(tx, desk.org, circumstance, desk.site.today())
    return found is not None


def _level(desk: Desk, emergency: str, circumstance: str, method: str) -> str:
    """Return the level in force, after checking what the address or form says.

    Raises:
        InputError: The circumstance or method is none.
        NotFoundError: There is no such emergency.
    """
    standard = desk.site.parts.standard
    where = standard.circumstances.get(circumstance)
    if where is None or method not in where.methods:
        raise InputError("choose one of the circumstances and ways that are shown")
    authority, _, code = emergency.partition("/")
    with desk.site.parts.database.read() as tx:
        emergencies.load(tx, authority, code)
        return emergencies.history(tx, authority, code).at(desk.site.now()) or ENDED


def _fields(  # noqa: PLR0917 - what was chosen, in the order of choosing
    desk: Desk,
    emergency: str,
    circumstance: str,
    method: str,
    level: str,
    rows: Sequence[Row],
    *,
    error: EpilockError | None = None,
    slips: Slips | None = None,
    dropped: Sequence[Judgement] = (),
    unknown: Sequence[str] = (),
) -> Response:
    standard = desk.site.parts.standard
    where, assessed = standard.circumstances[circumstance], _is_assessed(desk, circumstance)
    authority, _, code = emergency.partition("/")
    with desk.site.parts.database.read() as tx:
        event = emergencies.load(tx, authority, code)
        today = desk.site.today()
        order = mandates.find_mandate(
            tx,
            desk.org,
            authority=authority,
            emergency=code,
            circumstance=circumstance,
            today=today,
        )
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "point_fields.html", here=PART, script=True, once=uuid4(), status=status(wrong, slips or {}), wrong=wrong, slips=slips or {},
        emergency=emergency, event=event, where=where, method=method,
        level=level, rows=rows, never=askable.never(standard, circumstance, level),
        running=running(desk.site), assessed=assessed, order=order,
        can_open=assessed or not _waits(rows),
        refused=askable.lines(standard, [j for j in dropped if j.verdict == REFUSED]),
        unknown=[*unknown, *(j.label or j.field for j in dropped if j.verdict == UNNAMED)],
        meta=sum(j.verdict == META for j in dropped),
        categories=[(c, desk.name(standard.categories[c].name)) for c in where.allows],
    )  # fmt: skip
