"""Imports of small lists: choose, look, bring in; who is still to be told.

Rules kept in this file:
  1. The file is not kept between the preview and the import: it is chosen again, so that no plaintext
     rests here. It is at most 1 MB, which never leaves memory and is forgotten when the import ends; a larger one is imported at a terminal.
  2. Letters hold codes that open records: they are for a custodian alone, and the ledger says so before.
"""

import csv
import io
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.beside import PATIENCE, Name, Told
from epilock.collect import issue, qr
from epilock.collect import point as points
from epilock.collect.consent import LAWFUL
from epilock.collect.intake import register, told
from epilock.collect.intake.mapping import ACT, LEAVE_OUT, METHOD, SIGNED, map_columns
from epilock.collect.intake.preview import preview
from epilock.collect.intake.read import fingerprint, open_table
from epilock.collect.intake.register import Import
from epilock.collect.intake.run import Target, run, target_of
from epilock.collect.intake.table import Source
from epilock.errors import EpilockError, InputError
from epilock.standard.level import CHINA
from epilock.web.console import brought, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.log import download
from epilock.web.problem import of as problem_of
from epilock.web.request import file_in, word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/imports")
PART = "imports"
HERE = "/console/imports"
MOST_SHOWN = 200  # problems on the page; the report has all


@router.get("")
def get_imports(desk: DeskOf) -> Response:
    """Show the imports, the latest first, and the form to begin one."""
    desk.enter(PART)
    return _start(desk)


@router.post("")
def post_file(desk: DeskOf, form: CheckedForm) -> Response:
    """Show what a list would become, or bring it in if its form says so."""
    desk.enter(PART)
    return _take(desk, form)


@router.get("/{import_id}")
def get_import(import_id: str, desk: DeskOf) -> Response:
    """Show one import: what came in, what was refused, who is to be told."""
    desk.enter(PART)
    return _one(desk, import_id)


@router.get("/{import_id}/report.csv")
def get_report(import_id: str, desk: DeskOf) -> Response:
    """Return the refused rows by number, field and code."""
    desk.enter(PART)
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = register.load(tx, desk.org, import_id)
        troubles = register.troubles(tx, found)
    return download(
        _csv(("row", "field", "problem"), troubles), f"{import_id}.csv", "text/csv; charset=utf-8"
    )


