"""The style page: every component in each of its states, for who builds a page and for who looks it over."""

from datetime import date, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import qr
from epilock.collect.design import read_pasted
from epilock.collect.notice_facts import FieldNotice
from epilock.collect.point import Field
from epilock.destroy.turnover import Week
from epilock.errors import RefusedError
from epilock.standard.judge import judge
from epilock.standard.text import Text
from epilock.web import askable, chart, problem
from epilock.web.page import trusted
from epilock.web.request import SiteOf
from epilock.web.walk import Asked
from epilock.web.widget import OWN, Widget, of

router = APIRouter(include_in_schema=False)
CODE = "00000-00000-00000-00000-00000-00000"
WEEKS = tuple(
    Week(first=date(2026, 3, 2) + timedelta(days=7 * n), collected=come, destroyed=go)
    for n, (come, go) in enumerate([(40, 0), (95, 0), (120, 0), (80, 35), (30, 90), (0, 110)])
)
CHOICES = (("none", Text("没有", "None")), ("cough", Text("咳嗽", "A cough")))
WHY = Text("需要时联系您", "to reach you where it is needed")


@router.get("/style")
def get_style(site: SiteOf, request: Request) -> Response:
    """Show every component."""
    refused = RefusedError(
        "the standard gives R1 no leave for tracing (raw) in residential-entry", rule="range/residential-entry/tracing/R1",
        source=("IDPL-13",), allowed="District health authority and command",
    )  # fmt: skip
    judged = judge(
        site.parts.standard, read_pasted("姓名\n手机号\n人脸").fields, "residential-entry", "IV"
    )
    return site.pages.show(
        request, "style.html", script=True, wrong=problem.of(refused), csrf="", code=CODE, standard=site.parts.standard,
        lines=askable.lines(site.parts.standard, judged),
        code_image=trusted(qr.svg(site.parts.settings.url, title="QR")),
        chart=chart.of_weeks(WEEKS), fields=_fields("any"), wrong_fields=_fields("wrong"),
    )  # fmt: skip


def _fields(prefix: str) -> list[Asked]:
    """Return a field of each kind of control; ``prefix`` begins their ids."""
    radios, select = (Widget(kind=kind, choices=CHOICES) for kind in ("radios", "select"))
    fields = (
        ("name", "identity.name", Text("姓名", "Name"), None),
        ("mobile", "contact.mobile", Text("手机号", "Mobile"), None),
        ("temperature", "health.temperature", Text("体温", "Temperature"), None),
        ("needs", "need.supplies", Text("需要什么", "What you need"), None),
        ("few", "health.symptoms", Text("症状", "Symptoms"), radios),
        ("many", "health.symptoms", Text("症状", "Symptoms"), select),
    )
    return [
        _asked(f"{prefix}-{name}", category, label, widget, optional=name == "temperature")
        for name, category, label, widget in fields
    ]


def _asked(id_: str, category: str, label: Text, widget: Widget | None, *, optional: bool) -> Asked:
    nothing = Text("", "")
    said = FieldNotice(
        id=id_, category=category, label=label, optional=optional, sensitive=False, why=WHY,
        necessity=nothing, effect=nothing, without=nothing,
    )  # fmt: skip
    field = Field(id=id_, category=category, label=label, optional=optional)
    return Asked(field=field, said=said, widget=widget or of(field, OWN), choice=False)
