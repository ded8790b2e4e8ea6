"""What a monitor found, as one page that needs nothing beside it: no script, no style sheet, no network."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from epilock.ledger.finding import CRITICAL
from epilock.ledger.monitor import Report
from epilock.standard.level import CHINA

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem;color:#111;background:#fff}"
    "h2{margin-top:2rem;overflow-wrap:anywhere}li{margin:.5rem 0;overflow-wrap:anywhere}"
    ".bad{border-left:.4rem solid #b00;padding-left:.6rem}.warn{border-left:.4rem solid #c80;padding-left:.6rem}"
    ".good{border-left:.4rem solid #080;padding-left:.6rem}code{font-size:.9em}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#111}}"
)


def page(reports: Sequence[tuple[str, Report]], now: datetime) -> str:
    """Return the page: each log with what is wrong with it, in Chinese and English."""
    when = now.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    parts = [
        '<!doctype html><html lang="zh"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>日志监督 · Monitor {when}</title><style>{STYLE}</style></head><body>",
        f"<h1>日志监督 · Monitor</h1><p>{when} (UTC+8)</p>",
    ]
    for where, report in reports:
        parts += _log(where, report)
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _log(where: str, report: Report) -> list[str]:
    said = report.checkpoint
    name = where if said is None else said.origin
    lines = [f"<h2>{escape(name)}</h2>", f"<p><code>{escape(where)}</code></p>"]
    if said is not None:
        root = f"<code>{said.root.hex()}</code>"
        lines.append(f"<p>已读取 {report.size} 条 · {report.size} entries read, root {root}</p>")
    if not report.findings:
        lines.append(
            '<p class="good">没有发现问题 · nothing is wrong, overdue or contradictory</p>'
        )
        return lines
    lines.append("<ul>")
    for each in report.findings:
        kind = "bad" if each.severity == CRITICAL else "warn"
        often = "" if each.count == 1 else f" × {each.count}"
        index = "" if each.index is None else f" · {each.index}"
        lines.append(
            f'<li class="{kind}"><strong>{escape(each.about)}</strong>{index}{often}<br>'
            f'{escape(each.detail.zh)}<br><span lang="en">{escape(each.detail.en)}</span></li>'
        )
    lines.append("</ul>")
    return lines
