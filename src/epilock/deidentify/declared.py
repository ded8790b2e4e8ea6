"""What a configuration declares, read strictly: a table of TOML becomes a frozen dataclass, or an error names the key.

Rules kept in this file:
  1. A key that the class does not know is refused, with the keys that it knows.
  2. A value has exactly the type that its field is annotated with: a truth is no number, 5.0 is no whole
     number, and NaN and infinity are none at all.
  3. A message names key, what was wrong and what would be right.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from epilock.errors import InputError

Made = TypeVar("Made")


def made(kind: type[Made], given: Mapping[str, Any], where: str) -> Made:
    """Return the dataclass ``kind`` with the fields that ``given`` holds; ``where`` is its key.

    Raises:
        InputError: A key is unknown or missing, a value has the wrong type or is out of its range.
    """
    fields = dataclasses.fields(typing.cast("Any", kind))
    check_keys(given, [field.name for field in fields], where)
    annotated = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields:
        key = f"{where}.{field.name}"
        if field.name in given:
            values[field.name] = value(annotated[field.name], given[field.name], key)
        elif field.default is dataclasses.MISSING:
            raise InputError(f"{key} is missing; it must be {_wanted(annotated[field.name])}")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check_keys(given: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Raise unless every key of ``given`` is ``known``."""
    for key in given:
        if key not in known:
            full = f"{where}.{key}" if where else key
            raise InputError(
                f"{full} is no key of the configuration; there {'are' if where else 'are on this level'}"
                f" {', '.join(known)}"
            )


def value(annotation: Any, given: Any, key: str) -> Any:
    """Return ``given`` as ``annotation`` has it.

    Raises:
        InputError: It has another type.
    """
    wanted = InputError(f"{key} must be {_wanted(annotation)}, not {_shown(given)}")
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        if not isinstance(given, str) or given not in inner:
            raise wanted
        return given
    if origin is types.UnionType:  # T | None: a key that is left out
        return value(next(t for t in inner if t is not types.NoneType), given, key)
    if origin is tuple:
        if not isinstance(given, list | tuple):
            raise wanted
        return tuple(value(inner[0], each, f"{key}[{i}]") for i, each in enumerate(given))
    if annotation is float:
        if (
            isinstance(given, bool)
            or not isinstance(given, int | float)
            or not math.isfinite(given)
        ):
            raise wanted
        return given
    if not isinstance(given, annotation) or (annotation is int and isinstance(given, bool)):
        raise wanted
    return given


def _wanted(annotation: Any) -> str:
    """Return in words what ``annotation`` allows."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is types.UnionType:
        return _wanted(next(t for t in inner if t is not types.NoneType))
    if origin is tuple:
        return f"a list, each of its items {_wanted(inner[0])}"
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[
        annotation
    ]


def _shown(given: Any) -> str:
    """Return a value of the configuration, which its author wrote, or what it is."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, str | int | float):
        return repr(given)[:60]
    if isinstance(given, Mapping):
        return "a table"
    return "a list" if isinstance(given, Sequence) else f"a {type(given).__name__}"
