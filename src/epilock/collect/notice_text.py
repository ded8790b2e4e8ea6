"""The words of the notice: what ``notice.build`` says in each section, in Chinese and English.

The words are meant for someone who left school early: short sentences, no terms of law where the law
allows plain ones; the articles stand in brackets behind them.
"""

from collections.abc import Sequence

from epilock.collect.consent import OF_RIGHT
from epilock.collect.notice_facts import (
    FieldNotice,
    Item,
    Kept,
    PointFacts,
    Section,
    item,
    names,
    section,
)
from epilock.collect.notice_flow import how_long, recipients, third_parties
from epilock.standard import Standard
from epilock.standard.model import Circumstance
from epilock.standard.text import Text

_COLONS = ":： "  # at the end of a label of somebody's form
_WHY_NEEDED = Text("为什么非要不可", "Why nothing less would do")
_WHY_OPTIONAL = Text("为什么问", "Why it is asked all the same")


def without(basis: str, *, optional: bool) -> Text:
    """Return what happens if a field is left empty."""
    if optional:
        return Text("不填不影响其他", "leaving it empty changes nothing else")
    if basis in {"consent", "guardian"}:
        return Text(
            "不填就不能用这项服务，没有别的后果",
            "without it this service can't be given; nothing else follows",
        )
    return Text(
        "不填就不能在线登记，请找工作人员用别的办法核实",
        "without it you can't register online; ask the staff to verify in another way",
    )


def sections(
    standard: Standard,
    facts: PointFacts,
    fields: Sequence[FieldNotice],
    kept: Sequence[Kept],
    *,
    version: int,
) -> tuple[Section, ...]:
    """Return the notice's sections in their order; one that has nothing to say is left out."""
    found = (
        section("who", "谁在收集", "Who collects", _who(facts)),
        section("why", "为什么收集", "Why", _why(standard, facts)),
        section("what", "收集什么", "What is asked", _what(fields)),
        section("how", "怎么收集、怎么保管", "How it is collected and kept safe", _how(standard, facts, fields)),
        section("recipients", "谁能看到", "Who may see it", recipients(standard, facts)),
        section("third-parties", "交给哪些第三方", "Other parties", third_parties(standard, facts)),
        section("how-long", "保存多久、怎么结束", "How long, and how it ends", how_long(standard, facts, kept)),
        section("rights", "您的权利", "Your rights", _rights(facts)),
        section("decisions", "机器自动判定", "Decisions by machine", _decisions(standard, facts)),
        section("minors", "未成年人", "Children", _minors(facts)),
        section("complaints", "哪里投诉", "Where to complain", _complaints(facts)),
        section("version", "关于这份告知", "About this notice", _version(standard, facts, version)),
    )  # fmt: skip
    return tuple(one for one in found if one.items)


def _who(facts: PointFacts) -> list[Item]:
    name, contact = facts.organisation, facts.contact
    return [
        item("controller", f"{name.zh}。", f"{name.en}."),
        item(
            "place", f"采集点：{facts.point_name.zh}。", f"Collection point: {facts.point_name.en}."
        ),
        item(
            "contact",
            f"地址：{contact.address}；电话：{contact.telephone}。",
            f"Address: {contact.address}; telephone: {contact.telephone}.",
        ),
        item(
            "officer",
            f"个人信息负责人：{contact.officer}。",
            f"Who answers for personal information: {contact.officer}.",
        ),
    ]


def _why(standard: Standard, facts: PointFacts) -> list[Item]:
    level = standard.levels[facts.level].name
    circumstance = standard.circumstances[facts.circumstance]
    purposes = names(standard.purposes[p].name for p in circumstance.purposes if p not in OF_RIGHT)
    event, place, note = facts.emergency_name, circumstance.name, _note(facts, circumstance)
    return [
        item(
            "emergency",
            f"{event.zh}，现在的响应级别：{level.zh}。",
            f"{event.en}; response level at present: {level.en}.",
        ),
        item(
            "circumstance",
            f"{place.zh}：{circumstance.everyday.zh}。{note.zh}",
            f"{place.en}: {circumstance.everyday.en}.{note.en and ' '}{note.en}",
        ),
        item(
            "purposes",
            f"只用于：{purposes.zh}。不用于别的事，不出卖（突发事件应对法84、85条）。",
            f"Used only for: {purposes.en}. For nothing else, and never sold "
            "(Emergency Response Law 84, 85).",
        ),
        item("basis", *_basis(facts)),
    ]  # fmt: skip


def _note(facts: PointFacts, circumstance: Circumstance) -> Text:
    """Return what there is to know of a circumstance; of a third party only where there is one."""
    about_one = "third-party" in circumstance.media_only and not facts.third_parties
    return Text("", "") if about_one else circumstance.note


