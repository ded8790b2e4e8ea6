"""Masks: what is shown of a value when it need not be read. Pure; never raises; never the whole value.

A name keeps its first character, a number so little that it can be told from others in a short list. An
identity number's middle says birthday and sex, so only its first and last characters stay (GB 11643).
"""

import re
from collections.abc import Callable

from epilock.standard import Standard
from epilock.store.tags import MENTIONS, SUBJECTS

STARS = "***"
_TELLS_WHO = frozenset({"name", "mobile", "id", "email", "address", "contact", "code"})  # masks
_HOUSE = re.compile(r"[0-9一二三四五六七八九十百]+\s*(?:号|弄|栋|幢|单元|室|楼|#)|[0-9]+")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2})-[0-9]{2}")


def _name(value: str) -> str:
    return value[:1] + "**" if len(value) > 1 else "**"


def _mobile(value: str) -> str:
    return f"{value[:3]}****{value[-4:]}" if len(value) >= 11 else STARS  # noqa: PLR2004 - a mobile


def _id(value: str) -> str:
    return f"{value[0]}{'*' * (len(value) - 2)}{value[-1]}" if len(value) >= 6 else STARS  # noqa: PLR2004 - shorter tells all


def _email(value: str) -> str:
    local, at, domain = value.partition("@")
    return f"{local[:1]}{STARS}@{domain}" if at and local and len(local) > 1 else STARS


def _address(value: str) -> str:
    """Keep what stands before the first house number: the street."""
    found = _HOUSE.search(value)
    return value[: found.start()] + STARS if found and found.start() >= 2 else STARS  # noqa: PLR2004 - a street


def _date(value: str) -> str:
    found = _DATE.fullmatch(value)
    return f"{found.group(1)}-**" if found else STARS


def _code(value: str) -> str:
    return STARS + value[-2:] if len(value) > 4 else STARS  # noqa: PLR2004 - shorter tells all


def _full(value: str) -> str:
    del value
    return STARS


MASKS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "name": _name,
    "mobile": _mobile,
    "id": _id,
    "email": _email,
    "address": _address,
    "date": _date,
    "code": _code,
    "contact": lambda value: _name(value) if value else STARS,
    "full": _full,
}


def tells_who(standard: Standard, category: str) -> bool:
    """Tell whether values of ``category`` say who somebody is, or speak of another person."""
    known = category in SUBJECTS or category in MENTIONS
    return known or standard.categories[category].mask in _TELLS_WHO


def mask(standard: Standard, category: str, value: str) -> str:
    """Return ``value`` as it is displayed; grades 1 and 2 whose mask is ``plain`` are shown."""
    return MASKS[standard.categories[category].mask](value) if value else ""
