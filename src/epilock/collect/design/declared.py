"""Our own points as TOML: a table ``[point]`` and a ``[[field]]`` for each thing asked.

The category may be left out: then the label tells it, as in any other form. If it is given, label and
category are judged both, so that a name badge on an identity number hides nothing.
"""

import tomllib
from typing import Any

from epilock.collect.design.field import MAX_FIELDS, Design, DesignField, make
from epilock.errors import FileFormatError, TooLargeError

MAX_BYTES = 2**20  # of TOML, whose reader is slow; a point of 100 fields takes 10 kB


def read_point(content: bytes, name: str) -> Design:
    """Return the design of a point.

    Raises:
        FileFormatError: It is no TOML, or a table is missing or not what it should be.
        TooLargeError: It is larger than 1 MB.
    """
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"{name}: a TOML file of over 1 MB")
    try:
        data = tomllib.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError:
        raise FileFormatError(f"{name}: no UTF-8 text; TOML is always UTF-8") from None
    except tomllib.TOMLDecodeError as e:
        raise FileFormatError(f"{name}: broken TOML: {_where(e)}") from None
    except (RecursionError, ValueError):  # nested arrays; a number of thousands of digits
        raise FileFormatError(f"{name}: TOML nested or numbered beyond any form") from None
    point, fields = data.get("point"), data.get("field")
    if not isinstance(point, dict) or not isinstance(fields, list):
        raise FileFormatError(
            f"{name}: a point has a table [point] and one [[field]] for each thing asked"
        )
    if len(fields) > MAX_FIELDS:
        raise TooLargeError(f"{name}: {len(fields)} fields; at most {MAX_FIELDS} are read")
    title = _words(point.get("name", point.get("title", "")), name, "the point's name")
    return make(
        "toml",
        title[0] if title else "",
        [_field(f, n, name) for n, f in enumerate(fields, 1)],
        name,
    )


def _where(error: tomllib.TOMLDecodeError) -> str:
    """Return the place of ``error`` without what stands there."""
    return str(error).rpartition("(")[2].rstrip(")")


def _field(table: Any, number: int, name: str) -> DesignField:
    where = f"[[field]] {number}"
    if not isinstance(table, dict):
        raise FileFormatError(f"{name}: {where} is no table")
    own, category = table.get("id", ""), table.get("category", "")
    if not isinstance(own, str) or not isinstance(category, str):
        raise FileFormatError(f"{name}: id and category of {where} are texts")
    words = _words(table.get("label", ""), name, f"label of {where}")
    if not own and not words:
        raise FileFormatError(f"{name}: {where} has neither id nor label")
    return DesignField(
        field=own or words[0],
        label=words[0] if words else own,
        translations=tuple(words[1:]),
        wordings=(own,) if own else (),
        category=category,
        required=table.get("optional") is False,
        place=where,
    )


def _words(label: Any, name: str, where: str) -> list[str]:
    """Return a text, or a text in several languages, as a list."""
    if isinstance(label, str):
        return [label] if label else []
    if isinstance(label, dict) and all(isinstance(v, str) for v in label.values()):
        return [v for v in label.values() if v]
    raise FileFormatError(f"{name}: the {where} is neither a text nor texts by language")
