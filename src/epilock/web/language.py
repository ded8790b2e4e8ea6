"""Which language a person reads, and every string of the pages in it.

The strings are data (``texts/*.toml``): one file for each part of the site, one entry for each string,
``zh`` and ``en`` side by side. A file that lacks one, or whose two strings take different values, does
not load, so that no page can meet a missing translation.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epilock.errors import FileFormatError
from epilock.standard.level import CHINA
from epilock.standard.text import Text

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("zh", "en")
TAGS = MappingProxyType({"zh": "zh-CN", "en": "en"})  # BCP 47, for the ``lang`` attribute
NAMES = MappingProxyType({"zh": "中文", "en": "English"})
_MONTHS = (  # noqa: SIM905 - a row of words reads better than a column of quotes
    "January February March April May June July August September October November December"
).split()
_PLACE = re.compile(r"\{([a-z_]+)\}")
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,30})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"
)
_MOST_RANGES = 20  # of an Accept-Language header: more is no browser

Phrases = Mapping[str, Text]


def load(folder: Path = FOLDER) -> Phrases:
    """Return every string, keyed ``file.name`` or ``file.group.name``.

    Raises:
        FileFormatError: An entry lacks a language, or its two strings take different values.
    """
    found: dict[str, Text] = {}
    for path in sorted(folder.glob("*.toml")):
        _collect(found, path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    return MappingProxyType(found)


def _collect(found: dict[str, Text], prefix: str, table: Mapping[str, Any]) -> None:
    if set(table) == set(LANGUAGES) and all(isinstance(v, str) for v in table.values()):
        text = Text(table["zh"], table["en"])
        if set(_PLACE.findall(text.zh)) != set(_PLACE.findall(text.en)):
            raise FileFormatError(f"{prefix}: zh and en must take the same values")
        if not text.zh.strip() or not text.en.strip():
            raise FileFormatError(f"{prefix}: neither zh nor en may be empty")
        found[prefix] = text
        return
    for name, inner in table.items():
        if not isinstance(inner, dict):
            raise FileFormatError(f"{prefix}: needs zh and en, and nothing else")
        _collect(found, f"{prefix}.{name}", inner)


def choose(asked: str | None, accepted: str | None) -> str:
    """Return ``zh`` or ``en``: what the address asks for, else the browser's best, else ``zh``.

    Args:
        asked: Value of ``?lang=``, if any; anything that is no language is passed over.
        accepted: The ``Accept-Language`` header (RFC 9110, 12.5.4).
    """
    if asked in LANGUAGES:
        return str(asked)
    best, weight = LANGUAGES[0], 0.0
    for part in (accepted or "").split(",")[:_MOST_RANGES]:
        found = _RANGE.fullmatch(part)
        if found is None or found[1].lower() not in LANGUAGES:
            continue
        quality = float(found[2]) if found[2] else 1.0
        if quality > weight:
            best, weight = found[1].lower(), quality
    return best


class Speaker:
    """The strings in one language; called with a key it returns the string.

    Attributes:
        language: ``zh`` or ``en``.
        tag: For the ``lang`` attribute.
    """

    __slots__ = ("_phrases", "language", "tag")

    def __init__(self, phrases: Phrases, language: str) -> None:
        self._phrases = phrases
        self.language = language
        self.tag = TAGS[language]

    def __call__(self, key: str, **values: object) -> str:
        """Return the string ``key`` with its ``values`` in place.

        Raises:
            KeyError: There is no such string, or a value is missing: our own mistake.
        """
        said = self.say(self._phrases[key])
        return said.format_map(values) if values else said

    def knows(self, key: str) -> bool:
        """Tell whether there is a string ``key``."""
        return key in self._phrases

    def say(self, text: Text) -> str:
        """Return ``text`` in this language."""
        return text.zh if self.language == "zh" else text.en

    def sentence(self, text: Text) -> str:
        """Return ``text`` as a sentence: a capital first and a full stop, if it has none."""
        said = self.say(text).strip()
        if not said or said[-1] in "。.！!？?":
            return said[:1].upper() + said[1:]
        return said[:1].upper() + said[1:] + ("。" if self.language == "zh" else ".")

    def joined(self, sentences: list[str]) -> str:
        """Return ``sentences`` in a row: with a space between them where the language has one."""
        return ("" if self.language == "zh" else " ").join(s for s in sentences if s)

    def number(self, value: int) -> str:
        """Return a number with its thousands apart, such as ``1,200``."""
        return f"{value:,}"

    def listed(self, names: list[str]) -> str:
        """Return ``names`` in a row."""
        return ("、" if self.language == "zh" else ", ").join(names)

    def day(self, value: date | str) -> str:
        """Return a calendar day, such as ``2026年3月14日`` or ``14 March 2026``."""
        day = date.fromisoformat(value) if isinstance(value, str) else value
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def short_day(self, value: date) -> str:
        """Return a day without its year, such as ``3月14日`` or ``14 Mar``."""
        if self.language == "zh":
            return f"{value.month}月{value.day}日"
        return f"{value.day} {_MONTHS[value.month - 1][:3]}"

    def moment(self, value: datetime | str) -> str:
        """Return an instant to the minute, in China's time."""
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        local = at.astimezone(CHINA)
        return f"{self.day(local.date())} {local:%H:%M}"

    def hour(self, value: str) -> str:
        """Return the hour that an entry of the log tells, in China's time: ``… 09:00–09:59``."""
        local = datetime.fromisoformat(value).astimezone(CHINA)
        return f"{self.day(local.date())} {local:%H}:00–{local:%H}:59"
