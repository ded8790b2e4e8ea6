"""Plain words for what the standard names by codes: parts, as ``3-IV``, and rules that set a day, as ``retain/...``."""

from epilock.destroy.due import UNKNOWN
from epilock.errors import InputError
from epilock.standard import Standard
from epilock.standard.rule_sheet import rule_sheet
from epilock.standard.text import NOTHING, Text


def part(standard: Standard, circumstance: str, name: str) -> Text:
    """Return what lies in a part, such as "name, sample number"; nothing if the standard does not know it."""
    try:
        found = next(p for p in standard.parts(circumstance) if p.name == name)
    except (InputError, StopIteration):
        return NOTHING
    names = [standard.categories[c].name for c in found.categories]
    return Text("、".join(n.zh for n in names), ", ".join(n.en for n in names))


def grade(standard: Standard, name: str) -> Text:
    """Return what a part's name says: its grade, and from which level on it may be asked."""
    number, _, rest = name.partition("-")
    level = rest.partition("-")[0]
    if number not in standard.grades or level not in standard.levels:
        return NOTHING
    a, b = standard.grades[number].name, standard.levels[level].name
    return Text(f"信息{a.zh}，响应为{b.zh}时起可以收集", f"{a.en}, may be asked from {b.en} on")


def rule(standard: Standard, code: str) -> Text:
    """Return what a rule says that sets a day; nothing if the standard does not know it."""
    kind = code.partition("/")[0]
    if kind == "ended":
        days = standard.end_days
        return Text(
            f"应急结束后{days}日内销毁", f"destroyed within {days} days of the emergency's end"
        )
    if kind == UNKNOWN:
        return Text("标准不认得这部分，不会自动销毁", "the standard does not know this part; it is never destroyed by itself")  # fmt: skip
    try:
        return rule_sheet(standard, code).name
    except InputError:
        return NOTHING
