"""Forms to take away: what a circumstance may ask, as a sheet (CSV), an XLSForm or a point (TOML).

Who has no form yet, or one that asks too much, begins with one of these. Nothing in it is refused when
``collect.design`` reads it back and the standard judges it at the same level.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import openpyxl

from epilock.collect.identifier import CHOICES
from epilock.collect.point import MAX_FIELDS, Field
from epilock.errors import InputError, RefusedError
from epilock.standard import Standard
from epilock.standard.text import Text

_CODE = re.compile(r"[^a-z0-9]+")
# What ODK and KoboToolbox check while it is typed; everything else is text.
TYPES = {
    "identity.birth-date": "date",
    "health.temperature": "decimal",
    "need.household-size": "integer",
}
LABELS = {"zh": "label::中文 (zh)", "en": "label::English (en)"}  # xlsform.org, languages


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A form that may be asked.

    Attributes:
        circumstance: Code of the standard.
        title: What it is called.
        fields: What it asks, in the order of the standard.
    """

    circumstance: str
    title: Text
    fields: tuple[Field, ...]


def field_id(category: str) -> str:
    """Return the id of a category's field in a form: ``contact.mobile`` is ``contact_mobile``."""
    return _CODE.sub("_", category)[:40]


def template(
    standard: Standard, circumstance: str, level: str, categories: Sequence[str]
) -> Template:
    """Return the form that asks ``categories`` in ``circumstance`` at ``level``.

    Raises:
        InputError: There is no such circumstance, or it would ask nothing, or too much.
        RefusedError: The standard gives no leave to ask one of them.
    """
    where = standard.circumstances.get(circumstance)
    if where is None:
        raise InputError(f"{circumstance[:60]!r} is no circumstance of the standard")
    if not 1 <= len(categories) <= MAX_FIELDS:
        raise InputError(f"a form asks 1 to {MAX_FIELDS} things; choose what you really need")
    fields = []
    for category in dict.fromkeys(categories):
        verdict = standard.ask(circumstance, category, level)
        if not verdict.allowed:
            raise RefusedError(
                f"{category[:60]} may not be asked in {circumstance} at level {level}",
                rule=verdict.rule, source=verdict.source, allowed=verdict.advice.en,
            allowed_zh=verdict.advice.zh,
            )  # fmt: skip
        label = standard.categories[category].name
        fields.append(
            Field(id=field_id(category), category=category, label=label, optional=verdict.optional)
        )
    return Template(circumstance=circumstance, title=where.everyday, fields=tuple(fields))


def as_csv(form: Template, language: str) -> bytes:
    """Return the header row of a sheet, in ``zh`` or ``en``; marked as UTF-8, or Excel misreads it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(getattr(f.label, language) for f in form.fields)
    return out.getvalue().encode("utf-8-sig")


def as_xlsform(form: Template, language: str) -> bytes:
    """Return an XLSForm workbook (ODK, KoboToolbox) in both languages, ``language`` shown first."""
    book = openpyxl.Workbook()
    survey, choices, settings = (
        book.active, book.create_sheet("choices"), book.create_sheet("settings"),
    )  # fmt: skip
    survey.title = "survey"
    survey.append(["type", "name", *LABELS.values(), "required"])
    choices.append(["list_name", "name", *LABELS.values()])
    for field in form.fields:
        listed = CHOICES.get(field.category, ())
        kind = f"select_one {field.id}" if listed else TYPES.get(field.category, "text")
        required = "" if field.optional else "yes"
        survey.append([kind, field.id, field.label.zh, field.label.en, required])
        for choice in listed:
            choices.append([field.id, choice.code, choice.zh, choice.en])
    settings.append(["form_title", "form_id", "default_language"])
    shown = LABELS[language].removeprefix("label::")
    settings.append([getattr(form.title, language), field_id(form.circumstance), shown])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_toml(form: Template, emergency: str) -> bytes:
    """Return a point of ``emergency`` (``authority/code``) for ``epilock point open --from``."""
    lines = [
        "[point]", f"emergency = {_quoted(emergency)}", f"circumstance = {_quoted(form.circumstance)}",
        f"name = {_both(form.title)}",
    ]  # fmt: skip
    for field in form.fields:
        lines += [
            "", "[[field]]", f"id = {_quoted(field.id)}", f"category = {_quoted(field.category)}",
            f"label = {_both(field.label)}", f"optional = {'true' if field.optional else 'false'}",
        ]  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def _both(text: Text) -> str:
    return f"{{ zh = {_quoted(text.zh)}, en = {_quoted(text.en)} }}"


def _quoted(text: str) -> str:
    """Return ``text`` as a string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