def _basis(facts: PointFacts) -> tuple[str, str]:
    """Return the sentence about the legal basis, in both languages."""
    if facts.basis == "guardian":
        return (
            "依据：监护人的同意（个人信息保护法13条1项、31条）。监护人可以不同意。",
            "Basis: the guardian's consent (PIPL 13(1), 31). The guardian may refuse.",
        )
    if facts.basis == "consent" or facts.mandate is None:
        return (
            "依据：您的同意（个人信息保护法13条1项）。您可以不同意。",
            "Basis: your consent (PIPL 13(1)). You may refuse.",
        )
    order = facts.mandate
    duty_zh, duty_en, point = (
        ("法定职责", "a duty by law", 3)
        if facts.basis == "law"
        else ("应对突发事件", "the response to the emergency", 4)
    )
    until_zh = f"，到{order.until}为止" if order.until else ""
    until_en = f", until {order.until}" if order.until else ""
    zh = (
        f"依据：{duty_zh}（个人信息保护法13条{point}项），按{order.issuer}《{order.number}》"
        f"（{order.date}{until_zh}）。这不需要您同意，但必须让您知道。"
    )
    en = (
        f"Basis: {duty_en} (PIPL 13({point})), under {order.issuer}, {order.number} "
        f"({order.date}{until_en}). It needs no consent, but you must be told."
    )
    return zh, en


def _what(fields: Sequence[FieldNotice]) -> list[Item]:
    if not fields:
        return [
            item(
                "nothing",
                "现在什么也不收集：只看一眼，不记录。",
                "Nothing is collected at present: it is looked at, not written down.",
            )
        ]
    items = [_field(field) for field in fields]
    if any(field.category == "identity.resident-id" for field in fields):
        items.append(
            item(
                "resident-id-tells",
                "身份证号本身还会说明您的性别、生日和户籍地。",
                "A resident ID number also tells sex, birth date and home area.",
            )
        )
    return items


def _field(field: FieldNotice) -> Item:
    zh = f"{field.label.zh.rstrip(_COLONS)}：{field.why.zh}。"
    en = f"{field.label.en.rstrip(_COLONS)}: {field.why.en}."
    if field.sensitive:
        lead = _WHY_OPTIONAL if field.optional else _WHY_NEEDED
        zh += f"{lead.zh}：{field.necessity.zh}。对您的影响：{field.effect.zh}。"
        en += f" {lead.en}: {field.necessity.en}."
        en += f" What it may mean for you: {field.effect.en}."
    zh += f"不填会怎样：{field.without.zh}。"
    en += f" If you leave it out: {field.without.en}."
    marks = ["optional" if field.optional else "required"]
    return Item(
        id=f"field:{field.id}",
        text=Text(zh, en),
        marks=(*marks, "sensitive") if field.sensitive else tuple(marks),
    )


def _how(standard: Standard, facts: PointFacts, fields: Sequence[FieldNotice]) -> list[Item]:
    method = standard.methods[facts.method].name
    grade = max((standard.categories[f.category].grade for f in fields), default=1)
    items = [
        item("method", f"收集方式：{method.zh}。", f"How it is collected: {method.en}."),
        *(_medium(standard, medium) for medium in facts.media),
        item(
            "in-china",
            "只存在中国境内，不出境（个人信息保护法36、38条）。",
            "It stays in mainland China and is never sent abroad (PIPL 36, 38).",
        ),
        item(
            "protection",
            "在本系统里，每个人的信息单独加密。谁打开、为什么打开，都先记录再打开，您可以查到。",
            "In this system each person's information is locked under its own key. Who opens it and why "
            "is written down first, and you can look it up.",
        ),
    ]
    if grade >= 3:  # noqa: PLR2004 - grades of the standard, section 3
        items.append(
            item(
                "masked",
                "显示时默认遮住一部分；要有期限的授权才能打开。",
                "It is shown partly hidden; whoever opens it needs a permission, which ends on a day.",
            )
        )
    if grade >= 4:  # noqa: PLR2004 - same
        most = standard.grades["4"].facts["two_persons_above"]
        items.append(
            item(
                "two-persons",
                f"一次打开{most}人以上，或打开未成年人的，要两个人批准。",
                f"Opening more than {most} people's, or a child's, needs two persons.",
            )
        )
    return items


