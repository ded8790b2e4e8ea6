"""What is asked of a table in a file: a TOML file of questions, each with its price or its error. Pure.

Rules kept in this file:
  1. It is read strictly (``declared``), and numbers as they are written: 0.1 is a tenth, never a float.
  2. Everything that can be wrong without the table is told before the table is opened, and before a charge.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from epilock.deidentify import declared
from epilock.deidentify.declared import check_keys, made, value
from epilock.deidentify.noise.answer import epsilon_for
from epilock.deidentify.noise.query import (
    MICRO,
    MOST_EPSILON,
    Count,
    Histogram,
    Mean,
    Quantile,
    Query,
    Request,
    Sum,
)
from epilock.errors import InputError

KEYS = ("dataset", "release", "purpose", "recipient", "contributions", "questions")
KINDS: dict[str, type[Query]] = {
    "count": Count, "sum": Sum, "mean": Mean, "histogram": Histogram, "quantile": Quantile,
}  # fmt: skip
MOST_QUESTIONS = 100
PRICES = ("epsilon", "within")
_CODE = re.compile(r"[a-z][a-z0-9-]{1,63}")
_NAMES = ("dataset", "release", "purpose", "recipient")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question of a file.

    Attributes:
        name: Its name in the output.
        release: Id of its answer: the file's ``release`` and its name.
        request: The question and its price.
    """

    name: str
    release: str
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A file of questions that was found good.

    Attributes:
        dataset, purpose, recipient: Whose budget pays, but for its organisation.
        release: Names this set of answers; the same again is the same answers, at no cost.
        asked: The questions, in order.
    """

    dataset: str
    purpose: str
    recipient: str
    release: str
    asked: tuple[Asked, ...]

    @property
    def epsilon(self) -> int:
        """What all of them cost, in micro-epsilon."""
        return sum(each.request.epsilon for each in self.asked)


def read(path: Path) -> Questions:
    """Return the questions in the TOML file ``path``.

    Raises:
        InputError, FileFormatError, TooLargeError: As ``declared.read`` and ``parse``.
    """
    return parse(declared.read(path, number=Decimal))


def parse(given: Mapping[str, Any]) -> Questions:
    """Return the questions that the table ``given`` states.

    Raises:
        InputError: A key is unknown, missing or wrong; the message names it.
        StateError: A price follows from an error, and the extra ``[privacy]`` is not installed.
    """
    check_keys(given, KEYS)
    names = {key: _code(given, key) for key in _NAMES}
    contributions = value(int, given.get("contributions", 1), "contributions")
    tables = given.get("questions", [])
    if not isinstance(tables, list | tuple) or not all(isinstance(t, Mapping) for t in tables):
        raise InputError(
            "questions must be tables: [[questions]], each with name, kind and a price"
        )
    if not 1 <= len(tables) <= MOST_QUESTIONS:
        raise InputError(f"questions: there are 1 to {MOST_QUESTIONS} of them, [[questions]] each")
    asked = tuple(
        _asked(each, f"questions[{number}]", names["release"], contributions)
        for number, each in enumerate(tables, 1)
    )
    told = [each.name for each in asked]
    for name in told:
        if told.count(name) > 1:
            raise InputError(f"two questions have the name {name}; give each its own")
    return Questions(**names, asked=asked)


def _code(given: Mapping[str, Any], key: str) -> str:
    if key not in given:
        raise InputError(f"{key} is missing; it must be a code such as outbreak-7")
    text: str = value(str, given[key], key)
    if not _CODE.fullmatch(text):
        raise InputError(f"{key} must be a code of 2 to 64 letters a-z, digits and hyphens")
    return text


def _asked(given: Mapping[str, Any], where: str, release: str, contributions: int) -> Asked:
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"{where}.kind must be one of {', '.join(KINDS)}")
    name = _code({"name": given["name"]} if "name" in given else {}, "name")
    id_ = f"{release}-{name}"
    if not _CODE.fullmatch(id_):
        raise InputError(f"{where}: release and name together have at most 63 characters")
    stated = {k: v for k, v in given.items() if k not in {"name", "kind", *PRICES}}
    query: Query = made(KINDS[kind], stated, where)
    epsilon = _epsilon(given, where, query, contributions)
    try:
        request = Request(query=query, epsilon=epsilon, contributions=contributions)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return Asked(name=name, release=id_, request=request)


def _epsilon(given: Mapping[str, Any], where: str, query: Query, contributions: int) -> int:
    """Return the price in micro-epsilon, as stated or as the stated error asks for."""
    if len(given.keys() & set(PRICES)) != 1:
        raise InputError(
            f"{where}: say what it may cost (epsilon = 0.25) or how far off it may be (within = 12), one of both"
        )
    key = next(name for name in PRICES if name in given)
    number = Decimal(value(int | Decimal, given[key], f"{where}.{key}"))
    if not number.is_finite() or number <= 0:
        raise InputError(f"{where}.{key} must be above 0")
    if key == "epsilon":
        return _micro(number, where)
    try:
        return epsilon_for(query, number, contributions=contributions)
    except InputError as error:
        raise InputError(f"{where}.within: {error}") from None


def _micro(number: Decimal, where: str) -> int:
    if number > MOST_EPSILON // MICRO:
        raise InputError(f"{where}.epsilon is at most {MOST_EPSILON // MICRO}")
    if number * MICRO != int(number * MICRO):
        raise InputError(f"{where}.epsilon has at most six digits behind the point")
    return int(number * MICRO)
