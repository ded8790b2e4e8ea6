"""Opening a point: from the standard, in everyday words, or from a form that someone has already.

What may not be asked is shown beside what may, each with its reason, before anything is opened; the
standard decides again when it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from epilock.collect import issue
from epilock.collect.adopt import adopt
from epilock.collect.point import LANGUAGES, Field, Plan
from epilock.errors import EpilockError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.standard import Standard
from epilock.standard.judge import REFUSED, UNNAMED, Judgement
from epilock.standard.level import ENDED, severity
from epilock.standard.model import Verdict
from epilock.standard.synonyms import META
from epilock.standard.text import Text
from epilock.web.console.desk import WRONG, CheckedForm, Desk, DeskOf
from epilock.web.console.point import PART
from epilock.web.problem import of as problem_of
from epilock.web.request import word, words

router = APIRouter(include_in_schema=False, prefix="/console/points")
NOW, LATER, NEVER = "now", "later", "never"
_CODE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field that may be put into the point.

    Attributes:
        id: Its id in the form.
        category: Of the standard.
        label: What the person will read.
        when: ``now``, ``later`` or ``never``.
        optional: Whether it must have a box of its own.
        level: The level it may be asked from.
        chosen: Whether it is ticked.
        verdict: What the standard says at the level in force.
    """

    id: str
    category: str
    label: Text
    when: str
    optional: bool
    level: str
    chosen: bool
    verdict: Verdict


@router.get("/new")
def get_new(desk: DeskOf) -> Response:
    """Ask what is to be done: the circumstances in everyday words, or a file."""
    desk.enter(PART)
    return _start(desk)


@router.get("/new/fields")
def get_fields(
    desk: DeskOf, emergency: str, circumstance: str, method: str = "qr-form"
) -> Response:
    """Show what may be asked, what later, what never, and why."""
    desk.enter(PART)
    level = _level(desk, emergency, circumstance, method)
    rows = from_standard(desk.site.parts.standard, circumstance, level, method)
    return _fields(desk, emergency, circumstance, method, level, rows)


@router.post("/upload")
async def post_upload(desk: DeskOf, form: CheckedForm) -> Response:
    """Read a form that someone designed and show what of it may be asked; the file is not kept."""
    desk.enter(PART)
    file = form.get("file")
    body = await file.read() if isinstance(file, UploadFile) else b""
    name = file.filename or "form" if isinstance(file, UploadFile) else "form"
    return await run_in_threadpool(_uploaded, desk, form, body, name)


@router.post("/new")
def post_new(desk: DeskOf, form: CheckedForm) -> Response:
    """Open the point and issue its first notice."""
    desk.enter(PART)
    parts = desk.site.parts
    emergency, circumstance = word(form, "emergency"), word(form, "circumstance")
    method = word(form, "method") or "qr-form"
    try:
        plan = _plan(form, emergency, circumstance, method)
        with parts.database.write() as tx:
            point = issue.open_with_notice(
                tx, parts.press, org=desk.org, plan=plan, now=desk.site.now()
            )
    except WRONG as error:
        level = _level(desk, emergency, circumstance, method)
        rows = _rows_again(desk, form, circumstance, level, method)
        return _fields(desk, emergency, circumstance, method, level, rows, form=form, error=error)
    return desk.go(f"/console/points/{point.point}", done="opened")


def from_standard(standard: Standard, circumstance: str, level: str, method: str) -> list[Row]:
    """Return a row for each category that the circumstance lists, what may be asked now first."""
    where = standard.circumstances[circumstance]
    rows = []
    for allow in where.allows.values():
        verdict = standard.ask(circumstance, allow.category, level, method=method)
        later = severity(allow.level) > severity(level)
        when = NOW if verdict.allowed else LATER if later else NEVER
        rows.append(
            Row(
                id=field_id(allow.category), category=allow.category,
                label=standard.categories[allow.category].name, when=when, optional=allow.optional,
                level=allow.level, verdict=verdict,
                chosen=when == NOW and not allow.optional and not _stands_in(verdict),
            )
        )  # fmt: skip
    return sorted(
        rows, key=lambda r: ((NOW, LATER, NEVER).index(r.when), severity(r.level), r.optional)
    )


def from_form(
    standard: Standard, fields: Sequence[Field], circumstance: str, level: str, method: str
) -> list[Row]:
    """Return a row for each field that a form was adopted with, its own id and label kept."""
    where = standard.circumstances[circumstance]
    rows = []
    for field in fields:
        verdict = standard.ask(circumstance, field.category, level, method=method)
        rows.append(
            Row(
                id=field.id, category=field.category, label=field.label,
                when=NOW if verdict.allowed else LATER, optional=field.optional or verdict.optional,
                level=where.allows[field.category].level, chosen=True, verdict=verdict,
            )
        )  # fmt: skip
    return rows


def _stands_in(verdict: Verdict) -> bool:
    """Tell whether a coarser category is allowed in place of a finer one: one of the two is enough."""
    return verdict.rule.startswith("stand-in/")


