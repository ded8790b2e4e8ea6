"""A text in the two languages of the house: Chinese and English say the same, and both are always there."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One text, twice.

    Attributes:
        zh: Simplified Chinese.
        en: English.
    """

    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        """Return ``{"zh": …, "en": …}``, as JSON and the ledger have it."""
        return {"zh": self.zh, "en": self.en}


NOTHING = Text("", "")


def joined(texts: Iterable[Text]) -> Text:
    """Return ``texts`` in one line, separated as each language does."""
    listed = tuple(texts)
    return Text("、".join(t.zh for t in listed), ", ".join(t.en for t in listed))


def about(what: Text, says: Text) -> Text:
    """Return ``what: says``."""
    return Text(f"{what.zh}：{says.zh}", f"{what.en}: {says.en}")
