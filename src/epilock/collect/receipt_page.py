"""The receipt as a page to print: labels and values, no design, no value that a person gave."""

from dataclasses import dataclass

from epilock.collect.notice import Notice
from epilock.collect.notice_flow import kept_sentence
from epilock.collect.notice_page import say
from epilock.collect.receipt_form import Receipt, state
from epilock.standard import Standard
from epilock.standard.text import Text

_STATES = {
    "ConsentGiven": Text("已同意", "agreed"),
    "RenewedConsentGiven": Text("再次同意", "agreed again"),
    "ConsentRefused": Text("未同意", "not agreed"),
    "ConsentWithdrawn": Text("已撤回", "withdrawn"),
    "ConsentExpired": Text("已到期", "expired"),
    "ConsentTerminated": Text("收集单位已终止", "ended by the collector"),
    "ConsentInvalidated": Text("主管部门认定无效", "held invalid by the authority"),
    "NotConsent": Text("已告知", "told"),
}
_LABELS = {
    "code": Text("收据码（请保存）", "Receipt code (keep it)"),
    "point": Text("采集点", "Collection point"),
    "controller": Text("收集单位", "Collected by"),
    "created": Text("时间", "Time"),
    "categories": Text("收集了", "Collected"),
    "kept": Text("保存", "Kept"),
    "withdraw": Text("查看、更正、撤回", "See, correct, withdraw"),
    "complaints": Text("投诉", "Complaints"),
    "notice": Text("告知", "Notice"),
    "ledger": Text("公开账本", "Public log"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page: a stable id, what it is called, what it says."""

    id: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows, in one language.

    Attributes:
        code: The receipt code in its groups.
        lines: Facts, in order.
        acts: Each act's text and its state in words.
    """

    code: str
    lines: tuple[Line, ...]
    acts: tuple[tuple[str, str], ...]


def page(standard: Standard, notice: Notice, receipt: Receipt, language: str) -> Page:
    """Return the page of ``receipt``, given under ``notice``, in ``language``."""
    record = receipt.records[0]
    names = dict.fromkeys(
        say(standard.categories[f.category].name, language) for f in notice.fields
    )
    values = [
        ("code", receipt.code),
        ("point", say(notice.point_name, language)),
        ("controller", f"{say(notice.organisation, language)}, {notice.contact.telephone}"),
        ("created", receipt.created.replace("T", " ")),
        ("categories", ("、" if language == "zh" else ", ").join(names)),
        *(("kept", _kept(standard, notice, n, language)) for n in range(len(notice.kept))),
        ("withdraw", f"{notice.withdrawal_url} · {notice.contact.address}"),
        ("complaints", f"{notice.contact.complaints} · {notice.contact.supervisor}"),
        ("notice", f"{notice.point} · {notice.version} · {notice.sha256[:16]}"),
        ("ledger", f"{receipt.ledger.origin} · {receipt.ledger.index}"),
    ]
    return Page(
        code=receipt.code,
        lines=tuple(Line(i, say(_LABELS[i], language), value) for i, value in values),
        acts=tuple((p.purpose_title, say(_STATES[state(p)], language)) for p in record.processing),
    )


def _kept(standard: Standard, notice: Notice, place: int, language: str) -> str:
    kept = notice.kept[place]
    names = [say(standard.categories[c].name, language) for c in kept.categories]
    joined = ("、" if language == "zh" else ", ").join(names)
    return f"{joined}{'：' if language == 'zh' else ': '}{say(kept_sentence(standard, kept), language)}"
