"""A page as someone without a screen uses it: forms are filled in and sent as a browser would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
from visitor import Visitor

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path", "rect"})


@dataclass
class Form:
    """One form of a page; ``values`` is what a browser would send now."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Sheet(HTMLParser):
    """A page that was answered.

    Attributes:
        status: HTTP status.
        html: The page.
        text: What a person reads, in one line.
        forms: Its forms, in order.
        errors: Addresses and words of the error summary.
        path, address: Where it was, without and with its query.
    """

    def __init__(self, visitor: Visitor, answer: httpx.Response) -> None:
        super().__init__()
        self.visitor, self.status, self.html = visitor, answer.status_code, answer.text
        self.path = answer.request.url.path
        self.address = answer.request.url.raw_path.decode()
        self.headers = answer.headers
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.unclosed: list[str] = []
        self.ids: list[str] = []
        self._by_id: dict[str, Form] = {}
        self._words: list[str] = []
        self._open: Form | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: str | None = None
        self.feed(answer.text)
        self.text = " ".join(" ".join(self._words).split())

    @property
    def errors(self) -> list[str]:
        """Targets of the links in the error summary."""
        return [href for href, _ in self.links if href.startswith(("#f-", "#act-"))]

    def form(self, number: int = 0) -> Form:
        return [f for f in self.forms if f.method == "post"][number]

    def with_button(self, name: str, value: str) -> Form:
        """The form that has this button."""
        return next(f for f in self.forms if (name, value) in f.buttons)

    def with_field(self, name: str) -> Form:
        """The form that has this field to fill in."""
        return next(f for f in self.forms if name in f.fields)

    def to(self, ending: str) -> Form:
        """The form that is sent to an address with this ending."""
        return next(f for f in self.forms if f.action.partition("?")[0].endswith(ending))

    def value(self, name: str) -> str:
        """What a field or hidden field holds."""
        return next(v for f in self.forms for n, v in f.values if n == name)

    def send(self, form: Form, /, *more: tuple[str, str], **typed: str) -> "Sheet":
        """Send ``form`` with boxes ticked (``more``) and fields typed into; follow where it leads."""
        given = [(n, v) for n, v in form.values if n not in typed]
        given += [*typed.items(), *more]
        body: dict[str, list[str]] = {}
        for name, value in given:
            body.setdefault(name, []).append(value)
        answer = self.visitor.post(form.action or self.path, data=body)
        while answer.status_code == 303:
            answer = self.visitor.get(answer.headers["location"])
        return Sheet(self.visitor, answer)

    def handle_starttag(  # noqa: C901 - one branch for each kind of element
        self, tag: str, attrs: list[tuple[str, Any]]
    ) -> None:
        a = dict(attrs)
        if tag not in VOID:
            self.unclosed.append(tag)
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "form":
            self._open = Form(a.get("action", ""), a.get("method", "get"))
            self.forms.append(self._open)
            self._by_id[a.get("id", "")] = self._open
        target = self._by_id.get(a["form"]) if "form" in a else self._open
        if tag == "a":
            self.links.append((a.get("href", ""), ""))
        if target is None:
            return
        if tag == "input":
            self._take_input(target, a)
        elif tag == "button" and a.get("name"):
            target.buttons.append((a["name"], a.get("value", "")))
        elif tag == "select":
            target.fields.append(a["name"])
            self._select = (a["name"], [])
        elif tag == "option" and self._select:
            self._select[1].append((a.get("value", ""), "selected" in a))
        elif tag == "textarea":
            target.fields.append(a["name"])
            self._area = a["name"]

    def _take_input(self, target: Form, a: dict[str, Any]) -> None:
        kind, name, value = a.get("type", "text"), a.get("name"), a.get("value") or ""
        if not name:
            return
        if kind in {"checkbox", "radio"}:
            target.boxes.append((name, a.get("value", "on")))
            if "checked" in a:
                target.values.append((name, a.get("value", "on")))
            return
        if kind != "hidden":
            target.fields.append(name)
        target.values.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self.unclosed and self.unclosed.pop() != tag:
            pass
        if tag == "form":
            self._open = None
        elif tag == "select" and self._select and self._open:
            name, options = self._select
            chosen = [v for v, selected in options if selected] or [v for v, _ in options[:1]]
            self._open.values += [(name, v) for v in chosen]
            self._select = None
        elif tag == "textarea" and self._area and self._open:
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area and self._open:
            self._open.values.append((self._area, data.removeprefix("\n")))
        elif self.unclosed and self.unclosed[-1] not in {"script", "style"}:
            self._words.append(data)


def read(visitor: Visitor, path: str, **more: Any) -> Sheet:
    """Visit ``path``, following redirects."""
    answer = visitor.get(path, **more)
    while answer.status_code == 303:
        answer = visitor.get(answer.headers["location"])
    return Sheet(visitor, answer)
