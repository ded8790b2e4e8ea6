"""What a person takes away by receipt: the receipt as a picture, and a copy of everything, as JSON or PDF (PIPL 45).

The copy holds what was given, so making one is an opening like any other: decided, and in the log. A file's
name tells nothing but the entry of the log.
"""

from base64 import b64encode
from collections.abc import Mapping

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect import handout, qr, receipt_page, receipt_picture
from epilock.collect.handout import Section
from epilock.collect.receipt_form import Receipt
from epilock.db import Transaction
from epilock.errors import ErasedError, InputError
from epilock.registry import organisation as organisations
from epilock.use.decision import SUBJECT, Decision
from epilock.web import holding as holdings
from epilock.web import receipt
from epilock.web.api.model import Held
from epilock.web.api.receipt import held_now
from epilock.web.holding import Holding
from epilock.web.language import Speaker
from epilock.web.log import download
from epilock.web.request import FormOf, Site, SiteOf, word

router = APIRouter(include_in_schema=False)


class Copy(BaseModel):
    """The copy as JSON: what is held, and the answers by category and field."""

    held: Held
    answers: dict[str, dict[str, str]]


@router.post("/r/picture")
def post_picture(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Return the receipt as a picture."""
    t = receipt.speaker(site, request, form)

    def shown(_: Transaction, held: Holding) -> Response:
        return download(
            picture(site, t, held), f"receipt-{held.record.entry_index}.png", "image/png"
        )

    return receipt.with_code(site, request, form, shown)


@router.post("/r/copy")
def post_copy(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Open the record for its person and return all of it as a file; ``kind``: ``json`` or ``pdf``."""
    kind = word(form, "kind", most=10)
    if kind not in {"json", "pdf"}:
        raise InputError("a copy is made as json or pdf")
    t = receipt.speaker(site, request, form)

    def shown(tx: Transaction, held: Holding) -> Response:
        answers = receipt.open_for_subject(site, held)
        name = f"my-data-{held.record.entry_index}.{kind}"
        if kind == "json":
            copy = Copy(held=held_now(tx, site, held), answers=answers)
            return download(copy.model_dump_json(indent=2), name, "application/json")
        with site.parts.database.read() as now:  # the opening that this is stands there too
            return download(_pdf(now, site, t, held, answers), name, "application/pdf")

    return receipt.with_code(site, request, form, shown)


def picture(site: Site, t: Speaker, held: Holding) -> bytes:
    """Return the receipt as PNG, in the language of ``t``."""
    notice = held.issued.notice
    return receipt_picture.png(
        title=t("receipt.picture.title"), code=held.code,
        address=qr.receipt_url(site.parts.settings.url, held.code),
        lines=[
            f"{t.say(notice.point_name)} · {t.say(held.organisation.name)}",
            *([t.moment(held.record.at)] if held.record.at else []),
        ],
        notes=[t("receipt.picture.use"), t("receipt.picture.secret")],
    )  # fmt: skip


def picture_in_page(site: Site, t: Speaker, held: Holding) -> str:
    """Return the picture as an address that needs no second request, and so no code in one."""
    return "data:image/png;base64," + b64encode(picture(site, t, held)).decode()


def _pdf(
    tx: Transaction, site: Site, t: Speaker, held: Holding,
    answers: Mapping[str, Mapping[str, str]],
) -> bytes:  # fmt: skip
    standard = site.parts.standard
    labels = {f.id: t.say(f.label) for f in held.form.fields}
    names = {o.org: t.say(o.name) for o in organisations.everyone(tx)}
    given = [
        (
            labels.get(name, t.say(standard.categories[category].name)),
            receipt.spoken(t, category, value),
        )
        for category, fields in answers.items()
        for name, value in fields.items()
    ]
    kept = [
        (t.listed([t.say(standard.categories[c].name) for c in day.categories]),
         t("log.emergency") if day.last_day is None else t("receipt.status.until", day=t.day(day.last_day)))
        for day in holdings.days(tx, site, held, today=site.today())
    ]  # fmt: skip
    opened = [
        (t.moment(d.at), f"{_who(t, d, names)} · {_purpose(site, t, d)}")
        for d in holdings.openings(tx, held)
    ]
    sections = [
        Section(t("receipt.data.title"), tuple(given)),
        Section(t("receipt.status.kept"), tuple(kept)),
        Section(t("receipt.status.openings"), tuple(opened) or (("", t("receipt.status.nobody")),)),
        *_receipt(tx, site, t, held),
    ]
    return handout.pdf(
        t("receipt.status.title"), sections, address=qr.receipt_url(site.parts.settings.url, held.code),
        language=t.tag, made=site.now(),
    )  # fmt: skip


def _who(t: Speaker, opening: Decision, names: Mapping[str, str]) -> str:
    return t("receipt.status.you") if opening.by == SUBJECT else names[opening.by_org]


def _purpose(site: Site, t: Speaker, opening: Decision) -> str:
    known = site.parts.standard.purposes.get(opening.purpose)
    return opening.purpose if known is None else t.say(known.name)


def _receipt(tx: Transaction, site: Site, t: Speaker, held: Holding) -> list[Section]:
    """Return the receipt and what was authorised; nothing of a record of which a part is gone."""
    try:
        whole = holdings.receipt_of(tx, site, held)
    except ErasedError:
        return []
    page = receipt_page.page(site.parts.standard, held.issued.notice, whole, t.language)
    acts = (("", f"{act}{t('resident.colon')}{state}") for act, state in page.acts)
    return [
        Section(t("receipt.picture.title"), tuple((line.label, line.value) for line in page.lines)),
        Section(t("receipt.copy.acts"), (*_agreed_in(site, t, whole), *acts)),
    ]


def _agreed_in(site: Site, t: Speaker, receipt: Receipt) -> list[tuple[str, str]]:
    """Say in which language the acts stand, if not in that of ``t``: nobody agreed to a translation."""
    read = receipt.records[0].language
    if read == t.language:
        return []
    return [("", t("receipt.copy.agreed_in", language=site.pages.languages[read].name))]