def _medium(standard: Standard, code: str) -> Item:
    """Return where it is kept; what the standard asks of other media than this system is said."""
    medium = standard.media[code]
    if code == "vault":
        return item("medium:vault", f"保存在：{medium.name.zh}。", f"Kept in: {medium.name.en}.")
    return item(
        f"medium:{code}",
        f"也保存在：{medium.name.zh}（{medium.says.zh}）。",
        f"Also kept in: {medium.name.en} ({medium.says.en}).",
    )


def _rights(facts: PointFacts) -> list[Item]:
    desk = facts.contact.address
    items = [
        item(
            "rights",
            "您可以：查看、复制、转移、更正、补充、限制使用、删除自己的信息，撤回同意，注销，要求解释，投诉"
            "（个人信息保护法44至50条）。",
            "You may see, copy, move, correct, complete, restrict and delete your information, withdraw, "
            "close your account, ask for an explanation, and complain (PIPL 44 to 50).",
        ),
        item(
            "how-to",
            f"凭收据码在 {facts.withdrawal_url} 办理；没有手机，请到{desk}办理。",
            f"With your receipt code at {facts.withdrawal_url}; without a phone, at {desk}.",
        ),
        item(
            "refusal",
            "不给办的，会书面告诉您原因；您可以向法院起诉。您拒绝以后，不会反复问您。",
            "A refusal is given with its reasons, and you may go to court. After a no you are not asked "
            "again and again.",
        ),
        item(
            "relatives",
            "人去世后，近亲属可以为了自己的正当利益查看、复制、更正、删除（49条）。",
            "After a death the near relatives may see, copy, correct and delete for their own lawful "
            "interest (PIPL 49).",
        ),
    ]
    if facts.basis in {"consent", "guardian"}:
        withdraw = item(
            "withdraw",
            "随时可以撤回同意，撤回后立即销毁，和同意一样容易；撤回前已经做的仍然有效。",
            "You may withdraw at any time, as easily as you agreed; it is then destroyed at once. What was "
            "done before stays valid.",
        )
    else:
        withdraw = item(
            "withdraw",
            "选填的内容随时可以撤回，立即销毁；必填的依法收集，用完就删，您可以要求检查。",
            "What was optional may be withdrawn at any time and is destroyed at once; what is asked by "
            "law is deleted when its purpose is met, and you may have that checked.",
        )
    return [*items, withdraw]


def _decisions(standard: Standard, facts: PointFacts) -> list[Item]:
    if facts.circumstance != "health-code":
        return []
    hours = standard.duties["automated-decision"].facts["review_hours"]
    return [
        item(
            "automated",
            f"健康码颜色由机器判定。您可以问原因，可以要求人工复核，{hours}小时内答复（个人信息保护法24条）。",
            "The colour of the code is decided by machine. You may ask why, and have a person review it "
            f"within {hours} hours (PIPL 24).",
        ),
        item(
            "only-epidemic",
            "颜色只用于防疫；用于别的事的，请举报。",
            "The colour is for the epidemic alone; report any other use.",
        ),
    ]


def _minors(facts: PointFacts) -> list[Item]:
    items = [
        item(
            "under-14",
            "未满14周岁的，由父母或其他监护人阅读、填写并同意（31条）。",
            "For a child under 14 a parent or other guardian reads this, fills it in and agrees (PIPL 31).",
        ),
        item(
            "under-18",
            "未满18周岁的，工作人员打开前要批准并记录（未成年人网络保护条例36条）。",
            "A record of anyone under 18 is opened by staff only with approval, and logged (Minors' "
            "Network Regulations 36).",
        ),
    ]
    if facts.basis in {"law", "emergency"}:
        items.append(
            item(
                "under-14-told",
                "依法必填的内容也会告诉监护人。",
                "The guardian is also told of what is asked by law.",
            )
        )
    return items


def _complaints(facts: PointFacts) -> list[Item]:
    contact = facts.contact
    return [
        item("own", f"向本单位：{contact.complaints}。", f"To us: {contact.complaints}."),
        item(
            "supervisor",
            f"向主管部门：{contact.supervisor}。任何人都可以举报，会告诉您结果（个人信息保护法65条）。",
            f"To the supervising department: {contact.supervisor}. Anyone may report, and is told the "
            "result (PIPL 65).",
        ),
    ]


def _version(standard: Standard, facts: PointFacts, version: int) -> list[Item]:
    return [
        item(
            "version",
            f"第{version}版，采集点{facts.point}，按标准{standard.ref}生成，中英文一起计算校验值。",
            f"Version {version} for point {facts.point}, made from standard {standard.ref}; both "
            "languages are hashed together.",
        ),
        item(
            "changes",
            "响应级别或内容变了，会出新的一版，请重新阅读、重新同意。",
            "If the level or the content changes there is a new version, to be read and agreed to anew.",
        ),
    ]