@router.post("/{import_id}/letters")
def post_letters(import_id: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Return row number, receipt code and address for each person's letter."""
    del form
    desk.enter(PART)
    desk.need("custodian")
    parts = desk.site.parts
    found = told.announce(parts.intake, desk.org, import_id, by=desk.who, now=desk.site.now())
    lines = [
        (letter.row, letter.code, qr.receipt_url(parts.settings.url, letter.code))
        for letter in told.letters(parts.intake, found)
    ]
    body = _csv(("row", "code", "address"), lines)
    return download(body, f"{import_id}-letters.csv", "text/csv; charset=utf-8")


@router.post("/{import_id}/told")
def post_told(import_id: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Note that people were told."""
    desk.enter(PART)
    desk.need("custodian")
    parts = desk.site.parts
    try:
        with parts.database.write() as tx:
            found = register.load(tx, desk.org, import_id)
            told.mark_told(
                tx, parts.intake, found, way=word(form, "way", most=20), by=desk.who,
                now=desk.site.now(), rows=_rows(form),
            )  # fmt: skip
    except WRONG as error:
        return _one(desk, import_id, error)
    return desk.go(f"/console/imports/{import_id}", done="told")


def _take(desk: Desk, form: FormData) -> Response:
    parts = desk.site.parts
    try:
        called, body = file_in(desk.request, form, "file")
        if not body:
            raise InputError("choose the file of the list")
        name = f"list.{called.rpartition('.')[2][:8]}"
        source = Source(path="", name=name, sheet=word(form, "sheet", most=31), content=body)
        target = target_of(parts.intake, desk.org, word(form, "point", most=40))
        by_hand = _by_hand(form)
        if word(form, "go") != "import":
            return _preview(desk, target, source, by_hand)
        return _brought_in(desk, target, source, by_hand)
    except WRONG as error:
        return _start(desk, error)


def _brought_in(desk: Desk, target: Target, source: Source, by_hand: dict[str, str]) -> Response:
    """Bring a list in, beside the page; its bytes are in memory until it ends.

    Raises:
        EpilockError: It can't be, and that is known already.
    """
    parts, by, point = desk.site.parts, desk.who, target.point.point
    file = fingerprint(source, parts.intake.secret)

    def bring_in(told: Told) -> None:
        run(
            parts.intake, source, org=target.point.org, point=point, by=by, by_hand=by_hand,
            now=parts.now, told=lambda found: told("rows", found.last_row, 0), beside=False,
        )  # fmt: skip

    work = parts.works.begin(_work(desk, point, file), bring_in, wait=PATIENCE)
    work.check()
    with parts.database.read(org=desk.org) as tx:
        found = register.by_file(tx, desk.org, point, file)
    if found is None:  # its first commit is still to come
        return desk.go(HERE)
    return desk.go(f"{HERE}/{found.id}", done="imported" if found.done else "")


def _work(desk: Desk, point: str, file: bytes) -> Name:
    return ("import", desk.org, point, file.hex())


def _preview(desk: Desk, target: Target, source: Source, by_hand: dict[str, str]) -> Response:
    table = open_table(source)
    mapping = map_columns(desk.site.parts.standard, target.form, table, by_hand)
    found = preview(
        target.form, table, mapping, issued=target.issued.issued.astimezone(CHINA).date(),
        today=desk.site.today(),
    )  # fmt: skip
    return desk.show(
        "import_preview.html", here=PART, script=True, target=target, found=found, mapping=mapping,
        sheet=source.sheet, choices=_choices(desk, target), leave_out=LEAVE_OUT,
    )  # fmt: skip


def _choices(desk: Desk, target: Target) -> list[tuple[str, str]]:
    """Return the targets and what each is called; on law or emergency only what is optional is consented to."""
    kinds = (
        {"optional"} if target.point.basis in LAWFUL else {a.kind for a in target.form.acts.items}
    )
    acts = [
        (ACT + act.id, desk.name(act.text))
        for act in target.form.acts.items
        if act.consent and act.kind in kinds
    ]
    fields = [(f.id, desk.name(f.label)) for f in target.form.fields]
    return [*fields, (SIGNED, desk.t("console.imports.signed")), *acts]


def _by_hand(form: FormData) -> dict[str, str]:
    """Return what was chosen for each column, by its number."""
    return {
        f"#{name[3:]}": value
        for name, value in form.multi_items()
        if name.startswith("to.") and isinstance(value, str) and value
    }


def _rows(form: FormData) -> tuple[int, int] | None:
    """Return the first and last row that were typed, or None if neither was.

    Raises:
        InputError: Only one was, or it is no number.
    """
    typed = (word(form, "first", most=9), word(form, "last", most=9))
    if typed == ("", ""):
        return None
    if not all(each.isascii() and each.isdigit() for each in typed):
        raise InputError("give the numbers of the first and the last row, or neither")
    return int(typed[0]), int(typed[1])


def _csv(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows(lines)
    return out.getvalue()


def _start(desk: Desk, error: EpilockError | None = None) -> Response:
    with desk.site.parts.database.read(org=desk.org) as tx:
        every = {p.point: p for p in points.listing(tx, desk.org)}
        at = register.points_of(tx, desk.org)
        page = listing.find(tx, brought.plan(at), desk.query, register.imports.c.org == desk.org)
    if page.export:
        return page.file("imports")
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "imports.html", here=PART, script=True, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, states=brought.STATES, at=at, points=every,
        open_points=[p for p in every.values() if p.closed is None and p.method == METHOD],
    )  # fmt: skip


def _one(desk: Desk, import_id: str, error: Exception | None = None) -> Response:
    with desk.site.parts.database.read(org=desk.org) as tx:
        found: Import = register.load(tx, desk.org, import_id)
        troubles = register.troubles(tx, found)[: MOST_SHOWN + 1]
        left = told.untold(tx, found)
        point, _ = issue.in_force(tx, desk.org, found.point)
    work = desk.site.parts.works.of(_work(desk, found.point, found.file))
    if work is not None and error is None and not found.done:
        error = work.problem
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "import.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        found=found, troubles=troubles[:MOST_SHOWN], more=len(troubles) > MOST_SHOWN, left=left,
        point=point, ways=told.WAYS, custodian=desk.has("custodian"),
        going_on=work if work is not None and work.is_under_way else None,
    )  # fmt: skip
