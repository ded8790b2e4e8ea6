"""Details of errors in the language of the page: an error's own sentence is English, and found again by its shape.

An error stays what the rooms below raise; they know no language. ``texts/detail.toml`` has the sentences that people
meet most, each with the places of its values, and what to say instead.
"""

import re

from epilock.web.language import Phrases, Speaker

_PREFIX = "detail."
_PLACE = re.compile(r"\{([a-z_]+)\}")


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

    def say(self, t: Speaker, sentence: str) -> str | None:
        """Return ``sentence`` as the page's language says it, or None if it is not one that is known."""
        for key, shape in self._shapes:
            found = shape.fullmatch(sentence)
            if found:
                values = {name: self._value(t, value) for name, value in found.groupdict().items()}
                return t(f"detail.{key}", **values)
        return None

    def _value(self, t: Speaker, value: str) -> str:
        """Return ``value`` as the page's language says it, where it is a sentence of the table without values."""
        return t(f"detail.{self._whole[value]}") if value in self._whole else value


def _shape(sentence: str) -> re.Pattern[str]:
    """Return what matches a sentence with any values in its places."""
    pieces = _PLACE.split(sentence)
    return re.compile(
        "".join(
            f"(?P<{piece}>.{{1,300}}?)" if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )
    )
