"""The notice in at most twelve lines, for the poster."""

from collections.abc import Sequence

from epilock.collect.notice_facts import FieldNotice, Kept, PointFacts, names
from epilock.collect.notice_flow import kept_sentence, reached
from epilock.standard import Standard
from epilock.standard.text import Text

# Labels of the lines that a passer-by needs first; the poster prints them large.
AT_A_GLANCE = frozenset({"必填", "多久", "最久", "投诉"})


def short(
    standard: Standard, facts: PointFacts, fields: Sequence[FieldNotice], kept: Sequence[Kept]
) -> tuple[Text, ...]:
    """Return the notice in at most twelve lines, for the poster."""
    circumstance = standard.circumstances[facts.circumstance]
    media = names(_medium(standard, m) for m in facts.media)
    ranges = names(
        standard.ranges[r].name
        for r in reached(standard, facts.circumstance, [f.category for f in fields])
    )
    name, contact = facts.organisation, facts.contact
    lines = [
        Text(f"谁收集：{name.zh}，{contact.telephone}", f"Who: {name.en}, {contact.telephone}"),
        Text(
            f"为什么：{facts.emergency_name.zh}，{circumstance.name.zh}；{_short_basis(facts).zh}",
            f"Why: {facts.emergency_name.en}, {circumstance.name.en}; {_short_basis(facts).en}",
        ),
        *_short_fields(fields),
        Text(f"保存在：{media.zh}", f"Kept in: {media.en}"),
        Text(f"谁能看：{ranges.zh or '没有人'}", f"Seen by: {ranges.en or 'nobody'}"),
    ]
    if facts.third_parties:
        others = names(p.name for p in facts.third_parties)
        lines.append(Text(f"第三方：{others.zh}", f"Other parties: {others.en}"))
    lines += [
        *_short_kept(standard, kept),
        Text(
            "您可以：查看、更正、撤回、删除、投诉",
            "You may see, correct, withdraw, delete and complain",
        ),
        Text(
            f"投诉：{contact.complaints}；{contact.supervisor}",
            f"Complaints: {contact.complaints}; {contact.supervisor}",
        ),
        Text("未满14岁由监护人填写", "Under 14: a guardian fills it in"),
    ]
    return tuple(lines)


def _medium(standard: Standard, code: str) -> Text:
    name = standard.media[code].name
    if code != "vault":
        return name
    return Text(f"{name.zh}（单独加密）", f"{name.en} (each under a key of its own)")


def _short_basis(facts: PointFacts) -> Text:
    if facts.basis == "guardian":
        return Text("监护人同意", "by the guardian's consent")
    if facts.mandate is None or facts.basis == "consent":
        return Text("凭您同意", "by your consent")
    return Text(f"依{facts.mandate.number}", f"under {facts.mandate.number}")


def _short_fields(fields: Sequence[FieldNotice]) -> list[Text]:
    if not fields:
        return [Text("现在什么也不收集", "Nothing is collected at present")]
    lines = []
    for optional, zh, en in ((False, "必填", "Needed"), (True, "选填", "Optional")):
        found = [
            Text(f"{f.label.zh}*", f"{f.label.en}*") if f.sensitive else f.label
            for f in fields
            if f.optional is optional
        ]
        if found:
            listed = names(found)
            lines.append(Text(f"{zh}：{listed.zh}", f"{en}: {listed.en}"))
    if any(f.sensitive for f in fields):
        lines.append(
            Text(
                "带*的是敏感信息，要单独勾选",
                "* is sensitive information and has a box of its own",
            )
        )
    return lines


def _short_kept(standard: Standard, kept: Sequence[Kept]) -> list[Text]:
    """Return one line: the longest period, since the parts differ; the notice has each."""
    if not kept:
        return []
    longest = max(kept, key=lambda k: (k.days is None, k.days or 0))
    says = kept_sentence(standard, longest)
    if len(kept) == 1:
        return [Text(f"多久：{says.zh}", f"How long: {says.en}")]
    return [Text(f"最久：{says.zh}", f"At the longest: {says.en}")]
