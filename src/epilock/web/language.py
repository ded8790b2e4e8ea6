"""Which language a person reads, and every string of the pages in it.

The strings are data (``texts/*.toml``): one file for each part of the site, one entry for each string,
``zh`` and ``en`` side by side. A file that lacks one, or whose two strings take different values, does
not load, so that no page can meet a missing translation.

How a language writes days and lists is one file of ``languages/``. That of a third language holds all strings
of the pages too; it says of which of the first two it takes what is not the pages': notices, the standard.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epilock.errors import FileFormatError
from epilock.standard.level import CHINA
from epilock.standard.text import Text

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = Path(__file__).parent / "languages"
OF_DATA = (
    "zh",
    "en",
)  # what notices and the standard are written in; the first is spoken by default
_KEYS = frozenset(
    {"tag", "name", "data", "direction", "months", "day", "short_day", "stop", "space", "comma"}
)
_DIRECTIONS = ("ltr", "rtl")
_MONTHS = 12
_CODE = re.compile(r"[a-z]{2,3}")
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
    if set(table) == set(OF_DATA) and all(isinstance(v, str) for v in table.values()):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How a language is written.

    Attributes:
        code: ISO 639, the name of its file.
        tag: BCP 47, for the ``lang`` attribute.
        name: By which it calls itself.
        data: ``zh`` or ``en``: in which of them its readers see notices and the standard.
        direction: ``ltr``, or ``rtl`` where it is written from right to left.
        months: Names of the months.
        day, short_day: Patterns of ``year``, ``month`` (name), ``short`` (its first three letters), ``number``
            (of the month) and ``day``.
        stop, space, comma: What ends a sentence, stands between two, and between things in a row.
        strings: The strings of the pages; empty for ``zh`` and ``en``, whose stand in ``texts/``.
    """

    code: str
    tag: str
    name: str
    data: str
    direction: str
    months: tuple[str, ...]
    day: str
    short_day: str
    stop: str
    space: str
    comma: str
    strings: Mapping[str, str]


Languages = Mapping[str, Language]


def languages(phrases: Phrases, folder: Path = LANGUAGES) -> Languages:
    """Return the languages that have a file, by code, those of the data first.

    Raises:
        FileFormatError: A file lacks a key or a string, has one that no page says, or a string takes other
            values than ``zh`` does.
    """
    found = {path.stem: _language(path, phrases) for path in sorted(folder.glob("*.toml"))}
    if missing := set(OF_DATA) - found.keys():
        raise FileFormatError(f"{folder.name}: there is no file {min(missing)}.toml")
    return MappingProxyType(dict(sorted(found.items(), key=lambda one: _rank(one[0]))))


def _rank(code: str) -> tuple[int, str]:
    return OF_DATA.index(code) if code in OF_DATA else len(OF_DATA), code


def _language(path: Path, phrases: Phrases) -> Language:
    code = path.stem
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    strings = _flat(table.pop("strings", {}))
    if not _CODE.fullmatch(code) or set(table) != _KEYS:
        raise FileFormatError(
            f"{path.name}: a language is named by its code of ISO 639 and has exactly the keys"
            f" {', '.join(sorted(_KEYS))} and [strings]"
        )
    if table["data"] not in OF_DATA or len(table["months"]) != _MONTHS:
        raise FileFormatError(f"{path.name}: data is zh or en, and a year has twelve months")
    if not table["tag"] or not table["name"]:
        raise FileFormatError(
            f"{path.name}: give its tag (BCP 47) and its name, as it calls itself"
        )
    if table["direction"] not in _DIRECTIONS:
        raise FileFormatError(f"{path.name}: direction is {' or '.join(_DIRECTIONS)}")
    if code not in OF_DATA:
        _check_strings(path.name, strings, phrases)
    elif strings or table["data"] != code:
        raise FileFormatError(f"{path.name}: its strings stand in texts/, and its data is its own")
    return Language(code=code, strings=strings, **{**table, "months": tuple(table["months"])})


def is_name(name: str) -> bool:
    """Tell whether a file of this name can be a language's, such as ``ko.toml``."""
    code, _, ending = name.rpartition(".")
    return ending == "toml" and bool(_CODE.fullmatch(code)) and code not in OF_DATA


