"""The reference page of the entry types, made from their schemas so that it is never wrong.

``python -m epilock.ledger.reference > docs/reference/ledger-entries.md`` writes it anew.
"""

import sys
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import msgspec

from epilock.ledger.entry import MOST_BYTES, TYPES, schemas

PREFACE = f"""\
# Entries of the ledger

Made from the code by `python -m epilock.ledger.reference`; a test compares.

An entry is one line of canonical JSON (RFC 8785): keys sorted, no spaces, UTF-8, at most {MOST_BYTES:,} bytes.
Its `type` is one of the {len(TYPES)} below; another type, a missing or an unknown field is an error.
A record is named by its bucket and number; a person is not named at all.
Times are whole hours (UTC): the hour in which it happened; which came first within an hour, the index tells.
The one exact instant is `effective` of a level: a public instrument set it, it is about no person, and due dates are recomputed from it (decision 15).
`epilock.ledger.entry.schemas()` returns the JSON schema (draft 2020-12) of each type.
What the monitor concludes from them stands in [ledger.md](ledger.md).
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [PREFACE]
    for name, schema in schemas().items():
        about = cleandoc(schema["description"]).replace("``", "`")
        parts += [f"## {name}\n", f"{about}\n", *_table(schema)]
    return "\n".join(parts)


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    definitions = schema.get("$defs", {})
    yield "| field | form | meaning | example |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        if name != "type":
            yield f"| `{name}` | {' | '.join(_cells(field, definitions))} |"
    yield ""


def _cells(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return form, meaning and example of a field, as cells of a table."""
    if "anyOf" in field:
        form, meaning, example = _cells(field["anyOf"][0], definitions)
        return f"{form}, or null", meaning, example
    if "$ref" in field:
        record = definitions[field["$ref"].rsplit("/", 1)[1]]
        names = ", ".join(f"`{name}`" for name in record["properties"])
        return f"object of {names}", record["description"].rstrip("."), ""
    if field["type"] == "array":
        form, meaning, example = _cells(field["items"], definitions)
        limits = f"{field.get('minItems', 0)} to {field['maxItems']}"
        return f"list ({limits}) of {form}", meaning, example
    return _form(field), field["description"].replace("``", "`"), _code(field["examples"][0])


def _form(field: Mapping[str, Any]) -> str:
    if "pattern" in field:
        return _code_text(field["pattern"].removeprefix("^").removesuffix(r"$(?!\n)"))
    if field["type"] == "string":
        return f"text, {field['minLength']} to {field['maxLength']} characters"
    if field["type"] == "integer":
        top = field.get("maximum", field.get("exclusiveMaximum", 0) - 1)
        return f"number, {field['minimum']:,} to {top:,}"
    return "object of text" if field["type"] == "object" else "true or false"


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return _code_text(text)


def _code_text(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


if __name__ == "__main__":
    sys.stdout.write(page())
