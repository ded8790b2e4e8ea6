"""A text in the two languages of the house: Chinese and English say the same, and both are always there."""

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
