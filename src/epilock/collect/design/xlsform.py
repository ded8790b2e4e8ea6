"""XLSForm: the ``survey`` sheet of a workbook for ODK, KoboToolbox and their kin (xlsform.org).

Each row is a question; ``begin group`` and ``begin repeat`` nest them. Notes ask nothing. A few types
collect without asking: where the device is, which device it is, whose telephone.
"""

import re
from collections.abc import Mapping, Sequence

from epilock.collect.design.field import Design, DesignField, make
from epilock.collect.design.workbook import Rows, Sheet
from epilock.errors import FileFormatError

# What a type collects by itself, whatever its label says ("meta": the system fills it in).
COLLECTS = {
    "start": "meta", "end": "meta", "today": "meta", "audit": "meta",
    "deviceid": "online.device-id", "simserial": "online.device-id", "subscriberid": "online.device-id",
    "device id": "online.device-id", "sim id": "online.device-id", "sim serial": "online.device-id",
    "subscriber id": "online.device-id", "uri:deviceid": "online.device-id", "phone number": "contact.mobile",
    "uri:phonenumber": "contact.mobile", "uri:email": "contact.email", "uri:username": "online.account",
    "start time": "meta", "end time": "meta", "get today": "meta", "phonenumber": "contact.mobile", "email": "contact.email", "username": "online.account",
    "geopoint": "location.precise", "geotrace": "location.precise", "geoshape": "location.precise",
    "start geopoint": "location.precise", "background geopoint": "location.precise", "background audio": "biometric.voice",
}  # fmt: skip
# What a type suggests where its words say nothing.
SUGGESTS = {
    "image": "image.scene", "photo": "image.scene", "video": "image.scene", "audio": "biometric.voice",
    "calculate": "meta", "hidden": "meta", "acknowledge": "meta", "trigger": "meta",
}  # fmt: skip
PICTURES = frozenset({"image", "photo", "video"})
IN_WORDS = frozenset(
    {"text", "string", "integer", "int", "decimal", "date", "time", "datetime", "date time"}
)
ASK_NOTHING = frozenset({"note", "xml external", "csv external", "entity"})
TRUE = frozenset({"yes", "true", "true()", "1", "y", "是"})

_REFERENCE = re.compile(r"\$\{\s*([^{}\s]{1,200})\s*\}")
_LANGUAGE = re.compile(r"label\s*::?\s*(.*)")
_SPACES = re.compile(r"[\s_-]+")


def is_survey(rows: Rows) -> bool:
    """Return whether ``rows`` begin with the header of a survey sheet: ``type``, and name or label."""
    header = {c.strip().lower() for c in next((r for r in rows if any(r)), [])}
    return "type" in header and any(c == "name" or c.startswith("label") for c in header)


def read_xlsform(sheets: Sequence[Sheet], name: str) -> Design:
    """Return the design of a workbook with a survey sheet.

    Raises:
        FileFormatError: The sheet has no column ``type``, or its groups do not close.
    """
    by_name = {s.name.strip().lower(): s for s in sheets}
    survey, settings = by_name["survey"], _settings(by_name.get("settings"))
    if not is_survey(survey.rows):
        raise FileFormatError(f"{name}: its survey sheet has no columns type, name and label")
    fields = read_survey(survey.rows, name, settings.get("default_language", ""))
    return make("xlsform", settings.get("form_title", ""), fields, name)


def _settings(sheet: Sheet | None) -> dict[str, str]:
    rows = [r for r in (sheet.rows if sheet else []) if any(r)]
    return (
        dict(zip((c.strip().lower() for c in rows[0]), rows[1], strict=False))
        if len(rows) > 1
        else {}
    )


def read_survey(rows: Rows, name: str, language: str = "") -> list[DesignField]:
    """Return the questions of a survey sheet.

    Args:
        rows: The sheet; its first filled row is the header.
        name: Of the file, for messages.
        language: Of the labels that are shown first, as the settings name it.

    Raises:
        FileFormatError: A group ends that did not begin, or begins and does not end.
    """
    start = next(n for n, r in enumerate(rows) if any(r))
    columns = {c.strip().lower(): n for n, c in reversed(list(enumerate(rows[start])))}
    labels = _label_columns(columns, language)
    groups: list[str] = []
    fields: list[DesignField] = []
    for number, cells in enumerate(rows[start + 1 :], start + 2):
        row = _Row(number, cells, columns, labels)
        if row.kind.startswith("begin "):
            groups.append((row.words or [row.cell("name")])[0])
        elif row.kind.startswith("end "):
            if not groups:
                raise FileFormatError(
                    f"{name}: survey row {number} ends a group that did not begin"
                )
            groups.pop()
        elif row.kind and row.kind not in ASK_NOTHING:
            fields.append(_question(row, groups))
    if groups:
        raise FileFormatError(f"{name}: {len(groups)} group(s) of the survey sheet do not end")
    return fields


class _Row:
    """One row of a survey sheet.

    Attributes:
        number: Of the row in the sheet.
        kind: Its type, spaces for underscores, such as ``begin group``.
        words: Its labels, the language that is shown first before the others.
    """

    def __init__(
        self, number: int, cells: Sequence[str], columns: Mapping[str, int], labels: Sequence[int]
    ) -> None:
        self._cells, self._columns = cells, columns
        self.number = number
        self.kind = _SPACES.sub(" ", self.cell("type").lower()).strip()
        self.words = [w for n in labels if n < len(cells) and (w := cells[n].strip())]

    def cell(self, title: str) -> str:
        """Return the cell of the column ``title``, "" where there is none."""
        n = self._columns.get(title)
        return self._cells[n].strip() if n is not None and n < len(self._cells) else ""


def _question(row: _Row, groups: Sequence[str]) -> DesignField:
    own = row.cell("name") or f"row {row.number}"
    parent = _REFERENCE.search(row.cell("relevant"))
    category = COLLECTS.get(row.kind, "")
    if row.kind == "audit" and "location" in row.cell("parameters"):
        category = "location.precise"
    if "signature" in row.cell("appearance").lower():
        category = "identity.signature"
    return DesignField(
        field=own,
        label=row.words[0] if row.words else own,
        context=" > ".join(g for g in groups if g),
        translations=tuple(row.words[1:]),
        wordings=tuple(w for w in (own, row.cell("hint")) if w),
        category=category,
        otherwise=SUGGESTS.get(row.kind, ""),
        image=row.kind in PICTURES,
        follows=parent[1] if parent else "",
        required=row.cell("required").lower() in TRUE,
        depends=bool(row.cell("relevant")),
        options=() if row.kind in IN_WORDS else None,
        place=f"survey!A{row.number}",
    )


def _label_columns(columns: Mapping[str, int], language: str) -> list[int]:
    """Return the columns with labels, the one in ``language`` first."""
    found = []
    for title, column in columns.items():
        spoken = _LANGUAGE.fullmatch(title)
        if title == "label" or spoken:
            first = spoken is not None and spoken[1].strip() == language.strip().lower() != ""
            found.append((not first, column))
    return [column for _, column in sorted(found)]
