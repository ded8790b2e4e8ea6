"""Plain words for what the standard names in its own: purposes, parts, as ``3-IV``, and rules that set a day, as ``retain/...``."""

from collections.abc import Mapping
from types import MappingProxyType

from epilock.destroy.due import UNKNOWN
from epilock.errors import InputError
from epilock.standard import Standard
from epilock.standard.rule_sheet import rule_sheet
from epilock.standard.text import NOTHING, Text

# What each purpose comes to, for who never heard its name.
PURPOSES: Mapping[str, Text] = MappingProxyType(
    {
        "situation-monitoring": Text("知道疫情到了什么程度（只看人数）", "to know how far it has spread, from numbers only"),
        "treatment": Text("给人看病、防病", "to treat people and keep others well"),
        "resource-allocation": Text("安排物资和人手", "to send supplies and helpers where they are needed"),
        "health-code": Text("给健康码定颜色", "to set the colour of a health code"),
        "personnel": Text("管好进出这里的人", "to look after who comes in and out here"),
        "tracing": Text("找到可能接触过病人的人", "to find who may have been near a sick person"),
        "deployment-control": Text("决定哪些地方要管控（只看人数）", "to decide which places need measures, from numbers only"),
        "governance": Text("改进防控办法（去掉身份）", "to improve the response, without names"),
        "research": Text("科学研究（去掉身份）", "for research, without names"),
    }
)  # fmt: skip


def purpose(standard: Standard, code: str) -> Text:
    """Return what a purpose comes to in plain words; of one that has none, its name."""
    return PURPOSES.get(code) or standard.purposes[code].name


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