def draft(phrases: Phrases) -> str:
    """Return the file of a third language as a translator begins it: each string in English, Chinese above it."""
    facts = {
        "tag": "", "name": "", "data": "en", "direction": "ltr", "day": "{day} {month} {year}",
        "short_day": "{day} {short}", "stop": ".", "space": " ", "comma": ", ",
    }  # fmt: skip
    lines = [f"{key} = {_quoted(value)}" for key, value in facts.items()]
    lines += [
        f"months = [{', '.join(_quoted(str(n)) for n in range(1, _MONTHS + 1))}]",
        "",
        "[strings]",
    ]
    for key, text in phrases.items():
        lines += [f"# {text.zh}", f"{_quoted(key)} = {_quoted(text.en)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # what JSON quotes, TOML quotes alike


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, inner in table.items():
        if isinstance(inner, dict):
            found |= _flat(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = str(inner)
    return found


def _check_strings(name: str, strings: Mapping[str, str], phrases: Phrases) -> None:
    for key in sorted(phrases.keys() ^ strings.keys()):
        said = "is missing" if key in phrases else "is said by no page"
        raise FileFormatError(f"{name}: {key} {said}")
    for key, text in phrases.items():
        if not strings[key].strip() or set(_PLACE.findall(strings[key])) != _places(text):
            raise FileFormatError(f"{name}: {key} may not be empty and takes the values of zh")


def _places(text: Text) -> set[str]:
    return set(_PLACE.findall(text.zh))


def choose(asked: str | None, accepted: str | None, known: Languages) -> Language:
    """Return the language that the address asks for, else the browser's best, else the first.

    Args:
        asked: Value of ``?lang=``, if any; anything that is no language is passed over.
        accepted: The ``Accept-Language`` header (RFC 9110, 12.5.4).
        known: The languages there are.
    """
    if asked in known:
        return known[str(asked)]
    best, weight = OF_DATA[0], 0.0
    for part in (accepted or "").split(",")[:_MOST_RANGES]:
        found = _RANGE.fullmatch(part)
        if found is None or found[1].lower() not in known:
            continue
        quality = float(found[2]) if found[2] else 1.0
        if quality > weight:
            best, weight = found[1].lower(), quality
    return known[best]


class Speaker:
    """The strings in one language; called with a key it returns the string.

    Attributes:
        code: The language that is spoken; what links and forms carry on.
        language: ``zh`` or ``en``: that of notices, the standard and all other data.
        tag: For the ``lang`` attribute.
        direction: For the ``dir`` attribute.
    """

    __slots__ = ("_phrases", "_spoken", "code", "direction", "language", "tag")

    def __init__(self, phrases: Phrases, spoken: Language) -> None:
        self._phrases, self._spoken = phrases, spoken
        self.code, self.language, self.tag = spoken.code, spoken.data, spoken.tag
        self.direction = spoken.direction

    def __call__(self, key: str, **values: object) -> str:
        """Return the string ``key`` with its ``values`` in place.

        Raises:
            KeyError: There is no such string, or a value is missing: our own mistake.
        """
        said = self._spoken.strings.get(key) or self.say(self._phrases[key])
        return said.format_map(values) if values else said

    def knows(self, key: str) -> bool:
        """Tell whether there is a string ``key``."""
        return key in self._phrases

    def say(self, text: Text) -> str:
        """Return ``text`` of the data."""
        return text.zh if self.language == "zh" else text.en

    def sentence(self, text: Text) -> str:
        """Return ``text`` as a sentence: a capital first and a full stop, if it has none."""
        said = self.say(text).strip()
        if not said or said[-1] in "。.！!？?":
            return said[:1].upper() + said[1:]
        return said[:1].upper() + said[1:] + self._spoken.stop

    def joined(self, sentences: list[str]) -> str:
        """Return ``sentences`` in a row: with a space between them where the language has one."""
        return self._spoken.space.join(s for s in sentences if s)

    def number(self, value: int) -> str:
        """Return a number with its thousands apart, such as ``1,200``."""
        return f"{value:,}"

    @property
    def comma(self) -> str:
        """What stands between things in a row."""
        return self._spoken.comma

    def listed(self, names: list[str]) -> str:
        """Return ``names`` in a row."""
        return self._spoken.comma.join(names)

    def day(self, value: date | str) -> str:
        """Return a calendar day, such as ``2026年3月14日`` or ``14 March 2026``."""
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return self._dated(self._spoken.day, day)

    def short_day(self, value: date) -> str:
        """Return a day without its year, such as ``3月14日`` or ``14 Mar``."""
        return self._dated(self._spoken.short_day, value)

    def _dated(self, pattern: str, day: date) -> str:
        month = self._spoken.months[day.month - 1]
        return pattern.format(
            year=day.year, month=month, short=month[:3], number=day.month, day=day.day
        )

    def day_of(self, value: datetime) -> str:
        """Return the calendar day of an instant, in China's time."""
        return self.day(value.astimezone(CHINA).date())

    def moment(self, value: datetime | str) -> str:
        """Return an instant to the minute, in China's time."""
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        local = at.astimezone(CHINA)
        return f"{self.day_of(local)} {local:%H:%M}"

    def hour(self, value: str) -> str:
        """Return the hour that an entry of the log tells, in China's time: ``… 09:00–09:59``."""
        local = datetime.fromisoformat(value).astimezone(CHINA)
        return f"{self.day_of(local)} {local:%H}:00–{local:%H}:59"
