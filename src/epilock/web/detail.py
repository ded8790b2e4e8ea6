"""Details of errors in the language of the page: an error's own sentence is English, and found again by its shape.

An error stays what the rooms below raise; they know no language. ``texts/detail.toml`` has the sentences that people
meet most, each with the places of its values, and what to say instead. A value that is a code of the standard or of the
console is said by its name; what a person typed stays as it is.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from epilock.standard import Standard
from epilock.standard.model import FORMS
from epilock.web.language import Phrases, Speaker

_PREFIX = "detail."
_PLACE = re.compile(r"\{([a-z_]+)\}")
# Of which things of the standard a place names one, by its name.
_THINGS: Mapping[str, str] = MappingProxyType(
    {
        "circumstance": "circumstances", "purpose": "purposes", "category": "categories", "level": "levels",
        "method": "methods", "medium": "media", "range": "ranges",
    }
)  # fmt: skip
# Where the console's strings name what may stand in a place.
_NAMED: Mapping[str, str] = MappingProxyType(
    {"role": "role", "roles": "role", "reason": "destruction"}
)
# And by the sentence, for each kind of thing has stages of its own.
_STAGES: Mapping[str, str] = MappingProxyType(
    {
        "grant_stage": "stage", "erase_decided": "request_stage", "erase_state": "record_state",
        "budget_decided": "budget_stage",
    }
)  # fmt: skip
_STAGED = frozenset({"now", "stage", "state"})
_SEVERAL = re.compile(r", | or ")


class Details:
    """Finds the phrase that an error's sentence was made of.

    Args:
        phrases: Every string of the site.
    """

    def __init__(self, phrases: Phrases) -> None:
        known = {
            key.removeprefix(_PREFIX): text.en
            for key, text in phrases.items()
            if key.startswith(_PREFIX)
        }
        # The longest first: what has more words of its own is meant before what has fewer.
        ordered = sorted(known, key=lambda key: len(_PLACE.sub("", known[key])), reverse=True)
        self._shapes = [(key, _shape(known[key])) for key in ordered]
        self._whole = {sentence: key for key, sentence in known.items()}

    def say(self, t: Speaker, sentence: str, standard: Standard | None = None) -> str | None:
        """Return ``sentence`` as the page's language says it; English stays as it is, if it is not one that is known, else None.

        Codes of ``standard`` are said by their names.
        """
        for key, shape in self._shapes:
            found = shape.fullmatch(sentence)
            if found:
                values = {
                    name: self._value(t, key, name, value, standard)
                    for name, value in found.groupdict().items()
                }
                return t(f"detail.{key}", **values)
        return sentence if t.code == "en" else None

    def _value(self, t: Speaker, key: str, name: str, value: str, standard: Standard | None) -> str:
        """Return a value as the page's language says it: a sentence of the table without values, or a known code."""
        if value in self._whole:
            return t(f"detail.{self._whole[value]}")
        if name in _THINGS and standard is not None:
            things = getattr(standard, _THINGS[name])
            listed = [things.get(each.strip("'")) for each in _SEVERAL.split(value)]
            known = [t.say(thing.name) for thing in listed if thing is not None]
            return t.listed(known) if len(known) == len(listed) else value
        if name == "form":
            return t.listed(
                [t.say(FORMS[each]) if each in FORMS else each for each in _SEVERAL.split(value)]
            )
        if key == "day":  # which field of a form
            return t(f"console.day_of.{value}") if t.knows(f"console.day_of.{value}") else value
        group = _STAGES.get(key, "") if name in _STAGED else _NAMED.get(name, "")
        if group:
            said = [(f"console.{group}.{each}", each) for each in _SEVERAL.split(value)]
            return t.listed([t(code) if t.knows(code) else each for code, each in said])
        return value


def _shape(sentence: str) -> re.Pattern[str]:
    """Return what matches a sentence with any values in its places."""
    pieces = _PLACE.split(sentence)
    return re.compile(
        "".join(
            f"(?P<{piece}>.{{1,300}}?)" if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )
    )
