"""What a configuration declares, read strictly: a table of TOML becomes a frozen dataclass, or an error names the key.

Rules kept in this file:
  1. A key that the class does not know is refused, with the keys that it knows.
  2. A value has exactly the type that its field is annotated with: a truth is no number, 5.0 is no whole
     number, and NaN and infinity are none at all.
  3. A message names key, what was wrong and what would be right.
"""

import dataclasses
import math
import tomllib
import types
import typing
from collections import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from epilock.errors import FileFormatError, InputError, TooLargeError

MOST_BYTES = 1 << 20
Made = TypeVar("Made")


def read(path: Path, *, number: Callable[[str], object] = float) -> dict[str, Any]:
    """Return the table in the TOML file ``path``; ``number`` makes a value of what has a point, such as 0.25.

    Raises:
        InputError: It can't be read.
        FileFormatError: It is no TOML, or not UTF-8.
        TooLargeError: It is larger than 1 MiB.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"the configuration {path} can't be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"the configuration {path.name} is larger than 1 MiB")
    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=number)
    except UnicodeDecodeError:
        raise FileFormatError(f"{path.name} is not UTF-8; save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError, ArithmeticError) as error:
        raise FileFormatError(f"{path.name} is no TOML: {error}") from None


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
        elif field.default is field.default_factory is dataclasses.MISSING:
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


def value(annotation: Any, given: Any, key: str) -> Any:  # noqa: C901, PLR0911 - a line for each kind
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
    if origin is types.UnionType:  # T | None: a key that is left out; int | Decimal: a number
        kinds = [t for t in inner if t is not types.NoneType]
        if Decimal not in kinds:
            return value(kinds[0], given, key)
        if isinstance(given, bool) or not isinstance(given, int | Decimal):
            raise wanted
        return given
    if origin is abc.Mapping:
        if not isinstance(given, Mapping):
            raise wanted
        return {name: value(inner[1], each, f"{key}.{name}") for name, each in given.items()}
    if origin in {tuple, abc.Sequence}:
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
        kinds = [t for t in inner if t is not types.NoneType]
        return _wanted(Decimal if Decimal in kinds else kinds[0])
    if origin is abc.Mapping:
        return f"a table, each of its values {_wanted(inner[1])}"
    if origin in {tuple, abc.Sequence}:
        return f"a list, each of its items {_wanted(inner[0])}"
    return {
        int: "a whole number", float: "a number", Decimal: "a number", str: "a text",
        bool: "true or false",
    }[annotation]  # fmt: skip


def _shown(given: Any) -> str:
    """Return a value of the configuration, which its author wrote, or what it is."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, Decimal):
        return f"{given:f}"[:60]
    if isinstance(given, str | int | float):
        return repr(given)[:60]
    if isinstance(given, Mapping):
        return "a table"
    return "a list" if isinstance(given, Sequence) else f"a {type(given).__name__}"