def field_id(category: str) -> str:
    """Return the id of a category's field in a form: ``contact.mobile`` is ``contact_mobile``."""
    return _CODE.sub("_", category)[:40]


def _uploaded(desk: Desk, form: FormData, body: bytes, name: str) -> Response:
    standard = desk.site.parts.standard
    emergency, circumstance = word(form, "emergency"), word(form, "circumstance")
    method = word(form, "method") or "qr-form"
    try:
        level = _level(desk, emergency, circumstance, method)
        adopted = adopt(standard, body, name, circumstance=circumstance, method=method)
    except WRONG as error:
        return _start(desk, error)
    rows = from_form(standard, adopted.fields, circumstance, level, method)
    return _fields(desk, emergency, circumstance, method, level, rows, dropped=adopted.dropped)


def _plan(form: FormData, emergency: str, circumstance: str, method: str) -> Plan:
    """Return what the form describes; the standard decides when it is opened.

    Raises:
        InputError: A name or every field is missing.
    """
    name = Text(word(form, "zh", most=100), word(form, "en", most=100))
    if not name.zh or not name.en:
        raise InputError("the point needs a name in Chinese and in English")
    fields = [_field(form, id_) for id_ in dict.fromkeys(words(form, "field"))]
    taken = {f.id for f in fields}
    for number, label in enumerate(words(form, "unknown")):
        category = word(form, f"is.{number}")
        if category:  # someone said what it is
            id_ = f"{field_id(category)[:36]}_{number}"
            fields.append(
                Field(id=id_, category=category, label=Text(label, label), optional=False)
            )
    if not taken and not fields:
        raise InputError(
            "choose at least one thing to ask; if nothing is needed, no point is needed"
        )
    return Plan(
        emergency=emergency, circumstance=circumstance, name=name, method=method,
        languages=tuple(words(form, "language")) or LANGUAGES,
        media=tuple(dict.fromkeys(("vault", *words(form, "medium")))), fields=tuple(fields),
    )  # fmt: skip


def _field(form: FormData, id_: str) -> Field:
    return Field(
        id=id_, category=word(form, f"category.{id_}"),
        label=Text(word(form, f"zh.{id_}", most=200), word(form, f"en.{id_}", most=200)),
        optional=bool(word(form, f"optional.{id_}")),
    )  # fmt: skip


def _rows_again(
    desk: Desk, form: FormData, circumstance: str, level: str, method: str
) -> list[Row]:
    """Return the rows as they were sent, so that nothing is lost on an error."""
    standard = desk.site.parts.standard
    listed = standard.circumstances[circumstance].allows
    sent = [_field(form, id_) for id_ in dict.fromkeys(words(form, "row"))]
    known = [f for f in sent if f.category in listed]
    chosen = set(words(form, "field"))
    return [
        replace(row, chosen=row.id in chosen)
        for row in from_form(standard, known, circumstance, level, method)
    ]


def _level(desk: Desk, emergency: str, circumstance: str, method: str) -> str:
    """Return the level in force, after checking what the address or form says.

    Raises:
        InputError: The circumstance or method is none.
        NotFoundError: There is no such emergency.
    """
    standard = desk.site.parts.standard
    if circumstance not in standard.circumstances or method not in standard.methods:
        raise InputError("choose one of the circumstances and ways that are shown")
    authority, _, code = emergency.partition("/")
    with desk.site.parts.database.read() as tx:
        emergencies.load(tx, authority, code)
        return emergencies.history(tx, authority, code).at(desk.site.now()) or ENDED


def _start(desk: Desk, error: EpilockError | None = None) -> Response:
    now = desk.site.now()
    with desk.site.parts.database.read() as tx:
        running = [
            (e, level)
            for e in emergencies.everything(tx)
            if (level := emergencies.history(tx, e.authority, e.emergency).at(now))
            not in {None, ENDED}
        ]
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "point_new.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        running=running,
    )  # fmt: skip


def _fields(  # noqa: PLR0917 - what was chosen, in the order of choosing
    desk: Desk,
    emergency: str,
    circumstance: str,
    method: str,
    level: str,
    rows: Sequence[Row],
    *,
    form: FormData | None = None,
    error: EpilockError | None = None,
    dropped: Sequence[Judgement] = (),
) -> Response:
    standard = desk.site.parts.standard
    authority, _, code = emergency.partition("/")
    with desk.site.parts.database.read() as tx:
        event = emergencies.load(tx, authority, code)
        today = desk.site.today()
        assessed = mandates.find_assessment(tx, desk.org, circumstance, today)
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
        "point_fields.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        emergency=emergency, event=event, where=standard.circumstances[circumstance], method=method,
        level=level, rows=rows, typed=form or FormData(), assessed=assessed, order=order,
        refused=[j for j in dropped if j.verdict == REFUSED],
        unknown=[j for j in dropped if j.verdict == UNNAMED],
        meta=sum(j.verdict == META for j in dropped),
        categories=[(c.code, desk.name(c.name)) for c in standard.categories.values()],
    )  # fmt: skip
