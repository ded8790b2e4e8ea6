"""FHIR Questionnaires (HL7 FHIR R4, resource Questionnaire) as JSON.

Items nest: a group asks nothing and tells what its items are about; an item under a question
continues that question. Files in the wild leave out ``type`` and even ``text``; what can be read is.
"""

import json
from collections.abc import Iterator
from typing import Any

from epilock.collect.design.field import MAX_FIELDS, Design, DesignField, make
from epilock.errors import FileFormatError, TooLargeError
from epilock.standard.synonyms import Synonyms

MAX_BYTES = 8 * 2**20  # of JSON, which takes some ten times as much memory
MAX_DEPTH = 40  # of items; WHO's case report form needs 6
ASK_NOTHING = frozenset({"group", "display"})
IN_WORDS = frozenset(
    {"decimal", "integer", "quantity", "date", "dateTime", "time", "string", "text", "url"}
)
SUGGESTS = {"attachment": "image.scene"}
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def read_fhir(content: bytes, name: str) -> Design:
    """Return the design of a Questionnaire, or of the only one in a Bundle.

    Raises:
        FileFormatError: It is no JSON, no Questionnaire, or an item is not what it should be.
        TooLargeError: It is larger than 8 MB, or nested deeper than ``MAX_DEPTH``.
    """
    form = _questionnaire(_json(content, name), name)
    fields: list[DesignField] = []
    stack = [_Level(iter(_items(form, name, "the questionnaire")), (), "")]
    while stack:
        level = stack[-1]
        item = next(level.items, None)
        if item is None:
            stack.pop()
            continue
        if not isinstance(item, dict):
            raise FileFormatError(f"{name}: an item is no object but {type(item).__name__}")
        field = _field(item, level, name)
        if field is not None:
            fields.append(field)
            level.previous = field.field
            if len(fields) > MAX_FIELDS:
                raise TooLargeError(f"{name}: more than {MAX_FIELDS} questions")
        if "item" in item:
            if len(stack) == MAX_DEPTH:
                raise TooLargeError(f"{name}: items are nested deeper than {MAX_DEPTH}")
            groups = (
                (*level.groups, _text(item, "text", name)) if item.get("text") else level.groups
            )
            stack.append(
                _Level(iter(_items(item, name, _where(item))), groups, field.field if field else "")
            )
    return make("fhir", _text(form, "title", name) or _text(form, "name", name), fields, name)


class _Level:
    """One list of items on the way down.

    Attributes:
        items: Those still to be read.
        groups: Texts of what they stand in.
        parent: Field id of the question they stand under, or "".
        previous: Field id of the last question of this list, or "".
    """

    def __init__(self, items: Iterator[Any], groups: tuple[str, ...], parent: str) -> None:
        self.items, self.groups, self.parent, self.previous = items, groups, parent, ""


def _json(content: bytes, name: str) -> Any:
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"{name}: a JSON form of over {MAX_BYTES // 2**20} MB")
    try:
        return json.loads(content)
    except json.JSONDecodeError as e:
        raise FileFormatError(f"{name}: broken JSON at line {e.lineno}, column {e.colno}") from None
    except RecursionError:
        raise FileFormatError(f"{name}: JSON nested deeper than any form is") from None
    except ValueError:  # wrong encoding, or a number of thousands of digits
        raise FileFormatError(f"{name}: no UTF-8 JSON") from None


def _questionnaire(data: Any, name: str) -> dict[str, Any]:
    if isinstance(data, dict) and data.get("resourceType") == "Bundle":
        entries = data.get("entry")
        found = [
            e["resource"] for e in (entries if isinstance(entries, list) else [])
            if isinstance(e, dict) and isinstance(e.get("resource"), dict)
            and e["resource"].get("resourceType") == "Questionnaire"
        ]  # fmt: skip
        if len(found) != 1:
            raise FileFormatError(f"{name}: a Bundle with {len(found)} questionnaires; give one")
        data = found[0]
    if not isinstance(data, dict) or data.get("resourceType") != "Questionnaire":
        raise FileFormatError(f'{name}: JSON, but no FHIR resource of type "Questionnaire"')
    return data


def _items(holder: dict[str, Any], name: str, where: str) -> list[Any]:
    items = holder.get("item", [])
    if not isinstance(items, list):
        raise FileFormatError(f"{name}: the item of {where} is no list")
    return items


def _text(holder: dict[str, Any], key: str, name: str) -> str:
    text = holder.get(key, "")
    if not isinstance(text, str):
        raise FileFormatError(f"{name}: the {key} of {_where(holder)} is no text")
    return text


def _where(item: dict[str, Any]) -> str:
    link = item.get("linkId")
    return f"item {link[:80]!r}" if isinstance(link, str) and link else "an item without linkId"


def _field(item: dict[str, Any], level: _Level, name: str) -> DesignField | None:
    kind, text, link = (_text(item, key, name) for key in ("type", "text", "linkId"))
    if kind in ASK_NOTHING or (not kind and (not text or "item" in item)):
        return None
    wordings = [*_codes(item), link, _tail(item.get("definition"))]
    return DesignField(
        field=link or text,
        label=text or link,
        context=" > ".join(g for g in level.groups if g),
        translations=tuple(_translations(item)),
        wordings=tuple(dict.fromkeys(w for w in wordings if w)),
        coded=_coded(item),
        otherwise=SUGGESTS.get(kind, ""),
        image=kind == "attachment",
        follows=level.parent or level.previous,
        required=item.get("required") is True,
        depends=bool(item.get("enableWhen")),
        options=_options(item, kind),
        place=link,
    )


def _options(item: dict[str, Any], kind: str) -> tuple[str, ...] | None:
    """Return the answers that a question lists itself; a set of values elsewhere is not looked up."""
    if kind == "boolean":
        return ("yes", "no")
    if kind in IN_WORDS:
        return ()
    listed = []
    for option in _objects(item.get("answerOption")):
        coding = option.get("valueCoding")
        said = coding.get("display") if isinstance(coding, dict) else option.get("valueString")
        listed.append(said if isinstance(said, str) else "")
    return tuple(listed) or None


def _translations(item: dict[str, Any]) -> Iterator[str]:
    """Yield the text in other languages (extension ``translation`` of ``_text``)."""
    extra = item.get("_text")
    for outer in _objects(extra.get("extension") if isinstance(extra, dict) else None):
        if outer.get("url") == TRANSLATION:
            for inner in _objects(outer.get("extension")):
                text = inner.get("valueString", inner.get("valueMarkdown"))
                if inner.get("url") == "content" and isinstance(text, str):
                    yield text


def _codes(item: dict[str, Any]) -> Iterator[str]:
    """Yield what terminologies such as LOINC call the question."""
    for code in _objects(item.get("code")):
        if isinstance(code.get("display"), str):
            yield code["display"]


def _coded(item: dict[str, Any]) -> str:
    """Return the category that a terminology's code for the question settles, or ""."""
    codings = Synonyms.load().codings
    for code in _objects(item.get("code")):
        system, value = code.get("system"), code.get("code")
        if isinstance(system, str) and isinstance(value, str) and (system, value) in codings:
            return codings[system, value]
    return ""


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (v for v in value if isinstance(v, dict))


def _tail(definition: Any) -> str:
    """Return the element that a definition names, such as ``birthDate``."""
    return (
        definition.rpartition(".")[2] if isinstance(definition, str) and "#" in definition else ""
    )
