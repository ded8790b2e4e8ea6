"""The notice as people read it: plain text, and an HTML fragment that needs no style and no script."""

import re
from html import escape

from epilock.collect.notice import Item, Notice
from epilock.standard.text import Text

MARKS = {
    "required": Text("必填", "required"),
    "optional": Text("选填", "optional"),
    "sensitive": Text("敏感", "sensitive"),
}
_TITLE = Text("个人信息收集告知", "Notice about your personal information")
_CHINESE = re.compile("[\u3400-\u9fff](?:[\u3400-\u9fff0-9、，。·]*[\u3400-\u9fff])?")
_HASH = Text("校验值", "Hash")


def say(text: Text, language: str) -> str:
    """Return ``text`` in ``language``, ``zh`` or ``en``."""
    return text.zh if language == "zh" else text.en


def text(notice: Notice, language: str) -> str:
    """Return the whole notice as lines of plain text, its hash last."""
    lines = [say(_TITLE, language), say(notice.point_name, language), ""]
    for section in notice.sections:
        lines.append(f"## {say(section.title, language)}")
        lines += [f"- {_marks(item, language)}{say(item.text, language)}" for item in section.items]
        lines.append("")
    lines.append(f"{say(_HASH, language)}: {notice.sha256}")
    return "\n".join(lines) + "\n"


def html(notice: Notice, language: str) -> str:
    """Return the whole notice as an ``article`` element; everything in it is escaped.

    Each section is ``<section id="notice-…">`` with a heading and a list; marks are ``<em>`` with a
    class of their name, so that they are seen, and read aloud, also without a style sheet.
    """
    tag = {"zh": "zh-CN"}.get(language, language)
    parts = [f'<article class="notice" lang="{escape(tag)}">']
    for section in notice.sections:
        parts.append(f'<section id="notice-{escape(section.id)}">')
        parts.append(f"<h3>{escape(say(section.title, language))}</h3><ul>")
        for item in section.items:
            marks = "".join(
                f'<em class="{escape(mark)}">{escape(say(MARKS[mark], language))}</em> '
                for mark in item.marks
            )
            parts.append(f"<li>{marks}{in_tongues(say(item.text, language), language)}</li>")
        parts.append("</ul></section>")
    hash_ = escape(say(_HASH, language))
    parts.append(f'<p class="hash">{hash_} <code>{notice.sha256}</code></p></article>')
    return "".join(parts)


def in_tongues(text: str, language: str) -> str:
    """Return ``text``, escaped; on a page that is not Chinese what is Chinese in it says so, or it is read out wrongly.

    Addresses and the names of people and offices are written once, in Chinese.
    """
    safe = escape(text)
    return safe if language == "zh" else _CHINESE.sub(r'<span lang="zh-CN">\g<0></span>', safe)


def _marks(item: Item, language: str) -> str:
    words = [say(MARKS[mark], language) for mark in item.marks]
    if not words:
        return ""
    return f"【{'、'.join(words)}】" if language == "zh" else f"[{', '.join(words)}] "
